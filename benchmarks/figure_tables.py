"""Tables of the figures, as Markdown: for the screen and for docs/performance.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comparison import LATENCY_S, SLOTS
from contenders import LOOP
from shares import IMPORTS, LEDGER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["LEDGER", "all_of"]

IDLE_LOAD = 0.7
"""Processes that want a processor, below which nothing else is at work."""
MOST_ROWS_PER_S = SLOTS / LATENCY_S
Row = dict[str, Any]


def all_of(figures: Row) -> dict[str, str]:
    """The tables that these figures allow, by name."""
    make: dict[str, tuple[tuple[str, Callable[[Any], str]], ...]] = {
        "peers": (("in-short", in_short), ("peers", peers), ("who", who)),
        "capacity": (("capacity", capacity),),
        "growth": (("growth", growth),),
        "shares": (("shares", shares),),
        "start": (("start", start),),
    }
    parts = figures["parts"]
    made = {name: one(parts[part]) for part, those in make.items() if part in parts for name, one in those}
    return {"about": about(figures["about"]), **made}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose columns are straight as text, too; all but the first are numbers, to the right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    below = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(
        "| "
        + " | ".join(
            _padded(cell, width, place) for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in (lines[0], below, *lines[1:])
    )


def _padded(cell: str, width: int, place: int) -> str:
    return cell.ljust(width) if place == 0 else cell.rjust(width)


# what is known of figures, for tables and charts


def measured(peers_: Iterable[Row]) -> list[Row]:
    """Those of which there are figures."""
    return [row for row in peers_ if not row["left_out"]]


def by_processor(peers_: Iterable[Row]) -> list[Row]:
    """The same, whoever takes least first."""
    return sorted(measured(peers_), key=per_ten_thousand)


def per_ten_thousand(row: Row) -> float:
    """Seconds of the processor for 10,000 records, beyond starting."""
    return float(10_000 * row["processor_s"] / row["records"])


def is_bounded(case: Row) -> bool:
    """Whether a case has so many slots, and not as many as anybody wants."""
    return case["case"]["slots"] is not None


def busy(case: Row) -> float:
    """Share of the slots that were at work, behind the last change of them."""
    shares_ = [share for _, share in case["busy_after_changes"] if share is not None]
    return float(shares_[-1] if shares_ else case["busy"] or 0.0)


def micros_a_record(row: Row) -> float:
    """Microseconds of the processor for a record."""
    return float(1e6 * row["processor_s"] / row["records"])


def shares_of(seconds: dict[str, float]) -> list[tuple[str, float]]:
    """Shares of what is not imports, the largest first."""
    whole = sum(value for place, value in seconds.items() if place != IMPORTS)
    told = [(place, value / whole) for place, value in seconds.items() if place != IMPORTS]
    return sorted(told, key=lambda share: -share[1])


# the tables


def about(told: Row) -> str:
    """When and where it was measured."""
    how = []
    if told["quick"]:
        how.append("A quick run, of a tenth of the records: roughly right at best.")
    if told["load"] > IDLE_LOAD:
        how.append(
            f"Others used the machine meanwhile (load {told['load']:.0f}), so that all seconds of the wall are too long."
        )
    how.append(
        f"Measured on {told['date']}: {told['system']} on {told['machine']}, {told['processors']} processors, "
        f"{told['memory_gb']} GB, Python {told['python']}."
    )
    return " ".join(how)


def in_short(rows: Sequence[Row]) -> str:
    """What the engine takes, beside the loop and beside what takes least of the products."""
    by_name = {row["name"]: row for row in measured(rows)}
    products = [row for row in by_processor(rows) if not row["name"].startswith(("ours", LOOP.name))]
    lines = []
    for name in ("ours, poll", "ours, sync"):
        if name not in by_name:
            continue
        seconds = per_ten_thousand(by_name[name])
        line = f"- **{name}**: {seconds:.2f} s of the processor for 10,000 records"
        if LOOP.name in by_name:
            line += f", {seconds / per_ten_thousand(by_name[LOOP.name]):.2f} times a bare loop"
        if products:
            leanest = products[0]
            line += f", {seconds / per_ten_thousand(leanest):.2f} times {leanest['name']}, which takes least of the products"
        lines.append(
            f"{line}; {_share(by_name[name]['rows_per_s'] / MOST_ROWS_PER_S)} of the rows a second that are possible."
        )
    return "\n".join(lines)


def peers(rows: Sequence[Row]) -> str:
    """The engine beside other products."""
    loop = next((per_ten_thousand(row) for row in measured(rows) if row["name"] == LOOP.name), None)
    header = [
        "",
        "processor, s",
        "times bare loop",
        "rows/s",
        "of possible",
        "memory, MB",
        "start, s",
        "rounds",
    ]
    lines = []
    for row in by_processor(rows):
        seconds = per_ten_thousand(row)
        lines.append(
            [
                row["name"],
                f"{seconds:.2f}",
                "-" if loop is None else f"{seconds / loop:.2f}",
                f"{row['rows_per_s']:,.0f}",
                _share(row["rows_per_s"] / MOST_ROWS_PER_S),
                f"{row['peak_mb']:.0f}",
                f"{row['start_processor_s']:.1f}",
                str(row["rounds"]),
            ]
        )
    return table(header, lines)


def who(rows: Sequence[Row]) -> str:
    """Who was measured, in which version, with what on; and who was not, and why."""
    header = ["", "versions", "who checks the schema", "what is kept", "what it was told"]
    lines = []
    for row in rows:
        versions = ", ".join(f"{name} {version}" for name, version in row["versions"].items()) or "this one"
        told = row["left_out"] or row["settings"]
        lines.append([row["name"], versions, row["checks"], row["keeps"], told])
    return _left(header, lines)


def capacity(cases: Sequence[Row]) -> str:
    """How much of an API's capacity a job used, of which nobody told it."""
    header = ["", "at work", "reached after", "refused", "rows/s", "slots ÷ latency"]
    lines = []
    for case in cases:
        reached = case["reached_latencies"]
        bounded = is_bounded(case)
        after = "never" if reached is None else f"{reached:.1f} latencies"
        lines.append(
            [
                case["case"]["name"],
                _share(busy(case)) if bounded else "-",
                after if bounded else "-",
                _share(case["refused"]),
                f"{case['rows_per_second']:,.0f}",
                f"{case['slots_per_latency']:,.0f}" if bounded else "no bound",
            ]
        )
    return table(header, lines)


