"""The text that a record was read from, around the place where a value stands in it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from runware_provider.quality.wording import clip, visible

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
    after: str = ""
    is_cut: bool = False
    """Whether the text begins earlier."""
    goes_on: bool = False

    def line(self, chars: int) -> str:
        """In one line, at most so long, with the value in the middle."""
        if not self.value:
            return clip(visible(" ".join(self.before.split())), chars)
        before, value, after = (
            visible(" ".join(part.split())) for part in (self.before, self.value, self.after)
        )
        side = max(0, (chars - len(value)) // 2)
        lead = f"…{before[len(before) - side :]}" if len(before) > side else before
        return clip(f"{lead} {value} {after}".strip(), chars)


def text_beside(inputs: Mapping[str, Any], expected: Any, *, key: str) -> InputText | None:
    """The longest text of a record's input, cut around the expected value; None where it has none.

    Args:
        inputs: the record's columns.
        expected: the value that should have been read.
        key: the column that names the record, which is no text to read.
    """
    texts = {name: value for name, value in inputs.items() if isinstance(value, str) and name != key}
    if not texts:
        return None
    column = max(texts, key=lambda name: len(texts[name]))
    return _cut(column, texts[column], _place(texts[column][:SEARCHED], expected))


def _cut(column: str, text: str, place: tuple[int, int] | None) -> InputText:
    if place is None:
        return InputText(column, len(text), text[: 2 * AROUND], goes_on=len(text) > 2 * AROUND)
    begin, end = place
    first, last = max(0, begin - AROUND), min(len(text), end + AROUND)
    return InputText(
        column,
        len(text),
        text[first:begin],
        text[begin:end],
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
