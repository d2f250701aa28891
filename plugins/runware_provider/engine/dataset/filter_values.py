"""The values of `filters`, cast to the types of their columns: exactly, so that no record is missed by a slip."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import pyarrow as pa

from runware_provider.engine.errors import BadInput
from runware_provider.engine.filters import FIELD, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.filters import Filter

_WHOLE_NUMBER: Final = re.compile(r"-?[0-9]+")
_NUMBERS: Final = (int, float, Decimal)
_KINDS: Final[tuple[tuple[Callable[[pa.DataType], bool], tuple[type, ...], str], ...]] = (
    (pa.types.is_boolean, (bool,), "True or False"),
    (pa.types.is_integer, (int,), "a whole number in its range"),
    (pa.types.is_floating, _NUMBERS, "a number in its range"),
    (pa.types.is_decimal, _NUMBERS, "a number with no more digits than the type has"),
    (lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind), (str,), "a text"),
    (
        lambda kind: (
            pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
        ),
        (bytes,),
        "bytes of its length, or a text that stands for its UTF-8",
    ),
    (pa.types.is_date, (date,), "a date, like '2026-01-31'"),
    (
        lambda kind: pa.types.is_timestamp(kind) and kind.tz is None,
        (date,),
        "a time without an offset, in its range and no finer than the type, like '2026-01-31' or '2026-01-31T12:00:00'",
    ),
    (
        pa.types.is_timestamp,
        (date,),
        "a time with its offset, in its range and no finer than the type, like '2026-01-31T12:00:00+00:00'",
    ),
    (pa.types.is_time, (time,), "a time of day no finer than the type, like '12:30:00'"),
    (pa.types.is_duration, (timedelta,), "a timedelta in its range and no finer than the type"),
)
"""For each kind of column the Python types of values that it is compared with, beside texts, and what to write."""


_COMPARED_AS_STORED: Final = (pa.uuid(), pa.json_(), pa.json_(pa.large_string()), pa.bool8())
"""Of Arrow's extensions those whose values have an order or an equality that everybody knows."""


def compared_as(kind: pa.DataType) -> pa.DataType:
    """Return the type in which Arrow compares values: without dictionary, view, extension and the shortest numbers."""
    if kind in _COMPARED_AS_STORED:
        kind = kind.storage_type
    if pa.types.is_dictionary(kind):
        return compared_as(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_decimal(kind) and kind.bit_width < 128:
        return pa.decimal128(kind.precision, kind.scale)
    return kind


def is_comparable(kind: pa.DataType) -> bool:
    """Return whether values of this type can be compared: neither lists and structs nor Arrow's extensions."""
    return any(fits(kind) for fits, _, _ in _KINDS)


def cast_value(written: Filter, value: Any, column_type: pa.DataType) -> pa.Scalar:
    """Return a value in the type that its column is compared as.

    It is exact, save for floats: of those it is the nearest one that the column can hold.

    Raises:
        BadInput: the value is of an unlike kind, or cannot be cast.
    """
    kind = column_type.value_type if pa.types.is_dictionary(column_type) else column_type
    compared = compared_as(kind)
    if kind == pa.uuid():
        value = _uuid_bytes(value)
    types, wanted = next(((types, wanted) for fits, types, wanted in _KINDS if fits(compared)), ((), None))
    if wanted is None:
        raise BadInput(
            FIELD,
            f"{shown(written)}: column {written[0]!r} is {kind}, which is compared with nothing",
            "Ask whether it `is null` or `is not null`, or make what it holds a column with a query before this task",
        )
    problem = f"{shown(written)}: {value!r:.60} is no {kind}, which column {written[0]!r} is"
    refused = BadInput(FIELD, problem, f"Give {wanted}")
    if not isinstance(value, (*types, str)) or (isinstance(value, bool) and bool not in types):
        raise refused
    try:
        cast = _exact(value, kind if pa.types.is_float16(kind) else compared).cast(compared)
    except (pa.ArrowException, ValueError, OverflowError):
        raise refused from None
    if (
        pa.types.is_floating(compared)
        and not math.isfinite(cast.as_py())
        and str(value) not in {"inf", "-inf"}
    ):
        raise refused
    return cast


def _uuid_bytes(value: Any) -> Any:
    """The bytes of a UUID, as people write it; what is none stays as it is, and is refused as that."""
    try:
        return UUID(value).bytes if isinstance(value, str) else value
    except ValueError:
        return b""


def _exact(value: Any, kind: pa.DataType) -> pa.Scalar:
    """Return a value as Arrow reads its text, which is stricter than its cast of Python's values."""
    if isinstance(value, bytes):
        return pa.scalar(bytes(value), pa.binary()).cast(kind)
    if isinstance(value, timedelta):
        return pa.scalar(value, pa.duration("us")).cast(kind)
    if pa.types.is_duration(kind):
        raise ValueError("Arrow reads no duration from a text")
    if isinstance(value, time) or pa.types.is_time(kind):
        return _time_of_day(value).cast(kind)
    if isinstance(value, str) and pa.types.is_integer(kind) and not _WHOLE_NUMBER.fullmatch(value):
        raise ValueError("Arrow would read it as hexadecimal")
    text = _text(value)
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        text = _in_nanoseconds(text)
    return pa.scalar(text, pa.string()).cast(kind)


def _time_of_day(value: str | time) -> pa.Scalar:
    moment = time.fromisoformat(value) if isinstance(value, str) else value
    if moment.tzinfo is not None:
        raise ValueError("a column of times of day has no offsets")
    return pa.scalar(moment, pa.time64("us"))


def _in_nanoseconds(text: str) -> str:
    """Return the text of a time that 64 bits of nanoseconds hold; of others, older releases of Arrow make another time.

    Raises:
        ValueError: it is outside of the years that they hold as a whole.
    """
    if not "1678" <= text[:4] <= "2261":
        raise ValueError("nanoseconds hold the years from 1678 to 2261")
    return text


def _text(value: Any) -> str:
    """Return what Arrow reads as this value, whatever a subclass prints."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return format(Decimal(float.__repr__(value)), "f") if math.isfinite(value) else float.__repr__(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return format(value, "f")
