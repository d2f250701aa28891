"""The shards of a group side by side: a map of all, and a table of those to look at first. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Final

from runware_provider.engine.job.progress import duration
from runware_provider.pages.job_state import WORDS, Kind, kind_of
from runware_provider.pages.links_between import ON_TASK
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
"""A shard that is not even so far, compared with the middle one, is slow."""
URGENCY: Final[dict[Kind, int]] = {
    "stopped": 0,
    "silent": 1,
    "running": 3,
    "waiting": 4,
    "asking": 4,
    "done": 5,
    "idle": 6,
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
        if self.kind == "done":
            return 1.0
        if self.record is None or self.record.rows <= 0:
            return 0.0
        return min(1.0, max(0.0, self.record.rows_done / self.record.rows))

    @property
    def unsuccessful(self) -> int:
        """Rows that did not succeed."""
        return sum(self.record.reasons.values()) if self.record is not None else 0

    @property
    def urgency(self) -> tuple[int, float, int]:
        """The smaller, the sooner it is looked at."""
        rank = URGENCY_OF_SLOW if self.is_slow else URGENCY[self.kind]
        return rank, self.share_done if self.kind != "done" else -float(self.unsuccessful), self.number

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
    # Of other tasks than the page's own, nobody knows what Airflow says.
    task_state = view.task.state if number == view.shard else None
    return Shard(number, kind_of(record, task_state=task_state, read_at=view.read_at), record)


def _marked(shards: Sequence[Shard]) -> list[Shard]:
    """With those marked that fall behind."""
    begun = [shard.share_done for shard in shards if shard.record is not None]
    behind = SLOW * median(begun) if begun else 0.0
    return [replace(shard, is_slow=shard.kind == "running" and shard.share_done < behind) for shard in shards]


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
        return Told(f"waits for {longest.what} since {duration(longest.longest_s)}")
    return NONE
