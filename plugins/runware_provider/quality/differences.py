"""Two values that should be the same, and where they are not, by the rule of `sameness`. Pure.

Structs are compared field by field, lists element by element once those that are alike are found, texts word by word. The time
that it takes grows with the length of both, and not with its square: what is alike is looked for in a bounded number of steps for
both values together, however they are nested; then elements are compared in their order.

JSON knows less than a column does: there a text that looks like a date is one, and a whole number may be any number. What was a
32-bit number is compared as what it came to be, and entries of a map in their order.
"""

from __future__ import annotations

import json
import math
import operator
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING, Any, Final

from runware_provider.quality.alignment import Steps, aligned
from runware_provider.quality.misses import told
from runware_provider.quality.profile import ValueKind
from runware_provider.quality.sameness import BILLIONTH
from runware_provider.quality.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

Pieces = list[tuple[str, bool]]
"""Text, and whether it differs."""

MOST_CHARS: Final = 200_000
"""Of a text; of longer ones only so much is compared."""
MOST_TAKEN_APART: Final = 30_000
"""Characters of a list or struct in JSON; longer ones are compared word by word."""
MOST_STEPS: Final = 300_000
"""That are taken for two values, to find what is alike in all their lists and texts."""
MOST_DEPTH: Final = 60
"""Levels that are compared one by one."""

_JSON: Final = json.JSONEncoder(ensure_ascii=False, default=told)
_WORD: Final = re.compile(r"\s+|\w+|[^\w\s]")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?")


@dataclass(frozen=True)
class Differences:
    """Both sides in pieces."""

    got: Pieces
    expected: Pieces


@dataclass(frozen=True)
class Folding:
    """When much that is alike is only counted."""

    whole: int = 8
    """Entries of a list or struct that is shown whole."""
    least: int = 3
    """Entries in a row, in a longer one."""
    around: int = 200
    """Characters around a difference in a long text that are shown."""


FOLDED: Final = Folding()
"""For a page with room."""


def differences(
    got: str, expected: str, *, folding: Folding | None = FOLDED, steps: Steps | None = None
) -> Differences:
    """Where two values differ that are given as JSON.

    Args:
        got: as JSON; what is no JSON is a text.
        expected: the same.
        folding: of what is alike; None for none of it: the pieces of each side, joined, are then the text itself, or the value as
            `layout` writes it.
        steps: for many of them together; None for as many as one may take.
    """
    comparing = _Comparing(steps or Steps(MOST_STEPS), folding, is_json=True)
    try:
        return comparing.outcome(_parsed(got), _parsed(expected))
    except RecursionError:
        return comparing.outcome(got[:MOST_CHARS], expected[:MOST_CHARS])


def differences_of(
    got: Any, expected: Any, *, folding: Folding | None = FOLDED, tolerance: float = 0.0
) -> Differences:
    """Where two values differ.

    Args:
        got: as Arrow gives it to Python.
        expected: the same.
        folding: as for `differences`.
        tolerance: how far numbers may be apart, as for `sameness.same`.
    """
    return _Comparing(Steps(MOST_STEPS), folding, tolerance=tolerance).outcome(got, expected)


def layout(value: Any, depth: int = 0) -> str:
    """A value as JSON, one part a line."""
    pad = "\n" + "  " * (depth + 1)
    end = "\n" + "  " * depth
    if isinstance(value, dict) and value:
        parts = (f"{_quoted(name)}: {layout(part, depth + 1)}" for name, part in value.items())
        return "{" + ",".join(pad + part for part in parts) + end + "}"
    if isinstance(value, list | tuple) and value:
        return "[" + ",".join(pad + layout(part, depth + 1) for part in value) + end + "]"
    # A number keeps its digits; most values are such, and this is the fastest way to say them.
    return str(value) if type(value) in {int, Decimal} else _JSON.encode(value)


def _quoted(text: Any) -> str:
    return _JSON.encode(str(text))


