"""What a JSON Schema demands in `then`, `else` and their like, and its shape has no place for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runware_provider.engine.schema.problems import joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runware_provider.engine.schema.nodes import Node


def unstored(schema: Mapping[str, Any], node: Node, path: str) -> Iterator[str]:
    """The places that answers would be checked for, and that would then be lost.

    Args:
        schema: an inlined JSON Schema of an object.
        node: the struct that stores it.
        path: where it stands.
    """
    for part in _conditional(schema, node):
        yield from _demanded(part, node, path)


def _conditional(schema: Mapping[str, Any], node: Node) -> Iterator[Any]:
    """The parts that hold for some of the values only."""
    for keyword in ("then", "else"):
        yield schema.get(keyword)
    for keyword in ("anyOf", "oneOf", "allOf"):
        yield from schema.get(keyword, ())
    # What depends on a property that nobody described demands nothing of what was asked for.
    stored = {field.name for field in node.fields}
    for name, part in schema.get("dependentSchemas", {}).items():
        if name in stored:
            yield part
    for name, names in schema.get("dependentRequired", {}).items():
        if name in stored:
            yield {"required": names}


def _demanded(part: Any, node: Node, path: str) -> Iterator[str]:
    if not isinstance(part, dict):
        return
    if node.item is not None:
        yield from _demanded(part.get("items"), node.item, f"{path}[]")
    if node.kind != "struct":
        return
    stored = {field.name: field.node for field in node.fields}
    described = {name: sub for name, sub in part.get("properties", {}).items() if sub is not False}
    for name in dict.fromkeys([*described, *part.get("required", ())]):
        if name not in stored:
            yield joined(path, name)
        elif name in described:
            yield from _demanded(described[name], stored[name], joined(path, name))
    for inner in _conditional(part, node):
        yield from _demanded(inner, node, path)
