"""What may be shown of a text that somebody else wrote: of the API, of a document, a column, a file. Pure.

A terminal obeys control characters, a log takes a line break for the end of an entry, and marks that turn the writing
round make a text read as another one. So whatever is told, in an error, a log, an XCom or on a terminal, goes through here.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_CHARS: Final = 4_000
"""Of what is told at once."""
WIDTH: Final = 70
"""Characters of a line: with the time and the level that Airflow's page puts before each, it fits 100 columns."""
_VOWELS: Final = frozenset("aeioAEIOU")
"""Letters that `an` stands before; a noun of ours that begins with a small u is `union`, and is said with a y."""
_FURTHER: Final = "  "
"""Before each line of a sentence but the first."""


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


def with_article(noun: str) -> str:
    """Return a noun, such as the name of a type, behind `a` or `an`."""
    return f"{'an' if noun[:1] in _VOWELS else 'a'} {noun}"


def printable_lines(text: str) -> str:
    """Return a text of several lines of ours, each as `printable` gives it."""
    return "\n".join(printable(line) for line in text.split("\n"))


def wrapped(label: str, said: str) -> list[str]:
    """Some sentences under a label, in lines of `WIDTH`, broken between words; a path that is longer stays whole.

    Args:
        label: one word or two; empty for none.
        said: as `printable` shows it.
    """
    return _broken(f"{label}: {said}" if label else said)


def packed(facts: Iterable[str]) -> list[str]:
    """Some short facts as a list, in lines of `WIDTH` that end between two of them where they can."""
    lines: list[str] = []
    line = ""
    for fact in facts:
        longer = f"{line}, {fact}" if line else fact
        # The last character of a line is its comma's.
        if line and len(longer) >= WIDTH:
            lines.append(f"{line},")
            longer = f"{_FURTHER}{fact}"
        line = longer
    return [short for long in [*lines, line] for short in _broken(long)]


def _broken(text: str) -> list[str]:
    before = _FURTHER if text.startswith(_FURTHER) else ""
    wrapper = textwrap.TextWrapper(
        WIDTH,
        initial_indent=before,
        subsequent_indent=_FURTHER,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapper.wrap(printable(text.strip()))
