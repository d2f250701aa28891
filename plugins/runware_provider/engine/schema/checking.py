"""The check of a value by jsonschema, and its complaints, told as problems."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from runware_provider.engine.schema.branches import complaints_of_the_meant
from runware_provider.engine.schema.formats import EXAMPLES
from runware_provider.engine.schema.problems import MAX_PROBLEMS, SHOWN, Problem, clip, path_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jsonschema.exceptions import ValidationError as Mismatch
    from jsonschema.protocols import Validator

    Check = Callable[[Any], tuple[Any, list[Problem]]]


def checked_by_schema(validator: Validator) -> Check:
    """A check that gives the value as it is, or its problems."""

    def check(value: Any) -> tuple[Any, list[Problem]]:
        try:
            errors = (meant for one in validator.iter_errors(value) for meant in complaints_of_the_meant(one))
            return value, [_mismatch(error) for error in itertools.islice(errors, MAX_PROBLEMS)]
        except Exception as error:  # noqa: BLE001 - numbers beyond a double and deep values break the library
            return None, [Problem("$", f"the value could not be checked: {type(error).__name__}")]

    return check


def _mismatch(error: Mismatch) -> Problem:
    """A complaint of jsonschema, with a short value in it."""
    whole = repr(error.instance)
    message = error.message.replace(whole, clip(whole, SHOWN))
    example = EXAMPLES.get(str(error.validator_value)) if error.validator == "format" else None
    if example:
        message += f"; write it like {example}"
    return Problem(path_of(error.absolute_path), clip(message, 500 if error.validator == "enum" else 200))
