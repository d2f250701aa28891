"""Records as far as a page shows them: whoever may write to a state folder may write at any length. Pure."""

from __future__ import annotations

import heapq
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final, TypeVar

T = TypeVar("T")

MOST_CHARS: Final = 4_096
"""Of a text; no path of ours is longer."""
MOST_NAME_CHARS: Final = 200
"""Of a key, such as an error code."""
MOST_ITEMS: Final = 20
"""Of a list or of a mapping."""


def clipped(record: T) -> T:
    """A dataclass of ours with all its texts, lists and mappings no longer than a page shows them."""
    shown: T = _clipped(record)
    return shown


def _clipped(value: Any) -> Any:
    if isinstance(value, str):
        return value[:MOST_CHARS]
    if isinstance(value, list):
        return [_clipped(each) for each in value[:MOST_ITEMS]]
    if isinstance(value, dict):
        return {str(name)[:MOST_NAME_CHARS]: _clipped(value[name]) for name in _first(value)}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _clipped(getattr(value, each.name)) for each in fields(value)})
    return value


def _first(mapping: dict[Any, Any]) -> list[Any]:
    """The keys that are shown, in their order: of counts, those of the greatest."""
    if len(mapping) <= MOST_ITEMS or not all(isinstance(value, int) for value in mapping.values()):
        return list(mapping)[:MOST_ITEMS]
    greatest = set(heapq.nlargest(MOST_ITEMS, mapping, key=mapping.__getitem__))
    return [name for name in mapping if name in greatest]
