"""The node of an inlined JSON Schema, or why it has none: here a schema is refused that cannot become Arrow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from runware_provider.engine.schema.arrow_values import UnfitError, converter
from runware_provider.engine.schema.checkable import checkable
from runware_provider.engine.schema.checking import checked_by_schema
from runware_provider.engine.schema.merging import SHAPE
from runware_provider.engine.schema.nodes import (
    DECIMAL,
    DECIMAL_PRECISION,
    JSON,
    MAX_DEPTH,
    NAIVE,
    NUMBERS,
    STRING,
    TEXTS,
    WIDENED,
    Field,
    Node,
    list_of,
    map_of,
)
from runware_provider.engine.schema.problems import clip, joined
from runware_provider.engine.schema.unions import one_shape
from runware_provider.engine.schema.unstored_fields import unstored

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runware_provider.engine.schema.problems import Refuse

_PYDANTIC_DECIMAL = "^(?!^[-+.]*$)[+-]?0*"


def node_of(
    flat: dict[str, Any],
    refuse: Refuse,
    *,
    of_dump: bool = False,
    may_be_bare: bool = False,
    as_json: bool = False,
) -> Node:
    """The struct that stores what fits an inlined JSON Schema.

    Args:
        flat: as `inlined` gives it.
        refuse: for what has no Arrow type.
        of_dump: it is the schema of a pydantic dump, which has no use for defaults, and says more about
            some texts.
        may_be_bare: the root may have no properties.
        as_json: below the root, what has no one Arrow type is stored as JSON text.

    Raises:
        BadInput: it cannot become Arrow.
    """
    if may_be_bare and flat.get("properties") == {}:
        return Node("struct", pa.struct([]))
    reader = _Reader(refuse, of_dump=of_dump, as_json=as_json, definitions=flat.get("$defs", {}))
    node = reader.node(flat, "$", 0) or refuse("$", "it is always null", "Drop it")
    if node.kind != "struct":
        refuse("$", "the root has no properties of its own", "Put what it holds into a property")
    _refuse_twins(node, "$", refuse)
    return node


def _refuse_twins(node: Node, path: str, refuse: Refuse) -> None:
    """DuckDB renames one of two fields that differ by case only, and Spark reads neither."""
    known: dict[str, str] = {}
    for field in node.fields:
        twin = known.setdefault(field.name.lower(), field.name)
        if twin != field.name:
            problem = f"{twin!r} and {field.name!r} differ by case only, which some readers take for one"
            refuse(path, problem, "Rename one of them")
        _refuse_twins(field.node, joined(path, field.name), refuse)
    if node.item is not None:
        _refuse_twins(node.item, f"{path}.*" if node.kind == "map" else f"{path}[]", refuse)


class _Reader:
    """Reads subschemas, each at its path and depth."""

    def __init__(self, refuse: Refuse, *, of_dump: bool, as_json: bool, definitions: dict[str, Any]) -> None:
        self._refuse = refuse
        self._of_dump = of_dump
        self._as_json = as_json
        self._definitions = definitions

    def node(self, schema: Any, path: str, depth: int) -> Node | None:
        """The shape of what is not null; `None` where only null is allowed."""
        if schema is True or schema == {}:
            return self._untyped(path)
        if not isinstance(schema, dict):
            self._refuse(path, "nothing is allowed there", "Drop it")
        if depth > MAX_DEPTH:
            self._refuse(path, f"it is nested deeper than {MAX_DEPTH} levels", "Flatten it")
        if schema.get("nullable") is True:
            self._refuse(path, "`nullable` is not JSON Schema", 'Write "type": ["string", "null"]')
        if "$ref" in schema:  # what `inlined` leaves refers to itself
            return JSON
        union = self._union(schema, path)
        if union is not None:
            return self._one_of(union, path, depth)
        return self._typed(schema, path, depth)

    def _typed(self, schema: dict[str, Any], path: str, depth: int) -> Node | None:
        kinds = self._types(schema)
        if kinds is None:
            return self._untyped(path, values=bool(schema.keys() & {"enum", "const"}))
        if len(kinds) > 1:
            problem = f"it may be {' or '.join(sorted(kinds))}"
            return self._json_or_refuse(path, problem, "Settle for one type, or for text")
        if not kinds:
            return None
        kind = next(iter(kinds))
        if kind == "object":
            return self._struct(schema, path, depth)
        if kind == "array":
            return self._list(schema, path, depth)
        return self._text(schema, path) if kind == "string" else _number(schema, kind)

    def _json_or_refuse(self, path: str, problem: str, remedy: str) -> Node:
        if path == "$":  # an answer is never JSON text as a whole
            return self._refuse(path, problem, f"{remedy}, or wrap it: an object with one property")
        if self._as_json:
            return JSON
        return self._refuse(
            path, problem, f"{remedy}, or have it stored as JSON text with Answers(untyped='json')"
        )

    def _untyped(self, path: str, *, values: bool = False) -> Node:
        if values:
            problem = "`enum` or `const` holds an object or array"
            return self._json_or_refuse(path, problem, "Describe it with a `type`")
        remedy = "Annotate it, and what serializers return" if self._of_dump else "Give it a `type`"
        return self._json_or_refuse(path, "it has no type, so it has no Arrow type", remedy)

    def _union(self, schema: dict[str, Any], path: str) -> list[Any] | None:
        """The branches, if they say what the value is; branches may also only restrict it."""
        keywords = [keyword for keyword in ("anyOf", "oneOf") if keyword in schema]
        shaping = [
            keyword
            for keyword in keywords
            if any(not isinstance(branch, dict) or SHAPE & branch.keys() for branch in schema[keyword])
        ]
        own = (SHAPE & schema.keys()) - set(keywords)
        if len(shaping) == 1 and own <= {"type", "properties"}:
            rest = {keyword: value for keyword, value in schema.items() if keyword not in keywords}
            return [_extended(rest, branch) if own else branch for branch in schema[shaping[0]]]
        if shaping:
            self._refuse(path, f"`{shaping[0]}` stands beside another shape", "Say the type in one place")
        return None

    def _one_of(self, branches: Iterable[Any], path: str, depth: int) -> Node | None:
        branches = list(branches)
        nodes = [node for branch in branches if (node := self.node(branch, path, depth)) is not None]
        if not nodes:
            return None
        return DECIMAL if _is_decimal(branches, nodes) else one_shape(nodes, path, self._unlike)

    def _unlike(self, nodes: Sequence[Node], path: str) -> Node:
        kinds = " or ".join(dict.fromkeys(str(node.arrow) for node in nodes))
        if len({str(node.arrow) for node in nodes}) == 1:
            kinds = f"one of two kinds of {nodes[0].arrow}"
        remedy = "Settle for one, give each alternative a property of its own"
        if {node.kind for node in nodes} == {"float64", "string"}:
            remedy = 'For a decimal write "type": "string", "format": "decimal"'
            if not self._refuse.argument.startswith("tools"):
                remedy += ", or give the pydantic model"
        return self._json_or_refuse(
            path, f"it may be {clip(kinds, 200)}, which has no one Arrow type", remedy
        )

    def _types(self, schema: dict[str, Any]) -> set[str] | None:
        """The names of the types that are allowed, without null; nothing where any type is."""
        named = schema.get("type")
        if named is not None:
            kinds = {named} if isinstance(named, str) else set(named)
        elif "const" in schema or "enum" in schema:
            values = [schema["const"]] if "const" in schema else schema["enum"]
            kinds = {_json_type(value) for value in values}
            if kinds & {"object", "array"}:
                return None
        elif {"properties", "items", "prefixItems"} & schema.keys():
            kinds = {"object" if "properties" in schema else "array"}
        else:
            return None
        if {"integer", "number"} <= kinds:
            kinds.discard("integer")
        return kinds - {"null"}

    def _text(self, schema: dict[str, Any], path: str) -> Node:
        form = schema.get("format")
        node = TEXTS.get(form, STRING) if isinstance(form, str) else STRING
        if not self._of_dump:
            return node
        if schema.get("x-naive"):
            return NAIVE
        scale = schema.get("x-scale")
        if node.kind != "decimal" or scale is None:
            return node
        precision = schema.get("x-precision") or DECIMAL_PRECISION
        if max(precision, scale) > DECIMAL_PRECISION:
            self._refuse(path, f"the decimal has more than {DECIMAL_PRECISION} digits", "Allow fewer digits")
        return Node("decimal", pa.decimal128(precision, scale))

    def _struct(self, schema: dict[str, Any], path: str, depth: int) -> Node:
        values = _values_of_map(schema, of_dump=self._of_dump)
        if values and path != "$" and not self._as_json:
            return self._map(values, path, depth)
        if (opening := _opening(schema)) is not None:
            pairs = "List its properties, ask for an array of objects with `key` and `value`"
            return self._json_or_refuse(path, opening, pairs)
        self._refuse_odd_names(schema, path)
        fields = []
        arrow = []
        for name, sub in schema["properties"].items():
            below = joined(path, name)
            node = self.node(sub, below, depth + 1)
            if node is None:
                self._refuse(below, "it can only be null, so there is nothing to store", "Drop it")
            fields.append(Field(name, node, self._default(sub, node, below)))
            arrow.append(pa.field(name, node.arrow, metadata=_metadata(sub, node)))
        struct = Node("struct", pa.struct(arrow), tuple(fields))
        if not self._of_dump:
            for lost in unstored(schema, struct, path):
                problem = (
                    "only a condition (`then`, `else`, `dependentSchemas`, ...) names it, so it has no column"
                )
                self._refuse(lost, problem, "Declare it under `properties` of the object itself, too")
        return struct

    def _map(self, values: Sequence[Any], path: str, depth: int) -> Node:
        below = f"{path}.*"
        item = self._one_of(values, below, depth + 1)
        if item is None:
            self._refuse(below, "it can only be null, so there is nothing to store", "Drop it")
        told = values[0] if len(values) == 1 else {}
        return Node("map", map_of(item.arrow, _metadata(told, item)), item=item)

    def _refuse_odd_names(self, schema: dict[str, Any], path: str) -> None:
        known = schema["properties"]
        for name in schema.get("required", ()):
            if name not in known:
                self._refuse(path, f"{name!r} is required but not described", "Add it to `properties`")
        if "" in known:
            self._refuse(path, "a property has an empty name", "Give it a name")

    def _default(self, schema: Any, node: Node, path: str) -> tuple[Any] | None:
        if self._of_dump or not isinstance(schema, dict) or schema.get("default") is None:
            return None
        value = schema["default"]
        try:
            converter(node)(value)
        except UnfitError:
            fits = False
        else:
            whole = checkable({**schema, "$defs": self._definitions}, self._refuse)
            fits = not checked_by_schema(whole)(value)[1]
        if not fits:
            self._refuse(path, "the default does not fit its own schema", "Mend the default, or drop it")
        return (value,)

    def _list(self, schema: dict[str, Any], path: str, depth: int) -> Node:
        below = f"{path}[]"
        parts = list(schema.get("prefixItems", ()))
        rest = schema.get("items")
        closed = rest is False or (parts and schema.get("maxItems", math.inf) <= len(parts))
        if not closed or isinstance(rest, dict):
            parts.append(True if rest is None else rest)
        if not parts:
            self._refuse(path, "the array is always empty", "Drop it, or describe its `items`")
        item = self._one_of(parts, below, depth + 1)
        if item is None:
            self._refuse(below, "it can only be null, so there is nothing to store", "Drop it")
        told = rest if len(parts) == 1 and isinstance(rest, dict) else {}
        is_set = self._of_dump and schema.get("x-set") is True
        return Node("list", list_of(item.arrow, _metadata(told, item)), item=item, is_set=is_set)


def _number(schema: dict[str, Any], kind: str) -> Node:
    """The shape of a number or a boolean; of a number that may be an integer, no digit of the integer is lost."""
    may_be_integer = "integer" in schema.get("type", ())
    return WIDENED if kind == "number" and may_be_integer else NUMBERS[kind]


def _values_of_map(schema: dict[str, Any], *, of_dump: bool) -> list[Any]:
    """The schemas of an object's values, where its names are all open and its values all described."""
    if schema.get("properties"):
        return []
    patterns = list(schema.get("patternProperties", {}).values())
    more = schema.get("additionalProperties", schema.get("unevaluatedProperties", True))
    if isinstance(more, dict) and more:
        return [*patterns, more]
    # A pydantic model lets no other names through, and does not say so.
    return patterns if more is False or of_dump else []


