"""Comparisons of a record's values that refuse where Python answers "unlike" and means "of unlike kinds".

Python finds a date and a text, or a number and a text, unequal without a word, and whoever chooses records with
`==` then loses all of them. Here only values of one kind are compared. The kinds are those of Arrow's values in
Python; a bool is a number, as in Python. Three pairs are brought to one kind first:

- a date, timestamp or time and a text: the text is read as ISO 8601 (`2026-01-31`, `2026-01-31T12:00:00+00:00`);
- a decimal and a float: the float is read as it is written, so that 0.1 means the decimal 0.1;
- a list and a tuple, which is how an expression may write a list.

A null equals a null alone, has no order, and is in a list that holds one. Lists and structs are compared value by
value. Messages of errors name kinds, never values.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (type(None), "null"),
    (str, "text"),
    ((int, float, Decimal), "number"),
    (datetime, "timestamp"),
    (date, "date"),
    (time, "time"),
    (timedelta, "duration"),
    (bytes, "binary value"),
    ((list, tuple), "list"),
    (Mapping, "struct"),
    (AbstractSet, "set"),
)
_KIND_OF: dict[type, str] = {}
_ISO = {
    "date": (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), date.fromisoformat, "2026-01-31"),
    "timestamp": (
        re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}.*)?"),
        datetime.fromisoformat,
        "2026-01-31T12:00:00",
    ),
    "time": (re.compile(r"[0-9]{2}:[0-9]{2}.*"), time.fromisoformat, "12:00:00"),
}
_CONVERSIONS = {
    frozenset({"number", "text"}): "convert one of them with the filter `int`, `float` or `string`",
    frozenset({"date", "timestamp"}): "write `.date()` behind the timestamp",
    frozenset({"binary value", "text"}): "write `.decode()` behind the binary value",
}
_ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
}
# For these, two values of one type are never unlike in kind, so that Python's own `in` may look for them.
_SIMPLE = {str, int, float, bool, bytes, date, timedelta}


class UnlikeKindsError(TypeError):
    """Two values that have no common kind, or no order; the message names the kinds only."""


def compared(sign: str, left: Any, right: Any) -> bool:
    """What a comparison says.

    Args:
        sign: Jinja's word for it: `eq ne lt lteq gt gteq in notin`.
        left: the value before the sign.
        right: the value behind it.

    Raises:
        UnlikeKindsError: the values are of unlike kinds, or a null is ordered.
        Exception: whatever values of other kinds raise when they are compared.
    """
    match sign:
        case "eq":
            return _equal(left, right)
        case "ne":
            return not _equal(left, right)
        case "in":
            return _held(left, right)
        case "notin":
            return not _held(left, right)
    return _ordered(_ORDERS[sign], left, right)


def _equal(left: Any, right: Any) -> bool:
    if left is None or right is None:
        return bool(left == right)
    left, right = _alike(left, right)
    kind = _kind(type(left))
    if kind == "list":
        return len(left) == len(right) and all(map(_equal, left, right))
    if kind == "struct":
        return left.keys() == right.keys() and all(_equal(left[name], right[name]) for name in left)
    return bool(left == right)


def _ordered(order: Callable[[Any, Any], Any], left: Any, right: Any) -> bool:
    if left is None or right is None:
        raise UnlikeKindsError("a null is neither less nor greater than anything; ask `is not none` first")
    return bool(order(*_alike(left, right)))


def _held(value: Any, holder: Any) -> bool:
    if isinstance(holder, str | bytes):
        if not isinstance(value, str | bytes):
            raise _unlike(value, holder, "looked for in")
        return operator.contains(*reversed(_alike(value, holder)))
    if not isinstance(holder, Iterable):
        raise UnlikeKindsError(
            f"{_called(holder)} holds nothing that could be looked for; `in` wants a list or a text behind it"
        )
    held = holder if isinstance(holder, Collection) else tuple(holder)
    types: set[type] = {int} if isinstance(held, range) else set(map(type, held))
    if types <= {type(value), type(None)} and (type(value) in _SIMPLE or value is None):
        return value in held
    return _among(value, held, types)


def _among(value: Any, held: Collection[Any], types: set[type]) -> bool:
    """Whether a value is in a mixed list, of which only the values of its kind are compared."""
    if value is None:
        return any(one is None for one in held)
    kind = _kind(type(value))
    kin = {one for one in types if _meet(kind, _kind(one))}
    if not kin and types - {type(None)}:
        raise _unlike(value, next(one for one in held if one is not None), "looked for in a list with")
    return any(type(one) in kin and _equal(value, one) for one in held)


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    """Two values that are not null, brought to one kind."""
    kinds = _kind(type(left)), _kind(type(right))
    if kinds[0] == kinds[1]:
        return _like_numbers(left, right) if kinds[0] == "number" else _like_clocks(left, right)
    if kinds[0] == "text" and kinds[1] in _ISO:
        return _like_clocks(_read(left, kinds[1]), right)
    if kinds[1] == "text" and kinds[0] in _ISO:
        return _like_clocks(left, _read(right, kinds[0]))
    raise _unlike(left, right, "compared with")


def _like_numbers(left: Any, right: Any) -> tuple[Any, Any]:
    if isinstance(left, Decimal) and isinstance(right, float):
        return left, Decimal(repr(right))
    if isinstance(left, float) and isinstance(right, Decimal):
        return Decimal(repr(left)), right
    return left, right


def _like_clocks(left: Any, right: Any) -> tuple[Any, Any]:
    """The same two values, unless one clock has a time zone and the other has none."""
    if isinstance(left, datetime | time) and (left.utcoffset() is None) != (right.utcoffset() is None):
        raise UnlikeKindsError(
            f"one {_kind(type(left))} has a time zone and the other has none; "
            "write the offset into the text, or none, as in '2026-01-31T00:00:00+00:00'"
        )
    return left, right


def _read(text: str, kind: str) -> Any:
    pattern, read, example = _ISO[kind]
    try:
        if pattern.fullmatch(text):
            return read(text)
    except ValueError:
        pass
    raise UnlikeKindsError(f"a {kind} is compared with a text that is no {kind} as in '{example}'")


def _kind(one: type) -> str:
    kind = _KIND_OF.get(one)
    if kind is None:
        kind = next((name for types, name in _KINDS if issubclass(one, types)), one.__name__)
        _KIND_OF[one] = kind
    return kind


def _meet(one: str, other: str) -> bool:
    return one == other or (one == "text" and other in _ISO) or (other == "text" and one in _ISO)


def _unlike(left: Any, right: Any, how: str) -> UnlikeKindsError:
    for value in (left, right):
        if callable(value):
            return UnlikeKindsError("a function or method is compared; call it")
        if hasattr(value, "__next__"):
            return UnlikeKindsError("a generator is compared; add the filter `list` behind it")
    pair = frozenset({_kind(type(left)), _kind(type(right))})
    remedy = _CONVERSIONS.get(pair, "convert one of them, as with the filter `string`")
    if isinstance(left, bool) or isinstance(right, bool):
        remedy = "a bool is written true or false, without quotes"
    return UnlikeKindsError(f"{_called(left)} is {how} {_called(right)}; {remedy}")


def _called(value: Any) -> str:
    return f"a {_kind(type(value))}"