def _parsed(text: str) -> Any:
    if len(text) > MOST_CHARS:
        return text[:MOST_CHARS]
    try:
        value = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError):
        return text
    return text if len(text) > MOST_TAKEN_APART and not isinstance(value, str) else value


# what is the same


@dataclass(slots=True)
class _Node:
    """A value, and what is compared of it."""

    value: Any
    kind: ValueKind
    key: Any = None
    """Of a value that has no parts."""
    parts: Any = ()
    """Of a list, nodes in order; of a struct, by the name of the field."""


def _node(value: Any, *, is_json: bool) -> _Node:
    if isinstance(value, dict):
        fields = {name: _node(part, is_json=is_json) for name, part in value.items()}
        return _Node(value, ValueKind.GROUP, parts=fields)
    if isinstance(value, list | tuple):
        return _Node(value, ValueKind.LIST, parts=[_node(part, is_json=is_json) for part in value])
    return _Node(value, *_leaf(value, is_json=is_json))


def _leaf(value: Any, *, is_json: bool) -> tuple[ValueKind, Any]:
    """The kind of a value without parts, and what of it is compared."""
    if isinstance(value, str):
        moment = _moment_in(value) if is_json else None
        return (ValueKind.TEXT, " ".join(value.split())) if moment is None else (ValueKind.MOMENT, moment)
    # `True` is a number to Python, and equal to 1.
    if isinstance(value, bool):
        return ValueKind.FLAG, value
    if isinstance(value, int | float | Decimal):
        return ValueKind.NUMBER, value
    if isinstance(value, date):
        return ValueKind.MOMENT, _moment(value)
    return ValueKind.OTHER, value


def _moment_in(text: str) -> datetime | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        return _moment(datetime.fromisoformat(text))
    except ValueError:
        return None


def _moment(day: date) -> datetime:
    """A day is its midnight, and a time without zone one of UTC."""
    moment = day if isinstance(day, datetime) else datetime(day.year, day.month, day.day, tzinfo=UTC)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _are_close(got: float | Decimal, expected: float | Decimal, tolerance: float) -> bool:
    if isinstance(got, int) and isinstance(expected, int):
        return got == expected
    left, right = _as_float(got), _as_float(expected)
    # A billionth of the infinite would allow everything.
    if not (math.isfinite(left) and math.isfinite(right)):
        return got == expected
    return abs(left - right) <= max(abs(left), abs(right)) * BILLIONTH + tolerance


def _as_float(number: float | Decimal) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


# two values


@dataclass(frozen=True)
class _Told:
    """Two values, or parts of them, in pieces."""

    got: Pieces
    expected: Pieces
    is_same: bool