def _opening(schema: dict[str, Any]) -> str | None:
    """Why the names of an object's properties are not known."""
    if schema.get("patternProperties"):
        return "`patternProperties` leaves other names open"
    for keyword in ("additionalProperties", "unevaluatedProperties"):
        more = schema.get(keyword)
        if isinstance(more, dict) and more:
            return f"`{keyword}` with a schema is an open map"
    return None if schema.get("properties") else "the object has no properties, so there is nothing to store"


def _metadata(schema: Any, node: Node) -> dict[bytes, bytes] | None:
    """What the Arrow field says about itself, in JSON Schema's words."""
    told: dict[bytes, bytes] = {}
    if isinstance(schema, dict) and schema.get("description"):
        told[b"description"] = schema["description"].encode(errors="replace")
    if node.kind == "json":
        told[b"contentMediaType"] = b"application/json"
    return told or None


def _extended(base: dict[str, Any], branch: Any) -> Any:
    """An alternative with what stands beside all of them; only its shape matters."""
    if not isinstance(branch, dict):
        return base if branch is True else branch
    properties = {**base.get("properties", {}), **branch.get("properties", {})}
    return {**base, **branch, **({"properties": properties} if properties else {})}


def _is_decimal(branches: list[Any], nodes: list[Node]) -> bool:
    """Whether a union is how pydantic writes `Decimal`: a number, or a text of digits."""
    patterns = [str(branch.get("pattern", "")) for branch in branches if isinstance(branch, dict)]
    digits = any(pattern.startswith(_PYDANTIC_DECIMAL) for pattern in patterns)
    return digits and {node.kind for node in nodes} == {"float64", "string"}


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}
    return kinds[type(value)]
