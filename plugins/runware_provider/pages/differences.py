"""Two values that should be the same, and where they are not. Pure.

Structs are compared field by field, lists element by element once those that are alike are found, texts word by word. What is
alike: texts but for white space, numbers by value to nine digits (whole ones exactly), dates by the moment. The time that it
takes grows with the length of the texts, and not with its square.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from runware_provider.quality.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Pieces = list[tuple[str, bool]]
    """Text, and whether it differs."""

MOST_CHARS: Final = 1_000_000
"""Of JSON that is taken apart; of longer texts only so much is compared."""
MOST_STEPS: Final = 300_000
"""That are taken to find what is alike in two sequences, before what is between their alike ends is taken for different."""
MOST_EDITS: Final = 400
"""In two sequences, until the same."""
FOLDED_FROM: Final = 3
"""Elements in a row that are alike, in a list or struct of more than `WHOLE`, are only counted."""
WHOLE: Final = 8
TEXT_AROUND: Final = 200
"""Characters around a difference in a long text that are shown."""

_WORD: Final = re.compile(r"\s+|\w+|[^\w\s]")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?")
_MOST_EXPONENT: Final = 30
MOST_DEPTH: Final = 60
"""Levels that are compared one by one."""


@dataclass(frozen=True)
class Differences:
    """Both sides in pieces."""

    got: Pieces
    expected: Pieces


def differences(got: str, expected: str, *, folds: bool = True) -> Differences:
    """Where two values differ.

    Args:
        got: as JSON; what is no JSON is a text.
        expected: the same.
        folds: whether much that is alike is only counted. If not, the pieces of each side, joined, are the text itself, or the
            value as `layout` writes it.
    """
    left, right = _parsed(got), _parsed(expected)
    try:
        told = _compared(_Sides(left, right, alike(left), alike(right)), 0, folds=folds)
    except RecursionError:
        told = _texts(got[:MOST_CHARS], expected[:MOST_CHARS], folds=folds)
    return Differences(*map(_merged, told))


def layout(value: Any, depth: int = 0) -> str:
    """A value as JSON, one part a line."""
    pad = "\n" + "  " * (depth + 1)
    end = "\n" + "  " * depth
    if isinstance(value, dict) and value:
        parts = (f"{_quoted(name)}: {layout(part, depth + 1)}" for name, part in value.items())
        return "{" + ",".join(pad + part for part in parts) + end + "}"
    if isinstance(value, list) and value:
        return "[" + ",".join(pad + layout(part, depth + 1) for part in value) + end + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _parsed(text: str) -> Any:
    if len(text) > MOST_CHARS:
        return text[:MOST_CHARS]
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError):
        return text


# what is alike


def alike(value: Any) -> tuple[str, Any]:
    """What two values share that count as the same; of lists and structs, it has the same of their parts."""
    if isinstance(value, dict):
        return "struct", {name: alike(part) for name, part in value.items()}
    if isinstance(value, list):
        return "list", tuple(map(alike, value))
    if isinstance(value, str):
        return _alike_texts(value)
    if value is None or isinstance(value, bool):
        return "word", value
    return "number", _alike_numbers(value)


def _alike_texts(text: str) -> tuple[str, Any]:
    if _DATE.fullmatch(text):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return "text", text
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return "moment", aware
    return "text", " ".join(text.split())


def _alike_numbers(number: float | Decimal) -> Any:
    if isinstance(number, int):
        return number
    if isinstance(number, float):
        return str(number)
    # Its digits written out could fill the memory.
    if not number.is_finite() or abs(number.adjusted()) > _MOST_EXPONENT:
        return str(number)
    return int(number) if number == int(number) else Decimal(f"{number:.9g}")


# two values


@dataclass(frozen=True)
class _Sides:
    got: Any
    expected: Any
    got_alike: tuple[str, Any]
    expected_alike: tuple[str, Any]

    @property
    def are_same(self) -> bool:
        return self.got_alike == self.expected_alike

    def at(self, first: Any, second: Any) -> _Sides:
        """A part of each."""
        ours, theirs = self.got_alike[1][first], self.expected_alike[1][second]
        return _Sides(self.got[first], self.expected[second], ours, theirs)


def _compared(sides: _Sides, depth: int, *, folds: bool, is_inside: bool = False) -> tuple[Pieces, Pieces]:
    got, expected = sides.got, sides.expected
    if depth < MOST_DEPTH and isinstance(got, dict) and isinstance(expected, dict):
        return _structs(sides, depth, folds=folds)
    if depth < MOST_DEPTH and isinstance(got, list) and isinstance(expected, list):
        return _lists(sides, depth, folds=folds)
    differs = not sides.are_same
    if isinstance(got, str) and isinstance(expected, str) and differs:
        told = _texts(got, expected, folds=folds)
        return (_as_json(told[0]), _as_json(told[1])) if is_inside else told
    return _told(got, depth, differs, is_inside), _told(expected, depth, differs, is_inside)


def _told(value: Any, depth: int, differs: bool, is_inside: bool) -> Pieces:  # noqa: FBT001 - private, and always given
    text = value if isinstance(value, str) and not is_inside else layout(value, depth)
    return [(text, differs)] if text else []


def _as_json(pieces: Pieces) -> Pieces:
    """Pieces of a text as those of a string of JSON."""
    inner = [(_quoted(piece)[1:-1], differs) for piece, differs in pieces]
    return [('"', False), *inner, ('"', False)]


def _structs(sides: _Sides, depth: int, *, folds: bool) -> tuple[Pieces, Pieces]:
    left: dict[str, Pieces] = {}
    right: dict[str, Pieces] = {}
    same: set[str] = set()
    for name in sides.got.keys() & sides.expected.keys():
        part = sides.at(name, name)
        left[name], right[name] = _compared(part, depth + 1, folds=folds, is_inside=True)
        if part.are_same:
            same.add(name)
    return (
        _fields(sides.got, left, same, depth, folds=folds),
        _fields(sides.expected, right, same, depth, folds=folds),
    )


def _fields(
    struct: dict[str, Any], compared: dict[str, Pieces], same: set[str], depth: int, *, folds: bool
) -> Pieces:
    entries: list[tuple[Pieces, bool]] = []
    for name, value in struct.items():
        # The other side has no such field.
        if name not in compared:
            entries.append(([(f"{_quoted(name)}: {layout(value, depth + 1)}", True)], False))
        else:
            entries.append(([(f"{_quoted(name)}: ", False), *compared[name]], name in same))
    return _bracketed("{}", _folded(entries, "field", folds=folds and len(struct) > WHOLE), depth)


def _lists(sides: _Sides, depth: int, *, folds: bool) -> tuple[Pieces, Pieces]:
    left: list[tuple[Pieces, bool]] = []
    right: list[tuple[Pieces, bool]] = []
    for first, second in _pairs(sides.got_alike[1], sides.expected_alike[1]):
        # One side has no such element.
        if first is None:
            right.append(([(layout(sides.expected[second], depth + 1), True)], False))
            continue
        if second is None:
            left.append(([(layout(sides.got[first], depth + 1), True)], False))
            continue
        part = sides.at(first, second)
        if part.are_same:
            left.append(([(layout(part.got, depth + 1), False)], True))
            right.append(([(layout(part.expected, depth + 1), False)], True))
            continue
        ours, theirs = _compared(part, depth + 1, folds=folds, is_inside=True)
        left.append((ours, False))
        right.append((theirs, False))
    is_long = max(len(sides.got), len(sides.expected)) > WHOLE
    entries = [_folded(side, "element", folds=folds and is_long) for side in (left, right)]
    return _bracketed("[]", entries[0], depth), _bracketed("[]", entries[1], depth)


def _pairs(got: Sequence[Any], expected: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Places of elements that stand beside each other; None where one side has none."""
    for is_same, first, first_end, second, second_end in aligned(got, expected):
        paired = first_end - first if is_same else min(first_end - first, second_end - second)
        yield from ((first + place, second + place) for place in range(paired))
        yield from ((place, None) for place in range(first + paired, first_end))
        yield from ((None, place) for place in range(second + paired, second_end))


