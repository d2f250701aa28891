"""The page of a task: how its run stands, what it costs, what it waits for, what failed, its shards, the runs before. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runware_provider.engine.job.progress import QUIET_S, duration
from runware_provider.pages.approval_parts import approval_parts
from runware_provider.pages.group_sum import UNFINISHED, whole_of
from runware_provider.pages.job_state import (
    CAME_TO_AN_END,
    ENDED,
    LONG_SILENT_S,
    is_silent,
    kind_of,
    standing,
)
from runware_provider.pages.links_between import ON_TASK
from runware_provider.pages.moments import seconds_between
from runware_provider.pages.page_bits import (
    Metered,
    Moment,
    Name,
    Said,
    Several,
    Share,
    Told,
    Way,
    noun_and_name,
)
from runware_provider.pages.page_parts import (
    Column,
    Grid,
    Heading,
    MoneyBar,
    Notice,
    Row,
    Sentence,
    StateLine,
    Tile,
    Tiles,
    Title,
    Ways,
)
from runware_provider.pages.past_parts import past_parts
from runware_provider.pages.run_view import name_of_dataset
from runware_provider.pages.shard_parts import shard_parts
from runware_provider.quality.page import OUTCOMES
from runware_provider.quality.parts import OutcomeBar
from runware_provider.quality.wording import NOTHING, count, counted, percentage, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.job.run_record import RunRecord, Waited
    from runware_provider.pages.page_bits import Bit
    from runware_provider.pages.run_view import RunView, TaskNow
    from runware_provider.quality.parts import Part

AT_WORK: Final = frozenset({"running", "waiting", "asking"})
"""Kinds of a run of which more is to come."""
ENDED_BADLY: Final = frozenset({"failed", "upstream_failed", "removed"})
"""States of a group's task after which nothing comes of the group."""
PER_MINUTE_BELOW: Final = 1.0
"""Rows a second, below which they are told by the minute."""


def job_title(view: RunView) -> str:
    """Plain text, of which parts are a stranger's."""
    return f"{_name_of(view)} · {view.at.task_id}"


def renews(view: RunView) -> bool:
    """Whether it makes sense to look again: not where all is over, nor where nobody has said a word for long."""
    record = _record_of(view)
    if record is not None and _has_fallen_silent(view, record):
        return False
    if not _is_group(view):
        return view.task.state not in ENDED
    # A stopped shard may be tried again, unless Airflow has ended the task that needs them all.
    is_done = kind_of(record, task_state=None, read_at=view.read_at) in CAME_TO_AN_END
    return not is_done and view.task.state not in ENDED_BADLY


def _has_fallen_silent(view: RunView, record: RunRecord) -> bool:
    """Whether a process that notes itself every minute must be gone; who waits for answers or for a person notes nothing."""
    return record.state in {"running", "stopped"} and is_silent(record, view.read_at, LONG_SILENT_S)


def job_parts(view: RunView) -> list[Part]:
    """The page, the most important first; what is not there takes no room."""
    record = _record_of(view)
    stands = standing(record, task=_task(view), read_at=view.read_at)
    beside = [*stands.beside, *_of_what(view)]
    parts: list[Part] = [_title(view, record), StateLine(stands.kind, stands.sentence, beside)]
    if view.trouble:
        parts.append(Notice(Told(view.trouble)))
    if record is not None:
        parts += _of_run(view, record, stands.kind)
    parts += past_parts(view.past, run=record.run if record is not None else "")
    return [*parts, _ways(view, record)]


def _of_run(view: RunView, record: RunRecord, kind: str) -> list[Part]:
    """What a record says of a run."""
    approval = [] if record.approval is None else approval_parts(view, record.approval)
    if kind == "asking" or record.state == "refused":
        # Nothing else has happened than that a person was asked.
        return approval
    # On the page of a shard, the others come last.
    group = shard_parts(view)
    return [
        OutcomeBar(_known(record.outcomes), record.rows, "to come" if _goes_on(view, kind) else "not done"),
        Tiles(_tiles(view, record, kind)),
        *_money(record, kind),
        *(group if view.shard is None else []),
        *_waits(record, kind),
        *_failures(view, record),
        *(group if view.shard is not None else []),
        *approval,
    ]


def _known(outcomes: Mapping[str, int]) -> dict[str, int]:
    """With what is no outcome of ours, if a stranger wrote that, as one."""
    known = {name: rows for name, rows in outcomes.items() if name in OUTCOMES}
    others = sum(outcomes.values()) - sum(known.values())
    return {**known, "other": others} if others else known


def _record_of(view: RunView) -> RunRecord | None:
    """Of the shard whose page it is; of a group, of all its shards together."""
    records = {shard.number: shard.record for shard in view.shards}
    if view.shard is not None:
        return records.get(view.shard)
    return whole_of(view.record, list(records.values()))


