"""Markdown whose tables no cell can break: GitHub's dialect. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runware_provider.engine.quality.wording import NOTHING, runs_right_to_left, visible
from runware_provider.engine.schema.problems import clip

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BAR = 20
MESSAGE_CHARS = 120
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>&|~$#!@:/+\-=.()\"']")


def code(text: str, chars: int = MESSAGE_CHARS) -> str:
    """A text as it is, in one line: within it no Markdown, no HTML, no mention and no link is read."""
    shown = clip(visible(text), chars)
    if not shown.strip():
        return NOTHING if not shown else f'`"{shown}"`'
    # A backslash before a bar is read in two ways, depending on who cuts the row into cells.
    quoted = _entities(shown) if "\\|" in shown or shown.endswith("\\") else _span(shown.replace("|", "\\|"))
    return f"\u2068{quoted}\u2069" if runs_right_to_left(shown) else quoted


def _span(text: str) -> str:
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _entities(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", text)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> list[str]:
    """The lines of a table.

    Args:
        headers: the columns' names.
        rows: cells that are Markdown already.
        right: the numbers of the columns that are aligned to the right.
    """
    aligned = set(right)
    rules = ["---:" if index in aligned else "---" for index in range(len(headers))]
    return [_row(headers), _row(rules), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def bar(part: float, whole: float) -> str:
    """A share as a bar of text; what is more than nothing shows."""
    if not whole:
        return ""
    full = round(BAR * part / whole)
    full = max(1, full) if part else 0
    return "█" * full + "░" * (BAR - full)
