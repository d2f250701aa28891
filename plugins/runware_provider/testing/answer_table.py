"""A table of known answers: what the local server says where a row's text stands in the prompt."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from runware_provider.testing.answering import Answers, turns_of_the_user

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TEXT: Final = "text"
"""The column of the texts, unless another one is named."""
ANSWER: Final = "answer"
"""The column that holds the whole answer."""
_WORD: Final = re.compile(r"\w+")


class AnswerTable:
    """Answers by the text that they answer; a callable for `ServerSettings.answers`.

    A row answers a task when its text stands in a turn of the user's: in the last one where any does, since the turns
    before it may be examples; of several texts, the longest wins. A column
    `answer` holds the answer itself (a text, or JSON where an object is asked for); without one, all other columns are
    the fields of the answer, by name.

    Args:
        table: Texts and answers.
        column: The column of the texts.
        name: What the table is called in errors.

    Raises:
        ValueError: There is no such column of texts or none beside it, a text is empty, or two rows with the same text
            have different answers. The message names column and rows, no text.
    """

    def __init__(self, table: pa.Table, column: str = TEXT, name: str = "the table of answers") -> None:
        _check_columns(table, column, name)
        self._rows: dict[str, Any] = {}
        number_of: dict[str, int] = {}
        for number, row in enumerate(table.to_pylist()):
            text = (row.pop(column) or "").strip()
            if not text:
                raise ValueError(f"{name}: row {number} has no text in {column!r}; leave such rows out")
            answer = row.get(ANSWER, row)
            if not _is_same(self._rows.setdefault(text, answer), answer):
                what = _difference(self._rows[text], answer)
                raise ValueError(
                    f"{name}: rows {number_of[text]} and {number} have the same text in {column!r} and differ in {what};"
                    " keep one of them, or leave out columns that are no answer"
                )
            number_of.setdefault(text, number)
        self._anchored, self._unanchored = _anchors(list(self._rows))

    @classmethod
    def read(cls, path: Path | str, column: str = TEXT) -> Self:
        """Read a Parquet file or a folder of them.

        Raises:
            ValueError: It cannot be read, or is no table of answers.
        """
        try:
            table = pq.read_table(path)
        except FileNotFoundError:
            raise ValueError(f"there is no file or folder {path}") from None
        except (OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{path} cannot be read as Parquet: {reason}") from error
        return cls(table, column, str(path))

    def __len__(self) -> int:
        """Count the texts."""
        return len(self._rows)

    def __call__(self, task: Mapping[str, Any]) -> Any:
        """Return the answer to a task, or None where no text stands in any turn of the user's."""
        texts = (self._text_in(turn) for turn in reversed(turns_of_the_user(task)))
        text = next((text for text in texts if text is not None), None)
        return None if text is None else self._rows[text]

    def _text_in(self, prompt: str) -> str | None:
        words = self._anchored.keys() & set(_WORD.findall(prompt))
        candidates = [*self._unanchored, *(text for word in words for text in self._anchored[word])]
        # Of two texts of one length, the same one wins each time.
        return max(
            (text for text in candidates if text in prompt), key=lambda text: (len(text), text), default=None
        )


def first_known(tables: Sequence[AnswerTable]) -> Answers:
    """Return a callable that asks tables in their order, and takes the first answer."""

    def answers(task: Mapping[str, Any]) -> Any:
        known = (table(task) for table in tables)
        return next((answer for answer in known if answer is not None), None)

    return answers


def _check_columns(table: pa.Table, column: str, name: str) -> None:
    names = table.column_names
    if names.count(column) != 1:
        raise ValueError(
            f"{name} has no column {column!r} for the texts, only {', '.join(names)}; name the column that holds them"
        )
    kind = table.schema.field(column).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise ValueError(f"{name}: the column {column!r} holds {kind}, not texts")
    if len(names) == 1:
        raise ValueError(f"{name} has no answers: there is no column beside {column!r}")


def _difference(answer: Any, other: Any) -> str:
    if not isinstance(answer, dict) or not isinstance(other, dict):
        return repr(ANSWER)
    return ", ".join(repr(field) for field, value in answer.items() if not _is_same(other[field], value))


def _is_same(value: Any, other: Any) -> bool:
    """Say whether two values of one Arrow type are the same; NaN is the same as NaN, though not equal to it."""
    if isinstance(value, dict) and isinstance(other, dict):
        return all(_is_same(value[name], other[name]) for name in value)
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(_is_same, value, other))
    both_nan = value != value and other != other  # noqa: PLR0124 - what only NaN is
    return bool(value == other or both_nan)


def _anchors(texts: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Sort texts by their rarest inner word: a prompt with that text has the word, so few texts are looked for in it.

    The first and the last word may touch others in a prompt. So texts of one or two words are apart, and are looked for
    in every prompt.
    """
    inner = {text: set(_WORD.findall(text)[1:-1]) for text in texts}
    frequency = Counter(word for words in inner.values() for word in words)
    anchored: dict[str, list[str]] = defaultdict(list)
    unanchored = []
    for text, words in inner.items():
        if words:
            anchored[min(words, key=lambda word: (frequency[word], -len(word), word))].append(text)
        else:
            unanchored.append(text)
    return dict(anchored), unanchored
