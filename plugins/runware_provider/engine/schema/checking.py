"""Who checks a value, the JSON Schema or the pydantic model, and their complaints, told as problems.

A schema is checked by jsonschema-rs: in time that grows with the value, whatever its texts are.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema_rs
from pydantic import ValidationError

from runware_provider.engine.encodable import is_encodable
from runware_provider.engine.schema.branches import complaints_of_the_meant
from runware_provider.engine.schema.complaints import MASK, complaint_of
from runware_provider.engine.schema.formats import FORMATS
from runware_provider.engine.schema.linear_patterns import ENGINE
from runware_provider.engine.schema.problems import MAX_PROBLEMS, NO_ENCODING, Problem, clip, path_of
from runware_provider.engine.schema.written_numbers import WrittenFloat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydantic import BaseModel

    from runware_provider.engine.schema.complaints import Complaint

    Check = Callable[[Any], tuple[Any, list[Problem]]]

MAX_VALUE_DEPTH = 200
"""Levels of nesting of an answer; the validator works on the stack."""
MAX_EXPLAINED = 10_000
"""Values in an answer of which all problems are told; of a larger one it is the first that the validator meets."""
_CHARS_OF_A_VALUE = 50
"""So many characters of texts count like a value."""
# `json.dumps` would make one per value.
_STRICT_JSON = json.JSONEncoder(allow_nan=False)


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

    def check(value: Any) -> tuple[Any, list[Problem]]:
        try:
            checked = _as_doubles(value) if _holds_written_floats(value, MAX_VALUE_DEPTH) else value
            if validator.is_valid(checked):
                return value, []
            complaints = (
                meant
                for error in _errors(validator, checked)
                for meant in complaints_of_the_meant(complaint_of(error, checked, schema))
            )
            return value, [_problem(complaint) for complaint in itertools.islice(complaints, MAX_PROBLEMS)]
        except _TooDeepError:
            return None, [Problem("$", f"it is nested deeper than {MAX_VALUE_DEPTH} levels")]
        except Exception as error:  # noqa: BLE001 - an answer can hold what a library did not expect
            place = _unencodable(value)
            if place:
                return None, [Problem(path_of(place), NO_ENCODING)]
            return None, [Problem("$", f"the value could not be checked: {type(error).__name__}")]

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


def _as_doubles(value: Any) -> Any:
    """The value without numbers that remember how they were written."""
    if isinstance(value, dict):
        return {name: _as_doubles(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_as_doubles(inner) for inner in value]
    return float(value) if isinstance(value, WrittenFloat) else value


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


def checked_by_model(model: type[BaseModel], *, by_alias: bool) -> Check:
    """A check that gives the model's dump, or its complaints; a strict model needs pydantic's JSON mode, too."""

    def check(value: Any) -> tuple[Any, list[Problem]]:
        try:
            text = _STRICT_JSON.encode(value)
        except (TypeError, ValueError, RecursionError):
            return None, [Problem("$", "the value is not JSON; NaN and Infinity are not, either")]
        try:
            instance = model.model_validate_json(text)
            return instance.model_dump(mode="json", by_alias=by_alias, warnings=False), []
        except ValidationError as error:
            complaints = error.errors(include_url=False, include_context=False, include_input=False)
            return None, [_complaint(value, one) for one in complaints[:MAX_PROBLEMS]]
        except Exception as error:  # noqa: BLE001 - a user's validator can raise anything
            return None, [Problem("$", f"the value could not be checked: {type(error).__name__}")]

    return check


def _complaint(value: Any, complaint: Any) -> Problem:
    """A complaint of pydantic; its location also names branches and validators, which the value has not."""
    parts: list[str | int] = []
    *path, last = complaint["loc"] or [None]
    for part in path:
        if _holds(value, part):
            value = value[part]
            parts.append(part)
    if last is not None and (complaint["type"] == "missing" or _holds(value, last)):
        parts.append(last)
    if complaint["type"] == "json_invalid" and re.search("surrogate|hex escape", complaint["msg"]):
        return Problem("$", NO_ENCODING)
    message = complaint["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return Problem(path_of(parts), clip(message, 200))


def _holds(value: Any, part: str | int) -> bool:
    try:
        value[part]
    except (LookupError, TypeError):
        return False
    return True
