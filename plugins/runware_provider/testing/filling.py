"""Fills a JSON Schema with what is known of an answer, and with the least that fits where nothing is known.

What is not known is null where the schema allows null, and left out where it is not required. Every other value is the
first of a few candidates that fits, as jsonschema judges it; a `pattern` gets a handful of attempts. Nothing is read
out of a document.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import OrderedDict
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_DEPTH: Final = 24
MAX_ITEMS: Final = 1_000
MAX_CHARS: Final = 100_000
REMEMBERED: Final = 256
"""Schemas whose least values are remembered."""
_STEP: Final = 1e-6
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
_fillings: OrderedDict[bytes, _Filling] = OrderedDict()


def fill(schema: Any, known: Any = None) -> Any:
    """Return a JSON value that has what is known, and fits the schema as far as that allows.

    Args:
        schema: A JSON Schema; what is none allows any value.
        known: An answer or part of one, also with dates, decimals and lists as Arrow gives them. None is not known.
            An object's names that the schema does not have are left out.
    """
    key = _encode(schema)
    filling = _fillings.get(key)
    if filling is None:
        filling = _fillings[key] = _Filling(schema)
        if len(_fillings) > REMEMBERED:
            _fillings.popitem(last=False)
    return filling.value(schema, known, 0)


def properties_of(schema: Any) -> list[str]:
    """Return the names of the properties that a schema's object may have."""
    return list(_Filling(schema).rules(schema).get("properties", ()))


class _Filling:
    """One schema, and the least values of its parts."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._validator = Draft202012Validator(root if isinstance(root, dict) else {})
        self._least_of: dict[bytes, Any] = {}

    def value(self, schema: Any, known: Any, depth: int) -> Any:
        rules = self.rules(schema)
        if known is None or depth > MAX_DEPTH:
            return self._least(rules, depth)
        return self._fitted(rules, known, depth)

    # what is known

    def _fitted(self, rules: dict[str, Any], known: Any, depth: int) -> Any:
        branches = self._branches(rules)
        suited = [branch for branch in branches if _may_hold(branch, known)]
        if len(suited) == 1:  # nothing to choose, so nothing to judge
            return self.value(suited[0], known, depth + 1)
        for branch in suited:
            candidate = self.value(branch, known, depth + 1)
            if self._fits(rules, candidate):
                return candidate
        if isinstance(known, dict):
            return self._known_object(rules, known, depth)
        if isinstance(known, list | tuple):
            return [self._item(rules, place, item, depth) for place, item in enumerate(known)]
        return _scalar(known, rules)

    def _known_object(self, rules: dict[str, Any], known: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties, others = rules.get("properties", {}), rules.get("additionalProperties")
        made = {}
        for name, child in properties.items():
            if known.get(name) is not None or name in rules.get("required", ()):
                made[name] = self.value(child, known.get(name), depth + 1)
        # Names of its own choice belong to a map, and to an object of which the schema says nothing.
        if isinstance(others, dict) or not properties:
            rest = {name: value for name, value in known.items() if name not in properties}
            made |= {name: self.value(others, value, depth + 1) for name, value in rest.items()}
        return made

    def _item(self, rules: dict[str, Any], place: int, known: Any, depth: int) -> Any:
        first = rules.get("prefixItems", [])
        return self.value(first[place] if place < len(first) else rules.get("items"), known, depth + 1)

    # what is not

    def _least(self, rules: dict[str, Any], depth: int) -> Any:
        key = _encode(rules)
        if key not in self._least_of:
            if depth > MAX_DEPTH:  # a schema that needs itself without end
                return None
            candidates = list(self._candidates(rules, depth))
            fitting = (candidate for candidate in candidates if self._fits(rules, candidate))
            self._least_of[key] = next(fitting, candidates[-1])
        return self._least_of[key]

    def _candidates(self, rules: dict[str, Any], depth: int) -> Iterator[Any]:
        yield None
        if "const" in rules:
            yield rules["const"]
        yield from rules.get("enum", ())
        if "default" in rules:
            yield rules["default"]
        for branch in self._branches(rules):
            yield self._least(self.rules(branch), depth + 1)
        for kind in _types(rules) or ("string", "integer", "object", "array", "boolean"):
            yield from self._of_type(kind, rules, depth)

    def _of_type(self, kind: str, rules: dict[str, Any], depth: int) -> Iterator[Any]:
        if kind == "object":
            yield from self._objects(rules, depth)
        elif kind == "array":
            yield from self._arrays(rules, depth)
        elif kind == "string":
            yield from _strings(rules)
        elif kind in ("integer", "number"):
            yield from _numbers(rules, whole=kind == "integer")
        elif kind == "boolean":
            yield from (False, True)

    def _objects(self, rules: dict[str, Any], depth: int) -> Iterator[Any]:
        properties, required = rules.get("properties", {}), rules.get("required", [])
        named = {name: properties[name] for name in properties if name in required}
        named |= {name: rules.get("additionalProperties") for name in required if name not in properties}
        least = {name: self.value(child, None, depth + 1) for name, child in named.items()}
        yield least
        for name, child in properties.items():  # minProperties, dependentRequired
            least = least | {name: self.value(child, None, depth + 1)}
            yield least
        for place in range(min(_limit(rules, "minProperties", 0), MAX_ITEMS)):
            least = least | {f"field{place}": self.value(rules.get("additionalProperties"), None, depth + 1)}
            yield least

    def _arrays(self, rules: dict[str, Any], depth: int) -> Iterator[Any]:
        yield []
        count = min(_limit(rules, "minItems", 0), MAX_ITEMS)
        least = [self._item(rules, place, None, depth) for place in range(count)]
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
        merged["required"] = [*rules["required"], *others["required"]]
    return merged


def _types(rules: Mapping[str, Any]) -> list[str]:
    kinds = rules.get("type", [])
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _limit(rules: Mapping[str, Any], name: str, otherwise: int) -> int:
    return int(rules.get(name, otherwise))


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
    yield "a" * min(_limit(rules, "minLength", 0), MAX_CHARS)


def _numbers(rules: Mapping[str, Any], *, whole: bool) -> Iterator[float]:
    yield 0
    step = rules.get("multipleOf", 1)
    lower = [rules[name] for name in ("minimum", "exclusiveMinimum") if name in rules]
    upper = [rules[name] for name in ("maximum", "exclusiveMaximum") if name in rules]
    for bound in (max(lower, default=None), min(upper, default=None)):
        if bound is not None:
            nearest = math.floor(bound / step)
            yield from ((nearest + further) * step for further in (0, 1, 2, -1))
            yield bound
    if not whole:
        yield from (bound + _STEP for bound in lower)
        yield from (bound - _STEP for bound in upper)
        if lower and upper:
            yield (max(lower) + min(upper)) / 2


def _varied(value: Any, place: int) -> Any:
    """Return a text or number that differs from its siblings, for items that have to be unique."""
    if isinstance(value, str):
        return f"{value}{place}"
    if isinstance(value, int | float):
        return value + place
    return value