class _Comparing:
    """Compares two values with all that is in them.

    Args:
        steps: that may be taken to find what is alike.
        folding: of what is.
        tolerance: of numbers.
        is_json: whether a text may be a date.
    """

    def __init__(
        self, steps: Steps, folding: Folding | None, *, tolerance: float = 0.0, is_json: bool = False
    ) -> None:
        self._steps = steps
        self._folding = folding
        self._tolerance = tolerance
        self._is_json = is_json

    def outcome(self, got: Any, expected: Any) -> Differences:
        ours, theirs = (_node(side, is_json=self._is_json) for side in (got, expected))
        compared = self._compared(ours, theirs, 0)
        return Differences(_merged(compared.got), _merged(compared.expected))

    def _same(self, got: _Node, expected: _Node) -> bool:
        """Whether both are the same; False, too, where there are no steps left to find out."""
        if not self._steps.take():
            return False
        if got.kind is ValueKind.GROUP and expected.kind is ValueKind.GROUP:
            names = got.parts.keys() & expected.parts.keys()
            return _have_the_same(got, expected, names) and all(
                self._same(got.parts[name], expected.parts[name]) for name in names
            )
        if got.kind is ValueKind.LIST and expected.kind is ValueKind.LIST:
            return len(got.parts) == len(expected.parts) and all(map(self._same, got.parts, expected.parts))
        return self._same_leaves(got, expected)

    def _same_leaves(self, got: _Node, expected: _Node) -> bool:
        if got.kind is not expected.kind:
            return False
        if got.kind is ValueKind.NUMBER:
            return _are_close(got.key, expected.key, self._tolerance)
        return bool(got.key == expected.key)

    def _compared(self, got: _Node, expected: _Node, depth: int, *, is_inside: bool = False) -> _Told:
        is_deep = depth >= MOST_DEPTH
        if not is_deep and got.kind is ValueKind.GROUP and expected.kind is ValueKind.GROUP:
            return self._structs(got, expected, depth)
        if not is_deep and got.kind is ValueKind.LIST and expected.kind is ValueKind.LIST:
            return self._lists(got, expected, depth)
        is_same = self._same(got, expected) if is_deep else self._same_leaves(got, expected)
        if got.kind is ValueKind.TEXT and expected.kind is ValueKind.TEXT and not is_same:
            return self._texts(got.value, expected.value, is_inside=is_inside)
        return _Told(
            _whole(got.value, depth, differs=not is_same, is_inside=is_inside),
            _whole(expected.value, depth, differs=not is_same, is_inside=is_inside),
            is_same,
        )

    # structs

    def _structs(self, got: _Node, expected: _Node, depth: int) -> _Told:
        names = got.parts.keys() & expected.parts.keys()
        compared = {
            name: self._compared(part, expected.parts[name], depth + 1, is_inside=True)
            for name, part in got.parts.items()
            if name in names
        }
        # A field that only one side has is not compared, unless there is nothing else.
        lacks_all = not _have_the_same(got, expected, names)
        ours = {name: (field.got, field.is_same) for name, field in compared.items()}
        theirs = {name: (field.expected, field.is_same) for name, field in compared.items()}
        return _Told(
            self._fields(got, ours, depth, marks_others=lacks_all),
            self._fields(expected, theirs, depth, marks_others=lacks_all),
            not lacks_all and all(field.is_same for field in compared.values()),
        )

    def _fields(
        self, struct: _Node, compared: dict[str, tuple[Pieces, bool]], depth: int, *, marks_others: bool
    ) -> Pieces:
        entries: list[tuple[Pieces, bool]] = []
        for name, part in struct.parts.items():
            if name in compared:
                pieces, is_same = compared[name]
                entries.append(([(f"{_quoted(name)}: ", False), *pieces], is_same))
            else:
                text = f"{_quoted(name)}: {layout(part.value, depth + 1)}"
                entries.append(([(text, marks_others)], False))
        return _bracketed("{}", self._folded(entries, "field", len(entries)), depth)

    # lists

    def _lists(self, got: _Node, expected: _Node, depth: int) -> _Told:
        left: list[tuple[Pieces, bool]] = []
        right: list[tuple[Pieces, bool]] = []
        for is_same, first, first_end, second, second_end in aligned(
            got.parts, expected.parts, self._steps, self._same
        ):
            for ours, theirs in zip_longest(got.parts[first:first_end], expected.parts[second:second_end]):
                pair = self._elements(ours, theirs, depth + 1, is_same=is_same)
                if ours is not None:
                    left.append((pair.got, pair.is_same))
                if theirs is not None:
                    right.append((pair.expected, pair.is_same))
        longer = max(len(left), len(right))
        folded = [self._folded(side, "element", longer) for side in (left, right)]
        return _Told(
            _bracketed("[]", folded[0], depth),
            _bracketed("[]", folded[1], depth),
            len(left) == len(right) and all(is_alike for _, is_alike in left),
        )

    def _elements(self, got: _Node | None, expected: _Node | None, depth: int, *, is_same: bool) -> _Told:
        """Two elements that stand beside each other; None of a side that has none."""
        if got is None or expected is None:
            alone = [[] if node is None else [(layout(node.value, depth), True)] for node in (got, expected)]
            return _Told(alone[0], alone[1], is_same=False)
        if is_same:
            texts = [layout(node.value, depth) for node in (got, expected)]
            return _Told([(texts[0], False)], [(texts[1], False)], is_same=True)
        return self._compared(got, expected, depth, is_inside=True)

    # texts

    def _texts(self, got: str, expected: str, *, is_inside: bool) -> _Told:
        ours, theirs = _WORD.findall(got), _WORD.findall(expected)
        sides: tuple[Pieces, Pieces] = ([], [])
        for is_same, first, first_end, second, second_end in aligned(
            _without_spaces(ours), _without_spaces(theirs), self._steps, operator.eq
        ):
            sides[0].append(("".join(ours[first:first_end]), not is_same))
            sides[1].append(("".join(theirs[second:second_end]), not is_same))
        told = [self._shortened(_merged(side), is_inside=is_inside) for side in sides]
        if is_inside:
            told = [_as_json(side) for side in told]
        return _Told(told[0], told[1], is_same=False)

    def _shortened(self, pieces: Pieces, *, is_inside: bool) -> Pieces:
        """Long stretches that are alike, with only what is next to a difference."""
        if self._folding is None:
            return pieces
        around = self._folding.around
        apart = " " if is_inside else "\n"
        shorter: Pieces = []
        for number, (text, differs) in enumerate(pieces):
            if differs or len(text) < 3 * around:
                shorter.append((text, differs))
                continue
            begin = text[:around] if number else ""
            end = text[-around:] if number < len(pieces) - 1 else ""
            alike_chars = len(text) - len(begin) - len(end)
            note = f"⋯ {counted(alike_chars, 'character')} alike"
            shorter.append((f"{begin}{apart}{note}{apart}{end}", False))
        return shorter

    def _folded(self, entries: Sequence[tuple[Pieces, bool]], noun: str, entries_in_all: int) -> list[Pieces]:
        """The entries, of which many in a row that are alike become one that counts them."""
        if self._folding is None or entries_in_all <= self._folding.whole:
            return [pieces for pieces, _ in entries]
        shorter: list[Pieces] = []
        for is_same, neighbours in groupby(entries, key=operator.itemgetter(1)):
            run = [pieces for pieces, _ in neighbours]
            if is_same and len(run) >= self._folding.least:
                shorter.append([(f"⋯ {counted(len(run), noun)} alike", False)])
            else:
                shorter += run
        return shorter


