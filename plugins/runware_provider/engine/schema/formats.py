"""Texts with a meaning, as JSON writes them: what they look like, how they are read, and the check of them.

The functions that read are the ones that check, so that what passes the check can be converted.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2})?", re.ASCII
)
_TIME = re.compile(r"(\d{2}:\d{2}:\d{2})(?:\.(\d+))?(?:[Zz]|\+00:00)?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,5})?", re.ASCII)
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
EXAMPLES = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z, with an offset",
    "time": "12:00:00, without an offset",
    "date-time without an offset": "2026-01-31T12:00:00",
    "decimal": "12.50",
    "uuid": "f81d4fae-7dec-41d0-a765-00a0c91e6bf6",
    "email": "name@example.org",
}
"""What a text looks like that can be read, for its author."""


def _matched(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return match


def read_date(text: str) -> date:
    """A day.

    Raises:
        ValueError: the text is none; so do the other readers.
    """
    return date.fromisoformat(_matched(_DATE, text)[0])


def _read_datetime(text: str) -> datetime:
    """RFC 3339, the offset optional; digits beyond the microsecond are dropped."""
    day, clock, fraction, offset = _matched(_INSTANT, text).groups()
    return datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}{(offset or '').upper()}")


def read_instant(text: str) -> datetime:
    """A point in time, in UTC; without an offset it is taken for UTC."""
    moment = _read_datetime(text)
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError(text) from None


def read_naive(text: str) -> datetime:
    """A time without an offset."""
    moment = _read_datetime(text)
    if moment.tzinfo is not None:
        raise ValueError(text)
    return moment


def _read_strict_instant(text: str) -> datetime:
    if _matched(_INSTANT, text)[4] is None:
        raise ValueError(text)
    return read_instant(text)


def read_time(text: str) -> time:
    """A time of day, without an offset or in UTC."""
    clock, fraction = _matched(_TIME, text).groups()
    return time.fromisoformat(f"{clock}.{(fraction or '0')[:6]:0<6}")


def read_decimal(text: str) -> Decimal:
    """A number in decimal digits, exactly."""
    return Decimal(_matched(_DECIMAL, text)[0])


def _parsed_by(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def parses(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return parses


FORMATS: Mapping[str, Callable[[str], bool]] = {
    "date": _parsed_by(read_date),
    "date-time": _parsed_by(_read_strict_instant),
    "time": _parsed_by(read_time),
    "decimal": lambda text: _DECIMAL.fullmatch(text) is not None,
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
}
"""The check of the formats that are checked; the others are as good as not there.

Each of these expressions reads a text once: none of them can match the same characters in two ways.
"""
