"""JSON as it came, one value a line, with some of its values marked. Pure.

Every sign but the white space between them is that of the text: numbers keep their digits, strings their escapes, and a key that
stands there twice stands there twice. Only as much is laid out as a page shows, so that a long answer takes no longer than a
short one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from runware_provider.engine.schema.problems import joined
from runware_provider.pages.shown_texts import MOST_CHARS

if TYPE_CHECKING:
    from collections.abc import Container

MOST_DEPTH: Final = 60
"""Levels of what is laid out."""
ROOT: Final = "$"
_TOKEN: Final = re.compile(r'\s*+("(?:[^"\\]++|\\.)*+"|[{}\[\],:]|[^\s{}\[\],:"]++)', re.DOTALL)
_PLAIN: Final = re.compile(r"true|false|null|-?\d++(?:\.\d++)?(?:[eE][+-]?\d++)?")
_ENDS: Final = {"{": "}", "[": "]"}


def laid_out(
    text: str, marked: Container[str] = (), *, most_chars: int = MOST_CHARS
) -> list[tuple[str, bool]] | None:
    """The pieces of the text, and which of them are marked; None where it is no JSON as far as it is read, or too deep.

    Args:
        text: as it came.
        marked: paths such as `$.lines[2].amount`.
        most_chars: after which the rest is one piece, as it came.
    """
    sheet = _Sheet(marked)
    place, end = 0, len(text.rstrip())
    while place < end:
        if sheet.chars > most_chars:
            return [*sheet.pieces(), (text[place:end], False)]
        token = _TOKEN.match(text, place)
        if token is None or not sheet.takes(token[1]):
            return None
        place = token.end()
    return sheet.pieces() if sheet.is_whole else None


@dataclass
class _Open:
    """An object or a list that is not closed yet."""

    sign: str
    path: str
    wants: str
    """What may come: `key`, `colon`, `value` or `comma`; the end where nothing came yet, or in the place of a comma."""
    entries: int = 0
    key: str = ""


@dataclass
class _Sheet:
    marked: Container[str]
    chars: int = 0
    """That were written."""
    is_whole: bool = False
    _runs: list[tuple[list[str], bool]] = field(default_factory=list)
    """Texts one behind the other, and whether they are marked."""
    _open: list[_Open] = field(default_factory=list)
    _marked_since: int | None = None
    """How many were open when the value began that is marked; None outside of one."""

    def pieces(self) -> list[tuple[str, bool]]:
        """What was written, and which of it is marked."""
        return [("".join(texts), is_marked) for texts, is_marked in self._runs]

    def takes(self, word: str) -> bool:
        """Write the next token; whether it may stand here."""
        if self.is_whole:
            return False
        if not self._open:
            return self._value(word, ROOT)
        inner = self._open[-1]
        if self._may_end(inner) and word == _ENDS[inner.sign]:
            return self._end(word)
        steps = {"comma": self._comma, "key": self._key, "colon": self._colon, "value": self._entry}
        return steps[inner.wants](word, inner)

    def _may_end(self, inner: _Open) -> bool:
        is_empty = not inner.entries and inner.wants == ("key" if inner.sign == "{" else "value")
        return is_empty or inner.wants == "comma"

    def _entry(self, word: str, inner: _Open) -> bool:
        if inner.sign == "{":
            return self._value(word, joined(inner.path, inner.key))
        self._line()
        return self._value(word, f"{inner.path}[{inner.entries}]")

    def _comma(self, word: str, inner: _Open) -> bool:
        self._write(word)
        inner.wants = "key" if inner.sign == "{" else "value"
        return word == ","

    def _key(self, word: str, inner: _Open) -> bool:
        if not word.startswith('"'):
            return False
        try:
            inner.key = json.loads(word, strict=False)
        except ValueError:
            return False
        self._line()
        self._write(word)
        inner.wants = "colon"
        return True

    def _colon(self, word: str, inner: _Open) -> bool:
        self._write(": ")
        inner.wants = "value"
        return word == ":"

    def _value(self, word: str, path: str) -> bool:
        if self._marked_since is None and path in self.marked:
            self._marked_since = len(self._open)
        if word in _ENDS:
            self._write(word)
            self._open.append(_Open(word, path, "key" if word == "{" else "value"))
            return len(self._open) <= MOST_DEPTH
        if not word.startswith('"') and not _PLAIN.fullmatch(word):
            return False
        self._write(word)
        self._ended()
        return True

    def _end(self, word: str) -> bool:
        closed = self._open.pop()
        if closed.entries:
            self._line()
        self._write(word)
        self._ended()
        return True

    def _ended(self) -> None:
        """A value is complete."""
        if self._marked_since == len(self._open):
            self._marked_since = None
        if not self._open:
            self.is_whole = True
            return
        around = self._open[-1]
        around.entries += 1
        around.wants = "comma"

    def _line(self) -> None:
        self._write("\n" + "  " * len(self._open))

    def _write(self, text: str) -> None:
        is_marked = self._marked_since is not None
        self.chars += len(text)
        if not self._runs or self._runs[-1][1] != is_marked:
            self._runs.append(([], is_marked))
        self._runs[-1][0].append(text)
