"""Charts as parts: drawn on a page, with a line of words for whoever cannot see them, and a line of bars in Markdown. Pure.

What is drawn is placed in shares of the width and in pixels of the height, so that words keep their size on a phone.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runware_provider.quality.page import body_of, inline_of, plain_of
from runware_provider.quality.wording import count, interval, percentage, sparks, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runware_provider.quality.parts import Part

PLOT, LINE, AXIS = 92, 15, 22
"""Pixels of height: of the bars, of a line of words, of the axis."""
LEAST: Final = 2
"""Pixels of a bar that is more than nothing."""


@dataclass(frozen=True)
class Mark:
    """A place on the axis."""

    at: float
    """From 0 to 1."""
    text: str


@dataclass(frozen=True)
class BarChart:
    """How often which numbers occur."""

    title: str
    """Markdown of ours."""
    heights: Sequence[int]
    """Of bars as wide as each other."""
    ticks: Sequence[Mark]
    """Below the axis, the first and the last at its ends."""
    marks: Sequence[Mark] = ()
    """Numbers that stand out, above the bars."""
    noun: str = "rows"
    """What is counted."""
    note: str = ""
    """Plain text of ours."""

    @property
    def _told(self) -> str:
        ends = f"{self.ticks[0].text} to {self.ticks[-1].text}"
        told = ", ".join([ends, *(mark.text for mark in self.marks)])
        return f"{told}. {self.note}" if self.note else told

    def markdown(self) -> list[str]:
        """One line."""
        return [f"{self.title}: {sparks(self.heights)} {self._told}", ""]

    def html(self) -> str:
        """Bars above an axis."""
        top = LINE * (len(self.marks) + 1)
        most = f"at most {count(max(self.heights))} {self.noun} in a bar"
        words = f"{plain_of(self.title)}, {most}, from {self._told}"
        drawn = (*self._bars(top), *self._lines(top), *self._axis(top), *self._words(top))
        note = f"<p>{html.escape(self.note)}</p>" if self.note else ""
        return (
            f'<figure class="chart"><figcaption>{inline_of(self.title)}</figcaption>'
            f'<svg class="plot" width="100%" height="{top + PLOT + AXIS}" role="img" aria-label="{html.escape(words)}">'
            f"{''.join(drawn)}</svg>{note}</figure>"
        )

    def _bars(self, top: int) -> Iterator[str]:
        tallest, width = max(self.heights), 100 / len(self.heights)
        for place, height in enumerate(self.heights):
            pixels = max(LEAST, PLOT * height / tallest) if height else 0
            if pixels:
                yield (
                    f'<rect class="mark" x="{place * width + width * 0.06:.4g}%" y="{top + PLOT - pixels:.4g}"'
                    f' width="{width * 0.88:.4g}%" height="{pixels:.4g}"/>'
                )

    def _lines(self, top: int) -> Iterator[str]:
        for number, mark in enumerate(self.marks):
            place = f"{100 * mark.at:.4g}%"
            yield _line("line", place, LINE * number + 3, place, top + PLOT)

    def _words(self, top: int) -> Iterator[str]:
        """Above all lines, and each in a line of its own, so that none covers another."""
        for number, mark in enumerate(self.marks):
            anchor, away = ("start", 4) if mark.at < 0.6 else ("end", -4)
            place = f'x="{100 * mark.at:.4g}%" y="{LINE * (number + 1) - 4}" dx="{away}"'
            yield f'<text {place} text-anchor="{anchor}">{html.escape(mark.text)}</text>'
        most = f"{count(max(self.heights))} {self.noun}"
        yield f'<text class="scale" x="0" y="{top - 4}">{html.escape(most)}</text>'

    def _axis(self, top: int) -> Iterator[str]:
        yield _line("grid", "0", top, "100%", top)
        yield _line("axis", "0", top + PLOT, "100%", top + PLOT)
        yield from _ticks(self.ticks, top + PLOT)


def _line(name: str, x1: str, y1: float, x2: str, y2: float) -> str:
    return f'<line class="{name}" x1="{x1}" y1="{y1:.4g}" x2="{x2}" y2="{y2:.4g}"/>'


def _ticks(ticks: Sequence[Mark], y: float) -> Iterator[str]:
    for tick in ticks:
        anchor = "start" if tick.at < 0.05 else "end" if tick.at > 0.95 else "middle"
        yield _line("tick", f"{100 * tick.at:.4g}%", y, f"{100 * tick.at:.4g}%", y + 4)
        place = f'x="{100 * tick.at:.4g}%" y="{y + 17:.4g}"'
        yield f'<text {place} text-anchor="{anchor}">{html.escape(tick.text)}</text>'


@dataclass(frozen=True)
class RateAt:
    """How often something is right where it is said to be so likely."""

    said: float
    """On average, from 0 to 1."""
    name: str
    """Of the bin."""
    right: int
    of: int
    likely: tuple[float, float]
    """The 95 % interval of the rate."""


@dataclass(frozen=True)
class RateChart:
    """What is said against what is so: on the line from corner to corner both are the same."""

    title: str
    """Markdown of ours."""
    rates: Sequence[RateAt]
    note: str = ""
    """Markdown of ours."""

    def _table(self) -> list[str]:
        rows = [
            [at.name, count(at.of), percentage(at.right, at.of), interval(*at.likely)] for at in self.rates
        ]
        return table(["it says", "rows", "as expected", "95 % interval"], rows, right=[1, 2, 3])

    def markdown(self) -> list[str]:
        """A table."""
        return [f"{self.title}:", "", *self._table(), *([self.note, ""] if self.note else [])]

    def html(self) -> str:
        """Points with their intervals, and the table."""
        height = 180
        told = ", ".join(f"{at.name}: {percentage(at.right, at.of)} of {count(at.of)}" for at in self.rates)
        words = html.escape(f"{plain_of(self.title)}. {told}")
        note = body_of(self.note) if self.note else ""
        drawn = (*self._grid(height), *(mark for at in self.rates for mark in _point(at, height)))
        return (
            f'<figure class="chart"><figcaption>{inline_of(self.title)}</figcaption>'
            f'<svg class="plot rates" width="100%" height="{LINE + height + AXIS}" role="img" aria-label="{words}">'
            f"{''.join(drawn)}</svg>{note}"
            f"<details><summary>The numbers</summary>{body_of(chr(10).join(self._table()))}</details></figure>"
        )

    @staticmethod
    def _grid(height: int) -> Iterator[str]:
        heights = {share: LINE + height * (100 - share) / 100 for share in (0, 50, 100)}
        for share, y in heights.items():
            yield _line("grid" if share else "axis", "0", y, "100%", y)
        yield _line("ideal", "0", LINE + height, "100%", LINE)
        for share, y in heights.items():
            told = f"{share} %{' as expected' if share == 100 else ''}"
            yield f'<text class="scale" x="0" y="{y - 4:.4g}">{told}</text>'
        ends = [Mark(0, "says 0"), Mark(0.5, "0.5"), Mark(1, "says 1")]
        yield from _ticks(ends, LINE + height)


def _point(at: RateAt, height: int) -> Iterator[str]:
    x = f"{100 * at.said:.4g}%"
    low, high = (LINE + height * (1 - rate) for rate in at.likely)
    yield _line("whisker", x, low, x, high)
    yield f'<circle class="mark" cx="{x}" cy="{LINE + height * (1 - at.right / at.of):.4g}" r="5"/>'


@dataclass(frozen=True)
class Charts:
    """Charts beside each other, where there is room."""

    charts: Sequence[Part]

    def markdown(self) -> list[str]:
        """One below the other."""
        return [line for chart in self.charts for line in chart.markdown()]

    def html(self) -> str:
        """In a grid."""
        return f'<div class="charts">{"".join(chart.html() for chart in self.charts)}</div>'
