"""A JSON Schema of an older draft, written as 2020-12 says the same.

`$schema` names the draft, at the root, or alike in all parts that name one. Without it a schema is read as 2020-12, except for what 2020-12 has no meaning for and an older
draft has one: `dependencies`, a list as `items`, `exclusiveMinimum: true`. What means nothing in the draft that is
named, and something in another, is refused: a validator of that draft would pass over it in silence.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runware_provider.engine.schema.subschemas import rewritten

if TYPE_CHECKING:
    from runware_provider.engine.schema.problems import Refuse

_NEWEST = "https://json-schema.org/draft/2020-12/schema"
_DRAFTS = {
    "json-schema.org/draft-04/schema": 4,
    "json-schema.org/draft-06/schema": 6,
    "json-schema.org/draft-07/schema": 7,
    "json-schema.org/draft/2019-09/schema": 2019,
    "json-schema.org/draft/2020-12/schema": 2020,
}
_UNNAMED = frozenset({"json-schema.org/schema", "json-schema.org/draft/schema"})
"""These stand for whatever draft is the newest, and so name none."""
_SINCE: dict[str, int] = {
    **dict.fromkeys(("const", "contains", "propertyNames"), 6),
    **dict.fromkeys(("if", "then", "else"), 7),
    **dict.fromkeys(("dependentRequired", "dependentSchemas", "minContains", "maxContains"), 2019),
    **dict.fromkeys(("unevaluatedItems", "unevaluatedProperties"), 2019),
    "prefixItems": 2020,
}
"""The draft that brought a keyword that answers are checked against."""
_BESIDE_A_REFERENCE = frozenset(
    {"$ref", "$defs", "definitions", "$schema", "$comment", "title", "description", "default", "examples"}
    | {"deprecated", "readOnly", "writeOnly"}
)
"""What is kept beside a `$ref` up to draft-07, in which nothing else beside it counts."""


def as_2020_12(document: dict[str, Any], refuse: Refuse) -> dict[str, Any]:
    """The same schema in the words of 2020-12, without `$schema` and the root's `$id`.

    Args:
        document: may be malformed; not changed.
        refuse: for what its draft does not know.

    Raises:
        BadInput: `$schema` names no draft that is known, or a keyword means nothing in the draft.
    """
    draft = _draft_of(document.get("$schema", _only_draft_inside(document)), refuse)
    plain = {keyword: value for keyword, value in document.items() if keyword not in {"$schema", "$id"}}
    modern: dict[str, Any] = rewritten(plain, _Modernizing(draft, refuse).changed)
    return modern


def _only_draft_inside(document: dict[str, Any]) -> Any:
    """What `$schema` says in the parts of a document; None where it says nothing, or this and that."""
    named: set[str] = set()

    def noted(part: dict[str, Any], path: str) -> dict[str, Any]:  # noqa: ARG001 - as `rewritten` calls it
        if "$schema" in part:
            named.add(str(part["$schema"]))
        return part

    rewritten(document, noted)
    return named.pop() if len(named) == 1 else None


def _refers(schema: dict[str, Any]) -> bool:
    """Whether there may be a reference inside, whose meaning depends on what the schemas around it are called."""
    text = json.dumps(schema)
    return any(f'"${kind}":' in text for kind in ("ref", "dynamicRef", "recursiveRef"))


def _draft_of(named: Any, refuse: Refuse) -> int | None:
    """The draft that `$schema` names."""
    if named is None:
        return None
    address = str(named).removeprefix("http://").removeprefix("https://").removesuffix("#")
    if address in _UNNAMED:
        return None
    if address not in _DRAFTS:
        known = "draft-04, draft-06, draft-07, 2019-09 and 2020-12"
        refuse("$", f"`$schema` names {named!r:.100}, which is not known; {known} are", f"Write {_NEWEST!r}")
    return _DRAFTS[address]


def _name(draft: int | None) -> str:
    if draft is None:
        return "2020-12"
    return {2019: "2019-09", 2020: "2020-12"}.get(draft, f"draft-0{draft}")


class _Modernizing:
    """Subschemas of one draft, `None` where none is named."""

    def __init__(self, draft: int | None, refuse: Refuse) -> None:
        self._draft = draft
        self._refuse = refuse
        self._year = 2020 if draft is None else draft

    def changed(self, schema: dict[str, Any], path: str) -> dict[str, Any]:
        if "$ref" in schema and self._year <= 7:
            return {keyword: value for keyword, value in schema.items() if keyword in _BESIDE_A_REFERENCE}
        schema = self._nameless(schema, path)
        self._refuse_unknown(schema, path)
        if self._draft is None or self._draft == 4:
            schema = self._numeric_bounds(schema)
        if self._draft != 2020:
            schema = self._tuples(schema, path)
        elif isinstance(schema.get("items"), list):
            remedy = "Write `prefixItems`, or the draft that it is of into `$schema`"
            self._refuse(path, "`items` is a list, which 2020-12 does not know", remedy)
        elif "prefixItems" in schema and "additionalItems" in schema:
            self._refuse(path, "`additionalItems` means nothing in 2020-12", "Write `items`")
        return self._dependencies(schema)

    def _nameless(self, schema: dict[str, Any], path: str) -> dict[str, Any]:
        """Without the draft, where it is the document's, and without a name, where it moves no reference inside.

        Tools that name a draft name all schemas in it, too; where no draft is named, somebody meant something. A reference to
        such a name leads out of what is understood here, and is refused as such.
        """
        if "$schema" in schema and _draft_of(schema["$schema"], self._refuse) != self._draft:
            self._refuse(path, "`$schema` names another draft than the root's", "Write it at the root only")
        keyword = "id" if self._year == 4 else "$id"
        is_root = keyword == "id" and path == "$"  # whose `$id` is dropped already
        may_be_meant = self._draft is None or _refers(schema)
        if isinstance(schema.get(keyword), str) and may_be_meant and not is_root:
            remedy = "Drop it, and use references like '#/definitions/Name'"
            self._refuse(path, f"`{keyword}` inside of the schema moves its references", remedy)
        return {name: value for name, value in schema.items() if name not in {"$id", "$schema"}}

    def _refuse_unknown(self, schema: dict[str, Any], path: str) -> None:
        if self._year == 2019 and "$recursiveAnchor" in schema:
            self._refuse(path, "`$recursiveAnchor` is not supported", "Use references like '#/$defs/Name'")
        for keyword, since in _SINCE.items():
            if keyword in schema and since > self._year:
                remedy = f'Write "$schema": "{_NEWEST}" if that is what it is, or drop it'
                self._refuse(path, f"`{keyword}` means nothing in {_name(self._draft)}", remedy)
        if self._year == 2019 and "unevaluatedItems" in schema:
            # There, what `contains` matches still counts as unevaluated.
            remedy = f'Write "$schema": "{_NEWEST}" if that is what it is, or drop it'
            self._refuse(path, "`unevaluatedItems` means something else in 2019-09", remedy)

    def _numeric_bounds(self, schema: dict[str, Any]) -> dict[str, Any]:
        """`minimum` and `exclusiveMinimum: true` are one bound, as draft-04 and OpenAPI 3.0 write it."""
        made = dict(schema)
        for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if isinstance(made.get(exclusive), bool):
                excludes = made.pop(exclusive)
                if excludes and bound in made:
                    made[exclusive] = made.pop(bound)
        return made

    def _tuples(self, schema: dict[str, Any], path: str) -> dict[str, Any]:
        """A list as `items` are `prefixItems`, and then `additionalItems` are `items`."""
        if not isinstance(schema.get("items"), list):
            if "prefixItems" in schema and "additionalItems" in schema:
                self._refuse(path, "`additionalItems` means nothing beside `prefixItems`", "Write `items`")
            # `additionalItems` beside `items` that are one schema never meant anything.
            return schema
        if "prefixItems" in schema:
            self._refuse(
                path, "`items` is a list beside `prefixItems`", "Write the list as `prefixItems` only"
            )
        made: dict[str, Any] = {}
        for keyword, value in schema.items():
            if keyword == "items":
                # An empty list says nothing, and 2020-12 does not take it.
                made |= {"prefixItems": value} if value else {}
            elif keyword == "additionalItems":
                made["items"] = value
            else:
                made[keyword] = value
        return made

    @staticmethod
    def _dependencies(schema: dict[str, Any]) -> dict[str, Any]:
        """Split into what names require and which schemas they bring."""
        dependencies = schema.get("dependencies")
        if not isinstance(dependencies, dict):
            return schema
        made = {keyword: value for keyword, value in schema.items() if keyword != "dependencies"}
        for name, brought in dependencies.items():
            keyword = "dependentRequired" if isinstance(brought, list) else "dependentSchemas"
            known = made.get(keyword, {})
            if not isinstance(known, dict):  # malformed, as will be said of it
                return schema
            made[keyword] = {**known, name: brought}
        return made
