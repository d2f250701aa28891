"""Which keys of an answer are described: read in another case or style, left out, or not there at all.

An object of which nothing is described holds no answer, though a schema that requires nothing lets it pass: an envelope,
the schema itself, an error. It is a misfit, as is a key for which two stand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runware_provider.engine.schema.places import style_of
from runware_provider.engine.schema.problems import Problem, clip, joined

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runware_provider.engine.schema.places import Place

KEY_STYLE, UNKNOWN_KEYS = "key_style", "unknown_keys"
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
    if place.names is not None and not value.keys() <= place.names:
        value = _with_described_keys(place, value, path, arrival)
    read = dict(value)
    for key, inner in value.items():
        below = place.below(key) if isinstance(inner, dict | list) else None
        if below is not None:
            read[key] = _read(below, inner, joined(path, key), arrival)
    return read


def _with_described_keys(place: Place, value: dict[str, Any], path: str, arrival: Arrival) -> dict[str, Any]:
    names = place.names or frozenset()
    claims: dict[str, list[str]] = {}
    for key in value:
        described = place.by_style.get(style_of(key), ()) if key not in names else ()
        # Two described keys of the same style: nobody knows which one is meant.
        if len(described) == 1:
            claims.setdefault(described[0], []).append(key)
    renamed: dict[str, str] = {}
    for described_key, keys in claims.items():
        if described_key not in value and len(keys) == 1:
            renamed[keys[0]] = described_key
        elif _differ(value, [*keys, described_key]):
            told = _listed(keys if described_key not in value else [described_key, *keys])
            arrival.misfits.append(Problem(path, f"{told} are the same key but for its style; give it once"))
    read = {renamed.get(key, key): inner for key, inner in value.items()}
    if renamed:
        arrival.notes[KEY_STYLE] = None
    unknown = [key for key in read if key not in names]
    if unknown:
        arrival.notes[UNKNOWN_KEYS] = None
        arrival.misfits += _misfits(place, read, unknown, path)
    return read


def _misfits(place: Place, read: dict[str, Any], unknown: list[str], path: str) -> Iterable[Problem]:
    """Signs that the answer stands elsewhere."""
    if len(unknown) == len(read):
        yield Problem(path, f"it holds {_listed(unknown)}, which nobody asked for; {_wanted(place)}")
        return
    missing = place.properties.keys() - read.keys()
    for key in unknown:
        inner = read[key]
        if isinstance(inner, dict) and not missing.isdisjoint(inner):
            stray = sorted(missing & inner.keys())
            yield Problem(path, f"{_listed(stray)} stands inside of {_listed([key])}, which nobody asked for")


def _differ(value: dict[str, Any], keys: list[str]) -> bool:
    given = [json.dumps(value[key], sort_keys=True) for key in keys if key in value]
    return len(set(given)) > 1


def _wanted(place: Place) -> str:
    return f"what is wanted is {_listed(list(place.properties))}"


def _listed(keys: list[str]) -> str:
    shown = ", ".join(f"`{clip(key, _SHOWN_CHARS)}`" for key in keys[:_SHOWN_KEYS])
    return shown if len(keys) <= _SHOWN_KEYS else f"{shown} and {len(keys) - _SHOWN_KEYS} more"
