"""What went wrong with answers: why they were invalid, what was dropped from them, what was mended and asked again. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.quality.losses import LOSSES
from runware_provider.quality.wording import NOTHING, code, count, counted, percentage, table

if TYPE_CHECKING:
    from runware_provider.quality.figures import Figures
    from runware_provider.quality.room import Room


def problems_table(figures: Figures, room: Room) -> list[str]:
    """What does not fit, by where."""
    problems = figures.problems
    rows = [
        [
            count(times),
            code(path) if path else NOTHING,
            code(what),
            _example(problems.examples[path, what], what),
        ]
        for (path, what), times in problems.counts.most_common(room.listed)
    ]
    lines = table(["rows", "where", "what", "for example"], rows, right=[0])
    if problems.read < figures.outcomes["invalid"]:
        lines += [f"Counted over the first {count(problems.read)} invalid rows.", ""]
    return lines


def _example(message: str, what: str) -> str:
    return "" if message == what else code(message)


def dropped_table(figures: Figures) -> list[str]:
    """What answers held and rows do not."""
    rows = [
        [
            what,
            count(figures.mends[mend]),
            percentage(figures.mends[mend], figures.rows),
            _examples(figures, mend),
        ]
        for mend, what in LOSSES.items()
        if figures.mends[mend]
    ]
    some = next(mend for mend in LOSSES if figures.mends[mend])
    note = (
        "Which keys or items, a row does not tell. With `publish.keep_raw` the answer as it came is in `inference.raw`:"
        f" `list_contains(inference.mends, '{some}')` finds these rows."
    )
    return [*table(["dropped", "rows", "share", "for example"], rows, right=[1, 2]), note, ""]


def has_losses(figures: Figures) -> bool:
    """Whether anything was dropped at all."""
    return any(figures.mends[mend] for mend in LOSSES)


def _examples(figures: Figures, mend: str) -> str:
    records = figures.mended_rows.get(mend, [])
    return ", ".join(code(record, 40) for record in records)


def attempts_table(figures: Figures, room: Room) -> list[str]:
    """How many rows were mended, had their output retried, and were asked so often."""
    rows = {f"mended: {code(name)}": rows for name, rows in figures.mends.most_common(room.listed)}
    for times, retried in sorted(figures.output_retries.items())[: room.listed]:
        if times:
            rows[f"output retried {counted(times, 'time')}, as the answer did not fit"] = retried
    for times, asked in sorted(figures.attempts.items())[: room.listed]:
        rows[f"asked {counted(times, 'time')}"] = asked
    cells = [[what, count(times), percentage(times, figures.rows)] for what, times in rows.items()]
    return table(["what", "rows", "share"], cells, right=[1, 2])
