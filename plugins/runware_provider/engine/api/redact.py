"""Decides which of the API's words may be shown. Pure.

Its messages say what to mend, so they stand in exceptions, logs and XCom. Some quote the request, and these places
were never meant to hold a document: a message is shown where it holds nothing of what was sent.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from runware_provider.engine.api.error_families import is_known
from runware_provider.engine.plain_text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

UNKNOWN_CODE = "unknownError"
"""Stands for a code that is missing, or that nobody is shown."""
WITHHELD = "(message withheld: it may quote what was sent)"
MASK = "***"
MOST_CHARS = 500
MOST_LINE_CHARS = 2_000
RUN_CHARS = 20
"""So many characters in a row of what was sent are a quotation; fewer are words of any two texts."""
NAME_CHARS = 6
"""So many are one, too, where the message puts them in quotation marks, or where they are all that was sent."""
CODE_CHARS = 8
"""So many letters and digits in a row of what was sent are one in a code."""
KEY_CHARS = 6
"""So many letters and digits in a row of a key give it away."""
LONG_KEY_CHARS = 16
"""Shorter keys are words that may stand in any text, as `test-key`; real ones are longer."""
_BLOCK_CHARS = RUN_CHARS // 2
_PLAIN_CODE = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_QUOTATION_MARKS = re.compile("['\"`<>\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\N{DOUBLE LOW-9 QUOTATION MARK}]")  # fmt: skip
_PROOF = re.compile(r"(\btoken(?:=|%3D))[0-9a-f]{8,}", re.IGNORECASE)
"""Of the URL that the vendor calls for a task: whoever reads it could answer in his place."""
_NUMBER = re.compile(r"\d{4,}")
"""Long enough to be somebody's: of a card, an account, a telephone."""
_ESCAPES = re.compile(r"\\[\\\"'/nrtbfux]|&(?:#\w{1,8}|amp|lt|gt|quot|apos|nbsp);|%[0-9a-fA-F]{2}")
"""Of JSON, of a page, of a URL: what they stand for could be anything that was sent."""


class Redactor:
    """Decides whether a message of the API may be shown.

    Args:
        sent: texts that are the same in every request: the system prompt, descriptions of tools.
        key: the API key.
    """

    def __init__(self, sent: Iterable[str] = (), *, key: str = "") -> None:
        self._sent = [_folded(text) for text in sent]
        self._key = _squeezed(key)

    def said(self, message: str, prompts: Iterable[str] = ()) -> str:
        """Return what may be shown of a message, in one line of at most 500 characters.

        Args:
            message: what the API says, in whatever way it may have escaped a quotation.
            prompts: the prompts of the request that it speaks of. The time taken grows with their length, no faster.
        """
        shown = printable(_PROOF.sub(rf"\1{MASK}", message)[:MOST_CHARS])
        if _ESCAPES.search(shown) or self._holds_key(shown):
            return WITHHELD
        folded = _folded(shown)
        if any(_quotes(folded, text) for text in (*self._sent, *map(_folded, prompts))):
            return WITHHELD
        return shown

    def code(self, code: str, prompts: Iterable[str] = ()) -> str:
        """Return an error's code, or `unknownError` for one that holds a piece of the key or of what was sent.

        Args:
            code: one plain word, as `plain_code` gives it. The codes that are known hold nothing.
            prompts: the prompts of the request that it speaks of.
        """
        if is_known(code):
            return code
        squeezed = _squeezed(code)
        if self._holds_key(squeezed):
            return UNKNOWN_CODE
        sent = map(_squeezed, (*self._sent, *prompts))
        return UNKNOWN_CODE if any(_shares_run(squeezed, text, CODE_CHARS) for text in sent) else code

    def _holds_key(self, text: str) -> bool:
        return _shares_run(_squeezed(text), self._key, KEY_CHARS)


def plain_code(code: str) -> str:
    """Return an error's code as it may be shown, kept and counted: one short word, or else `unknownError`."""
    return code if _PLAIN_CODE.fullmatch(code) else UNKNOWN_CODE


def one_line(value: object, most_chars: int = MOST_LINE_CHARS) -> str:
    """Return a stranger's words in one short line."""
    return printable(storable(value)[:most_chars])


def storable(value: object) -> str:
    """Return a value as text that UTF-8 can hold, whatever it is and however deeply it is nested."""
    if type(value) is str and value.isascii():
        return value
    try:
        return str(value).encode(errors="replace").decode()
    except RecursionError:
        return f"a {type(value).__name__} that is nested too deeply"


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


def _folded(text: str) -> str:
    """The text without case and control characters, every run of blanks as one, as a quotation is often folded."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text.casefold()).split())


def _squeezed(text: str) -> str:
    """The letters and digits of a text alone."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _quotes(message: str, text: str) -> bool:
    """Whether a message holds something of a text that was sent; both are folded."""
    if len(text) < NAME_CHARS:  # a word that may stand in any message
        return False
    if len(text) < RUN_CHARS and text in message:
        return True
    names = (name.strip() for name in _QUOTATION_MARKS.split(message)[1:])
    if any(len(name) >= NAME_CHARS and name in text for name in names):
        return True
    if any(number in text for number in _NUMBER.findall(message)):
        return True
    # A run of 20 characters holds a whole block of 10, so only the runs around blocks that occur are looked for.
    for start in range(0, len(message) - _BLOCK_CHARS + 1, _BLOCK_CHARS):
        if message[start : start + _BLOCK_CHARS] not in text:
            continue
        around = message[max(0, start - _BLOCK_CHARS) : start + RUN_CHARS]
        if _shares_run(around, text, RUN_CHARS):
            return True
    return False


def _shares_run(message: str, text: str, length: int) -> bool:
    """Whether so many characters in a row of a short message stand in a text."""
    runs = (message[start : start + length] for start in range(len(message) - length + 1))
    return any(run in text for run in runs)
