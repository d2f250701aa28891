"""Whether a document is a JSON Schema at all."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema_rs import ValidationErrorKind as Kind

from runware_provider.engine.schema.checking import validator_of
from runware_provider.engine.schema.complaints import words_for
from runware_provider.engine.schema.problems import clip, path_of

if TYPE_CHECKING:
    import jsonschema_rs

    from runware_provider.engine.schema.problems import Refuse

_META = {"$ref": "https://json-schema.org/draft/2020-12/schema"}


@cache
def _meta_validator() -> jsonschema_rs.Draft202012Validator:
    return validator_of(_META, formats=False)


def refuse_malformed(document: dict[str, Any], refuse: Refuse) -> None:
    """Refuses what is no JSON Schema of 2020-12, at the first place that is wrong.

    Raises:
        BadInput: a keyword holds what it cannot hold.
    """
    validator = _meta_validator()
    if validator.is_valid(document):
        return
    error = next(iter(validator.iter_errors(document)))
    while isinstance(error.kind, Kind.AnyOf):
        error = error.kind.context[0][0]
    value: Any = document
    for step in error.instance_path:
        value = value[step]
    refuse(path_of(error.instance_path), clip(words_for(error, value), 200), "Mend the JSON Schema")
