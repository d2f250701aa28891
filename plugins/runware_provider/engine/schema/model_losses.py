"""What of an answer a pydantic model did not keep, though it arrived where something was asked for.

Pydantic drops in silence what belongs to another alternative of a union than the one that it took, the second of two keys
for one field, one of two keys of a map that are the same once they are read, and what no field reads. The last is seen before
(`arrival`), but not where a validator of the user's comes first, nor below a recursion. So what pydantic made is held against
what it was made from, wherever something can be lost that way; most models have no such place.
"""

from __future__ import annotations

import itertools
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from runware_provider.engine.schema.json_text import is_same, whole
from runware_provider.engine.schema.problems import MAX_PROBLEMS, Problem, clip, path_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runware_provider.engine.schema.model_fields import CoreSchema, FieldsRead, Path, ReadField

TRANSPARENT = {
    "nullable": "schema",
    "default": "schema",
    "custom-error": "schema",
    "function-after": "schema",
    "json-or-python": "json_schema",
    "lax-or-strict": "lax_schema",
}
"""Core schemas that hold one other, and the key at which it stands."""
_SHOWN_KEYS = 8


@dataclass
class Losses:
    """What was lost."""

    misfits: list[Problem] = field(default_factory=list)
    """What was asked for, came, and would be lost."""
    unread: bool = False
    """Whether something came that no field reads."""
    omitted: bool = False
    """Whether items were left out of a list because they do not fit (pydantic's `OnErrorOmit`)."""
    doubtful: list[Path] = field(default_factory=list)
    """Keys that no field reads, and that a validator in front of it may have read."""


class Watch(ABC):
    """Holds what pydantic made at one place against what it was made from."""

    may_lose = False
    """Whether anything can be lost there, or below it, that nobody else sees."""
    has_fields = False
    """Whether there are objects there, or below it."""

    @abstractmethod
    def takes(self, made: Any) -> bool:
        """Whether pydantic may have made this here."""

    @abstractmethod
    def look(self, made: Any, value: Any, path: Path, losses: Losses, *, certain: bool) -> None:
        """Notes what was lost.

        Args:
            made: of the value, by pydantic.
            value: JSON.
            path: of the value.
            losses: gets what was lost.
            certain: whether no validator of the user's saw the value before.
        """


class Fields(Watch):
    """An object whose fields are known: a model, a dataclass, or a TypedDict, which is made a dict."""

    has_fields = True

    def __init__(self, cls: type | None, read: FieldsRead, *, unseen: bool) -> None:
        self.cls = cls
        self._read = read
        self._below: list[tuple[ReadField, Watch]] = []
        self.keys = frozenset(key for each in read.fields for key in (*each.keys, *each.opened))
        self._parts = _parts(read.fields)
        self._of_several = [each for each in read.fields if len(each.paths) > 1]
        self.may_lose = unseen or bool(self._of_several) or bool(self._parts)

    def add(self, read: ReadField, watch: Watch) -> None:
        """Adds what looks after the value of a field."""
        if watch.may_lose:
            self._below.append((read, watch))
            self.may_lose = True

    def takes(self, made: Any) -> bool:
        if self.cls is not None:
            return type(made) is self.cls
        return isinstance(made, dict) and made.keys() <= {each.name for each in self._read.fields}

    def unread(self, value: Mapping[str, Any]) -> list[str]:
        """The keys of which nothing is kept; null is nothing."""
        if self._read.keeps_others:
            return []
        return [key for key, inner in value.items() if key not in self.keys and inner is not None]

    def is_ruled_out(self, value: Mapping[str, Any]) -> bool:
        """Whether a literal of this class says that an object is of another one."""
        for each in self._read.fields:
            allowed = _literals(each.schema)
            given = [value[key] for key in each.keys if key in value]
            if allowed is not None and given and given[0] not in allowed:
                return True
        return False

    def look(self, made: Any, value: Any, path: Path, losses: Losses, *, certain: bool) -> None:
        if not isinstance(value, dict) or not self.takes(made):
            return
        certain = certain and not self._read.validated_before
        unread = [(key,) for key in self.unread(value)]
        if unread or self._parts:
            self._note_unread([*unread, *self._unread_parts(value)], path, losses, certain=certain)
        for each in self._of_several:
            self._note_second(list(_given(each, value)), path, losses, certain=certain)
        for each, watch in self._below:
            for place, inner in itertools.islice(_given(each, value), 1):
                inside = made.get(each.name) if self.cls is None else getattr(made, each.name, None)
                watch.look(inside, inner, (*path, *place), losses, certain=certain)

    def _unread_parts(self, value: Mapping[str, Any]) -> Iterator[Path]:
        """The keys beside those for which fields read a value in part."""
        for opened, wanted in self._parts.items():
            inner = value.get(opened)
            if isinstance(inner, dict):
                yield from ((opened, key) for key in inner if key not in wanted and inner[key] is not None)

    @staticmethod
    def _note_unread(lost: Sequence[Path], path: Path, losses: Losses, *, certain: bool) -> None:
        if certain:
            losses.unread = losses.unread or bool(lost)
        else:
            losses.doubtful += [(*path, *place) for place in lost]

    @staticmethod
    def _note_second(given: Sequence[tuple[Path, Any]], path: Path, losses: Losses, *, certain: bool) -> None:
        """Notes the values of a field beside the one that counts, where they say something else."""
        others = [
            place for place, inner in given[1:] if inner is not None and not is_same(inner, given[0][1])
        ]
        if not others:
            return
        if not certain:
            losses.doubtful += [(*path, *place) for place in others]
            return
        told = _listed([".".join(map(str, place)) for place in (given[0][0], *others)])
        losses.misfits.append(
            Problem(path_of(path), f"{told} are read as the same, and differ; give it once")
        )