def _of_what(view: RunView) -> list[Bit]:
    """Which rows are not counted, of a group whose size nobody noted."""
    missing = sum(shard.record is None for shard in view.shards) + view.shards_left_out
    if not _is_group(view) or not missing or view.record is not None:
        return []
    return [
        Said(f"The rows of {counted(missing, 'shard')} that are not read or have not begun are not counted.")
    ]


def _is_group(view: RunView) -> bool:
    """Whether the page shows shards that have tasks of their own."""
    return view.shard is None and bool(view.shards)


def _task(view: RunView) -> TaskNow | None:
    """The task that writes the record; nothing is known of that where shards do."""
    return None if _is_group(view) else view.task


def _goes_on(view: RunView, kind: str) -> bool:
    """Whether more is to come of the rows, in this try or in one that Airflow makes."""
    return kind in AT_WORK or (not _is_group(view) and view.task.state not in ENDED)


def _name_of(view: RunView) -> str:
    """The dataset's; that of the task where nobody knows it."""
    output = view.places.get("output", "") or (view.record.destination if view.record is not None else "")
    return name_of_dataset(output) or view.at.task_id


def _title(view: RunView, record: RunRecord | None) -> Title:
    below: list[Bit] = [Name(record.model)] if record is not None and record.model else []
    below += [noun_and_name("DAG", view.at.dag_id), noun_and_name("run", view.at.run_id)]
    if view.shard is not None:
        of = f" of {count(len(view.shards) + view.shards_left_out)}" if len(view.shards) > 1 else ""
        below.append(Said(f"shard {count(view.shard + 1)}{of}"))
    output = view.places.get("output", "")
    if output:
        below.append(Name(output))
    return Title(Name(_name_of(view)), below)


def _tiles(view: RunView, record: RunRecord, kind: str) -> list[Tile]:
    is_at_work = kind in AT_WORK
    tiles = [Tile("rows done", Said(count(record.rows_done)), [Said(f"of {count(record.rows)}")])]
    tiles += _tiles_at_work(view, record) if is_at_work else _tiles_afterwards(record, kind)
    if record.latency_median_s is not None:
        slow = record.latency_slow_s
        beside: list[Bit] = [Said(f"5 % take over {seconds(slow)}")] if slow is not None else []
        tiles.append(Tile("an answer takes", Said(seconds(record.latency_median_s)), beside))
    if record.reused:
        tiles.append(Tile("answered before", Said(count(record.reused)), [Said("rows, at no cost")]))
    if record.earlier_tries:
        beside = [Said("rows, paid by this run")]
        tiles.append(Tile("done by earlier tries", Said(count(record.earlier_tries)), beside))
    if record.asked_again and is_at_work:
        tiles.append(Tile("asked again", Said(count(record.asked_again)), [Said("whose answers do not fit")]))
    return tiles


def _tiles_at_work(view: RunView, record: RunRecord) -> list[Tile]:
    left = max(0, record.rows - record.rows_done)
    time_left: list[Bit] = [Said(f"about {duration(record.left_s)}")] if record.left_s is not None else []
    window: list[Bit] = [] if record.window is None else [Said(f"of at most {count(record.window)}")]
    if record.window is not None and record.window_reason:
        window.append(Several([Said("("), Told(record.window_reason), Said(")")], between=""))
    return [
        Tile("rows left", Said(count(left)), time_left),
        Tile("rate", Said(_rate(record.rows_a_second)), [Said(_of_which_rate(view))]),
        Tile("under way", Said(count(record.under_way)), window),
    ]


def _of_which_rate(view: RunView) -> str:
    if not _is_group(view):
        return "on average since it began"
    at_work = sum(shard.record is not None and shard.record.state in UNFINISHED for shard in view.shards)
    return f"on average, of the {counted(at_work, 'shard')} at work"


def _tiles_afterwards(record: RunRecord, kind: str) -> list[Tile]:
    tiles = [_succeeded(record, kind)]
    took_s = seconds_between(record.started_at, record.at)
    if took_s is not None and took_s >= 0:
        # What ended without a word went on for nobody knows how long.
        name, last = ("went on for at least", "noted last") if kind == "silent" else ("took", "ended")
        tiles.append(Tile(name, Said(duration(took_s)), [*_in_tries(record), Said(last), Moment(record.at)]))
    return tiles


def _in_tries(record: RunRecord) -> list[Bit]:
    """Of a run that was tried more than once."""
    is_tried_again = record.try_started_at not in {"", record.started_at}
    return [Said("with all tries,")] if is_tried_again else []


def _succeeded(record: RunRecord, kind: str) -> Tile:
    succeeded = record.outcomes.get("succeeded", 0)
    if kind in CAME_TO_AN_END:
        return Tile("succeeded", Share(succeeded, record.rows_done, "succeeded-share"))
    # A share of the few that were done says nothing of the others.
    return Tile("succeeded", Said(count(succeeded)), [Said(f"of {count(record.rows_done)} done")])


