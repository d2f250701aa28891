"""One JSON Schema without references and `allOf`: what is sent, and what the rest of the engine reads."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote

from runware_provider.engine.keywords import SCHEMA_LISTS, SCHEMA_MAPS, SCHEMAS
from runware_provider.engine.schema.nodes import MAX_DEPTH
from runware_provider.engine.schema.problems import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from runware_provider.engine.schema.problems import Refuse

MAX_SUBSCHEMAS = 10_000
"""Subschemas after inlining, since references to references double with each level."""

_ABOUT_THE_DOCUMENT = frozenset({"$defs", "definitions", "$schema", "$id", "$comment", "discriminator"})
_ANNOTATIONS = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
)
_NEIGHBOURS = (
    frozenset({"items", "prefixItems"}),
    frozenset({"if", "then", "else"}),
    frozenset({"contains", "minContains", "maxContains"}),
)
"""Keywords that mean something else beside each other than apart, so they are not brought together."""
_OF_OBJECTS = frozenset({"properties", "patternProperties", "additionalProperties", "unevaluatedProperties"})
_LOWEST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "uniqueItems")
_HIGHEST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_STRICTER: Mapping[str, Callable[[Any, Any], Any]] = dict.fromkeys(_LOWEST, max) | dict.fromkeys(
    _HIGHEST, min
)
"""What two bounds say together."""


def inlined(document: dict[str, Any], refuse: Refuse, *, keep_recursion: bool = False) -> dict[str, Any]:
    """The document without references and `allOf`; its root is an object, the order of properties is kept.

    Args:
        document: a valid JSON Schema, not changed.
        refuse: for what cannot be inlined.
        keep_recursion: a reference that leads to itself stays one, into the `$defs` that are then there, too.

    Raises:
        BadInput: a reference leads nowhere, outside or to itself, two parts say the same keyword differently,
            the whole is too large, or its root is no object.
    """
    inlining = _Inlining(document, refuse, keep_recursion=keep_recursion)
    flat: dict[str, Any] = inlining.flat(document, "$", ())
    if "properties" in flat:
        flat = {"type": "object", **flat}
    choice = next((keyword for keyword in ("anyOf", "oneOf") if keyword in flat), None)
    if choice is not None and "type" not in flat:
        remedy = (
            'If all are objects, write "type": "object" beside it; else wrap it: an object with one property'
        )
        refuse("$", f"the root is no object, but a choice: `{choice}`", remedy)
    if flat.get("type") != "object":
        refuse("$", "the root is no object", "Wrap it: an object with one property, say `items`")
    definitions = inlining.definitions()
    return {**flat, "$defs": definitions} if definitions else flat


class _Inlining:
    """One document, and how many of its subschemas were written out."""

    def __init__(self, document: dict[str, Any], refuse: Refuse, *, keep_recursion: bool) -> None:
        self._document = document
        self._refuse = refuse
        self._keep_recursion = keep_recursion
        self._recursive: dict[str, str] = {}
        self._count = 0

    def definitions(self) -> dict[str, Any]:
        """What the references that were kept lead to, by name."""
        definitions: dict[str, Any] = {}
        while left := [one for one, name in self._recursive.items() if name not in definitions]:
            for reference in left:
                found = self._found(reference, "$")
                definition = self.flat(found, "$", (reference,))
                if any(f"#/$defs/{self._recursive[reference]}" == one for one in _at_once(definition)):
                    self._refuse("$", f"{reference!r} is nothing but itself", "Say what it holds")
                definitions[self._recursive[reference]] = definition
        return definitions

    def flat(self, schema: Any, path: str, refs: tuple[str, ...]) -> Any:
        if not isinstance(schema, dict):
            return schema
        self._count += 1
        if self._count > MAX_SUBSCHEMAS or len(refs) > MAX_DEPTH:
            self._refuse(path, "the schema is too large once references are inlined", "Ask for less at once")
        self._only_known_references(schema, path)
        own = self._below(schema, path, refs)
        parts = [own]
        if "$ref" in schema:
            parts.insert(0, self._target(schema["$ref"], path, refs))
        parts[1:1] = [self.flat(part, path, refs) for part in schema.get("allOf", ())]
        if any(_closes_itself(part) and part is not own for part in parts):
            self._refuse_closed(parts, path)
        merged: dict[str, Any] = {}
        for part in parts:
            merged = self._merged(merged, part, path)
        return merged

    def _only_known_references(self, schema: dict[str, Any], path: str) -> None:
        for keyword in ("$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor"):
            if keyword in schema:
                self._refuse(path, f"`{keyword}` is not supported", "Use references like '#/$defs/Name'")
        if "$id" in schema and schema is not self._document:
            self._refuse(path, "`$id` inside of the schema moves its references", "Drop it")

    def _below(self, schema: dict[str, Any], path: str, refs: tuple[str, ...]) -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for keyword, value in schema.items():
            if keyword in _ABOUT_THE_DOCUMENT or keyword in {"$ref", "allOf"}:
                continue
            if keyword in SCHEMA_MAPS:
                flat[keyword] = {
                    name: self.flat(sub, joined(path, name), refs) for name, sub in value.items()
                }
            elif keyword in SCHEMA_LISTS:
                flat[keyword] = [self.flat(sub, path, refs) for sub in value]
            elif keyword in SCHEMAS:
                flat[keyword] = self.flat(value, f"{path}[]" if keyword == "items" else path, refs)
            else:
                flat[keyword] = copy.deepcopy(value)
        return flat

    def _target(self, reference: str, path: str, refs: tuple[str, ...]) -> dict[str, Any]:
        if reference in refs or reference == "#":
            return self._kept(reference, path)
        flat = self.flat(self._found(reference, path), path, (*refs, reference))
        return flat if isinstance(flat, dict) else {}

    def _kept(self, reference: str, path: str) -> dict[str, Any]:
        if not self._keep_recursion:
            remedy = "Unroll it, or have it stored as JSON text with Structured(untyped='json')"
            self._refuse(path, f"{reference!r} refers to itself; recursion has no Arrow type", remedy)
        if reference not in self._recursive:
            name = re.sub(r"[^A-Za-z0-9_.-]+", "_", reference.rsplit("/", 1)[-1].strip("#")) or "root"
            taken = set(self._recursive.values())
            while name in taken:
                name += "_"
            self._recursive[reference] = name
        return {"$ref": f"#/$defs/{self._recursive[reference]}"}

    def _found(self, reference: str, path: str) -> Any:
        if reference == "#":
            return self._document
        if not reference.startswith("#/"):
            self._refuse(path, f"{reference!r} leads out of the schema", "Copy it into `$defs`")
        target: Any = self._document
        for step in reference[2:].split("/"):
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if not isinstance(target, dict) or name not in target:
                self._refuse(path, f"{reference!r} leads nowhere", "Define it in `$defs`")
            target = target[name]
        return target

    def _merged(self, first: dict[str, Any], second: Any, path: str) -> dict[str, Any]:
        """What two parts say together."""
        if not isinstance(second, dict):
            self._refuse(path, "`allOf` holds a true or false", "Drop it")
        for group in _NEIGHBOURS:
            if first.keys() & group and second.keys() & group and first != second:
                self._refuse_split(path, group)
        if first != second and not _side_by_side(first, second):
            self._refuse_split(path, _OF_OBJECTS & (first.keys() | second.keys()))
        merged = dict(first)
        for keyword, value in second.items():
            if keyword in _ANNOTATIONS or keyword not in merged or merged[keyword] == value:
                merged[keyword] = value
            elif keyword == "required":
                merged[keyword] = [*merged[keyword], *(one for one in value if one not in merged[keyword])]
            elif keyword == "properties":
                merged[keyword] = self._merged_properties(merged[keyword], value, path)
            elif keyword in _STRICTER:
                merged[keyword] = _STRICTER[keyword](merged[keyword], value)
            else:
                self._refuse(path, f"`allOf` or `$ref` says `{keyword}` twice", "Write it as one schema")
        return merged

    def _merged_properties(self, first: dict[str, Any], second: dict[str, Any], path: str) -> dict[str, Any]:
        merged = dict(first)
        for name, sub in second.items():
            known = merged.get(name, True)
            if known is True or sub is True:
                merged[name] = sub if known is True else known
            elif known is False or sub is False:
                merged[name] = False
            else:
                if _closes_itself(known) or _closes_itself(sub):
                    self._refuse_closed([known, sub], joined(path, name))
                merged[name] = self._merged(known, sub, joined(path, name))
        return merged

    def _refuse_closed(self, parts: Sequence[Any], path: str) -> None:
        """A part that forbids what it has not evaluated knows nothing of its neighbours' properties."""
        of_objects = [part for part in parts if isinstance(part, dict) and part.keys() & _OF_OBJECTS]
        if any(part != of_objects[0] for part in of_objects):
            self._refuse_split(path, ("properties", "unevaluatedProperties"))

    def _refuse_split(self, path: str, keywords: Collection[str]) -> NoReturn:
        named = " and ".join(f"`{one}`" for one in sorted(keywords))
        self._refuse(path, f"`allOf` or `$ref` splits {named}", "Write it as one schema")


def _side_by_side(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether what two parts say about an object's properties means the same in one schema.

    What a part says about further properties means further than its own.
    """
    if not (first.keys() & _OF_OBJECTS and second.keys() & _OF_OBJECTS):
        return True
    closing = {keyword for part in (first, second) for keyword in part if part[keyword] is not True}
    return not closing & {"patternProperties", "additionalProperties"}


def _closes_itself(part: Any) -> bool:
    return isinstance(part, dict) and part.get("unevaluatedProperties", True) is not True


def _at_once(schema: Any) -> Iterator[str]:
    """The references that are followed before a property or an item is entered."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"]
        for keyword in ("anyOf", "oneOf"):
            for branch in schema.get(keyword, ()):
                yield from _at_once(branch)
        for keyword in ("not", "if", "then", "else"):
            yield from _at_once(schema.get(keyword))
