"""Numbers and currencies as business papers write them."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_GROUPS = "'\N{RIGHT SINGLE QUOTATION MARK}\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}"
NUMBER = re.compile(
    rf"(?<![\w.,])[-\N{{MINUS SIGN}}]?(?:(?:\d{{1,3}}(?:[.,{_GROUPS}]\d{{3}})+(?!\d)|\d+)(?:[.,]\d{{1,4}})?|[.,]\d{{1,4}})"
    r"(?![\w%]|\s?%|[.,]\d)"
)
_POINT = re.compile(r"\d\.\d\d(?!\d)")
_COMMA = re.compile(r"\d,\d\d(?!\d)")
_NOT_GROUPED = re.compile(rf"[{_GROUPS}]")

_CODES = (
    "EUR USD GBP CHF JPY CAD AUD NZD MXN SEK NOK DKK PLN CZK HUF RON BGN TRY INR CNY HKD SGD MYR THB IDR "
    "KRW BRL ZAR ILS"
)
# Signs from the most to the least specific: the first one that occurs decides.
_SIGNS = (
    (re.compile(rf"(?<![A-Za-z])({'|'.join(_CODES.split())})(?![A-Za-z])"), ""),
    (re.compile(r"\bUS\s?\$"), "USD"),
    (re.compile(r"\bMX\s?\$"), "MXN"),
    (re.compile(r"(?:\b(?:CA|C)\s?\$)|\$\s?CA\b"), "CAD"),
    (re.compile(r"\bA(?:U)?\s?\$"), "AUD"),
    (re.compile(r"\b(?:HK)\s?\$"), "HKD"),
    (re.compile(r"\bS\s?\$"), "SGD"),
    (re.compile(r"€|\b(?:euros?)\b", re.IGNORECASE), "EUR"),
    (re.compile(r"£"), "GBP"),
    (re.compile(r"¥|\byen\b"), "JPY"),
    (re.compile(r"\$"), "USD"),
    (re.compile(r"₹|\bRs\.?(?=\s?\d)"), "INR"),
    (re.compile(r"zł"), "PLN"),
    (re.compile(r"\d\s?kr\b|\bkr\.?\s?\d"), "SEK"),
    (re.compile(r"\b(?:Fr|SFr)\.\s?\d"), "CHF"),
    (re.compile(r"\(?\bRM\b\)?|\bRM(?=\d)"), "MYR"),
)


def decimal_mark(text: str) -> str:
    """Guess whether a document writes decimals with a point or a comma."""
    return "," if len(_COMMA.findall(text)) > len(_POINT.findall(text)) else "."


def to_number(text: str, mark: str) -> float:
    """Read one number.

    Args:
        text: What `NUMBER` matched.
        mark: The document's decimal mark, for numbers that could be read both ways.
    """
    plain = _NOT_GROUPED.sub("", text).replace("\N{MINUS SIGN}", "-")
    point, comma = plain.rfind("."), plain.rfind(",")
    if point >= 0 and comma >= 0:
        mark = "." if point > comma else ","
    elif max(point, comma) >= 0:
        mark = _single_mark(plain, max(point, comma), mark)
    other = "," if mark == "." else "."
    return float(plain.replace(other, "").replace(mark, "."))


def _single_mark(plain: str, place: int, mark: str) -> str:
    """Give the decimal mark of a number with only one kind of mark in it."""
    used = plain[place]
    other = "." if used == "," else ","
    groups = len(plain) - place - 1 == 3 and used != mark and plain.lstrip("-")[:1] != "0"
    return other if groups or plain.count(used) > 1 else used


def find_numbers(text: str, mark: str) -> Iterator[float]:
    """Give every number of a text that is not a percentage, from left to right."""
    for match in NUMBER.finditer(text):
        yield to_number(match.group(), mark)


def find_currency(text: str) -> str | None:
    """Give the ISO code of the currency that a text names most clearly."""
    for sign, code in _SIGNS:
        found = sign.findall(text)
        if found:
            return code or str(Counter(found).most_common(1)[0][0])
    return None