class Root(Watch):
    """A model that is what it holds (`RootModel`)."""

    def __init__(self, cls: type, inner: Watch) -> None:
        self._cls = cls
        self._inner = inner
        self.may_lose = inner.may_lose
        self.has_fields = inner.has_fields

    def takes(self, made: Any) -> bool:
        return type(made) is self._cls

    def look(self, made: Any, value: Any, path: Path, losses: Losses, *, certain: bool) -> None:
        if self.takes(made):
            self._inner.look(made.root, value, path, losses, certain=certain)


class Choice(Watch):
    """A union, whose alternative is known by what pydantic made."""

    def __init__(self, alternatives: Sequence[Watch], *, is_told: bool) -> None:
        self._alternatives = alternatives
        self._is_told = is_told
        """Whether the user says which alternative counts, by a discriminator or by their order."""
        self.has_fields = any(each.has_fields for each in alternatives)
        several = [each for each in alternatives if isinstance(each, Fields)]
        self.may_lose = len(several) > 1 or any(each.may_lose for each in alternatives)

    def takes(self, made: Any) -> bool:
        return any(each.takes(made) for each in self._alternatives)

    def look(self, made: Any, value: Any, path: Path, losses: Losses, *, certain: bool) -> None:
        taken = next((each for each in self._alternatives if each.takes(made)), None)
        if taken is None:
            return
        # Each misfit takes a validation, and more are not told.
        is_guessed = certain and not self._is_told and len(losses.misfits) < MAX_PROBLEMS
        if is_guessed and isinstance(taken, Fields) and isinstance(value, dict):
            self._note_others(taken, value, path, losses)
        taken.look(made, value, path, losses, certain=certain)

    def _note_others(self, taken: Fields, value: dict[str, Any], path: Path, losses: Losses) -> None:
        """Notes the keys that another alternative would have kept, which was meant as well as the one that was taken."""
        unread = taken.unread(value)
        for other in self._alternatives:
            if not isinstance(other, Fields) or other is taken or other.is_ruled_out(value):
                continue
            lost = [key for key in unread if key in other.keys]
            if lost:
                losses.misfits.append(Problem(path_of(path), f"{_listed(lost)} {_why_lost(other, value)}"))
                return


class Items(Watch):
    """An array."""

    def __init__(self, item: Watch | None, *, omits: bool) -> None:
        self._item = item
        self._omits = omits
        self.has_fields = item is not None and item.has_fields
        self.may_lose = omits or (item is not None and item.may_lose)

    def takes(self, made: Any) -> bool:
        return isinstance(made, list | tuple | set | frozenset)

    def look(self, made: Any, value: Any, path: Path, losses: Losses, *, certain: bool) -> None:
        if not isinstance(value, list) or not isinstance(made, list | tuple):
            return
        if len(made) != len(value):
            losses.omitted = losses.omitted or (self._omits and certain)
            return
        if self._item is not None:
            for index, (inside, inner) in enumerate(zip(made, value, strict=True)):
                self._item.look(inside, inner, (*path, index), losses, certain=certain)


class Positions(Watch):
    """An array whose items each have a schema of their own."""

    def __init__(self, items: Sequence[Watch | None]) -> None:
        self._items = items
        self.has_fields = any(item is not None and item.has_fields for item in items)
        self.may_lose = any(item is not None and item.may_lose for item in items)

    def takes(self, made: Any) -> bool:
        return isinstance(made, tuple) and len(made) == len(self._items)

    def look(self, made: Any, value: Any, path: Path, losses: Losses, *, certain: bool) -> None:
        if not isinstance(value, list) or not self.takes(made) or len(value) != len(made):
            return
        for index, item in enumerate(self._items):
            if item is not None:
                item.look(made[index], value[index], (*path, index), losses, certain=certain)