def _folded(entries: Sequence[tuple[Pieces, bool]], noun: str, *, folds: bool) -> list[Pieces]:
    """The entries, of which many in a row that are alike become one that counts them."""
    told: list[Pieces] = []
    run: list[Pieces] = []
    for pieces, is_same in (*entries, ([], False)):
        if is_same:
            run.append(pieces)
            continue
        told += (
            [[(f"⋯ {counted(len(run), noun)} alike", False)]] if folds and len(run) >= FOLDED_FROM else run
        )
        run = []
        told += [pieces] if pieces else []
    return told


def _bracketed(brackets: str, entries: Sequence[Pieces], depth: int) -> Pieces:
    if not entries:
        return [(brackets, False)]
    pad, end = "\n" + "  " * (depth + 1), "\n" + "  " * depth
    pieces: Pieces = [(brackets[0], False)]
    for number, entry in enumerate(entries):
        pieces += [(("," if number else "") + pad, False), *entry]
    return [*pieces, (end + brackets[1], False)]


# two texts


def _texts(got: str, expected: str, *, folds: bool) -> tuple[Pieces, Pieces]:
    left, right = _WORD.findall(got), _WORD.findall(expected)
    keys = [[" " if word.isspace() else word for word in words] for words in (left, right)]
    ours: Pieces = []
    theirs: Pieces = []
    for is_same, first, first_end, second, second_end in aligned(*keys):
        ours += [("".join(left[first:first_end]), not is_same)]
        theirs += [("".join(right[second:second_end]), not is_same)]
    if not folds:
        return _merged(ours), _merged(theirs)
    return _shortened(_merged(ours)), _shortened(_merged(theirs))


