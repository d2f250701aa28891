"""Mends of values that need the schema: what does not fit as it is, and where nothing has to be guessed.

A text is read as what was asked for only where no text was: as JSON, and nothing else. Text that stands for null is
null only where null may stand, and that text may not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runware_provider.engine.schema.formats import read_naive
from runware_provider.engine.schema.json_text import whole
from runware_provider.engine.schema.places import ANYTHING, NO_TEXTS
from runware_provider.engine.schema.written_numbers import WrittenFloat

if TYPE_CHECKING:
    from runware_provider.engine.schema.places import Place

NUMBER_FROM_TEXT, JSON_TEXT, EMPTY_AS_NULL = "number_from_text", "json_text", "empty_as_null"
LIST_OF_ONE, SPELLING, TAKEN_FOR_UTC = "list_of_one", "spelling", "taken_for_utc"
_BOOLEANS = {"true": True, "false": False}
_NUMBERS = frozenset({"number", "integer"})
_MAX_NUMBER_CHARS = 100


def mended(
    place: Place,
    value: Any,
    notes: dict[str, None],
    *,
    assume_utc: bool = False,
    write_decimals: bool = False,
) -> Any:
    """The value with what can be mended; the names of the mends are added to the notes.

    Args:
        place: of the value.
        value: JSON; not changed.
        notes: gets the names of the mends.
        assume_utc: whether a moment without an offset is taken for UTC.
        write_decimals: whether a number is written as the text that is asked for where a decimal is.
    """
    return _Mending(notes, assume_utc=assume_utc, write_decimals=write_decimals).at(place, value)


class _Mending:
    def __init__(self, notes: dict[str, None], *, assume_utc: bool, write_decimals: bool) -> None:
        self._notes = notes
        self._assume_utc = assume_utc
        self._write_decimals = write_decimals

    def at(self, place: Place, value: Any) -> Any:
        """The value of this place, mended."""
        match value:
            case str():
                return self._text(place, value)
            case [dict() as inner] if "array" not in place.kinds and "object" in place.kinds:
                return self._noted(LIST_OF_ONE, self.at(place, inner))
            case list():
                return [self.at(place.item or ANYTHING, inner) for inner in value]
            case dict():
                return {key: self.at(place.below(key) or ANYTHING, inner) for key, inner in value.items()}
            case int() | float() if not isinstance(value, bool):
                return self._number(place, value)
        return value

    def _number(self, place: Place, number: float) -> Any:
        """The word that a number is, where only words may stand, or the decimal, where only decimals may."""
        if isinstance(number, WrittenFloat):  # whose digits are kept already
            return number
        if self._write_decimals and place.forms == {"decimal"} and place.kinds <= {"string", "null"}:
            return self._noted(SPELLING, str(number))
        is_word = place.words is not None and str(number) in place.words
        return self._noted(SPELLING, str(number)) if is_word and place.kinds.isdisjoint(_NUMBERS) else number

    def _noted(self, mend: str, value: Any) -> Any:
        self._notes[mend] = None
        return value

    def _text(self, place: Place, text: str) -> Any:
        if "null" in place.kinds and place.refuses_no_texts and text.strip().lower() in NO_TEXTS:
            return self._noted(EMPTY_AS_NULL, None)
        if "string" in place.kinds:
            return self._other_text(place, text)
        word = text.strip()
        if "boolean" in place.kinds and word.lower() in _BOOLEANS:
            return self._noted(JSON_TEXT, _BOOLEANS[word.lower()])
        return self._json(place, word)

    def _other_text(self, place: Place, text: str) -> str:
        if place.words is not None and text not in place.words:
            return self._word(place.words, text)
        if self._assume_utc and place.forms == {"date-time"} and _is_naive(text):
            return str(self._noted(TAKEN_FOR_UTC, f"{text.strip()}Z"))
        return text

    def _word(self, words: tuple[str, ...], text: str) -> str:
        folded = text.strip().casefold()
        meant = [word for word in words if word.strip().casefold() == folded]
        return str(self._noted(SPELLING, meant[0])) if len(meant) == 1 else text

    def _json(self, place: Place, word: str) -> Any:
        is_number = word[:1] in {"-", *"0123456789"}
        if is_number and (place.kinds.isdisjoint(_NUMBERS) or len(word) > _MAX_NUMBER_CHARS):
            return word
        if not is_number and word[:1] not in {"{", "["}:
            return word
        value, fault = whole(word)
        if fault is not None:
            return word
        if is_number:
            return self._noted(NUMBER_FROM_TEXT, value)
        wanted = "object" if isinstance(value, dict) else "array"
        is_wrapped = isinstance(value, list) and len(value) == 1 and "object" in place.kinds
        if wanted not in place.kinds and not is_wrapped:
            return word
        return self._noted(JSON_TEXT, self.at(place, value))


def _is_naive(text: str) -> bool:
    try:
        read_naive(text.strip())
    except ValueError:
        return False
    return True
