"""Types and their bounds, for people."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAMES: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`True` or `False`",
    Any: "",
    dict: "dict",
}
_SHOWN: dict[Any, str] = {tuple: "({})", dict: "dict", type: "class of {}"}


def told(field: FieldInfo) -> str:
    """The type of a pydantic field, with its bounds: "whole number (1 to 64)"."""
    return _bounded(_type(field.annotation), field.metadata)


def _type(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _bounded(_type(parts[0]), parts[1:])
    if origin is Literal:
        return ", ".join(f"`{value!r}`" for value in parts)
    if origin is tuple and parts[-1] is ...:
        return f"list of {_type(parts[0])}"
    shown = _SHOWN.get(origin)
    return shown.format(", ".join(map(_type, parts))) if shown else _name(annotation)


def _name(annotation: Any) -> str:
    if get_origin(annotation) in {Union, types.UnionType}:
        # That it may be `None` shows in its default.
        return " or ".join(_type(one) for one in get_args(annotation) if one is not type(None))
    return _NAMES.get(annotation) or f"`{getattr(annotation, '__name__', annotation)}`"


def _bounded(kind: str, metadata: Iterable[Any]) -> str:
    """The type's name with what its metadata says of its bounds."""
    held = [
        one for given in metadata for one in (given.metadata if isinstance(given, FieldInfo) else [given])
    ]
    least = next((one.ge for one in held if isinstance(one, annotated_types.Ge)), None)
    most = next((one.le for one in held if isinstance(one, annotated_types.Le)), None)
    above = next((one.gt for one in held if isinstance(one, annotated_types.Gt)), None)
    longest = next((one.max_length for one in held if isinstance(one, annotated_types.MaxLen)), None)
    said = []
    if least is not None:
        said.append(
            f"{_number(least)} to {_number(most)}" if most is not None else f"{_number(least)} or more"
        )
    if above is not None:
        said.append(f"more than {_number(above)}")
    if longest is not None:
        said.append(f"at most {_number(longest)}{' characters' if kind == 'text' else ''}")
    return f"{kind} ({', '.join(said)})" if said else kind


def _number(value: Any) -> str:
    return "2⁶³ - 1" if value == 2**63 - 1 else f"{value:,}"
