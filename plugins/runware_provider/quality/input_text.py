"""The text that a record was read from, around the place where a value stands in it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from runware_provider.quality.wording import clip, text_of, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

AROUND: Final = 500
"""Characters that are shown on each side of the place."""
SEARCHED: Final = 200_000
"""Characters of a text that are looked through."""
LONGEST: Final = 200
"""Characters of a value that is looked for."""
TOO_SHORT: Final = 2
"""Characters of a value that would be met anywhere."""
LEAST_DIGITS: Final = 10
"""Whole numbers below are met anywhere, too."""
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class InputText:
    """A piece of an input text."""

    column: str
    chars: int
    """Of the whole text."""
    before: str
    """Lines of the text, up to the value; the whole piece where the value is not there."""
    value: str = ""
    """As it stands in the text; empty where it does not."""
    is_expected: bool = True
    """Whether it is the value that was expected, or else the one that was got."""
    after: str = ""
    is_cut: bool = False
    """Whether the text begins earlier."""
    goes_on: bool = False

    def line(self, chars: int) -> str:
        """In one line, at most so long, with the value in the middle."""
        before, value, after = map(one_line, (self.before, self.value, self.after))
        side = max(0, (chars - len(value)) // 2) if value else chars
        lead = f"…{before[len(before) - side :]}" if value and len(before) > side else before
        return clip(f"{lead}{value}{after}".strip(), chars)


def one_line(text: str) -> str:
    """A text with every run of white space as one space, and what cannot be seen spelled out."""
    return visible(_SPACE.sub(" ", text))


def text_beside(inputs: Mapping[str, Any], got: Any, expected: Any, *, key: str) -> InputText | None:
    """The longest text of a record's input, cut around the expected value, or around the one that was got in its place.

    Args:
        inputs: the record's columns.
        got: what the record has.
        expected: what it should have.
        key: the column that names the record, which is no text to read.

    Returns:
        None where the input has no text.
    """
    texts = {name: value for name, value in inputs.items() if isinstance(value, str) and name != key}
    if not texts:
        return None
    column = max(texts, key=lambda name: len(texts[name]))
    text = texts[column]
    for sought, is_expected in ((_telling(expected, got), True), (_telling(got, expected), False)):
        place = _place(text[:SEARCHED], sought)
        if place is not None:
            return _cut(column, text, place, is_expected=is_expected)
    return InputText(column, len(text), text[: 2 * AROUND], goes_on=len(text) > 2 * AROUND)


def _telling(value: Any, other: Any) -> Any:
    """Of a list the first element that the other has not, of a struct the first field that is a text."""
    if isinstance(value, list):
        others = {text_of(element) for element in other} if isinstance(other, list) else set()
        return next((_telling(element, None) for element in value if text_of(element) not in others), None)
    if isinstance(value, dict):
        return next((part for part in value.values() if isinstance(part, str)), None)
    return value


def _cut(column: str, text: str, place: tuple[int, int], *, is_expected: bool) -> InputText:
    begin, end = place
    first, last = max(0, begin - AROUND), min(len(text), end + AROUND)
    return InputText(
        column,
        len(text),
        text[first:begin],
        text[begin:end],
        is_expected,
        text[end:last],
        is_cut=first > 0,
        goes_on=last < len(text),
    )


def _place(text: str, value: Any) -> tuple[int, int] | None:
    """Where a value stands in a text, in any of the ways in which people write it."""
    spellings = [spelling for spelling in _spellings(value) if TOO_SHORT <= len(spelling) <= LONGEST]
    for spelling in spellings:
        words = r"\s+".join(map(re.escape, spelling.split()))
        found = re.search(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE)
        if found is not None:
            return found.span()
    return None


def _spellings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value.strip()
        case bool() | None:
            return
        case datetime():
            yield from _dates(value.date())
        case date():
            yield from _dates(value)
        case int() | float() | Decimal():
            yield from _numbers(Decimal(value))


def _dates(day: date) -> Iterator[str]:
    year, month, number = day.year, day.month, day.day
    yield f"{year}-{month:02}-{number:02}"
    yield f"{number:02}.{month:02}.{year}"
    yield f"{number}.{month}.{year}"
    yield f"{number:02}/{month:02}/{year}"
    yield f"{month:02}/{number:02}/{year}"
    for name in (f"{day:%B}", f"{day:%b}"):
        yield f"{number} {name} {year}"
        yield f"{name} {number}, {year}"
        yield f"{number:02} {name} {year}"


def _numbers(value: Decimal) -> Iterator[str]:
    if not value.is_finite() or abs(value) >= 10**15:
        return
    english = f"{value:,.2f}"
    yield english
    yield english.replace(",", "")
    yield english.translate({ord(","): ".", ord("."): ","})
    yield english.translate({ord(","): " ", ord("."): ","})
    yield english.replace(",", "").replace(".", ",")
    if value == int(value) and abs(value) >= LEAST_DIGITS:
        yield f"{value:,.0f}"
        yield f"{value:.0f}"
