"""Fills a JSON Schema with what is known of an answer, and with the least that fits where nothing is known.

What is not known is null where the schema allows null, and left out where it is not required. Every other value is the
first of a few candidates that fits, as jsonschema judges it; a `pattern` gets a handful of attempts. Nothing is read
out of a document.
"""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_DEPTH: Final = 24
MAX_CHOICES: Final = 4
"""Alternatives of alternatives of a known value that are looked into, since their number grows with a power of it."""
MAX_ITEMS: Final = 1_000
MAX_CHARS: Final = 100_000
_Around = frozenset[bytes]
"""The parts of a schema around a part whose least value is sought, as JSON."""
_STEP: Final = 1e-6
_TYPES: Final = ("string", "integer", "object", "array", "boolean")
"""What is tried, in this order, where a schema names no type."""
_OF_FORMAT: Final = {
    "date": "1970-01-01",
    "date-time": "1970-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "email": "unknown@example.invalid",
    "hostname": "example.invalid",
    "ipv4": "0.0.0.0",  # noqa: S104 - a value of a format, nothing listens there
    "ipv6": "::",
    "uri": "about:blank",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_TEXTS: Final = (
    *("", "a", "A", "0", "aa", "AA", "00", "aaa", "AAA", "000", "0000", "00000", "A1", "A-1"),
    *("a@b.co", "1970-01-01", "00:00", "0.00", "+0", "+000000000", "https://example.invalid"),
)
"""What is tried for a `pattern`, and in the place of a text of some length."""
_encode = msgspec.json.Encoder().encode


def fill(schema: Any, known: Any = None) -> Any:
    """Return a JSON value that has what is known, and fits the schema as far as that allows.

    Args:
        schema: A JSON Schema; what is none allows any value.
        known: An answer or part of one, also with dates, decimals and lists as Arrow gives them. None is not known.
            An object's names that the schema does not have are left out.
    """
    return _filling_of(schema).value(schema, known)


def properties_of(schema: Any) -> list[str]:
    """Return the names of the properties that a schema's object may have."""
    return list(_filling_of(schema).rules(schema).get("properties", ()))


def _filling_of(schema: Any) -> _Filling:
    return _filling_of_text(_encode(schema))


@lru_cache(maxsize=256)
def _filling_of_text(schema: bytes) -> _Filling:
    return _Filling(msgspec.json.decode(schema))


class _Filling:
    """One schema, and the least values of its parts."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._validator = Draft202012Validator(root if isinstance(root, dict) else {})
        self._least_of: dict[bytes, Any] = {}

    def value(self, schema: Any, known: Any, around: _Around = frozenset()) -> Any:
        """Return a value of a part of the schema."""
        rules = self.rules(schema)
        return self._least(rules, around) if known is None else self._fitted(rules, known)

    # what is known

    def _fitted(self, rules: dict[str, Any], known: Any, around: _Around = frozenset()) -> Any:
        key = _encode(rules)
        suited = []
        if (
            key not in around and len(around) < MAX_CHOICES
        ):  # an alternative may be the schema itself, without end
            suited = [branch for branch in self._branches(rules) if _may_hold(branch, known)]
        if len(suited) == 1:  # nothing to choose, so nothing to judge
            return self._fitted(suited[0], known, around | {key})
        for branch in suited:
            candidate = self._fitted(branch, known, around | {key})
            if self._fits(rules, candidate):
                return candidate
        if isinstance(known, dict):
            return self._known_object(rules, known)
        if isinstance(known, list | tuple):
            return [self._item(rules, place, item) for place, item in enumerate(known)]
        return _scalar(known, rules)

    def _known_object(self, rules: dict[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
        properties, others = rules.get("properties", {}), rules.get("additionalProperties")
        made = {}
        for name, child in properties.items():
            if known.get(name) is not None or name in rules.get("required", ()):
                made[name] = self.value(child, known.get(name))
        # Names of its own choice belong to a map, and to an object of which the schema says nothing.
        if isinstance(others, dict) or not properties:
            rest = {name: value for name, value in known.items() if name not in properties}
            made |= {name: self.value(others, value) for name, value in rest.items()}
        return made

    def _item(self, rules: dict[str, Any], place: int, known: Any, around: _Around = frozenset()) -> Any:
        first = rules.get("prefixItems", [])
        return self.value(first[place] if place < len(first) else rules.get("items"), known, around)

    # what is not

    def _least(self, rules: dict[str, Any], around: _Around) -> Any:
        """Return the first candidate that fits; if none does, the first that is not null."""
        key = _encode(rules)
        if key in self._least_of:
            return self._least_of[key]
        if key in around or len(around) > MAX_DEPTH:  # a schema that needs itself without end
            return None
        attempt = None
        for candidate in self._candidates(rules, around | {key}):
            if self._fits(rules, candidate):
                attempt = candidate
                break
            attempt = candidate if attempt is None else attempt
        self._least_of[key] = attempt
        return attempt

    def _candidates(self, rules: dict[str, Any], around: _Around) -> Iterator[Any]:
        yield None
        if "const" in rules:
            yield rules["const"]
        yield from rules.get("enum", ())
        if "default" in rules:
            yield rules["default"]
        for branch in self._branches(rules):
            yield self._least(branch, around)
        for kind in _types(rules) or _TYPES:
            if kind == "object":
                yield from self._objects(rules, around)
            elif kind == "array":
                yield from self._arrays(rules, around)
            elif kind == "string":
                yield from _strings(rules)
            elif kind in ("integer", "number"):
                yield from _numbers(rules)
            elif kind == "boolean":
                yield from (False, True)

    def _objects(self, rules: dict[str, Any], around: _Around) -> Iterator[Any]:
        properties, others = rules.get("properties", {}), rules.get("additionalProperties")
        required = rules.get("required", [])
        named = [
            *(name for name in properties if name in required),
            *sorted(set(required) - properties.keys()),
        ]
        least = {name: self.value(properties.get(name, others), None, around) for name in named}
        yield least
        for (
            name,
            child,
        ) in properties.items():  # some schemas need more of them: minProperties, dependentRequired
            least = least | {name: self.value(child, None, around)}
            yield least
        for place in range(min(int(rules.get("minProperties", 0)), MAX_ITEMS)):
            least = least | {f"field{place}": self.value(others, None, around)}
            yield least

    def _arrays(self, rules: dict[str, Any], around: _Around) -> Iterator[Any]:
        yield []
        count = min(int(rules.get("minItems", 0)), MAX_ITEMS)
        least = [self._item(rules, place, None, around) for place in range(count)]
        yield least
        yield [_varied(value, place) for place, value in enumerate(least)]
        yield self.rules(rules.get("items")).get("enum", [])[:count]

    # the schema

    def rules(self, schema: Any) -> dict[str, Any]:
        """Return a schema's keywords, with references followed, `allOf` merged, and the type where it goes without saying."""
        rules = schema if isinstance(schema, dict) else {}
        for _ in range(MAX_DEPTH):
            if isinstance(rules.get("$ref"), str):
                around = {name: value for name, value in rules.items() if name != "$ref"}
                rules = _merged(self._target(rules["$ref"]), around)
            elif "allOf" in rules:
                parts = rules["allOf"]
                rules = {name: value for name, value in rules.items() if name != "allOf"}
                for part in parts:
                    rules = _merged(rules, part if isinstance(part, dict) else {})
            else:
                break
        speaks_of_an_object = "properties" in rules or "required" in rules
        return {"type": "object", **rules} if speaks_of_an_object and "anyOf" not in rules else rules

    def _target(self, reference: str) -> dict[str, Any]:
        target = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, dict) else None
        return target if isinstance(target, dict) else {}

    def _branches(self, rules: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the alternatives of `anyOf`, else of `oneOf`, each with the keywords around them."""
        keyword = "anyOf" if "anyOf" in rules else "oneOf"
        around = {name: value for name, value in rules.items() if name not in (keyword, "default")}
        return [self.rules(_merged(around, self.rules(branch))) for branch in rules.get(keyword, ())]

    def _fits(self, rules: dict[str, Any], value: Any) -> bool:
        try:
            return self._validator.evolve(schema=rules).is_valid(value)
        except Exception:  # noqa: BLE001 - what the library cannot judge (a bad pattern, a lost reference) does not fit
            return False


def _merged(rules: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**rules, **others}
    if "properties" in rules and "properties" in others:
        merged["properties"] = {**rules["properties"], **others["properties"]}
    if "required" in rules and "required" in others:
        merged["required"] = list(dict.fromkeys([*rules["required"], *others["required"]]))
    return merged


def _types(rules: Mapping[str, Any]) -> list[str]:
    kinds = rules.get("type", [])
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _may_hold(rules: Mapping[str, Any], known: Any) -> bool:
    """Say whether a schema's type could be that of a known value."""
    if isinstance(known, dict):
        kinds = {"object"}
    elif isinstance(known, list | tuple):
        kinds = {"array"}
    elif isinstance(known, bool):
        kinds = {"boolean"}
    elif isinstance(known, int | float | Decimal):
        kinds = {"number", "integer", "string"}
    else:
        kinds = {"string"}
    return not _types(rules) or bool(kinds & set(_types(rules)))


def _scalar(known: Any, rules: Mapping[str, Any]) -> Any:
    """Return a text, number, day or time as JSON in the type that is asked for."""
    kinds = _types(rules)
    if isinstance(known, int | float | Decimal) and not isinstance(known, bool):
        if kinds and not {"number", "integer"} & set(kinds):
            return f"{known:f}" if isinstance(known, Decimal) else str(known)
        is_whole = math.isfinite(known) and known == int(known)
        if is_whole and (isinstance(known, Decimal) or "integer" in kinds):
            return int(known)
        return known if isinstance(known, int) else float(known)
    if isinstance(known, dt.datetime):
        if rules.get("format") == "date":
            return known.date().isoformat()
        if known.tzinfo is None:
            known = known.replace(tzinfo=dt.UTC)
    return msgspec.to_builtins(known)


def _strings(rules: Mapping[str, Any]) -> Iterator[str]:
    if rules.get("format") in _OF_FORMAT:
        yield _OF_FORMAT[rules["format"]]
        return
    yield from _TEXTS
    yield "a" * min(int(rules.get("minLength", 0)), MAX_CHARS)


def _numbers(rules: Mapping[str, Any]) -> Iterator[float]:
    yield 0
    step = rules.get("multipleOf", 1)
    inward = {"minimum": _STEP, "exclusiveMinimum": _STEP, "maximum": -_STEP, "exclusiveMaximum": -_STEP}
    for bound, inside in ((rules[name], inside) for name, inside in inward.items() if name in rules):
        yield bound
        yield from ((math.floor(bound / step) + further) * step for further in (0, 1, 2, -1))
        yield bound + inside


def _varied(value: Any, place: int) -> Any:
    """Return a text or number that differs from its siblings, for items that have to be unique."""
    if isinstance(value, str):
        return f"{value}{place}"
    if isinstance(value, int | float):
        return value + place
    return value