def _without_spaces(words: Sequence[str]) -> list[str]:
    """The words, with every white space between them as one space."""
    return [" " if word.isspace() else word for word in words]


def _have_the_same(got: _Node, expected: _Node, names: set[str]) -> bool:
    """Whether two structs have a field in common, or none at all."""
    return bool(names) or not (got.parts or expected.parts)


# pieces


def _whole(value: Any, depth: int, *, differs: bool, is_inside: bool) -> Pieces:
    text = value if isinstance(value, str) and not is_inside else layout(value, depth)
    return [(text, differs)] if text else []


def _as_json(pieces: Pieces) -> Pieces:
    """Pieces of a text as those of a string of JSON."""
    inner = [(_quoted(piece)[1:-1], differs) for piece, differs in pieces]
    return [('"', False), *inner, ('"', False)]


def _bracketed(brackets: str, entries: Sequence[Pieces], depth: int) -> Pieces:
    if not entries:
        return [(brackets, False)]
    pad, end = "\n" + "  " * (depth + 1), "\n" + "  " * depth
    pieces: Pieces = [(brackets[0], False)]
    for number, entry in enumerate(entries):
        pieces += [(("," if number else "") + pad, False), *entry]
    return [*pieces, (end + brackets[1], False)]


def _merged(pieces: Pieces) -> Pieces:
    """Neighbours of one kind in one."""
    runs: list[tuple[list[str], bool]] = []
    for text, differs in pieces:
        if runs and runs[-1][1] == differs:
            runs[-1][0].append(text)
        elif text:
            runs.append(([text], differs))
    return [("".join(texts), differs) for texts, differs in runs]
