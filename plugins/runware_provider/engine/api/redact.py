"""Decides which of the API's words may be shown. Pure.

Its messages say what to mend, so they stand in exceptions, logs and XCom. Some quote the request, and these places
were never meant to hold a document: a message is shown where it holds nothing of what was sent.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

UNKNOWN_CODE = "unknownError"
"""Stands for a code that is missing, or that nobody is shown."""
WITHHELD = "(message withheld: it quotes what was sent)"
MASK = "***"
MOST_CHARS = 500
RUN_CHARS = 20
"""So many characters in a row of what was sent, blanks aside, are a quotation; fewer are words of any two texts."""
NAME_CHARS = 6
"""So many are one, too, where the message puts them in quotation marks."""
KEY_CHARS = 8
"""So many of a key give it away."""
LONG_KEY_CHARS = 16
"""Shorter keys are words that may stand in any text, as `test-key`; real ones are longer."""
_PLAIN_CODE = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_QUOTATION_MARKS = re.compile("['\"`\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}]")
_ESCAPES = re.compile(r"\\|&#?\w{1,10};|%[0-9a-fA-F]{2}")
"""Of JSON, of a page, of a URL: what they stand for could be anything that was sent."""


class Redactor:
    """Decides whether a message of the API may be shown.

    Args:
        sent: texts that are the same in every request: the system prompt, descriptions of tools.
        key: the API key.
    """

    def __init__(self, sent: Iterable[str] = (), *, key: str = "") -> None:
        self._sent = [_squeezed(text) for text in sent]
        self._key = _squeezed(key)

    def said(self, message: str, prompts: Iterable[str] = ()) -> str:
        """Return what may be shown of a message, in one line of at most 500 characters.

        Args:
            message: what the API says.
            prompts: the prompts of the request that it speaks of. The time taken grows with their length, no faster.
        """
        shown = printable(message[:MOST_CHARS])
        squeezed = _squeezed(shown)
        if _ESCAPES.search(shown) or self._holds_key(squeezed):
            return WITHHELD
        between_marks = map(_squeezed, _QUOTATION_MARKS.split(shown)[1:-1])
        names = [name for name in between_marks if len(name) >= NAME_CHARS]
        for text in (*self._sent, *map(_squeezed, prompts)):
            if _shares_run(squeezed, text, RUN_CHARS) or any(name in text for name in names):
                return WITHHELD
        return shown

    def code(self, code: str) -> str:
        """Return an error's code, or `unknownError` for one that holds a piece of the key."""
        return UNKNOWN_CODE if self._holds_key(_squeezed(code)) else code

    def _holds_key(self, squeezed: str) -> bool:
        return _shares_run(squeezed, self._key, KEY_CHARS)


def plain_code(code: str) -> str:
    """Return an error's code as it may be shown, kept and counted: one short word, or else `unknownError`."""
    return code if _PLAIN_CODE.fullmatch(code) else UNKNOWN_CODE


def printable(text: str) -> str:
    """Return a stranger's text in one line, a blank for each character that a terminal would obey or not show."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def without_key(content: bytes, key: str) -> bytes:
    """Return a reply's body without the key, so that it reaches nothing that is kept or said."""
    if len(key) < LONG_KEY_CHARS:
        return content
    quoted = json.dumps(key)[1:-1]
    for spelling in {key, quoted, quoted.replace("/", "\\/")}:
        content = content.replace(spelling.encode(), MASK.encode())
    return content


def texts_in(value: Any) -> Iterator[str]:
    """Yield the texts in a request's fields that may hold what somebody wrote: those of some length."""
    if isinstance(value, str):
        if len(value) >= RUN_CHARS:
            yield value
    elif isinstance(value, dict):
        yield from texts_in(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from texts_in(part)


def _squeezed(text: str) -> str:
    """The text without case, blanks and control characters, however a quotation may have folded them."""
    return "".join(letter for letter in text.casefold() if letter.isprintable() and letter != " ")


def _shares_run(message: str, text: str, length: int) -> bool:
    """Whether so many characters in a row stand in both; all of the text, where it is shorter."""
    length = min(length, len(text))
    runs = {message[start : start + length] for start in range(len(message) - length + 1)}
    return length > 0 and any(text[start : start + length] in runs for start in range(len(text) - length + 1))
