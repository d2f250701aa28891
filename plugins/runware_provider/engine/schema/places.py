"""What may stand at each place of an answer, all alternatives together: what reading needs to know of a schema."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

NO_TEXTS = frozenset({"", "null", "none"})
"""What models write for null where they write texts, in lower case."""
_FORMS = frozenset({"date", "date-time", "time", "decimal", "uuid", "email"})
"""Formats that are checked: none of them takes one of `NO_TEXTS`."""
READ_KEYS = "x-keys-that-are-read"
"""Where the schema of a model's answers says which keys its fields read whole, each with the property asked for."""
OPENED_KEYS = "x-keys-that-are-read-in-part"
"""Where it says of which further keys fields read a part."""
READS_ITSELF = "x-read-by-a-validator"
"""Where a validator of the user's reads what comes, whatever it is."""
_BETWEEN_WORDS = re.compile(r"[\s_.\-\u00ad\u200b-\u200f\u2060\ufeff]+")
"""What may stand between the words of a key, or be in it without being seen."""
_ANY_KIND = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})


@dataclass(frozen=True)
class Place:
    """What a schema wants somewhere, with its alternatives brought together."""

    kinds: frozenset[str] = _ANY_KIND
    """JSON Schema's types of what may stand there."""
    properties: Mapping[str, Place] = field(default_factory=dict)
    names: Mapping[str, str] | None = None
    """The keys that are read, each with the property that it stands for; None where an object may have any.

    A model reads further keys than those that it asks for: the names of its fields, or several aliases."""
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
    """The properties by what is left, without case and style, of each key that stands for them."""

    def below(self, key: str) -> Place | None:
        """What may stand at a key; None where nothing says so."""
        return self.properties.get(key, self.others)


ANYTHING = Place()


def place_of(schema: Any) -> Place:
    """The places of an inlined JSON Schema; what a reference leads to, which only recursion leaves, is anything."""
    alternatives = list(_alternatives(schema))
    shaping = [alternative for alternative in alternatives if _kinds(alternative) is not None]
    if not shaping or any(alternative.keys() & {"$ref", READS_ITSELF} for alternative in alternatives):
        return ANYTHING
    texts = [alternative for alternative in shaping if "string" in (_kinds(alternative) or ())]
    place = Place(
        kinds=frozenset(kind for alternative in shaping for kind in _kinds(alternative) or ()),
        item=_item(alternatives),
        words=_words(texts),
        forms=_forms(texts),
        refuses_no_texts=all(map(_refuses_no_texts, texts)),
    )
    properties = _properties(alternatives)
    others = _others(alternatives)
    if others is None:
        return _with_names(place, properties, alternatives) if properties else place
    # Either a map or an object with properties, stored as JSON: nobody knows which of them a key belongs to.
    if properties and len(shaping) > 1:
        return replace(place, others=ANYTHING)
    return replace(place, properties=properties, others=others)


def _with_names(
    place: Place, properties: Mapping[str, Place], alternatives: Iterable[Mapping[str, Any]]
) -> Place:
    """The place of an object of which only these properties are kept."""
    read: list[tuple[str, str]] = [(name, name) for name in properties]
    opened: dict[str, str] = {}
    for alternative in alternatives:
        read += alternative.get(READ_KEYS, {}).items()
        opened.update({key: key for key in alternative.get(OPENED_KEYS, ())})
    # Of two properties that a key may stand for in two alternatives, the first; its own before others.
    names = {**opened, **dict(reversed(read))}
    return replace(place, properties=properties, names=names, by_style=_by_style(read))


def _place_of_any(schemas: Sequence[Any]) -> Place:
    if any(schema is True or schema == {} for schema in schemas):
        return ANYTHING
    return place_of(schemas[0] if len(schemas) == 1 else {"anyOf": schemas})


def style_of(key: str) -> str:
    """What is left of a key without its case and style: `vendorName`, `vendor_name` and `Vendor Name` are the same.

    So are letters of another width or composition, and what has no width.
    """
    return _BETWEEN_WORDS.sub("", unicodedata.normalize("NFKC", key)).casefold()


