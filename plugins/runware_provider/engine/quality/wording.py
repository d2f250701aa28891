"""Numbers, values and shares as a reader likes to see them, whatever a value holds. Pure."""

from __future__ import annotations

import json
import math
import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from runware_provider.engine.quality.profile import FieldProfile, Kind
from runware_provider.engine.schema.problems import clip

if TYPE_CHECKING:
    from collections.abc import Mapping

VALUE_CHARS = 60
LEAD = 16
"""Characters that two values are shown with before they begin to differ."""
DIGITS_SHOWN = 12
"""Of an end of a range; a float with more is rounded."""
NEARLY = 0.9
RARE = 0.01
NULL = "null"
NOTHING = "\u2013"

_SHORT = {"\n": "⏎", "\r\n": "⏎", "\t": "⇥"}
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_JOINERS = {"\u200c", "\u200d"}
"""Without them Persian and many emoji would be spelled wrongly; they harm nobody."""
_RIGHT_TO_LEFT = {"R", "AL", "AN"}


def visible(text: str) -> str:
    """The text in one line, with what cannot be seen, or turns the writing round, spelled out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text.replace("\r\n", "\n")))


def _visible(sign: str) -> str:
    if sign in _SHORT:
        return _SHORT[sign]
    if sign in _JOINERS or unicodedata.category(sign) not in _INVISIBLE:
        return sign
    number = ord(sign)
    return (
        f"\\x{number:02x}"
        if number < 0x100
        else f"\\u{number:04x}"
        if number < 0x10000
        else f"\\U{number:08x}"
    )


def runs_right_to_left(text: str) -> bool:
    """Whether something in the text is written from right to left."""
    return not text.isascii() and any(unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT for sign in text)


def value(held: Any, chars: int = VALUE_CHARS) -> str:
    """A value in one line of at most so many characters."""
    return clip(visible(_text(held)[: 4 * chars]), chars)


def apart(first: Any, second: Any, chars: int = VALUE_CHARS) -> tuple[Any, Any]:
    """Two values that differ, in as many characters each, from where they begin to differ.

    Values that differ near their beginning, or are short, come back as they are.
    """
    if not isinstance(first, str | list) or type(first) is not type(second):
        return first, second
    one, other = (_text(held) for held in (first, second))
    begin = _common_beginning(one, other)
    if begin < chars - LEAD:
        return first, second
    cut = begin - LEAD // 2
    return f"…{one[cut:]}", f"…{other[cut:]}"


def _common_beginning(first: str, second: str) -> int:
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(first), len(second)))


@singledispatch
def _text(held: Any) -> str:
    """A value, however long, as it was written down."""
    return str(held)


@_text.register
def _(held: None) -> str:  # noqa: ARG001 - dispatched by its type
    return NULL


@_text.register
def _(held: str) -> str:
    return held if held.strip() else f'"{held}"'


@_text.register
def _(held: bool) -> str:  # noqa: FBT001 - a value like any other
    return "true" if held else "false"


@_text.register
def _(held: datetime) -> str:
    return held.isoformat(sep=" ").removesuffix("+00:00").removesuffix(" 00:00:00")


@_text.register
def _(held: date) -> str:
    return held.isoformat()


@_text.register
def _(held: float) -> str:
    return str(int(held)) if held.is_integer() and abs(held) < 1e15 else repr(held)


@_text.register
def _(held: Decimal) -> str:
    return plain(held)


@_text.register
def _(held: bytes) -> str:
    return f"{len(held):,} bytes"


@_text.register
def _(held: list) -> str:  # type: ignore[type-arg] # a type that `register` can ask for
    return f"{counted(len(held), 'element')}: {_inside(held)}"


@_text.register
def _(held: dict) -> str:  # type: ignore[type-arg] # a type that `register` can ask for
    return _inside(held)


def _inside(held: Any) -> str:
    """A value within another one, like JSON, but with numbers as they compare: 4.00 is 4."""
    match held:
        case dict():
            return (
                "{"
                + ", ".join(
                    f"{json.dumps(name, ensure_ascii=False)}: {_inside(one)}" for name, one in held.items()
                )
                + "}"
            )
        case list():
            return f"[{', '.join(map(_inside, held))}]"
        case str():
            return json.dumps(held, ensure_ascii=False)
        case Decimal():
            return plain(held)
        case _:
            return _text(held)


def plain(held: Decimal, form: str = "f") -> str:
    """A decimal without the zeros at its end, which its column's type puts there: 4.00 is 4."""
    text = f"{held:{form}}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(number: float) -> str:
    """A whole number, in threes."""
    return f"{number:,.0f}"


