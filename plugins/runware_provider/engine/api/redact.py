"""Keeps what was sent out of what is said: a message that quotes it is withheld, a key is masked. Pure.

The API's messages are shown to people, in exceptions, logs and XCom, because they say what to mend. Some quote
the request back, and then they would carry a document into places that were never meant to hold one.
"""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WITHHELD = "(message withheld: it quotes what was sent)"
MASK = "***"
QUOTED_CHARS = 20
"""So many characters in a row of what was sent are a quotation; fewer are words that any two texts share."""
NAMED_CHARS = 6
"""So many are one, too, where the message itself puts them in quotation marks."""
KEY_END_CHARS = 8
"""So many at a key's beginning or end give it away."""
LONG_KEY_CHARS = 16
"""Shorter keys are words that may stand in any text, as `test-key`; real ones are longer."""
MOST_CHARS = 500

_BLOCK = QUOTED_CHARS // 2
_IN_QUOTES = re.compile("'([^']+)'|\"([^\"]+)\"|`([^`]+)`|\N{LEFT DOUBLE QUOTATION MARK}(.+?)\N{RIGHT DOUBLE QUOTATION MARK}")  # fmt: skip
_WORD = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_UNICODE_ESCAPES = re.compile(r"(?:\\+u[0-9a-fA-F]{4})+")
_BLANK_ESCAPES = re.compile(r"\\+[nrtbf]")


class Redactor:
    """Decides whether a message of the API may be shown.

    Args:
        sent: texts that are the same in every request: the system prompt, descriptions of tools.
        key: the API key.
    """

    def __init__(self, sent: Iterable[str] = (), *, key: str = "") -> None:
        self._sent = [_plain(text) for text in sent]
        self._key = key.strip()
        self._masks = _masks(self._key)

    def said(self, message: str, prompts: Iterable[str] = ()) -> str:
        """The message as it may be shown, at most 500 characters of it.

        Args:
            message: what the API says, in whatever way it may have escaped a quotation.
            prompts: the prompts of the request that it speaks of.
        """
        shown = self._masked(message[:MOST_CHARS])
        if len(shown) < NAMED_CHARS:
            return shown
        readings = {_plain(reading) for reading in _readings(shown)}
        named = {_plain(name) for name in _names(shown)}
        for text in self._everything(prompts):
            if any(_quotes(reading, text) for reading in readings) or any(name in text for name in named):
                return WITHHELD
        return shown

    def code(self, code: str, prompts: Iterable[str] = ()) -> str:
        """An error's code as it may be shown: one word as it is, anything longer like a message."""
        return self._masked(code) if _WORD.fullmatch(code) else self.said(code, prompts)

    def _everything(self, prompts: Iterable[str]) -> Iterator[str]:
        if len(self._key) >= LONG_KEY_CHARS:
            yield self._key.casefold()
        yield from self._sent
        yield from (_plain(prompt) for prompt in prompts)

    def _masked(self, message: str) -> str:
        for mask in self._masks:
            message = mask.sub(MASK, message)
        return message


def without_key(content: bytes, key: str) -> bytes:
    """A reply's body without the key, so that it reaches nothing that is kept or said."""
    if len(key) < LONG_KEY_CHARS:
        return content
    quoted = json.dumps(key)[1:-1]
    for spelling in {key, quoted, quoted.replace("/", "\\/")}:
        content = content.replace(spelling.encode(), MASK.encode())
    return content


def texts_in(value: Any) -> Iterator[str]:
    """The texts in a request's fields that may hold what somebody wrote: those of some length."""
    if isinstance(value, str):
        if len(value) >= QUOTED_CHARS:
            yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts_in(one)


def _masks(key: str) -> tuple[re.Pattern[str], ...]:
    if not key:
        return ()
    flags = re.IGNORECASE | re.ASCII
    whole = re.compile(re.escape(key), flags)
    if len(key) < LONG_KEY_CHARS:
        return (whole,)
    head, tail = re.escape(key[:KEY_END_CHARS]), re.escape(key[-KEY_END_CHARS:])
    return whole, re.compile(rf"{head}[\w.*\u2026-]*", flags), re.compile(rf"[\w.*\u2026-]*{tail}", flags)


def _plain(text: str) -> str:
    """Without case, every run of blanks as one: a quotation is often folded."""
    return " ".join(text.casefold().split())


def _readings(message: str) -> Iterator[str]:
    """The message as it is, and as it reads where it quotes JSON, a page or a form."""
    yield message
    if "\\" in message:
        yield _unescaped(message)
    if "&" in message:
        yield html.unescape(message)
    if "%" in message:
        yield unquote_plus(message)


def _unescaped(message: str) -> str:
    message = _UNICODE_ESCAPES.sub(lambda found: json.loads(f'"{_one_backslash(found[0])}"'), message)
    return _BLANK_ESCAPES.sub(" ", message).replace("\\", "")


def _one_backslash(escapes: str) -> str:
    return re.sub(r"\\+", r"\\", escapes)


def _names(message: str) -> Iterator[str]:
    for found in _IN_QUOTES.finditer(message):
        name = next(group for group in found.groups() if group is not None).strip()
        if len(name) >= NAMED_CHARS:
            yield name


def _quotes(message: str, text: str) -> bool:
    """Whether a run of the text stands in the message; all of it, where it is shorter than a run.

    A run of 20 characters holds a whole block of 10, so only the runs around blocks that occur are looked for.
    """
    if len(text) < QUOTED_CHARS:
        return len(text) >= NAMED_CHARS and text in message
    for start in range(0, len(message) - _BLOCK + 1, _BLOCK):
        if message[start : start + _BLOCK] in text:
            runs = (
                message[first : first + QUOTED_CHARS] for first in range(max(0, start - _BLOCK), start + 1)
            )
            if any(len(run) == QUOTED_CHARS and run in text for run in runs):
                return True
    return False
