"""Which keys of an answer are described: by another name that a model reads, in another case or style, or not at all.

An object of which nothing is described holds no answer, though a schema that requires nothing lets it pass: an envelope,
the schema itself, an error. It is a misfit, as is a key for which two stand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runware_provider.engine.schema.places import style_of
from runware_provider.engine.schema.problems import UNKNOWN_KEYS, Problem, clip, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runware_provider.engine.schema.places import Place

KEY_STYLE = "key_style"
_SHOWN_KEYS = 8
_SHOWN_CHARS = 40


@dataclass
class Arrival:
    """A value with its keys as they are described, and what was noticed on the way."""

    value: Any = field(default=None, repr=False)
    notes: dict[str, None] = field(default_factory=dict)
    """Names of mends."""
    misfits: list[Problem] = field(default_factory=list)


def arrived(place: Place, value: Any) -> Arrival:
    """The value with each key that differs from a described one in case or style only renamed, if it is the only one.

    Args:
        place: of the whole answer.
        value: JSON; not changed.
    """
    arrival = Arrival()
    arrival.value = _read(place, value, "$", arrival)
    return arrival


def _read(place: Place, value: Any, path: str, arrival: Arrival) -> Any:
    if isinstance(value, list) and place.item is not None:
        item = place.item
        return [_read(item, inner, f"{path}[{index}]", arrival) for index, inner in enumerate(value)]
    if not isinstance(value, dict) or (place.names is None and place.others is None):
        return value
    if place.names is not None and not value.keys() <= place.properties.keys():
        value = _with_described_keys(place, place.names, value, path, arrival)
    read = dict(value)
    for key, inner in value.items():
        below = place.below(key) if isinstance(inner, dict | list) else None
        if below is not None:
            read[key] = _read(below, inner, joined(path, key), arrival)
    return read


def _with_described_keys(
    place: Place, names: Mapping[str, str], value: dict[str, Any], path: str, arrival: Arrival
) -> dict[str, Any]:
    renamed: dict[str, str] = {}
    repeated: set[str] = set()
    for described_key, spellings in _spellings(place, names, value).items():
        is_styled = any(key not in names for key in spellings)
        # A model that reads several keys for a field says itself which of them counts.
        if len(spellings) > 1 and not is_styled:
            continue
        if len(spellings) > 1 and _differ(value, spellings):
            told = _listed(spellings)
            arrival.misfits.append(Problem(path, f"{told} are the same key but for its style; give it once"))
            continue
        if is_styled:
            arrival.notes[KEY_STYLE] = None
        if spellings[0] != described_key:
            renamed[spellings[0]] = described_key
        repeated.update(spellings[1:])
    read = {renamed.get(key, key): inner for key, inner in value.items() if key not in repeated}
    unknown = [key for key in read if key not in names]
    if unknown:
        arrival.notes[UNKNOWN_KEYS] = None
        arrival.misfits += _misfits(place, names, read, unknown, path)
    return read


def _spellings(place: Place, names: Mapping[str, str], value: dict[str, Any]) -> dict[str, list[str]]:
    """The keys that stand for each described one, where there are others than itself; itself comes first."""
    spellings: dict[str, list[str]] = {}
    for key in value:
        meant = (names[key],) if key in names else place.by_style.get(style_of(key), ())
        # Two described keys of the same style: nobody knows which one is meant.
        if len(meant) != 1 or meant[0] == key:
            continue
        itself = [meant[0]] if meant[0] in value else []
        spellings.setdefault(meant[0], itself).append(key)
    return spellings


def _misfits(
    place: Place, names: Mapping[str, str], read: dict[str, Any], unknown: list[str], path: str
) -> Iterable[Problem]:
    """Signs that the answer stands elsewhere."""
    if len(unknown) == len(read):
        yield Problem(path, f"it holds {_listed(unknown)}, which nobody asked for; {_wanted(place)}")
        return
    # What is null may well be what stands elsewhere.
    given = {names[key] for key, inner in read.items() if key in names and inner is not None}
    missing = place.properties.keys() - given
    for key in unknown:
        inside = _inside(read[key])
        stray = [name for name in place.properties if name in missing and inside.get(name) is not None]
        if stray:
            yield Problem(path, f"{_listed(stray)} stands inside of {_listed([key])}, which nobody asked for")


def _inside(value: Any) -> Mapping[str, Any]:
    """What an object holds, or the first object of a list."""
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, dict) else {}


def _differ(value: dict[str, Any], keys: list[str]) -> bool:
    return len({json.dumps(value[key], sort_keys=True) for key in keys}) > 1


def _wanted(place: Place) -> str:
    return f"what is wanted is {_listed(list(place.properties))}"


def _listed(keys: list[str]) -> str:
    shown = ", ".join(f"`{clip(key, _SHOWN_CHARS)}`" for key in keys[:_SHOWN_KEYS])
    return shown if len(keys) <= _SHOWN_KEYS else f"{shown} and {len(keys) - _SHOWN_KEYS} more"
