"""Finds texts in answers as they came: JSON, whose strings may hold JSON again, escaped once more."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_LEVELS = 4
"""JSON in a string of JSON in ...: as often as anybody has been seen to do it, and once more."""


class Mentions:
    """Texts to look for; letter case, runs of white space and the form of accents make no difference.

    Raises:
        BadInput: a text is empty, so that it would occur everywhere.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = [_plain(text) for text in texts]
        if not all(self._texts):
            raise BadInput("containing", "an empty text occurs everywhere", "Name a text")

    def __bool__(self) -> bool:
        return bool(self._texts)

    def occur_in(self, held: bytes | str | None) -> bool:
        """Whether one of them occurs, as it is or behind JSON's escapes."""
        if held is None:
            return False
        text = held.decode("utf-8", "replace") if isinstance(held, bytes) else held
        for _ in range(_LEVELS):
            plain = _plain(text)
            if any(one in plain for one in self._texts):
                return True
            decoded = _unescaped(text)
            if decoded == text:
                return False
            text = decoded
        return False


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    replaced = _ESCAPE.sub(
        lambda found: chr(int(found[1], 16)) if found[1] else _SHORT.get(found[2], found[2]), text
    )
    # Half characters that were escaped one by one become whole; one without its other half stays no character.
    return replaced.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
