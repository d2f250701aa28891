"""Values, numbers and shares as a reader likes to see them, in Markdown that no value can break. Pure."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine import money

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CHARS = 120
"""Of a quoted text, unless something else is said."""
LEAD = 16
"""Characters with which two values are shown before they begin to differ."""
NOTHING = "\u2013"
SPARKS: Final = "▁▂▃▄▅▆▇█"
"""The bars of a histogram; the lowest is of a bin without numbers."""

_SHORT = {"\n": "⏎", "\t": "⇥"}
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_JOINERS = {"\u200c", "\u200d"}
"""Without them Persian and many emoji would be spelled wrongly; they harm nobody."""
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>&|~$#!@:/+\-=.()\"']")


def code(value: Any, chars: int = CHARS) -> str:
    """A value in one line, as code: no Markdown, HTML, mention or link is read in it, nor is text around it turned."""
    shown = clip(visible(text_of(value)[: 4 * chars]), chars)
    # A bar in a table's row is read in two ways, depending on who cuts the row into cells: so it is no code there.
    quoted = _SPECIAL.sub(lambda sign: f"&#{ord(sign[0])};", shown) if "|" in shown else _span(shown)
    return f"\u2068{quoted}\u2069" if _runs_right_to_left(shown) else quoted


def _span(text: str) -> str:
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> list[str]:
    """The lines of a table and an empty one.

    Args:
        headers: the columns' names.
        rows: cells that are Markdown already.
        right: the numbers of the columns that are aligned to the right.
    """
    aligned = set(right)
    rules = ["---:" if index in aligned else "---" for index in range(len(headers))]
    return [*(f"| {' | '.join(cells)} |" for cells in (headers, rules, *rows)), ""]


def named(names: Sequence[str], most: int = 6) -> str:
    """The first of these names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(code, names[:most])) + more


def clip(text: str, chars: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= chars else text[: chars - 1] + "…"


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
    return sign.encode("unicode_escape").decode()


def _runs_right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(sign) in {"R", "AL", "AN"} for sign in text)


def text_of(value: Any) -> str:
    """A value, however long, in characters; numbers as they compare, so that 4.00 is 4."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return value if value.strip() else f'"{value}"'
    plain = _plain(value)
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
    return f"{counted(len(value), 'element')}: {text}" if isinstance(value, list) else text


def _plain(value: Any) -> Any:
    """The value as JSON can say it."""
    match value:
        case dict():
            return {name: _plain(part) for name, part in value.items()}
        case list():
            return [_plain(part) for part in value]
        case Decimal():
            return int(value) if value % 1 == 0 else float(value)
        case float():
            return int(value) if value.is_integer() and abs(value) < 1e15 else value
        case None | int() | str():
            return value
    return _written(value)


def _written(value: Any) -> str:
    """A value of which JSON has no kind."""
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").removesuffix("+00:00").removesuffix(" 00:00:00")
    return str(value)


def apart(first: Any, second: Any, chars: int) -> tuple[Any, Any]:
    """Two long values that differ, from where they begin to differ; others come back as they are."""
    if not isinstance(first, str | list) or type(first) is not type(second):
        return first, second
    texts = text_of(first), text_of(second)
    pairs = enumerate(zip(*texts, strict=False))
    begin = next((place for place, (left, right) in pairs if left != right), min(map(len, texts)))
    if begin < chars - LEAD:
        return first, second
    cut = begin - LEAD // 2
    return f"…{texts[0][cut:]}", f"…{texts[1][cut:]}"


def count(number: float) -> str:
    """A whole number, in threes."""
    return f"{number:,.0f}"


def counted(number: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percentage(part: float, whole: float) -> str:
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
    return money.usd(amount)


def digits(amount: float) -> str:
    """The same without its unit, below a heading that has it."""
    return money.digits(amount)


def seconds(duration: float) -> str:
    """A duration."""
    digits = 2 if duration < 10 else 1 if duration < 100 else 0
    return f"{duration:,.{digits}f} s"


def number(value: float) -> str:
    """A number of at least four digits."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"


def sparks(heights: Sequence[int]) -> str:
    """A histogram in one line; what is more than nothing shows."""
    tallest = max(heights, default=0)
    steps = len(SPARKS) - 1
    return "".join(SPARKS[max(1, round(steps * height / tallest)) if height else 0] for height in heights)
