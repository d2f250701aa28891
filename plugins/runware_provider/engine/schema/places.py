"""What may stand at each place of an answer, all alternatives together: what reading needs to know of a schema."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

NO_TEXTS = frozenset({"", "null", "none"})
"""What models write for null where they write texts, in lower case."""
_FORMS = frozenset({"date", "date-time", "time", "decimal", "uuid", "email"})
"""Formats that are checked: none of them takes one of `NO_TEXTS`."""
_BETWEEN_WORDS = re.compile(r"[\s_.-]+")
_ANY_KIND = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})


@dataclass(frozen=True)
class Place:
    """What a schema wants somewhere, with its alternatives brought together."""

    kinds: frozenset[str] = _ANY_KIND
    """JSON Schema's types of what may stand there."""
    properties: Mapping[str, Place] = field(default_factory=dict)
    names: frozenset[str] | None = None
    """The keys that are read; None where an object may have any."""
    others: Place | None = None
    """Of a map: what stands at any other name; None where an object is no map."""
    item: Place | None = None
    words: tuple[str, ...] | None = None
    """The only texts that may stand there; None where there are others."""
    forms: frozenset[str] = frozenset()
    """Formats of the texts, if each has one."""
    refuses_no_texts: bool = False
    """Whether none of the texts that stand for null fits as a text."""
    by_style: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The described keys by what is left of them without case and style."""

    def below(self, key: str) -> Place | None:
        """What may stand at a key; None where nothing says so."""
        return self.properties.get(key, self.others)


ANYTHING = Place()


def place_of(schema: Any) -> Place:
    """The places of an inlined JSON Schema; what a reference leads to, which only recursion leaves, is anything."""
    leaves = [leaf for leaf in _leaves(schema) if isinstance(leaf, dict)]
    if not leaves or any("$ref" in leaf or "x-reads-itself" in leaf for leaf in leaves):
        return ANYTHING
    shaping = [leaf for leaf in leaves if _kinds(leaf) is not None]
    if not shaping:
        return ANYTHING
    kinds = frozenset(kind for leaf in shaping for kind in _kinds(leaf) or ())
    properties, others = _properties(leaves), _others(leaves)
    # Either a map or an object with properties, stored as JSON: nobody knows which of them a key belongs to.
    if others is not None and properties and len(shaping) > 1:
        properties, others = {}, ANYTHING
    items = [sub for leaf in leaves for sub in (leaf.get("items"), *leaf.get("prefixItems", ())) if sub]
    texts = [leaf for leaf in shaping if "string" in (_kinds(leaf) or ())]
    return Place(
        kinds,
        properties,
        _names(leaves, properties) if others is None else None,
        others,
        _place_of_any(items) if items else None,
        _words(texts),
        _forms(texts),
        all(map(_refuses_no_texts, texts)),
        _by_style(properties),
    )


def _place_of_any(alternatives: Sequence[Any]) -> Place:
    if any(sub is True or sub == {} for sub in alternatives):
        return ANYTHING
    return place_of(alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives})


def style_of(key: str) -> str:
    """What is left of a key without its case and style: `vendorName`, `vendor_name` and `Vendor Name` are the same."""
    return _BETWEEN_WORDS.sub("", unicodedata.normalize("NFC", key)).casefold()


def _leaves(schema: Any) -> Iterator[Any]:
    """A schema and its alternatives, each of which may say what stands there."""
    if not isinstance(schema, dict):
        return
    choices = [schema[keyword] for keyword in ("anyOf", "oneOf") if keyword in schema]
    if not choices or _kinds(schema) is not None or "x-reads-itself" in schema:
        yield schema
    for choice in choices:
        for branch in choice:
            yield from _leaves(branch)


def _kinds(leaf: Mapping[str, Any]) -> frozenset[str] | None:
    """The types that a schema names by itself; None where it names none."""
    named = leaf.get("type")
    if named is not None:
        return frozenset([named] if isinstance(named, str) else named)
    if "const" in leaf or "enum" in leaf:
        values = [leaf["const"]] if "const" in leaf else leaf["enum"]
        return frozenset(_json_type(value) for value in values)
    if "properties" in leaf:
        return frozenset({"object"})
    if "items" in leaf or "prefixItems" in leaf:
        return frozenset({"array"})
    return None


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}
    return kinds[type(value)]


def _properties(leaves: Iterable[Mapping[str, Any]]) -> dict[str, Place]:
    described: dict[str, list[Any]] = {}
    for leaf in leaves:
        for name, sub in leaf.get("properties", {}).items():
            described.setdefault(name, []).append(sub)
    return {name: _place_of_any(subs) for name, subs in described.items()}


def _others(leaves: Iterable[Mapping[str, Any]]) -> Place | None:
    """What stands at the names that are open; None where none is."""
    values = [value for leaf in leaves for value in _values(leaf)]
    return _place_of_any(values) if values else None


def _values(leaf: Mapping[str, Any]) -> list[Any]:
    """The schemas of an object's values at names that are open."""
    more = (leaf.get("additionalProperties"), leaf.get("unevaluatedProperties"))
    values = [*leaf.get("patternProperties", {}).values(), *(sub for sub in more if isinstance(sub, dict))]
    says_nothing = not values and not leaf.keys() & {"properties", "anyOf", "oneOf"}
    is_free = says_nothing and "object" in (_kinds(leaf) or ()) and False not in more
    return [True] if is_free else values


def _names(leaves: Iterable[Mapping[str, Any]], properties: Mapping[str, Place]) -> frozenset[str] | None:
    names = set(properties)
    for leaf in leaves:
        names.update(leaf.get("x-also-read", ()))
    return frozenset(names) if properties else None


def _words(texts: Iterable[Mapping[str, Any]]) -> tuple[str, ...] | None:
    words: dict[str, None] = {}
    for leaf in texts:
        if "enum" not in leaf and "const" not in leaf:
            return None
        values = [leaf["const"]] if "const" in leaf else leaf["enum"]
        words.update(dict.fromkeys(value for value in values if isinstance(value, str)))
    return tuple(words) or None


def _forms(texts: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    has_free_text = any("format" not in leaf for leaf in texts)
    return frozenset() if has_free_text else frozenset(str(leaf["format"]) for leaf in texts)


def _refuses_no_texts(leaf: Mapping[str, Any]) -> bool:
    """Whether it is certain that an empty text, or the word null, is none of the texts that are wanted."""
    if leaf.get("format") in _FORMS:
        return True
    if "const" in leaf or "enum" in leaf:
        values = [leaf["const"]] if "const" in leaf else leaf["enum"]
        return not any(isinstance(value, str) and value.strip().lower() in NO_TEXTS for value in values)
    return False


def _by_style(properties: Iterable[str]) -> dict[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {}
    for name in properties:
        style = style_of(name)
        names[style] = (*names.get(style, ()), name)
    return names
