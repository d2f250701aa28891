"""Who checks a value, jsonschema or the pydantic model, and their complaints, told as problems."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from runware_provider.engine.schema.branches import complaints_of_the_meant
from runware_provider.engine.schema.formats import EXAMPLES
from runware_provider.engine.schema.problems import MAX_PROBLEMS, NO_ENCODING, SHOWN, Problem, clip, path_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jsonschema.exceptions import ValidationError as Mismatch
    from jsonschema.protocols import Validator
    from pydantic import BaseModel

    Check = Callable[[Any], tuple[Any, list[Problem]]]

# `json.dumps` would make one per value.
_STRICT_JSON = json.JSONEncoder(allow_nan=False)


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