class Values(Watch):
    """A map."""

    may_lose = True

    def __init__(self, value: Watch | None) -> None:
        self._value = value
        self.has_fields = value is not None and value.has_fields

    def takes(self, made: Any) -> bool:
        return isinstance(made, dict)

    def look(self, made: Any, value: Any, path: Path, losses: Losses, *, certain: bool) -> None:
        if not isinstance(value, dict) or not isinstance(made, dict):
            return
        if len(made) < len(value):
            if certain:
                told = f"of its {len(value)} keys some are read as the same; give each once"
                losses.misfits.append(Problem(path_of(path), told))
            return
        if self._value is not None and len(made) == len(value):
            for (key, inner), inside in zip(value.items(), made.values(), strict=True):
                self._value.look(inside, inner, (*path, key), losses, certain=certain)


class Validated(Watch):
    """What a validator of the user's sees first, and may read as it likes."""

    def __init__(self, inner: Watch) -> None:
        self._inner = inner
        self.has_fields = inner.has_fields
        self.may_lose = inner.has_fields

    def takes(self, made: Any) -> bool:
        return self._inner.takes(made)

    def look(self, made: Any, value: Any, path: Path, losses: Losses, *, certain: bool) -> None:  # noqa: ARG002
        self._inner.look(made, value, path, losses, certain=False)


class InText(Watch):
    """What is made of a text that is JSON (`Json[...]`)."""

    def __init__(self, inner: Watch) -> None:
        self._inner = inner
        self.has_fields = inner.has_fields
        self.may_lose = inner.may_lose

    def takes(self, made: Any) -> bool:
        return self._inner.takes(made)

    def look(self, made: Any, value: Any, path: Path, losses: Losses, *, certain: bool) -> None:
        if not isinstance(value, str):
            return
        inside, fault = whole(value)
        # Of two equal keys pydantic takes the last.
        if fault is not None:
            losses.misfits.append(Problem(path_of(path), fault.problem))
        else:
            # What a text holds has no path that could be left out.
            self._inner.look(made, inside, path, losses, certain=certain)


class Again(Watch):
    """A recursion: what stands further up, once it is known."""

    may_lose = True
    has_fields = True

    def __init__(self) -> None:
        self.meant: Watch | None = None

    def takes(self, made: Any) -> bool:
        return self.meant is not None and self.meant.takes(made)

    def look(self, made: Any, value: Any, path: Path, losses: Losses, *, certain: bool) -> None:
        if self.meant is not None:
            self.meant.look(made, value, path, losses, certain=certain)


def _parts(fields: Sequence[ReadField]) -> dict[str, set[Any]]:
    """The keys of whose values fields read parts only, each with the steps that lead to them."""
    whole = {key for each in fields for key in each.keys}
    parts: dict[str, set[Any]] = {}
    for each in fields:
        for first, *further in each.paths:
            if further and isinstance(first, str) and first not in whole:
                parts.setdefault(first, set()).add(further[0])
    return parts


def _given(read: ReadField, value: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """The places at which a field's value stands, and what stands there; the first counts."""
    for path in read.paths:
        inner: Any = value
        try:
            for step in path:
                inner = inner[step]
        except (LookupError, TypeError):
            continue
        yield path, inner


def _literals(schema: CoreSchema) -> list[Any] | None:
    """The values that a field may have, where they are listed; as JSON writes them."""
    while schema["type"] in TRANSPARENT:
        schema = schema[TRANSPARENT[schema["type"]]]
    if schema["type"] != "literal":
        return None
    return [each.value if isinstance(each, Enum) else each for each in schema["expected"]]


def _why_lost(other: Fields, value: Mapping[str, Any]) -> str:
    """Why an alternative was not taken that would have kept a key."""
    told = "would be lost, being of another alternative than the rest"
    if other.cls is None or not issubclass(other.cls, BaseModel):
        return f"{told}; give all keys of one alternative"
    try:
        other.cls.model_validate_json(json.dumps(value))
    except ValidationError as error:
        complaint = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return f"{told}, which does not fit: {clip(path_of(complaint['loc']), 60)}: {clip(complaint['msg'], 100)}"
    except Exception:  # noqa: BLE001 - a user's validator can raise anything
        return f"{told}, which does not fit"
    return f"{told}; give all keys of one alternative"


def _listed(keys: Sequence[str]) -> str:
    return ", ".join(f"`{clip(key, 40)}`" for key in keys[:_SHOWN_KEYS])
