"""A JSON Schema with each of its subschemas changed, whatever draft it is of, and how deep it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runware_provider.engine.keywords import SCHEMA_LISTS, SCHEMA_MAPS, SCHEMAS
from runware_provider.engine.schema.problems import joined

if TYPE_CHECKING:
    from collections.abc import Callable

    Change = Callable[[dict[str, Any], str], Any]

_MAPS = SCHEMA_MAPS | {"$defs", "definitions", "dependencies"}
_LISTS = SCHEMA_LISTS | {"allOf"}
_SINGLE = SCHEMAS | {"additionalItems"}
_OF_THE_SAME_VALUE = frozenset({"dependentSchemas", "dependencies"})
"""Their names are properties, and their schemas are about the object all the same."""


def rewritten(schema: Any, change: Change, path: str = "$") -> Any:
    """The schema with each of its subschemas replaced, innermost first; what is no schema stays as it is.

    Args:
        schema: of any draft, which may be malformed; not changed.
        change: gives a subschema's replacement; gets the subschema, its parts replaced already, and its place.
        path: where the schema stands.
    """
    if not isinstance(schema, dict):
        return schema
    made = {keyword: _rewritten_below(keyword, value, change, path) for keyword, value in schema.items()}
    return change(made, path)


def _rewritten_below(keyword: str, value: Any, change: Change, path: str) -> Any:
    if keyword in _MAPS and isinstance(value, dict):
        below = {name: path if keyword in _OF_THE_SAME_VALUE else joined(path, name) for name in value}
        return {name: rewritten(sub, change, below[name]) for name, sub in value.items()}
    if isinstance(value, list) and (keyword in _LISTS or keyword == "items"):
        return [rewritten(sub, change, f"{path}[]" if keyword == "items" else path) for sub in value]
    if keyword in _SINGLE:
        return rewritten(value, change, f"{path}[]" if keyword == "items" else path)
    return value


def is_deeper(value: Any, levels: int) -> bool:
    """Whether objects and arrays are nested in each other more than so many times.

    Args:
        value: any JSON, of any depth.
        levels: as many are looked at.
    """
    if isinstance(value, dict):
        return levels < 1 or any(
            isinstance(inner, dict | list) and is_deeper(inner, levels - 1) for inner in value.values()
        )
    if isinstance(value, list):
        return levels < 1 or any(
            isinstance(inner, dict | list) and is_deeper(inner, levels - 1) for inner in value
        )
    return False
