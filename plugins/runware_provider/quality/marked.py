"""Two values that differ, side by side, and where they do. Pure.

Texts are compared word by word, lists element by element, and elements that are structs field by field; what is alike
in a long list is only counted.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from runware_provider.quality.wording import apart, clip, counted, text_of, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Pieces = list[tuple[str, bool]]
"""Text in one line, made visible, and whether it differs."""
WORDS_COMPARED = 120
"""Of a text; comparing takes the square of it."""
ELEMENTS_COMPARED = 100
ALIKE = "⋯"
"""Begins a line that stands for elements that are alike."""
LEAST_CHARS = 24
"""Of a field of an element."""
LINES = 12
"""Of a list; more are counted."""


def marked(got: Any, expected: Any, chars: int) -> tuple[list[Pieces], list[Pieces]]:
    """Each value in lines, each line in pieces.

    Args:
        got: what stands there.
        expected: what should.
        chars: of a line.
    """
    if isinstance(got, list) and isinstance(expected, list):
        return _marked_lists(got, expected, chars)
    if isinstance(got, str) and isinstance(expected, str):
        left, right = (clip(visible(text_of(side)), chars) for side in apart(got, expected, chars))
        return _marked_texts(left, right)
    return [_plain(got, chars)], [_plain(expected, chars)]


def _plain(value: Any, chars: int) -> Pieces:
    """Nothing is marked where everything differs."""
    return [(clip(visible(text_of(value)[: 4 * chars]), chars), False)]


def _marked_texts(got: str, expected: str) -> tuple[list[Pieces], list[Pieces]]:
    """Word by word; where they have no word in common, nothing is marked, as everything differs."""
    left, right = got.split(" "), expected.split(" ")
    if max(len(left), len(right)) > WORDS_COMPARED or not set(left) & set(right):
        return [[(got, False)]], [[(expected, False)]]
    steps = SequenceMatcher(None, left, right, autojunk=False).get_opcodes()
    ours = [(left[begin:end], step != "equal") for step, begin, end, _, _ in steps]
    theirs = [(right[begin:end], step != "equal") for step, _, _, begin, end in steps]
    return [_joined(ours)], [_joined(theirs)]


def _joined(runs: Sequence[tuple[Sequence[str], bool]]) -> Pieces:
    """Words with the spaces between them, which differ nowhere."""
    pieces: Pieces = []
    for words, differs in runs:
        if words and pieces:
            pieces.append((" ", False))
        if words:
            pieces.append((" ".join(words), differs))
    return pieces


def _marked_lists(got: list[Any], expected: list[Any], chars: int) -> tuple[list[Pieces], list[Pieces]]:
    left: list[Pieces] = [[(f"{counted(len(got), 'element')}:", False)]]
    right: list[Pieces] = [[(f"{counted(len(expected), 'element')}:", False)]]
    for ours, theirs in _aligned(got, expected):
        if ours is theirs:  # a number of elements that are alike
            left.append(_alike(ours))
            right.append(_alike(ours))
            continue
        left.append(_element(ours, theirs, chars))
        right.append(_element(theirs, ours, chars))
    return _shortened(left), _shortened(right)


def _alike(elements: Any) -> Pieces:
    return [(f"{ALIKE} {len(elements)} alike", False)]


def _aligned(got: list[Any], expected: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Elements that stand in the place of each other, None for none; of those alike, the same list of them twice."""
    if max(len(got), len(expected)) > ELEMENTS_COMPARED:
        yield from _in_order(got, expected)
        return
    sides = [text_of(element) for element in got], [text_of(element) for element in expected]
    for step, begin, end, other_begin, other_end in SequenceMatcher(
        None, *sides, autojunk=False
    ).get_opcodes():
        if step == "equal":
            alike = got[begin:end]
            yield alike, alike
        else:
            yield from _in_order(got[begin:end], expected[other_begin:other_end])


class Missing:
    """In the place of an element that one side has not."""


MISSING = Missing()


def _in_order(got: Sequence[Any], expected: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    for place in range(max(len(got), len(expected))):
        ours = got[place] if place < len(got) else MISSING
        theirs = expected[place] if place < len(expected) else MISSING
        if ours is MISSING or theirs is MISSING or text_of(ours) != text_of(theirs):
            yield ours, theirs


def _element(ours: Any, theirs: Any, chars: int) -> Pieces:
    if ours is MISSING:
        return [("\u2013", False)]
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return _fields(ours, theirs, chars)
    if isinstance(ours, dict):
        return [("".join(text for text, _ in _fields(ours, {}, chars)), True)]
    return [(clip(visible(text_of(ours)[: 4 * chars]), chars), True)]


def _fields(ours: dict[str, Any], theirs: dict[str, Any], chars: int) -> Pieces:
    """The struct in one line, in which the values are marked that the other has not."""
    pieces: Pieces = []
    for name, value in ours.items():
        told = clip(visible(text_of(value)[:chars]), max(LEAST_CHARS, chars // 3))
        pieces.append((f"{', ' if pieces else ''}{visible(name)}: ", False))
        pieces.append((told, name in theirs and text_of(value) != text_of(theirs[name])))
    return pieces


def _shortened(lines: list[Pieces]) -> list[Pieces]:
    more = len(lines) - LINES
    return lines if more <= 0 else [*lines[:LINES], [(f"… {counted(more, 'more line')}", False)]]
