"""The shapes that stored values can have, each with its Arrow type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DEPTH = 40
"""Levels of nesting; readers of Parquet give up not far above."""
DECIMAL_PRECISION, DECIMAL_SCALE = 38, 18


@dataclass(frozen=True)
class Field:
    """A property of a struct; the default stands in a tuple, since a default can be anything."""

    name: str
    node: Node
    default: tuple[Any] | None


@dataclass(frozen=True)
class Node:
    """A subschema's shape; equal nodes convert alike.

    `fields` belong to the kind `struct`, `item` to the kinds `list` and `map`; the other kinds are scalars.
    """

    kind: str
    arrow: pa.DataType
    fields: tuple[Field, ...] = ()
    item: Node | None = None
    is_set: bool = False
    """Of a list: whether its items have no order of their own."""


def list_of(item: pa.DataType, metadata: Mapping[bytes, bytes] | None = None) -> pa.DataType:
    """A list whose items are named as Parquet names them, so that a file gives the type back.

    Args:
        item: the type of an item.
        metadata: of the field that items are, as Arrow has it.
    """
    return pa.list_(pa.field("element", item, metadata=metadata))


def map_of(value: pa.DataType, metadata: Mapping[bytes, bytes] | None = None) -> pa.DataType:
    """A map from texts to values, named as Parquet names them.

    Args:
        value: the type of a value.
        metadata: of the field that values are, as Arrow has it.
    """
    return pa.map_(pa.string(), pa.field("value", value, metadata=metadata))


NUMBERS = {
    "integer": Node("int64", pa.int64()),
    "number": Node("float64", pa.float64()),
    "boolean": Node("bool", pa.bool_()),
}
"""By JSON Schema's `type`."""
WIDENED = Node("widened", pa.float64())
"""A number that may be an integer of another alternative, all of whose digits have to be kept."""
STRING = Node("string", pa.string())
JSON = Node("json", pa.string())
"""JSON text, for what has no one Arrow type."""
NAIVE = Node("naive", pa.timestamp("us"))
"""Which JSON Schema has no word for, and pydantic has."""
DECIMAL = Node("decimal", pa.decimal128(DECIMAL_PRECISION, DECIMAL_SCALE))
TEXTS = {
    "date": Node("date", pa.date32()),
    "date-time": Node("instant", pa.timestamp("us", "UTC")),
    "time": Node("time", pa.time64("us")),
    "decimal": DECIMAL,
}
"""By JSON Schema's `format`; all others are `STRING`."""
