"""Which stretches of two sequences are alike, in a bounded number of steps. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Stretch = tuple[bool, int, int, int, int]
    """Whether both sides are alike, and where the stretch begins and ends on each side."""

MOST_EDITS: Final = 400
"""In two sequences, until they are alike."""


@dataclass
class Steps:
    """How many steps may still be taken; one budget for all that is compared for one answer."""

    left: int

    def take(self) -> bool:
        """Take one; False where there is none."""
        self.left -= 1
        return self.left >= 0


def aligned(
    got: Sequence[Any], expected: Sequence[Any], steps: Steps, is_same: Callable[[Any, Any], bool]
) -> list[Stretch]:
    """Stretches of two sequences, in order, which cover both.

    The alike ones are the longest by Myers' algorithm, as long as there are steps; then all that lies between the alike beginning and
    the alike end is one stretch that differs.

    Args:
        got: one sequence.
        expected: the other.
        steps: of which one is taken for each place that is looked at between the alike beginning and the alike end.
        is_same: compares two elements.
    """
    most = min(len(got), len(expected))
    begin = next((place for place in range(most) if not is_same(got[place], expected[place])), most)
    rest = most - begin
    end = next((place for place in range(rest) if not is_same(got[-1 - place], expected[-1 - place])), rest)
    first_end, second_end = len(got) - end, len(expected) - end
    inner = _matches(got[begin:first_end], expected[begin:second_end], steps, is_same)
    told: list[Stretch] = []
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


def _matches(
    got: Sequence[Any], expected: Sequence[Any], steps: Steps, is_same: Callable[[Any, Any], bool]
) -> list[tuple[int, int, int]]:
    """Where stretches that are alike begin on each side, and how long they are; none where there are no steps to find out."""
    ends = (len(got), len(expected))
    if not all(ends):
        return []
    furthest = {1: 0}
    trace: list[dict[int, int]] = []
    for edits in range(min(sum(ends), MOST_EDITS) + 1):
        trace.append(dict(furthest))
        for diagonal in range(-edits, edits + 1, 2):
            if not steps.take():
                return []
            step = _step(furthest, diagonal, ends)
            if step is None:
                furthest.pop(diagonal, None)
                continue
            x = step[0]
            while x < ends[0] and x - diagonal < ends[1] and is_same(got[x], expected[x - diagonal]):
                x += 1
                if not steps.take():
                    return []
            furthest[diagonal] = x
            if x == ends[0] and x - diagonal == ends[1]:
                return _backwards(trace, ends)
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
