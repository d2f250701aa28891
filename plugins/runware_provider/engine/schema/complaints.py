"""What the validator has against a value, told at its place, in few words, with what an alternative lacks below it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from jsonschema_rs import ValidationErrorKind as Kind

from runware_provider.engine.schema.formats import EXAMPLES
from runware_provider.engine.schema.linear_patterns import AS_WRITTEN
from runware_provider.engine.schema.problems import SHOWN, clip, short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jsonschema_rs import ValidationError

    Path = tuple[str | int, ...]
    Branch = tuple[Any, list["Complaint"]]

MASK = "\ue000"
"""What the validator writes in the place of a value, which may be as long as an answer: it is quoted here, clipped."""


@dataclass(slots=True)
class Complaint:
    """One complaint about one place.

    `branches` are the alternatives of an `anyOf` or `oneOf` of which none fits, each with its schema and what is to
    be said against it; `types` those that a `type` allows.
    """

    path: Path
    value: Any = field(repr=False)
    keyword: str
    message: str = field(repr=False)
    types: Sequence[str] = ()
    branches: Sequence[Branch] = field(default=(), repr=False)


def complaint_of(error: ValidationError, whole: Any, document: Mapping[str, Any]) -> Complaint:
    """The complaint that an error of the validator is.

    Args:
        error: made with `MASK`.
        whole: the value that was checked.
        document: the schema that it was checked against.
    """
    path = tuple(error.instance_path)
    value = whole
    for step in path:
        value = value[step]
    kind = error.kind
    keyword = str(error.schema_path[-1]) if error.schema_path else ""
    words = words_against_pattern(error, value, document) or words_for(error, value)
    complaint = Complaint(path, value, keyword, words)
    if isinstance(kind, Kind.Type):
        complaint.types = kind.types
    if isinstance(kind, Kind.AnyOf | Kind.OneOfNotValid):
        schemas = schema_at(document, error.schema_path)
        complaint.branches = [
            (dereferenced(schema, document), [complaint_of(one, whole, document) for one in errors])
            for schema, errors in zip(schemas, kind.context, strict=False)
        ]
    return complaint


def words_for(error: ValidationError, value: Any) -> str:
    """What is wrong with a value; the words for the commonest are ours, which list all that would be right."""
    if isinstance(value, float) and not math.isfinite(value):
        return "the number is not finite; JSON has neither NaN nor Infinity"
    match error.kind:
        case Kind.Type(types=types):
            words = f"{short(value)} is not of type {', '.join(map(repr, types))}"
        case Kind.Required(property=name):
            words = f"{short(name)} is a required property"
        case Kind.Enum(options=options):
            words = f"{short(value)} is not one of {options!r}"
        case Kind.Constant(expected_value=expected):
            words = f"{short(expected)} was expected"
        case Kind.Format(format=form):
            example = EXAMPLES.get(form)
            words = f"{short(value)} is not a {form!r}" + (f"; write it like {example}" if example else "")
        case _:
            words = str(error.message).replace(MASK, short(value))
    return words


def words_against_pattern(error: ValidationError, value: Any, document: Mapping[str, Any]) -> str | None:
    """What is wrong with a text or a name that does not match, with the pattern as its author wrote it; None for the rest."""
    if error.schema_path[-1:] not in (["pattern"], ["not"]):
        return None
    part = schema_at(document, error.schema_path[:-1])
    pattern = part.get(AS_WRITTEN) if isinstance(part, dict) else None
    if pattern is None:
        return None
    is_name = isinstance(error.kind, Kind.PropertyNames)
    subject = str(error.message).rpartition(" does not match ")[0] if is_name else short(value)
    return f"{clip(subject, SHOWN)} does not match {clip(pattern, SHOWN)!r}"


def schema_at(document: Any, path: Sequence[str | int]) -> Any:
    """What stands in a schema at the place that a validator names, which may lead through references."""
    part = document
    for step in path:
        part = dereferenced(part, document) if step == "$ref" else part[step]
    return part


def dereferenced(schema: Any, document: Any) -> Any:
    """The schema, or what it refers to."""
    if not isinstance(schema, dict) or "$ref" not in schema:
        return schema
    steps = [unquote(step).replace("~1", "/").replace("~0", "~") for step in schema["$ref"].split("/")[1:]]
    part = document
    for step in steps:
        part = part[int(step)] if isinstance(part, list) else part[step]
    return part
