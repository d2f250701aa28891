"""Who checks a value, jsonschema or the pydantic model, and their complaints, told as problems."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from jsonschema.exceptions import best_match
from pydantic import ValidationError

from runware_provider.engine.fit import MAX_PROBLEMS, NO_ENCODING, SHOWN, Problem, clip, path_of
from runware_provider.engine.formats import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError as Mismatch
    from pydantic import BaseModel

    Check = Callable[[Any], tuple[Any, list[Problem]]]

# `json.dumps` would make one per value.
_STRICT_JSON = json.JSONEncoder(allow_nan=False)


def checked_by_schema(validator: Draft202012Validator) -> Check:
    """A check that gives the value as it is, or its problems."""

    def check(value: Any) -> tuple[Any, list[Problem]]:
        try:
            errors = list(itertools.islice(validator.iter_errors(value), MAX_PROBLEMS))
            return value, [_mismatch(error) for error in errors]
        except Exception as error:  # noqa: BLE001 - numbers beyond a double and deep values break the library
            return None, [Problem("$", f"the value could not be checked: {type(error).__name__}")]

    return check


def _mismatch(error: Mismatch) -> Problem:
    """A complaint of jsonschema, told of the branch that was meant, with a short value in it."""
    error = _meant(error)
    whole = repr(error.instance)
    message = error.message.replace(whole, clip(whole, SHOWN))
    example = EXAMPLES.get(str(error.validator_value)) if error.validator == "format" else None
    if example:
        message += f"; write it like {example}"
    return Problem(path_of(error.absolute_path), clip(message, 500 if error.validator == "enum" else 200))


def _meant(error: Mismatch) -> Mismatch:
    """The complaint about the only branch besides null, or the most telling one."""
    if not error.context or not isinstance(error.validator_value, list):
        return error
    branches = [n for n, branch in enumerate(error.validator_value) if branch != {"type": "null"}]
    if len(branches) == 1:
        inner = best_match(one for one in error.context if one.relative_schema_path[0] == branches[0])
        return _meant(inner) if inner is not None else error
    return best_match([error]) or error


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
