"""The one shape that can hold every alternative of a union.

Objects become a struct with the fields of all of them, in the order in which they first appear. A field that an
alternative has not is null there, so `WHERE kind = 'card'` picks an alternative and its fields are columns.
A default is kept only where all alternatives have it: what one of them left out must not be filled in from
another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from runware_provider.engine.schema.nodes import WIDENED, Field, Node, list_of, map_of
from runware_provider.engine.schema.problems import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Unlike = Callable[[Sequence[Node], str], Node]


def one_shape(nodes: Sequence[Node], path: str, unlike: Unlike) -> Node:
    """The shape of a value that is one of these.

    Args:
        nodes: the alternatives, at least one.
        path: where the value stands.
        unlike: gives the shape, or refuses, where they have nothing in common; it gets the shapes and their
            place, which may lie inside of `path`.
    """
    if all(node == nodes[0] for node in nodes):
        return nodes[0]
    kinds = {node.kind for node in nodes}
    if kinds <= {"int64", "float64", "widened"}:
        return WIDENED
    if kinds == {"struct"}:
        return _struct(nodes, path, unlike)
    items = [node.item for node in nodes if node.item is not None]
    if len(items) == len(nodes) and kinds == {"list"}:
        item = one_shape(items, f"{path}[]", unlike)
        metadata = nodes[0].arrow.value_field.metadata
        is_set = any(node.is_set for node in nodes)
        return Node("list", list_of(item.arrow, metadata), item=item, is_set=is_set)
    if len(items) == len(nodes) and kinds == {"map"}:
        item = one_shape(items, f"{path}.*", unlike)
        return Node("map", map_of(item.arrow, nodes[0].arrow.item_field.metadata), item=item)
    return unlike(nodes, path)


def _struct(nodes: Sequence[Node], path: str, unlike: Unlike) -> Node:
    names = list(dict.fromkeys(field.name for node in nodes for field in node.fields))
    fields, arrow = [], []
    for name in names:
        same = [(node, field) for node in nodes for field in node.fields if field.name == name]
        shape = one_shape([field.node for _, field in same], joined(path, name), unlike)
        defaults = [field.default for _, field in same]
        everywhere = len(same) == len(nodes) and all(default == defaults[0] for default in defaults)
        fields.append(Field(name, shape, defaults[0] if everywhere else None))
        told = (node.arrow.field(name).metadata for node, _ in same)
        arrow.append(pa.field(name, shape.arrow, metadata=next(filter(None, told), None)))
    return Node("struct", pa.struct(arrow), tuple(fields))
