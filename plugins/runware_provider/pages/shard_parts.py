"""The shards of a group side by side: a map of all, and a table of those to look at first. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Final

from runware_provider.engine.job.progress import QUIET_S, duration
from runware_provider.pages.job_state import CAME_TO_AN_END, WORDS, Kind, kind_of
from runware_provider.pages.links_between import ON_TASK
from runware_provider.pages.moments import seconds_between
from runware_provider.pages.page_bits import NONE, Dot, Said, Share, Told, Way, dollars
from runware_provider.pages.page_parts import Column, Grid, Heading, Row, Sentence, ShardCell, ShardStrip
from runware_provider.quality.parts import Fold
from runware_provider.quality.wording import count, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.job.run_record import RunRecord
    from runware_provider.pages.page_bits import Bit
    from runware_provider.pages.run_view import RunView, TaskAt
    from runware_provider.quality.parts import Part

INFER: Final = "infer"
"""The task of a group, of which each shard is a mapped instance."""
FIRST: Final = 8
"""Lines that are seen at once."""
MOST_LINES: Final = 100
"""Lines of the table; the map shows all."""
SLOW: Final = 0.5
"""A shard that is not even so far, compared with the middle one in the same time, is slow."""
PATIENT_FOR: Final = 2.0
"""Before so many times what a slow answer takes, nothing is said of who has none."""
URGENCY: Final[dict[Kind, int]] = {
    "stopped": 0,
    "silent": 1,
    "partly": 3,
    "running": 4,
    "waiting": 5,
    "asking": 5,
    "done": 6,
    "idle": 7,
}
"""Which kinds are looked at first; a slow one stands before those that run as they should."""
URGENCY_OF_SLOW: Final = 2
COLUMNS: Final = (
    Column("shard"),
    Column("state"),
    Column("rows done", is_number=True),
    Column("did not succeed", is_number=True),
    Column("rate", is_number=True),
    Column("paid", is_number=True),
    Column("remark"),
)


@dataclass(frozen=True)
class Shard:
    """A shard as the page shows it."""

    number: int
    kind: Kind
    record: RunRecord | None
    is_slow: bool = False

    @property
    def share_done(self) -> float:
        """From 0 to 1."""
        if self.kind in CAME_TO_AN_END:
            return 1.0
        if self.record is None or self.record.rows <= 0:
            return 0.0
        return min(1.0, max(0.0, self.record.rows_done / self.record.rows))

    @property
    def at_work_s(self) -> float:
        """Seconds from the beginning of its try to its last word."""
        if self.record is None:
            return 0.0
        return max(
            0.0, seconds_between(self.record.try_started_at or self.record.started_at, self.record.at) or 0.0
        )

    @property
    def pace(self) -> float:
        """Share of its rows that it does in a second."""
        return self.share_done / self.at_work_s if self.at_work_s else 0.0

    @property
    def unsuccessful(self) -> int:
        """Rows that did not succeed."""
        return sum(self.record.reasons.values()) if self.record is not None else 0

    @property
    def urgency(self) -> tuple[int, float, int]:
        """The smaller, the sooner it is looked at."""
        rank = URGENCY_OF_SLOW if self.is_slow else URGENCY[self.kind]
        far = self.share_done if self.kind not in CAME_TO_AN_END else -float(self.unsuccessful)
        return rank, far, self.number

    @property
    def word(self) -> str:
        """Its state, in a word of ours."""
        return "slow" if self.is_slow else WORDS[self.kind]


def shard_parts(view: RunView) -> list[Part]:
    """Of the group that a task belongs to; nothing of a plain task."""
    if not view.shards:
        return []
    shards = _marked([_shard(view, number, record) for number, record in _numbered(view)])
    parts: list[Part] = [
        Heading("Shards"),
        Sentence([Said(_summary(shards, view.shards_left_out))]),
        ShardStrip([_cell(view, shard) for shard in shards]),
    ]
    # The page of a shard is about that one.
    return parts if view.shard is not None else [*parts, *_tables(view.at, shards)]


def _tables(at: TaskAt, shards: Sequence[Shard]) -> list[Part]:
    """Those to look at first, and the others folded up."""
    of_interest = sorted(shards, key=lambda shard: shard.urgency)
    parts: list[Part] = [_table(at, of_interest[:FIRST])]
    rest = of_interest[FIRST:MOST_LINES]
    if rest:
        parts.append(Fold(counted(len(rest), "more shard"), [_table(at, rest)], key="shards"))
    return parts


def infer_of(at: TaskAt, number: int) -> TaskAt:
    """The task that asks what a shard asks, as seen from any task of its group."""
    group, dot, _ = at.task_id.rpartition(".")
    return replace(at, task_id=f"{group}{dot}{INFER}", map_index=number)


def _numbered(view: RunView) -> list[tuple[int, RunRecord | None]]:
    return sorted(((shard.number, shard.record) for shard in view.shards), key=lambda shard: shard[0])


def _shard(view: RunView, number: int, record: RunRecord | None) -> Shard:
    task_state = view.task.state if number == view.shard else view.shard_states.get(number)
    return Shard(number, kind_of(record, task_state=task_state, read_at=view.read_at), record)


def _marked(shards: Sequence[Shard]) -> list[Shard]:
    """With those marked that fall behind, or that wait for one answer for long."""
    paces = [shard.pace for shard in shards if shard.pace]
    pace = median(paces) if paces else 0.0
    patience_s = _patience_s([shard.record for shard in shards if shard.record is not None])
    return [replace(shard, is_slow=_is_slow(shard, pace, patience_s)) for shard in shards]


def _patience_s(records: Sequence[RunRecord]) -> float:
    """How long no row says nothing yet, where slow answers take as long as they do here."""
    slow_s = [record.latency_slow_s for record in records if record.latency_slow_s is not None]
    return max(QUIET_S, PATIENT_FOR * median(slow_s) if slow_s else 0.0)


def _is_slow(shard: Shard, pace: float, patience_s: float) -> bool:
    """Whether a shard is slow.

    Args:
        shard: it.
        pace: of the middle one, as of `Shard.pace`.
        patience_s: as of `_patience_s`.
    """
    # Who has just begun is behind nobody.
    if shard.kind != "running" or shard.record is None or shard.at_work_s <= patience_s:
        return False
    if shard.record.quiet_s > patience_s:
        return True
    return shard.share_done < SLOW * min(1.0, pace * shard.at_work_s)


def _summary(shards: Sequence[Shard], left_out: int) -> str:
    counts = Counter(shard.word for shard in shards)
    told = ", ".join(f"{count(number)} {word}" for word, number in counts.most_common())
    more = f"; {count(left_out)} more are not read" if left_out else ""
    return f"{counted(len(shards) + left_out, 'shard')}: {told}{more}."


def _cell(view: RunView, shard: Shard) -> ShardCell:
    return ShardCell(
        number=shard.number,
        kind="slow" if shard.is_slow else shard.kind,
        word=shard.word,
        share_done=shard.share_done,
        href=ON_TASK.to(infer_of(view.at, shard.number)),
        is_this=shard.number == view.shard,
    )


def _table(at: TaskAt, shards: Sequence[Shard]) -> Grid:
    return Grid("Shards", COLUMNS, [Row(_cells(at, shard)) for shard in shards])


def _cells(at: TaskAt, shard: Shard) -> list[Bit]:
    name = Way(Said(count(shard.number + 1)), ON_TASK.to(infer_of(at, shard.number)))
    dot = Dot("slow" if shard.is_slow else shard.kind, shard.word)
    record = shard.record
    if record is None:
        return [name, dot, NONE, NONE, NONE, NONE, NONE]
    return [
        name,
        dot,
        Share(record.rows_done, record.rows, "slow" if shard.is_slow else shard.kind),
        Said(count(shard.unsuccessful)) if shard.unsuccessful else NONE,
        Said(f"{record.rows_a_second:,.1f} / s") if shard.kind == "running" else NONE,
        Said(dollars(record.paid_usd)),
        _remark(shard, record),
    ]


def _remark(shard: Shard, record: RunRecord) -> Bit:
    """What is to be known of it, the most telling first."""
    if shard.kind == "stopped" and record.reason:
        return Told(record.reason)
    if shard.kind == "running" and record.trouble:
        return Told(record.trouble)
    if shard.kind == "running" and record.waits:
        longest = max(record.waits, key=lambda wait: wait.longest_s)
        # All the others wait, too, but no longer than is usual.
        if longest.longest_s >= QUIET_S:
            return Told(f"has waited {duration(longest.longest_s)} for {longest.what}")
    return NONE
