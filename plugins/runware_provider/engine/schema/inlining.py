"""One JSON Schema without references, and with `allOf` only where it has to stay: what is sent, and what the rest of the engine reads."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from runware_provider.engine.keywords import SCHEMA_LISTS, SCHEMA_MAPS, SCHEMAS
from runware_provider.engine.schema.merging import Merging
from runware_provider.engine.schema.nodes import MAX_DEPTH
from runware_provider.engine.schema.problems import joined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runware_provider.engine.schema.problems import Refuse

MAX_SUBSCHEMAS = 10_000
"""Subschemas after inlining, since references to references double with each level."""

_ABOUT_THE_DOCUMENT = frozenset({"$defs", "definitions", "$schema", "$id", "$comment", "discriminator"})
_INDEX = re.compile("0|[1-9][0-9]{0,5}")


def inlined(document: dict[str, Any], refuse: Refuse, *, keep_recursion: bool = False) -> dict[str, Any]:
    """The document without references, its parts merged; its root is an object, the order of properties is kept.

    Args:
        document: a valid JSON Schema, not changed.
        refuse: for what cannot be inlined.
        keep_recursion: a reference that leads to itself stays one, into the `$defs` that are then there, too.

    Raises:
        BadInput: a reference leads nowhere, outside or to itself, two parts say the same keyword differently,
            the whole is too large, or its root is no object.
    """
    inlining = _Inlining(document, refuse, keep_recursion=keep_recursion)
    flat = inlining.flat(document, "$", ())
    if not isinstance(flat, dict):
        refuse("$", "nothing fits it", "Ask for something that can be answered")
    if "properties" in flat:
        flat = {"type": "object", **flat}
    choice = next((keyword for keyword in ("anyOf", "oneOf") if keyword in flat), None)
    if choice is not None and all(_is_object(branch) for branch in flat[choice]):
        flat = {"type": "object", **flat}
    if choice is not None and "type" not in flat:
        remedy = (
            'If all are objects, write "type": "object" beside it; else wrap it: an object with one property'
        )
        refuse("$", f"the root is no object, but a choice: `{choice}`", remedy)
    if flat.get("type") == ["object"]:
        flat = {**flat, "type": "object"}
    if flat.get("type") != "object":
        refuse("$", "the root is no object", "Wrap it: an object with one property, say `items`")
    definitions = inlining.definitions()
    return {**flat, "$defs": definitions} if definitions else flat


class _Inlining:
    """One document, and how many of its subschemas were written out."""

    def __init__(self, document: dict[str, Any], refuse: Refuse, *, keep_recursion: bool) -> None:
        self._document = document
        self._refuse = refuse
        self._merging = Merging(refuse)
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
        """The subschema in one; true or false where it allows everything or nothing."""
        if not isinstance(schema, dict):
            return schema
        self._count += 1
        if self._count > MAX_SUBSCHEMAS or len(refs) > MAX_DEPTH:
            problem = (
                f"the schema is too large once references are inlined: more than {MAX_SUBSCHEMAS:,} parts"
            )
            self._refuse(path, problem, "Ask for less at once")
        self._only_known_references(schema, path)
        own = self._below(schema, path, refs)
        parts: list[Any] = [own]
        if "$ref" in schema:
            parts.insert(0, self._target(schema["$ref"], path, refs))
        parts[1:1] = [self.flat(part, path, refs) for part in schema.get("allOf", ())]
        if any(part is False for part in parts):
            return False
        parts = [part for part in parts if part is not True]
        return self._merging.all_in_one(parts, own, path)

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

    def _target(self, reference: str, path: str, refs: tuple[str, ...]) -> Any:
        if reference in refs or reference == "#":
            return self._kept(reference, path)
        return self.flat(self._found(reference, path), path, (*refs, reference))

    def _kept(self, reference: str, path: str) -> dict[str, Any]:
        if not self._keep_recursion:
            remedy = "Unroll it, or have it stored as JSON text with Answers(untyped='json')"
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
            if isinstance(target, dict) and name in target:
                target = target[name]
            elif isinstance(target, list) and _INDEX.fullmatch(name) and int(name) < len(target):
                target = target[int(name)]
            else:
                self._refuse(path, f"{reference!r} leads nowhere", "Define it in `$defs`")
        if not isinstance(target, dict | bool):
            self._refuse(path, f"{reference!r} leads to what is no schema", "Define it in `$defs`")
        return target


def _is_object(branch: Any) -> bool:
    return isinstance(branch, dict) and branch.get("type") == "object"


def _at_once(schema: Any) -> Iterator[str]:
    """The references that are followed before a property or an item is entered."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"]
        for keyword in ("anyOf", "oneOf", "allOf"):
            for branch in schema.get(keyword, ()):
                yield from _at_once(branch)
        for keyword in ("not", "if", "then", "else"):
            yield from _at_once(schema.get(keyword))
        for branch in schema.get("dependentSchemas", {}).values():
            yield from _at_once(branch)
