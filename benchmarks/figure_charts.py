"""Charts of the figures: bars as SVG, which follow the colours of the page, or of the reader's system where they stand alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import figure_tables as tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

OURS, BASE, OTHER = "ours", "base", "other"
WIDTH = 760
LABELS_END = 250
BARS_START = 262
BARS_END = 640
"""Behind it there is room for what a bar says."""
LEAST_LENGTH = 1.5
"""So that one sees whose colour it has."""
ROOM_OF_A_NUMBER = 50
ROW = 30
BAR = 18
TOP = 46
STYLE = """
    .bars { --ink: #222; --soft: #666; --line: #8f8aa8; --mark: #4b32a8; font: 14px system-ui, sans-serif; }
    @media (prefers-color-scheme: dark) { .bars { --ink: #eee; --soft: #aaa; --line: #7d7896; --mark: #b7a6ff; } }
    .bars text { fill: var(--color-foreground-primary, var(--ink)); }
    .bars .label { text-anchor: end; }
    .bars .head { font-weight: 600; }
    .bars .soft { fill: var(--color-foreground-secondary, var(--soft)); font-size: 12px; }
    .bars rect.other { fill: var(--color-foreground-muted, var(--line)); fill-opacity: .55; }
    .bars rect.base { fill: var(--color-foreground-muted, var(--line)); }
    .bars rect.ours { fill: var(--color-brand-primary, var(--mark)); }
    .bars path { stroke: var(--color-foreground-secondary, var(--soft)); stroke-dasharray: 4 4; fill: none; }
"""


@dataclass(frozen=True)
class Bar:
    """A line of a chart."""

    label: str
    value: float
    told: str
    """What stands behind the bar."""
    kind: str = OTHER
    """Whose it is: `ours`, `base` (what it is compared with), or `other`."""


def all_of(figures: dict[str, Any]) -> dict[str, str]:
    """The charts that these figures allow, by name."""
    draw: dict[str, tuple[tuple[str, Callable[[Any], str]], ...]] = {
        "peers": (("processor", _processor), ("rows", _rows)),
        "capacity": (("capacity", _capacity),),
        "growth": (("growth", _growth),),
        "shares": (("shares", _shares),),
    }
    parts = figures["parts"]
    return {name: make(parts[part]) for part, made in draw.items() if part in parts for name, make in made}


def bars(title: str, below: str, lines: Sequence[Bar], *, most: float | None = None) -> str:
    """A chart of bars beside each other's names.

    Args:
        title: what is measured, with its unit.
        below: in which direction it is good, and against what.
        lines: from above to below. There is at least one.
        most: a value that none can exceed, which is marked; None for none. Without it the longest bar fills the room.
    """
    scale = (BARS_END - BARS_START) / (most or max(line.value for line in lines) or 1.0)
    height = TOP + ROW * len(lines) + 8
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" class="bars">',
        f"  <title>{escape(title)}</title>",
        f"  <style>{STYLE}  </style>",
        f'  <text x="8" y="18" class="head">{escape(title)}</text>',
        f'  <text x="8" y="36" class="soft">{escape(below)}</text>',
    ]
    for place, line in enumerate(lines):
        length = min(max(line.value * scale, LEAST_LENGTH), BARS_END - BARS_START)
        drawn += _bar(line, TOP + ROW * place, length)
    if most is not None:
        drawn.append(f'  <path d="M{BARS_END} {TOP} V{height - 8}"/>')
    return "\n".join([*drawn, "</svg>", ""])


def _bar(line: Bar, top: int, length: float) -> list[str]:
    middle, end = top + BAR // 2 + 9, BARS_START + length
    # What is said of a bar would lie across the line that marks the most.
    behind = BARS_END if end > BARS_END - ROOM_OF_A_NUMBER else end
    return [
        f'  <text x="{LABELS_END}" y="{middle}" class="label">{escape(line.label)}</text>',
        f'  <rect x="{BARS_START}" y="{top + 4}" width="{length:.1f}" height="{BAR}" rx="2" class="{line.kind}"/>',
        f'  <text x="{behind + 8:.1f}" y="{middle}" class="soft">{escape(line.told)}</text>',
    ]


def _kind(name: str) -> str:
    if name.startswith("ours"):
        return OURS
    return BASE if name.startswith("bare loop") else OTHER


def _processor(peers: Sequence[dict[str, Any]]) -> str:
    lines = [
        Bar(
            row["name"],
            tables.per_ten_thousand(row),
            f"{tables.per_ten_thousand(row):.2f} s",
            _kind(row["name"]),
        )
        for row in tables.by_processor(peers)
    ]
    return bars(
        "Processor time for 10,000 records",
        "seconds beyond starting, API without latency; less is better",
        lines,
    )


def _rows(peers: Sequence[dict[str, Any]]) -> str:
    by_rows = sorted(tables.measured(peers), key=lambda row: -row["rows_per_s"])
    lines = [
        Bar(row["name"], row["rows_per_s"], f"{row['rows_per_s']:,.0f}", _kind(row["name"]))
        for row in by_rows
    ]
    below = f"the dashed line is what the API can do: {tables.MOST_ROWS_PER_S:,.0f}; more is better"
    return bars("Rows a second", below, lines, most=tables.MOST_ROWS_PER_S)


def _capacity(cases: Sequence[dict[str, Any]]) -> str:
    lines = [
        Bar(row["case"]["name"], tables.busy(row), f"{100 * tables.busy(row):.0f} %", OURS)
        for row in cases
        if tables.is_bounded(row)
    ]
    below = "share of the API's slots at work, which nobody told the job of; the dashed line is all of them"
    return bars("Capacity found", below, lines, most=1.0)


def _growth(rows: Sequence[dict[str, Any]]) -> str:
    lines = []
    for row in [row for row in rows if row["ended"]]:
        micros = tables.micros_a_record(row)
        lines.append(Bar(f"{row['records']:,} {row['what']}", micros, f"{micros:,.0f} µs", OURS))
    return bars(
        "Processor time a record", "microseconds, starting included; the same length is linear growth", lines
    )


def _shares(shares: dict[str, Any]) -> str:
    told = tables.shares_of(shares["processor_s"])
    lines = [
        Bar(place, share, f"{100 * share:.0f} %", OURS if place == tables.LEDGER else OTHER)
        for place, share in told
    ]
    return bars("Where the processor time goes", "share of a job's, imports not counted", lines)