def counted(number: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def share(part: float, whole: float) -> str:
    """A share in percent, never rounded to all or nothing."""
    if not whole:
        return NOTHING
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "<0.1 %"
    if 99.9 < percent < 100:
        return ">99.9 %"
    return f"{percent:.1f}".removesuffix(".0") + " %"


def interval(low: float, high: float) -> str:
    """An interval of rates."""
    ends = (f"{100 * end:.1f}".removesuffix(".0") for end in (low, high))
    return "\u2013".join(ends) + " %"


def usd(amount: float | None) -> str:
    """An amount with as many digits as tell it from others."""
    if amount is None:
        return NOTHING
    if amount == 0:
        return "0 USD"
    digits = min(9, max(2, 3 - math.floor(math.log10(abs(amount)))))
    whole, _, fraction = f"{amount:,.{digits}f}".partition(".")
    return f"{whole}.{fraction.rstrip('0'):0<2} USD"


def seconds(duration: float | None) -> str:
    """A duration."""
    if duration is None:
        return NOTHING
    return (
        f"{duration:,.2f} s"
        if duration < 10
        else f"{duration:,.1f} s"
        if duration < 100
        else f"{duration:,.0f} s"
    )


def number(held: float | None) -> str:
    """A number that was calculated: four digits, or all before the point."""
    if held is None:
        return NOTHING
    if held == 0 or not 1e-4 <= abs(held) < 1e15:
        return f"{held:.4g}"
    digits = max(0, 3 - math.floor(math.log10(abs(held))))
    text = f"{held:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def distinct(profile: FieldProfile) -> str:
    """How many different values there are."""
    if profile.distinct is None or profile.seen == profile.null:
        return NOTHING
    if profile.distinct_is_exact:
        return count(profile.distinct)
    digits = max(0, len(str(profile.distinct)) - 2)
    return f"about {round(profile.distinct, -digits):,}"


def extent(profile: FieldProfile) -> str:
    """From where to where the values, or the lengths of texts and lists, go."""
    low, high = profile.lowest, profile.highest
    if low is None or profile.kind is Kind.FLAG:
        return NOTHING
    ends = _in_threes(low) if low == high else f"{_in_threes(low)} to {_in_threes(high)}"
    unit = {Kind.TEXT: "character", Kind.LIST: "element"}.get(profile.kind)
    if unit is None:
        return ends
    return f"{ends} {unit}{'' if high == 1 else 's'}"


def _in_threes(held: Any) -> str:
    if isinstance(held, datetime):
        return value(held.replace(microsecond=0), 32)
    if isinstance(held, float) and len(repr(held)) > DIGITS_SHOWN and 1e-4 <= abs(held) < 1e15:
        return f"{held:,.6g}" if abs(held) < 1e6 else f"{held:,.0f}"
    if isinstance(held, Decimal):
        return value(plain(held, ",f"), 32)
    if isinstance(held, int) or (isinstance(held, float) and 1e-4 <= abs(held) < 1e15):
        return value(f"{held:,}".removesuffix(".0"), 32)
    return value(held, 32)


def median(profile: FieldProfile) -> str:
    """The number in the middle."""
    return "" if profile.median is None else number(profile.median)


def variety(profile: FieldProfile) -> str:
    """That the values (nearly) all differ, so that there is no most frequent one; else nothing."""
    if profile.distinct is None or not profile.filled:
        return ""
    if profile.top and profile.top[0][1] == 1 and profile.distinct > 1 and profile.distinct_is_exact:
        return "all different"
    rare = not profile.top or profile.top[0][1] <= RARE * profile.filled
    return "nearly all different" if rare and profile.distinct >= NEARLY * profile.filled else ""


def ends_of_histogram(profile: FieldProfile) -> tuple[str, str]:
    """Where the histogram begins and ends."""
    held = profile.histogram
    if held is None:
        return "", ""
    whole = profile.kind in {Kind.WHOLE, Kind.LIST}
    ends = (held.lowest, held.highest)
    if whole:
        return number(math.ceil(ends[0])), number(math.floor(ends[1]))
    return _end(profile.lowest, ends[0]), _end(profile.lowest, ends[1])


def _end(kind: Any, held: float) -> str:
    """An end of the histogram, in the field's own words."""
    if isinstance(kind, datetime):
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=held)).date().isoformat()
    if isinstance(kind, date):
        return (date(1970, 1, 1) + timedelta(days=held)).isoformat()
    if isinstance(kind, time):
        return f"{int(held / 3.6e9):02d}:{int(held / 6e7) % 60:02d}"
    return number(held)


def picture(profile: FieldProfile) -> str:
    """What the histogram shows, for those who cannot see it."""
    held = profile.histogram
    if held is None:
        return ""
    low, high = ends_of_histogram(profile)
    tallest = max(range(len(held.bars)), key=lambda index: held.bars[index])
    beyond = held.below + held.above
    more = f"; {share(beyond, beyond + sum(held.bars))} lie beyond" if beyond else ""
    return f"{len(held.bars)} bars from {low} to {high}, the tallest is number {tallest + 1}{more}"


def reasons(held: Mapping[tuple[str, str], int], outcome: str, most: int = 3) -> list[tuple[str, int]]:
    """The most frequent error codes of an outcome."""
    ours = [(code, number) for (name, code), number in held.items() if name == outcome]
    return sorted(ours, key=lambda one: (-one[1], one[0]))[:most]
