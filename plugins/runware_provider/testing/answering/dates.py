"""Dates as business papers write them, in six languages and a dozen orders."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# The beginnings of month names in English, German, French, Spanish, Italian and Dutch, without accents.
_MONTHS = {
    **dict.fromkeys(("jan", "gen", "ene"), 1),
    **dict.fromkeys(("feb", "fev"), 2),
    **dict.fromkeys(("mar", "maa", "mrz"), 3),
    **dict.fromkeys(("apr", "avr", "abr"), 4),
    **dict.fromkeys(("may", "mai", "mag", "mei"), 5),
    **dict.fromkeys(("jun", "giu", "juin"), 6),
    **dict.fromkeys(("jul", "lug", "juil"), 7),
    **dict.fromkeys(("aug", "ago", "aou"), 8),
    **dict.fromkeys(("sep", "set"), 9),
    **dict.fromkeys(("oct", "okt", "ott"), 10),
    **dict.fromkeys(("nov",), 11),
    **dict.fromkeys(("dec", "dez", "dic"), 12),
}
_PLAIN = str.maketrans("äéèûôáíóú", "aeeuoaiou")
_MONTH = (
    r"(?:jan|gen|ene|f[eé][bv]|m[aä]r|maa|mrz|a[pv]r|abr|ma[yig]|mei|jui?[nl]|giu|lug|a[ug]g|ago|ao[uû]"
    r"|se[pt]|o[ck]t|ott|nov|d[eéi][cz])[a-zéûô]{0,7}"
)
_YEAR = r"(?:19|20)\d\d"
_DATE = re.compile(
    rf"(?<![\d.,/-])(?:(?P<y1>{_YEAR})\s?[-/.]\s?(?P<m1>\d{{1,2}})\s?[-/.]\s?(?P<d1>\d{{1,2}})"
    rf"|(?P<d2>\d{{1,2}})\s?[-/.]\s?(?P<m2>\d{{1,2}})\s?[-/.]\s?(?P<y2>(?:{_YEAR}|\d\d))"
    rf"|(?P<d3>\d{{1,2}})(?:st|nd|rd|th|er|º)?[.\s/-]{{0,3}}(?:de\s|of\s)?(?P<m3>{_MONTH})\.?[,\s/-]{{0,2}}"
    rf"(?:de\s)?(?P<y3>(?:{_YEAR}|\d\d))"
    rf"|(?P<m4>{_MONTH})\.?\s{{0,2}}(?P<d4>\d{{1,2}})(?:st|nd|rd|th)?[,\s]{{1,3}}(?P<y4>{_YEAR})"
    r"|(?P<y5>20\d\d)(?P<m5>0[1-9]|1[0-2])(?P<d5>[0-2]\d|3[01])"
    r"|(?P<d6>[0-2]\d|3[01])(?P<m6>0[1-9]|1[0-2])(?P<y6>20\d\d))(?!\d)",
    re.IGNORECASE,
)


def find_dates(text: str, *, month_first: bool = False) -> Iterator[tuple[dt.date, str]]:
    """Give every date of a text with the words that say it.

    Args:
        text: Any text.
        month_first: Whether 03/04/2026 is the 4th of March.
    """
    for match in _DATE.finditer(text):
        day = _date_of(match, month_first=month_first)
        if day is not None:
            yield day, match.group()


def _date_of(match: re.Match[str], *, month_first: bool) -> dt.date | None:
    form = (match.lastgroup or "y1")[-1]
    year, month, day = (match[f"{part}{form}"] for part in "ymd")
    months = _month(month)
    numbers = (int(year) + (2000 if len(year) == 2 else 0), months, int(day))
    if form == "2" and ((month_first and numbers[2] <= 12) or (months > 12 >= numbers[2])):
        numbers = (numbers[0], numbers[2], months)
    try:
        return dt.date(*numbers)
    except ValueError:
        return None


def _month(text: str) -> int:
    if text.isdigit():
        return int(text)
    plain = text.lower().translate(_PLAIN)
    return _MONTHS.get(plain[:4]) or _MONTHS.get(plain[:3], 0)
