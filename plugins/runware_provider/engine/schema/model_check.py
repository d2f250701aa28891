"""A pydantic model as the check of an answer, without those of its conversions that are guesses.

Pydantic reads `"2024"` as seconds since 1970, 0 as a day, and true as 1.0. The schema that was sent asks for
`date-time`, `date` and numbers, so none of these is an answer to it, and that is looked at first. Where a validator of
the user's runs before pydantic, it sees the answer as it came, and may read whatever it likes.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from pydantic import AliasChoices, AliasPath, ValidationError

from runware_provider.engine.schema.formats import EXAMPLES
from runware_provider.engine.schema.problems import (
    MAX_PROBLEMS,
    NO_ENCODING,
    Problem,
    clip,
    joined,
    path_of,
    short,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydantic import BaseModel

    from runware_provider.engine.schema.places import Place

    Check = Callable[[Any], tuple[Any, list[Problem]]]

NOTHING_ARRIVED = "nothing that was asked for is in it"

# `json.dumps` would make one per value.
_STRICT_JSON = json.JSONEncoder(allow_nan=False)

_NUMBERS = frozenset({"number", "integer"})
_TIMES = {
    "date": re.compile(r"\s*\d{4}-\d{2}-\d{2}", re.ASCII),
    "date-time": re.compile(r"\s*\d{4}-\d{2}-\d{2}[Tt _]\d{2}:?\d{2}", re.ASCII),
    "time": re.compile(r"\s*\d{2}:\d{2}", re.ASCII),
    "duration": re.compile(r"\s*[+-]?(?:\d+\s*[A-Za-z:,]|[A-Za-z])", re.ASCII),
}
"""How a text of each of these formats begins."""


def checked_by_model(model: type[BaseModel], place: Place, *, by_alias: bool) -> Check:
    """A check that gives the model's dump, or its complaints; a strict model needs pydantic's JSON mode, too.

    Args:
        model: with all that it refers to defined.
        place: what its schema wants, in which validators that run before are anything.
        by_alias: whether the dump uses aliases.
    """

    def check(value: Any) -> tuple[Any, list[Problem]]:
        misread = list(itertools.islice(_misread(place, value, "$"), MAX_PROBLEMS))
        if misread:
            return None, misread
        try:
            text = _STRICT_JSON.encode(value)
        except (TypeError, ValueError, RecursionError):
            return None, [Problem("$", "the value is not JSON; NaN and Infinity are not, either")]
        try:
            instance = model.model_validate_json(text)
            if value and not instance.model_fields_set:
                return None, [Problem("$", NOTHING_ARRIVED)]
            return instance.model_dump(mode="json", by_alias=by_alias, warnings=False), []
        except ValidationError as error:
            complaints = error.errors(include_url=False, include_context=False, include_input=False)
            meant = _of_the_meant(value, complaints)
            return None, [_complaint(value, complaint) for complaint in meant[:MAX_PROBLEMS]]
        except Exception as error:  # noqa: BLE001 - a user's validator can raise anything
            return None, [Problem("$", f"the value could not be checked: {type(error).__name__}")]

    return check


def names_read(model: type[BaseModel]) -> set[str]:
    """The keys that a model reads: its fields' aliases, and their names where it reads by them."""
    config = model.model_config
    by_name = bool(config.get("populate_by_name") or config.get("validate_by_name"))
    names: set[str] = set()
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        if by_name or alias is None:
            names.add(name)
        for choice in choices:
            first = choice.path[0] if isinstance(choice, AliasPath) else choice
            if isinstance(first, str):
                names.add(first)
    return names


def _misread(place: Place, value: Any, path: str) -> Iterator[Problem]:
    """What pydantic would read as something else than it says."""
    match value:
        case dict():
            for key, inner in value.items():
                below = place.below(key)
                if below is not None:
                    yield from _misread(below, inner, joined(path, key))
        case list() if place.item is not None:
            for index, inner in enumerate(value):
                yield from _misread(place.item, inner, f"{path}[{index}]")
        case bool() if "boolean" not in place.kinds and not place.kinds.isdisjoint(_NUMBERS):
            yield Problem(path, "true and false are no numbers")
        case str() | int() | float() if _is_no_time(place, value):
            form = min(place.forms)
            told = f"{short(value)} is no {form}; write it like {EXAMPLES.get(form, 'PT1H30M')}"
            yield Problem(path, told)


def _is_no_time(place: Place, value: str | float) -> bool:
    """Whether only a time may stand there, and the value does not even begin like one."""
    if not place.forms or not place.forms <= _TIMES.keys():
        return False
    if isinstance(value, str):
        return not any(_TIMES[form].match(value) for form in place.forms)
    return place.kinds.isdisjoint(_NUMBERS)


def _of_the_meant(value: Any, complaints: Sequence[Any]) -> list[Any]:
    """The complaints without those of a union's alternatives that a `Literal` rules out, where it leaves others."""
    branches = [_branch(value, complaint["loc"]) for complaint in complaints]
    ruled_out = {
        branch
        for branch, complaint in zip(branches, complaints, strict=True)
        if branch and complaint["type"] == "literal_error" and len(complaint["loc"]) == len(branch) + 1
    }
    left = {branch[:-1] for branch in branches if branch and branch not in ruled_out}
    return [
        complaint
        for branch, complaint in zip(branches, complaints, strict=True)
        if branch not in ruled_out or branch[:-1] not in left
    ]


def _branch(value: Any, path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The path to an alternative, which is the first step that the value has not; empty where there is none."""
    for number, part in enumerate(path[:-1]):
        if not _holds(value, part):
            return path[: number + 1]
        value = value[part]
    return ()


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