def _rate(rows_a_second: float) -> str:
    if not rows_a_second:
        return NOTHING
    if rows_a_second >= PER_MINUTE_BELOW:
        return f"{rows_a_second:,.1f} / s"
    return f"{60 * rows_a_second:,.1f} / min"


def _money(record: RunRecord, kind: str) -> list[Part]:
    # Where nobody works, nothing more is paid.
    foreseen = record.foreseen_usd if kind in AT_WORK else None
    bar = MoneyBar(record.paid_usd, foreseen, record.budget_usd)
    tokens = _token_budget(record.budget_tokens)
    nothing = [Sentence([Said(_nothing_paid(kind))])] if bar.is_empty else []
    return [Heading("Cost"), bar, *nothing, *tokens]


def _nothing_paid(kind: str) -> str:
    if kind in AT_WORK:
        return "Nothing is paid yet."
    # What ended without a word may have paid since it noted something last.
    return "No payment was noted." if kind == "silent" else "Nothing was paid."


def _token_budget(tokens: int | None) -> list[Part]:
    return [] if tokens is None else [Sentence([Said(f"At most {count(tokens)} tokens may be used.")])]


def _waits(record: RunRecord, kind: str) -> list[Part]:
    """Stragglers, by age: what is waited for longer than is usual."""
    if kind not in AT_WORK:
        return []
    late = [wait for wait in record.waits if wait.older or wait.longest_s >= QUIET_S]
    if not late:
        return []
    waits = sorted(late, key=lambda wait: -wait.longest_s)
    rows = [
        Row(
            [
                Told(wait.what),
                Said(count(wait.inferences)),
                Said(_by_age(wait)),
                Said(duration(wait.longest_s)),
            ]
        )
        for wait in waits
    ]
    columns = [Column("for"), Column("questions", is_number=True)]
    columns += [Column("of these, by age"), Column("longest", is_number=True)]
    return [Heading("Waited for"), Grid("What is waited for", columns, rows)]


def _by_age(wait: Waited) -> str:
    told = (f"{count(older.inferences)} over {_round(older.than_s)}" for older in wait.older)
    return ", ".join(told) or NOTHING


def _round(seconds_long: float) -> str:
    """A time of round minutes, without seconds."""
    return duration(seconds_long).removesuffix(" 0 s")


def _failures(view: RunView, record: RunRecord) -> list[Part]:
    if not record.reasons:
        return []
    ranked = sorted(record.reasons.items(), key=lambda reason: -reason[1])
    rows = [
        Row([_reason(view, code), Said(count(rows)), _of_done(rows, record.rows_done, ranked[0][1])])
        for code, rows in ranked
    ]
    columns = [Column("reason"), Column("rows", is_number=True), Column("share", is_number=True)]
    return [
        Heading("Rows that did not succeed"),
        Grid("Rows that did not succeed, by reason", columns, rows),
        *_hidden(view),
    ]


def _of_done(rows: int, rows_done: int, most: int) -> Bit:
    """A share of the rows done, drawn beside the most frequent one."""
    return Metered(Said(percentage(rows, rows_done)), rows / max(1, most), "failed-share")


def _reason(view: RunView, code: str) -> Bit:
    # A link to texts only for who may read them.
    return Way(Name(code), ON_TASK.to(view.at, "failed", reason=code)) if view.may_read_texts else Name(code)


def _hidden(view: RunView) -> list[Part]:
    if view.may_read_texts:
        return []
    told = "Their texts are shown only to who may change this task, and where the option page_texts of [runware] is on."
    return [Sentence([Said(told)])]


def _ways(view: RunView, record: RunRecord | None) -> Ways:
    ways: list[Bit] = []
    if view.has_report:
        ways.append(Way(Said("Quality report"), ON_TASK.to(view.at, "report")))
    # Texts only for who may read them.
    if view.may_read_texts and record is not None:
        ways += _ways_to_texts(view, record)
    ways.append(Way(Said("All datasets"), ON_TASK.to_list()))
    return Ways([*ways, Way(Said("Task in Airflow"), ON_TASK.airflow(view.at), outwards=True)])


def _ways_to_texts(view: RunView, record: RunRecord) -> list[Bit]:
    ways: list[Bit] = []
    if record.reasons:
        ways.append(Way(Said("Rows that did not succeed"), ON_TASK.to(view.at, "failed")))
    if any(past.run == record.run and past.hits for past in view.past):
        ways.append(Way(Said("Misses"), ON_TASK.to(view.at, "missed")))
    if record.request:
        ways.append(Way(Said("Prompt and schema"), ON_TASK.to(view.at, "asked")))
    return ways