def growth(rows: Sequence[Row]) -> str:
    """What ten times as many records take, asked, gone over again, killed and resumed."""
    header = ["", "records", "processor, s", "a record, µs", "wall, s", "memory, MB", "first new after, s"]
    lines = []
    for row in rows:
        first_new = row["first_new_s"]
        lines.append(
            [
                row["what"],
                f"{row['records']:,}",
                f"{row['processor_s']:,.1f}",
                f"{micros_a_record(row):,.0f}",
                f"{row['wall_s']:,.1f}",
                f"{row['peak_mb']:,.0f}",
                "" if first_new is None else f"{first_new:.1f}",
            ]
        )
    few, many = (row for row in rows if row["what"] == "asked")
    times = many["records"] / few["records"]
    said = f"{times:g} times the records took {many['processor_s'] / few['processor_s']:.1f} times the processor time, starting"
    said += f" included, and {many['peak_mb'] / few['peak_mb']:.2f} times the memory."
    return f"{said}\n\n{table(header, lines)}"


def shares(told: Row) -> str:
    """Where the time of a job goes."""
    wall = dict(shares_of(told["wall_s"]))
    lines = [
        [place, _share(share), _share(wall.get(place, 0.0))]
        for place, share in shares_of(told["processor_s"])
    ]
    return table(["", "of the processor time", "of the wall"], lines)


def start(told: dict[str, float]) -> str:
    """What Airflow needs for an operator, beside a task that does nothing."""
    pairs = (
        ("parse a DAG file", told["parsing, example"], told["parsing, @task"]),
        ("start a task", told["starting, operator"], told["starting, @task"]),
        (
            "load the plugin, in each process",
            told["Airflow's own imports"] + told["loading the plugin"],
            told["Airflow's own imports"],
        ),
    )
    lines = [
        [what, f"{ours:.0f}", f"{plain:.0f}", f"{ours - plain:.0f}", f"{ours / plain:.2f}"]
        for what, ours, plain in pairs
    ]
    return table(["milliseconds to", "ours", "plain Airflow", "more", "times"], lines)


def _share(value: float) -> str:
    return f"{100 * value:.1f} %" if value < 0.1 else f"{100 * value:.0f} %"


def _left(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of words."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
