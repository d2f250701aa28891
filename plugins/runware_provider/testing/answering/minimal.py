"""The smallest value that a schema allows, and whether a value is allowed: what is left when a document says nothing."""

from __future__ import annotations

import math
import re
from typing import Any

from runware_provider.testing.answering.schema_plan import Plan, limit

_OF_FORMAT = {
    "date": "1970-01-01",
    "date-time": "1970-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "unknown@example.invalid",
    "uri": "about:blank",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "0.0.0.0",  # noqa: S104 - a value of a format, nothing listens there
    "ipv6": "::",
    "hostname": "example.invalid",
    "duration": "PT0S",
}
_SHAPES = {
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "date-time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*"),
    "time": re.compile(r"\d\d:\d\d:\d\d.*"),
    "email": re.compile(r"[^@\s]+@[^@\s]+"),
    "uri": re.compile(r"[a-z][a-z0-9+.-]*:\S+", re.IGNORECASE),
    "uuid": re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE),
    "ipv4": re.compile(r"\d{1,3}(?:\.\d{1,3}){3}"),
    "ipv6": re.compile(r"[0-9a-f:]+:[0-9a-f:.]*", re.IGNORECASE),
    "hostname": re.compile(r"[a-z0-9.-]+", re.IGNORECASE),
    "duration": re.compile(r"P\S+"),
}
_TRIES = (
    *("", "a", "A", "0", "1", "aa", "AA", "00", "aaa", "AAA", "000", "0000", "A-1", "A1", "a@b.co", "00000"),
    *("1970-01-01", "00:00", "0.00", "+0", "+000000000", "https://example.invalid", "unknown", "Unknown"),
)


def minimal(plan: Plan) -> Any:
    """Give the smallest value of a plan's type, within its limits as far as a simple rule can."""
    if plan.choices:
        return next((choice for choice in plan.choices if choice is not None), None)
    if plan.nullable or not plan.types:
        return None
    if plan.others:
        return minimal(plan.others[0])
    return _MINIMAL[plan.types[0]](plan)


def fits(plan: Plan, value: Any) -> bool:
    """Give whether a string or number is within a plan's limits."""
    if isinstance(value, str):
        return _string_fits(plan, value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number_fits(plan, value)
    return True


def _object(plan: Plan) -> dict[str, Any]:
    made = {name: minimal(child) for name, child in plan.properties.items() if name in plan.required}
    wanted = int(limit(plan.rules, "minProperties", 0))
    for name, child in plan.properties.items():
        if len(made) < wanted and name not in made:
            made[name] = minimal(child)
    for place in range(min(wanted, 100) - len(made)):
        made[f"field{place}"] = None
    return made


def _array(plan: Plan) -> list[Any]:
    count = min(int(limit(plan.rules, "minItems", 0)), 1_000)
    if not count:
        return []
    if plan.items is None:
        return list(range(count))
    if plan.items.choices:
        return [plan.items.choices[place % len(plan.items.choices)] for place in range(count)]
    first = minimal(plan.items)
    if not plan.rules.get("uniqueItems"):
        return [first] * count
    return [_varied(first, place) for place in range(count)]


def _varied(value: Any, place: int) -> Any:
    if isinstance(value, str):
        return f"{value}{place}" if place else value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value + place
    return value


def _string(plan: Plan) -> str:
    wanted = plan.rules.get("format")
    candidates = [_OF_FORMAT[wanted]] if isinstance(wanted, str) and wanted in _OF_FORMAT else list(_TRIES)
    for candidate in candidates:
        if fits(plan, candidate):
            return candidate
    least = int(limit(plan.rules, "minLength", 0))
    return candidates[0].ljust(min(least, 100_000), "a")


def _number(plan: Plan) -> float:
    step = limit(plan.rules, "multipleOf", 0)
    low = limit(plan.rules, "minimum", -math.inf)
    above = limit(plan.rules, "exclusiveMinimum", -math.inf)
    high = min(limit(plan.rules, "maximum", math.inf), limit(plan.rules, "exclusiveMaximum", math.inf))
    if fits(plan, 0):
        return 0
    unit = step or 1
    bottom = max(low, above)
    candidates = [bottom, bottom + unit, (bottom + high) / 2] if bottom > -math.inf else [high, high - unit]
    snapped = (
        [math.ceil(bottom / unit) * unit, (math.floor(bottom / unit) + 1) * unit]
        if bottom > -math.inf
        else []
    )
    below = [math.floor(high / unit) * unit, (math.ceil(high / unit) - 1) * unit] if high < math.inf else []
    usable = [c for c in (*candidates, *snapped, *below) if math.isfinite(c)]
    return next((c for c in usable if fits(plan, c)), 0)


def _integer(plan: Plan) -> int:
    number = _number(plan)
    for candidate in (math.ceil(number), math.floor(number)):
        if fits(plan, candidate):
            return candidate
    return 0


def _boolean(_plan: Plan) -> bool:
    return False


_MINIMAL = {
    "object": _object,
    "array": _array,
    "string": _string,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
}


def _string_fits(plan: Plan, value: str) -> bool:
    rules = plan.rules
    if not limit(rules, "minLength", 0) <= len(value) <= limit(rules, "maxLength", math.inf):
        return False
    if plan.pattern is not None and not plan.pattern.search(value):
        return False
    shape = _SHAPES.get(rules["format"]) if isinstance(rules.get("format"), str) else None
    return shape is None or shape.fullmatch(value) is not None


def _number_fits(plan: Plan, value: float) -> bool:
    rules = plan.rules
    if not limit(rules, "minimum", -math.inf) <= value <= limit(rules, "maximum", math.inf):
        return False
    if not limit(rules, "exclusiveMinimum", -math.inf) < value < limit(rules, "exclusiveMaximum", math.inf):
        return False
    step = limit(rules, "multipleOf", 0)
    return step <= 0 or abs(value / step - round(value / step)) < 1e-9
