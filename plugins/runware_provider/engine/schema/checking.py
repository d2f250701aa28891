"""The check of a value by its JSON Schema, and the complaints, told as problems.

jsonschema-rs checks in time that grows with the value, whatever its texts are.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from runware_provider.engine.encodable import is_encodable
from runware_provider.engine.schema.branches import complaints_of_the_meant
from runware_provider.engine.schema.complaints import MASK, complaint_of
from runware_provider.engine.schema.formats import FORMATS
from runware_provider.engine.schema.linear_patterns import ENGINE
from runware_provider.engine.schema.problems import MAX_PROBLEMS, NO_ENCODING, Checked, Problem, clip, path_of
from runware_provider.engine.schema.written_numbers import WrittenFloat, as_doubles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runware_provider.engine.schema.complaints import Complaint

    Check = Callable[[Any], Checked]

MAX_VALUE_DEPTH = 200
"""Levels of nesting of a value; the validator works on the stack. Texts are read up to half of it, and what a text holds
that is read as JSON may be as deep again."""
TOO_DEEP = Problem("$", f"it is nested deeper than {MAX_VALUE_DEPTH} levels")
MAX_EXPLAINED = 10_000
"""Values in an answer of which all problems are told; of a larger one it is the first that the validator meets."""
_CHARS_OF_A_VALUE = 50
"""So many characters of texts count like a value."""


def validator_of(schema: Mapping[str, Any], *, formats: bool = True) -> jsonschema_rs.Draft202012Validator:
    """The validator of a schema, which is 2020-12 and refers to nothing outside of itself.

    Args:
        schema: as `checkable` gives it.
        formats: whether formats are checked.

    Raises:
        ValueError: it is nested too deeply.
        jsonschema_rs.ValidationError: it is no JSON Schema, or holds a pattern that is not linear.
    """
    return jsonschema_rs.Draft202012Validator(
        dict(schema),
        formats=dict(FORMATS),
        validate_formats=formats,
        pattern_options=ENGINE,
        retriever=_nothing_from_elsewhere,
        mask=MASK,
    )


def _nothing_from_elsewhere(address: str) -> Any:
    raise ValueError(f"{address} is not part of the schema")


class _TooDeepError(Exception):
    """A value is nested too deeply to be looked at."""


def checked_by_schema(schema: Mapping[str, Any]) -> Check:
    """A check that gives the value as it is, or its problems.

    Args:
        schema: as `checkable` gives it.
    """
    validator = validator_of(schema)

    def check(value: Any) -> Checked:
        try:
            checked = as_doubles(value) if _holds_written_floats(value, MAX_VALUE_DEPTH) else value
            if validator.is_valid(checked):
                return Checked(value, [])
            complaints = (
                meant
                for error in _errors(validator, checked)
                for meant in complaints_of_the_meant(complaint_of(error, checked, schema))
            )
            told = itertools.islice(complaints, MAX_PROBLEMS)
            return Checked(value, [_problem(complaint) for complaint in told])
        except _TooDeepError:
            return Checked(None, [TOO_DEEP])
        except Exception as error:  # noqa: BLE001 - an answer can hold what a library did not expect
            place = _unencodable(value)
            if place:
                return Checked(None, [Problem(path_of(place), NO_ENCODING)])
            return Checked(None, [Problem("$", f"the value could not be checked: {type(error).__name__}")])

    return check


def _errors(
    validator: jsonschema_rs.Draft202012Validator, value: Any
) -> Iterator[jsonschema_rs.ValidationError]:
    """The validator collects all errors at once, so of a large value only the first is asked for."""
    if _is_larger(value, MAX_EXPLAINED):
        try:
            validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            yield error
        return
    yield from validator.iter_errors(value)


def _is_larger(value: Any, most: int) -> bool:
    """Whether a value holds more than so many values."""
    left = [value]
    count = 1
    while left:
        inner = left.pop()
        if isinstance(inner, dict | list):
            count += len(inner)
            if count > most:
                return True
            left.extend(inner.values() if isinstance(inner, dict) else inner)
        elif isinstance(inner, str):
            count += len(inner) // _CHARS_OF_A_VALUE
    return count > most


def _holds_written_floats(value: Any, levels: int) -> bool:
    """Whether a value holds numbers of our own kind, which the validator takes for something that is no JSON.

    Raises:
        _TooDeepError: objects and arrays are nested in each other more than so many times.
    """
    kind = type(value)
    if kind is not dict and kind is not list:
        return kind is WrittenFloat
    if levels < 1:
        raise _TooDeepError
    holds = False
    for inner in value.values() if kind is dict else value:
        # No call for each scalar: every answer comes by here.
        kind_of_inner = type(inner)
        if kind_of_inner is WrittenFloat:
            holds = True
        elif kind_of_inner is dict or kind_of_inner is list:
            holds = _holds_written_floats(inner, levels - 1) or holds
    return holds


def _unencodable(value: Any) -> tuple[str | int, ...]:
    """Where half of a surrogate pair stands; nothing where there is none."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in inner:
        if isinstance(below, str) and not is_encodable(below):
            return (step,)
        path = _unencodable(below)
        if path:
            return (step, *path)
    return ()


def _problem(complaint: Complaint) -> Problem:
    """A complaint, with a short value in it."""
    return Problem(
        path_of(complaint.path), clip(complaint.message, 500 if complaint.keyword == "enum" else 200)
    )