def _shortened(pieces: Pieces) -> Pieces:
    """Long stretches that are alike, with only what is next to a difference."""
    told: Pieces = []
    for number, (text, differs) in enumerate(pieces):
        left_out = len(text) - 2 * TEXT_AROUND
        if differs or left_out < TEXT_AROUND:
            told.append((text, differs))
            continue
        begin = text[:TEXT_AROUND] if number else ""
        end = text[-TEXT_AROUND:] if number < len(pieces) - 1 else ""
        alike_chars = len(text) - len(begin) - len(end)
        told.append((f"{begin}\n⋯ {counted(alike_chars, 'character')} alike\n{end}", False))
    return told


def _merged(pieces: Pieces) -> Pieces:
    """Neighbours of one kind in one."""
    runs: list[tuple[list[str], bool]] = []
    for text, differs in pieces:
        if runs and runs[-1][1] == differs:
            runs[-1][0].append(text)
        elif text:
            runs.append(([text], differs))
    return [("".join(texts), differs) for texts, differs in runs]


# two sequences


def aligned(got: Sequence[Any], expected: Sequence[Any]) -> list[tuple[bool, int, int, int, int]]:
    """Stretches of two sequences in order: whether both are the same, and where they begin and end on each side.

    Shortest by Myers' algorithm, as long as it takes no more than `MOST_STEPS`; beyond, all that lies between the alike
    beginning and the alike end is one stretch that differs.
    """
    most = min(len(got), len(expected))
    begin = next((place for place in range(most) if got[place] != expected[place]), most)
    rest = most - begin
    end = next((place for place in range(rest) if got[-1 - place] != expected[-1 - place]), rest)
    first_end, second_end = len(got) - end, len(expected) - end
    inner = _matches(got[begin:first_end], expected[begin:second_end])
    told: list[tuple[bool, int, int, int, int]] = []
    first = second = 0
    for ours, theirs, length in (
        (0, 0, begin),
        *((x + begin, y + begin, n) for x, y, n in inner),
        (first_end, second_end, end),
    ):
        if ours > first or theirs > second:
            told.append((False, first, ours, second, theirs))
        if length:
            told.append((True, ours, ours + length, theirs, theirs + length))
        first, second = ours + length, theirs + length
    return told


def _matches(got: Sequence[Any], expected: Sequence[Any]) -> list[tuple[int, int, int]]:
    """Where stretches that are alike begin on each side, and how long they are; none where that takes too long to find out."""
    ends = (len(got), len(expected))
    if not all(ends):
        return []
    furthest = {1: 0}
    trace: list[dict[int, int]] = []
    steps = 0
    for edits in range(min(sum(ends), MOST_EDITS) + 1):
        trace.append(dict(furthest))
        for diagonal in range(-edits, edits + 1, 2):
            step = _step(furthest, diagonal, ends)
            if step is None:
                furthest.pop(diagonal, None)
                continue
            x = step[0]
            begin = x
            while x < ends[0] and x - diagonal < ends[1] and got[x] == expected[x - diagonal]:
                x += 1
            steps += x - begin + 1
            furthest[diagonal] = x
            if x == ends[0] and x - diagonal == ends[1]:
                return _backwards(trace, ends)
        if steps > MOST_STEPS:
            return []
    return []


def _step(furthest: dict[int, int], diagonal: int, ends: tuple[int, int]) -> tuple[int, int] | None:
    """How far one edit leads on a diagonal, and from which other it comes; None where it leads out of both."""
    options = []
    down, right = furthest.get(diagonal + 1), furthest.get(diagonal - 1)
    if down is not None and down - diagonal <= ends[1] and down <= ends[0]:
        options.append((down, diagonal + 1))
    if right is not None and right + 1 <= ends[0] and right + 1 - diagonal <= ends[1]:
        options.append((right + 1, diagonal - 1))
    return max(options, default=None)


def _backwards(trace: Sequence[dict[int, int]], ends: tuple[int, int]) -> list[tuple[int, int, int]]:
    x, y = ends
    told: list[tuple[int, int, int]] = []
    for edits in range(len(trace) - 1, -1, -1):
        step = _step(trace[edits], x - y, ends)
        if step is None:
            break
        begin, before = step
        if x > begin:
            told.append((begin, begin - (x - y), x - begin))
        # The first stretch begins where both sequences do.
        if edits == 0:
            break
        x = trace[edits][before]
        y = x - before
    return told[::-1]
