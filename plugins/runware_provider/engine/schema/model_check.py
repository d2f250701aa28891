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

from pydantic import ValidationError

from runware_provider.engine.schema.formats import EXAMPLES
from runware_provider.engine.schema.model_losses import Losses
from runware_provider.engine.schema.model_watching import watch_of
from runware_provider.engine.schema.problems import (
    MAX_PROBLEMS,
    NO_ENCODING,
    OMITTED_ITEMS,
    UNKNOWN_KEYS,
    Checked,
    Problem,
    clip,
    joined,
    path_of,
    short,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import BaseModel

    from runware_provider.engine.schema.model_fields import Path
    from runware_provider.engine.schema.places import Place

NOTHING_ARRIVED = "nothing that was asked for is in it"

# `json.dumps` would make one per value.
_STRICT_JSON = json.JSONEncoder(allow_nan=False)

_MAX_TRIED = 8
"""Keys of one answer of which it is tried whether anybody read them; each takes a validation."""
_NUMBERS = frozenset({"number", "integer"})
_TIMES = {
    "date": re.compile(r"\s*\d{4}-\d{2}-\d{2}", re.ASCII),
    "date-time": re.compile(r"\s*\d{4}-\d{2}-\d{2}[Tt _]\d{2}:?\d{2}", re.ASCII),
    "time": re.compile(r"\s*\d{2}:\d{2}", re.ASCII),
    "duration": re.compile(r"\s*[+-]?(?:\d+\s*[A-Za-z:,]|[A-Za-z])", re.ASCII),
}
"""How a text of each of these formats begins."""


class ModelCheck:
    """Gives the model's dump of a value, or its complaints; a strict model needs pydantic's JSON mode, too.

    Args:
        model: with all that it refers to defined.
        place: what its schema wants, in which validators that run before are anything.
        by_alias: whether the dump uses aliases.
    """

    def __init__(self, model: type[BaseModel], place: Place, *, by_alias: bool) -> None:
        self._model = model
        self._place = place
        self._by_alias = by_alias
        self._watch = watch_of(model)

    def __call__(self, value: Any) -> Checked:
        """The value as it is stored, or what is wrong with it."""
        misread = list(itertools.islice(_misread(self._place, value, "$"), MAX_PROBLEMS))
        if misread:
            return Checked(None, misread)
        try:
            text = _STRICT_JSON.encode(value)
        except (TypeError, ValueError, RecursionError):
            return Checked(None, [Problem("$", "the value is not JSON; NaN and Infinity are not, either")])
        try:
            return self._kept(value, self._model.model_validate_json(text))
        except ValidationError as error:
            complaints = error.errors(include_url=False, include_context=False, include_input=False)
            meant = _of_the_meant(value, complaints)
            return Checked(None, [_complaint(value, complaint) for complaint in meant[:MAX_PROBLEMS]])
        except Exception as error:  # noqa: BLE001 - a user's validator can raise anything
            return Checked(None, [Problem("$", f"the value could not be checked: {type(error).__name__}")])

    def _kept(self, value: Any, made: BaseModel) -> Checked:
        """What the model keeps of a value, with what it lost of it."""
        if value and not made.model_fields_set:
            return Checked(None, [Problem("$", NOTHING_ARRIVED)])
        dump = self._dump(made)
        if self._watch is None:
            return Checked(dump, [], made=made)
        losses = Losses()
        self._watch.look(made, value, (), losses, certain=True)
        if losses.misfits:
            return Checked(None, losses.misfits[:MAX_PROBLEMS])
        notes = [OMITTED_ITEMS] if losses.omitted else []
        if losses.unread or self._makes_no_difference(losses.doubtful, value, dump):
            notes.append(UNKNOWN_KEYS)
        return Checked(dump, [], tuple(notes), made)

    def _dump(self, made: BaseModel) -> Any:
        return made.model_dump(mode="json", by_alias=self._by_alias, warnings=False)

    def _makes_no_difference(self, doubtful: Sequence[Path], value: Any, dump: Any) -> bool:
        """Whether one of these keys can be left out: nobody read it then, not even a validator that sees all."""
        for path in doubtful[:_MAX_TRIED]:
            try:
                made = self._model.model_validate_json(_STRICT_JSON.encode(_without(value, path)))
                is_same = self._dump(made) == dump
            except Exception:  # noqa: BLE001 - a user's validator can raise anything
                is_same = False
            if is_same:
                return True
        return False


def _without(value: Any, path: Path) -> Any:
    """A copy of the value, without what stands at the path."""
    first, *further = path
    if isinstance(value, list):
        return [
            _without(inner, tuple(further)) if index == first else inner for index, inner in enumerate(value)
        ]
    if not further:
        return {key: inner for key, inner in value.items() if key != first}
    return {key: _without(inner, tuple(further)) if key == first else inner for key, inner in value.items()}


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
