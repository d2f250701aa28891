"""How a decimal is asked for: as text, so that no digit of it is lost; a number will do.

This is ours and not pydantic's, whose releases write it differently: each would be another request, paid anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_BOUNDS = {
    "multiple_of": "multipleOf",
    "le": "maximum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "gt": "exclusiveMinimum",
}


def asked_decimal(limits: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema that asks for a decimal.

    Args:
        limits: as pydantic-core's schema of a decimal holds them: `max_digits`, `decimal_places`, `ge`, ...
    """
    bounds = {_BOUNDS[name]: _plain(limits[name]) for name in _BOUNDS if limits.get(name) is not None}
    return {"anyOf": [{"type": "string", "pattern": _pattern(limits)}, {"type": "number", **bounds}]}


def _plain(limit: Any) -> float:
    return int(limit) if limit == int(limit) else float(limit)


def _pattern(limits: Mapping[str, Any]) -> str:
    """No lookaround: what enforces patterns on models seldom has it."""
    digits, places = limits.get("max_digits"), limits.get("decimal_places")
    lowest = max((limits[name] for name in ("ge", "gt") if limits.get(name) is not None), default=-1)
    before = None if digits is None else digits - (places or 0)
    behind = digits if places is None else places
    fraction = "" if behind == 0 else rf"(\.\d{_count(behind)})?"
    whole = "0" if before is not None and before < 1 else rf"\d{_count(before)}"
    return f"^{'' if lowest >= 0 else '-?'}{whole}{fraction}$"


def _count(most: int | None) -> str:
    return "+" if most is None else f"{{1,{most}}}"
