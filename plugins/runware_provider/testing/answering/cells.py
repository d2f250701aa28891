"""A document's text as rows of cells: repaired, without Markdown, cut where columns are."""

from __future__ import annotations

import re

MAX_HEAD = 120_000
MAX_TAIL = 20_000
MAX_LINE = 300
MAX_LINES = 3_000

_CELLS = re.compile(r"\s*\|\s*|\t+|\s{2,}|\s·\s")
_MARKS = re.compile(r"^\s*(?:#{1,6}\s+|[-*+>]\s+)|\*\*|__|^_|_$|`")
_RULE = re.compile(r"[\s|:=*_~.#'-]*")
_NOISE_END = re.compile(r"\s+[~'.,-]\s*$")
# The first bytes of two- and three-byte UTF-8 characters, when read as Windows-1252.
_MOJIBAKE = re.compile(
    "[\u00c3\u00c2\u00e2\u00c5][\u0080-\u00bf\u20ac\u0152-\u0178\u0192\u02c6\u02dc\u2013-\u203a\u2122]"
)


def shortened(text: str) -> str:
    """Give a text, or beginning and end of a very long one."""
    return text if len(text) <= MAX_HEAD + MAX_TAIL else f"{text[:MAX_HEAD]}\n{text[-MAX_TAIL:]}"


def repaired(text: str) -> str:
    """Undo UTF-8 that was read as Windows-1252, line by line."""
    if not _MOJIBAKE.search(text):
        return text
    return "\n".join(_repaired_line(line) for line in text.split("\n"))


def lines_of(text: str) -> list[str]:
    """Give the lines that say something, without Markdown marks and without specks at their end."""
    lines = (_MARKS.sub("", line[:MAX_LINE]).strip() for line in text.splitlines())
    return [_NOISE_END.sub("", line) for line in lines if not _RULE.fullmatch(line)][:MAX_LINES]


def cells_of(lines: list[str]) -> list[list[str]]:
    """Cut lines at bars, tabs and wide gaps; every row has at least one cell."""
    return [[cell for cell in _CELLS.split(line) if cell] or [line] for line in lines]


def _repaired_line(line: str) -> str:
    try:
        return line.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return line
