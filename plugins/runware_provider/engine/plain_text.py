"""What may be shown of a text that somebody else wrote: of the API, of a document, a column, a file. Pure.

A terminal obeys control characters, a log takes a line break for the end of an entry, and marks that turn the writing
round make a text read as another one. So whatever is told, in an error, a log, an XCom or on a terminal, goes through here.
"""

from __future__ import annotations

from typing import Final

MOST_CHARS: Final = 4_000
"""Of what is told at once."""


def printable(text: str, most_chars: int | None = None) -> str:
    """Return a text in one line, a blank for each character that a terminal would obey or not show.

    Args:
        text: as somebody wrote it.
        most_chars: longer ones are cut.
    """
    if most_chars is not None and len(text) > most_chars:
        text = text[: most_chars - 1] + "\N{HORIZONTAL ELLIPSIS}"
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " for letter in text)


def printable_lines(text: str) -> str:
    """Return a text of several lines of ours, each as `printable` gives it."""
    return "\n".join(printable(line) for line in text.split("\n"))
