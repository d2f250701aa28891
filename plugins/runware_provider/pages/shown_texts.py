"""Texts of strangers as a page shows them: bounded, line by line, and with what cannot be seen spelled out. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from runware_provider.quality.wording import counted, visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    Pieces = list[tuple[str, bool]]
    """Text, and whether it is marked."""

MOST_CHARS: Final = 20_000
"""Of one text."""
_NO_WORD: Final = re.compile(r"[^\w .,-]")


def shown(text: str, most_chars: int = MOST_CHARS) -> str:
    """The text as far as it is shown; how much is not, its last line says."""
    return "".join(piece for piece, _ in shown_pieces([(text, False)], most_chars))


def shown_pieces(pieces: Iterable[tuple[str, bool]], most_chars: int = MOST_CHARS) -> Pieces:
    """The same of a text in pieces.

    Args:
        pieces: text, and whether it is marked.
        most_chars: that are shown, before those that cannot be seen are spelled out.
    """
    told: Pieces = []
    left, beyond = most_chars, 0
    for piece, is_marked in pieces:
        part = piece[:left]
        left -= len(part)
        beyond += len(piece) - len(part)
        if part:
            told.append((_lines(part), is_marked))
    if beyond:
        told.append((f"\n… {counted(beyond, 'more character')}", False))
    return told


def _lines(text: str) -> str:
    return "\n".join(map(visible, text.replace("\r\n", "\n").split("\n")))


def plain_name(name: str) -> str:
    """The name of a column or a field, for a title of ours: neither Markdown nor HTML is read in it, nor is it long."""
    short = name if len(name) <= 60 else f"{name[:59]}-"
    return _NO_WORD.sub("-", visible(short))