def _alternatives(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and its alternatives, each of which may say what stands there."""
    if not isinstance(schema, dict):
        return
    choices = [schema[keyword] for keyword in ("anyOf", "oneOf") if keyword in schema]
    if not choices or _kinds(schema) is not None or READS_ITSELF in schema:
        yield schema
    for choice in choices:
        for branch in choice:
            yield from _alternatives(branch)


def _kinds(alternative: Mapping[str, Any]) -> frozenset[str] | None:
    """The types that a schema names by itself; None where it names none."""
    named = alternative.get("type")
    if named is not None:
        return frozenset([named] if isinstance(named, str) else named)
    if "const" in alternative or "enum" in alternative:
        values = [alternative["const"]] if "const" in alternative else alternative["enum"]
        return frozenset(_json_type(value) for value in values)
    if "properties" in alternative:
        return frozenset({"object"})
    if "items" in alternative or "prefixItems" in alternative:
        return frozenset({"array"})
    return None


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}
    return kinds[type(value)]


def _item(alternatives: Iterable[Mapping[str, Any]]) -> Place | None:
    """What stands in an array; None where nothing says so."""
    items: list[Any] = []
    for alternative in alternatives:
        items += [sub for sub in (alternative.get("items"), *alternative.get("prefixItems", ())) if sub]
    return _place_of_any(items) if items else None


def _properties(alternatives: Iterable[Mapping[str, Any]]) -> dict[str, Place]:
    described: dict[str, list[Any]] = {}
    for alternative in alternatives:
        for name, sub in alternative.get("properties", {}).items():
            described.setdefault(name, []).append(sub)
    return {name: _place_of_any(subs) for name, subs in described.items()}


def _others(alternatives: Iterable[Mapping[str, Any]]) -> Place | None:
    """What stands at the names that are open; None where none is."""
    values = [value for alternative in alternatives for value in _values(alternative)]
    return _place_of_any(values) if values else None


def _values(alternative: Mapping[str, Any]) -> list[Any]:
    """The schemas of an object's values at names that are open."""
    more = (alternative.get("additionalProperties"), alternative.get("unevaluatedProperties"))
    values = [
        *alternative.get("patternProperties", {}).values(),
        *(sub for sub in more if isinstance(sub, dict)),
    ]
    says_nothing = not values and not alternative.keys() & {"properties", "anyOf", "oneOf"}
    is_free = says_nothing and "object" in (_kinds(alternative) or ()) and False not in more
    return [True] if is_free else values


def _words(texts: Iterable[Mapping[str, Any]]) -> tuple[str, ...] | None:
    words: dict[str, None] = {}
    for alternative in texts:
        if "enum" not in alternative and "const" not in alternative:
            return None
        values = [alternative["const"]] if "const" in alternative else alternative["enum"]
        words.update(dict.fromkeys(value for value in values if isinstance(value, str)))
    return tuple(words) or None


def _forms(texts: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    has_free_text = any("format" not in alternative for alternative in texts)
    return frozenset() if has_free_text else frozenset(str(alternative["format"]) for alternative in texts)


def _refuses_no_texts(alternative: Mapping[str, Any]) -> bool:
    """Whether it is certain that an empty text, or the word null, is none of the texts that are wanted."""
    if alternative.get("format") in _FORMS:
        return True
    if "const" in alternative or "enum" in alternative:
        values = [alternative["const"]] if "const" in alternative else alternative["enum"]
        return not any(isinstance(value, str) and value.strip().lower() in NO_TEXTS for value in values)
    return False


def _by_style(keys: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """The properties that may be meant by what is left of a key without case and style.

    Args:
        keys: those that are read, each with its property.
    """
    meant: dict[str, dict[str, None]] = {}
    for key, name in keys:
        meant.setdefault(style_of(key), {})[name] = None
    return {style: tuple(names) for style, names in meant.items()}
