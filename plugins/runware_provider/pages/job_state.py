"""How a run stands, by what it noted last and what Airflow says of its task: a colour, a word, a sentence. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from runware_provider.engine.job.progress import QUIET_S, duration
from runware_provider.pages.moments import seconds_between
from runware_provider.pages.page_bits import Moment, Name, Said, Several, Strong, Told, dollars
from runware_provider.quality.wording import count, counted, percentage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.job.run_record import Approval, RunRecord
    from runware_provider.pages.page_bits import Bit
    from runware_provider.pages.run_view import TaskNow

Kind = Literal["idle", "running", "waiting", "asking", "done", "partly", "stopped", "silent"]

SILENT_S: Final = 300.0
"""A run at work notes itself every minute, unless its store fails."""
LONG_SILENT_S: Final = 3600.0
"""After which nobody waits for another word."""
ENDED: Final = frozenset({"success", "failed", "skipped", "removed", "upstream_failed"})
"""States of a task, as Airflow spells them, in which no process of it works or will."""
BETWEEN_TRIES: Final = frozenset({"up_for_retry", "up_for_reschedule"})
GONE: Final = ENDED | BETWEEN_TRIES
"""States of a task in which no process of it works at this moment."""
TO_BEGIN: Final = frozenset({"scheduled", "queued"})
DONE: Final = frozenset({"staged", "published", "unchanged"})
"""States of a run that came to its end."""
CAME_TO_AN_END: Final[frozenset[Kind]] = frozenset({"done", "partly"})
BUDGET: Final = "budget"
"""The code of rows that were not asked since the budget did not reach for them."""
FEW: Final = 0.5
"""A run of whose rows no larger share succeeded has done only a part of its work."""
AIRFLOW_SAYS: Final = {
    "scheduled": "Airflow starts it soon.",
    "queued": "It waits for a worker of Airflow.",
    "running": "Airflow says that the task is running.",
    "restarting": "Airflow starts it anew.",
    "deferred": "Airflow says that the task is deferred.",
    "up_for_retry": "Airflow tries again.",
    "up_for_reschedule": "Airflow starts it again later.",
    "success": "Airflow says that the task succeeded.",
    "failed": "Airflow says that the task failed.",
    "skipped": "Airflow skipped the task.",
    "removed": "The task is no longer in its DAG.",
    "upstream_failed": "A task that it needs has failed.",
}
"""What a person is told of a task's state, as Airflow spells it."""
STOPPED: Final = frozenset({"stopped", "refused"})
"""States of a run that came to another end."""
WORDS: Final[dict[Kind, str]] = {
    "idle": "not begun",
    "running": "running",
    "waiting": "waiting",
    "asking": "to approve",
    "done": "done",
    "partly": "done in part",
    "stopped": "stopped",
    "silent": "silent",
}


@dataclass(frozen=True)
class Standing:
    """How a run stands."""

    kind: Kind
    sentence: Sequence[Bit]
    beside: Sequence[Bit] = ()


def kind_of(record: RunRecord | None, *, task_state: str | None, read_at: str) -> Kind:
    """In one of a few ways, each of which has a colour.

    Args:
        record: what the run noted last.
        task_state: of its task, as Airflow spells it; None where nobody knows.
        read_at: when the record was read; empty where nobody knows.
    """
    if record is None:
        return "idle"
    if record.state in DONE:
        return "partly" if is_partly_done(record.outcomes, record.reasons) else "done"
    if record.state in STOPPED:
        return "stopped"
    # Whose task has ended says nothing more, whatever it said last.
    if task_state in ENDED or (record.state == "running" and task_state in BETWEEN_TRIES):
        return "silent"
    return _of_unfinished(record, read_at)


def is_partly_done(outcomes: Mapping[str, int], reasons: Mapping[str, int]) -> bool:
    """Whether a run that ended well left rows unasked for want of money, or few of those that were asked succeeded."""
    rows = sum(outcomes.values())
    asked = rows - outcomes.get("skipped", 0)
    return bool(reasons.get(BUDGET)) or (rows > 0 and outcomes.get("succeeded", 0) <= FEW * asked)


def _of_unfinished(record: RunRecord, read_at: str) -> Kind:
    if record.state == "planned":
        return "asking"
    # Nobody works at it, so nobody notes anything.
    if record.state == "waiting":
        return "waiting"
    return "silent" if is_silent(record, read_at, SILENT_S) else "running"


def is_silent(record: RunRecord, read_at: str, seconds: float) -> bool:
    """Whether the last word of a run is older than this."""
    age = seconds_between(record.at, read_at)
    return age is not None and age > seconds


def standing(record: RunRecord | None, *, task: TaskNow | None, read_at: str) -> Standing:
    """How a run stands, in words.

    Args:
        record: what it noted last.
        task: what Airflow says of its task; None where nobody knows.
        read_at: as of `kind_of`.
    """
    task_state = None if task is None else task.state
    kind = kind_of(record, task_state=task_state, read_at=read_at)
    if record is None:
        return Standing(kind, _before_any_word(task_state))
    return Standing(kind, *_told(kind, record, task))


def _told(kind: Kind, record: RunRecord, task: TaskNow | None) -> tuple[list[Bit], list[Bit]]:
    """A sentence, and what stands below it."""
    task_state = None if task is None else task.state
    match kind:
        case "running":
            return _running(record), _trouble(record)
        case "waiting":
            return _waiting(record), _trouble(record)
        case "asking":
            return _asking(record), []
        case "silent":
            return _silent(record, task_state), _last_word(record)
        case "done" | "partly":
            return [*_done(record), *_why_in_part(record)], _again(task)
    return _stopped(record), [*_remedy(record), *_still_billed(record), *_again(task)]


def _before_any_word(task_state: str | None) -> list[Bit]:
    if task_state is None or task_state in TO_BEGIN:
        return [Strong("Has not begun.")]
    if task_state in GONE:
        return [
            Strong("Noted nothing."),
            *_airflow_says(task_state),
            Said("The task's log in Airflow says more."),
        ]
    return [Strong("Begins."), Said("Nothing is noted yet.")]


def _running(record: RunRecord) -> list[Bit]:
    done = f"{percentage(record.rows_done, record.rows)} of {counted(record.rows, 'row')}"
    return [Strong("Running:"), Said(f"{done}{_rest(record)}")]


def _rest(record: RunRecord) -> str:
    """How long it takes, or what can be said in place of that."""
    if record.left_s is not None:
        return f", about {duration(record.left_s)} left"
    if record.quiet_s >= QUIET_S:
        return f", no row for {duration(record.quiet_s)}"
    return ""


def _waiting(record: RunRecord) -> list[Bit]:
    left = counted(max(0, record.rows - record.rows_done), "row")
    return [
        Strong("Waiting:"),
        Said(f"all is sent, answers to {left} of {count(record.rows)} are to come. Nobody works meanwhile."),
    ]


def _asking(record: RunRecord) -> list[Bit]:
    """Nothing is paid before a person has said yes, but samples."""
    approval = record.approval
    if approval is None:
        return [Strong("Planned."), Said("Nothing is asked yet.")]
    match approval.verdict:
        case "waiting":
            most = (
                "nobody knows the price"
                if approval.most_usd is None
                else f"at most {dollars(approval.most_usd)}"
            )
            return [
                Strong("Waits for a person's approval:"),
                Said(f"{counted(approval.to_ask, 'question')}, {most}."),
            ]
        case "approved":
            return [Strong("Approved."), Said("It goes on as soon as Airflow has a worker for it.")]
        case "not_needed":
            return [Strong("Planned."), Said("It costs too little to ask a person.")]
        case "refused":
            return [Strong("Refused by a person."), _paid_all_the_same(record)]
    return [Strong("Nobody decided in time."), _paid_all_the_same(record)]


def _paid_all_the_same(record: RunRecord) -> Bit:
    return Said(
        f"{dollars(record.paid_usd)} was paid for samples." if record.paid_usd else "Nothing was paid."
    )


def _silent(record: RunRecord, task_state: str | None) -> list[Bit]:
    says = _airflow_says(task_state) if task_state else []
    since = _closely(Moment(record.at), Said("."))
    if task_state in GONE:
        return [Strong("Ended without a word."), Said("It noted something last at"), since, *says]
    return [Strong("Says nothing since"), since, *says]


def _last_word(record: RunRecord) -> list[Bit]:
    """What is known, of which each figure may be more by now."""
    done = f"{count(record.rows_done)} of {counted(record.rows, 'row')} were done then,"
    # It may have paid since.
    paid = (
        f"and at least {dollars(record.paid_usd)} paid." if record.paid_usd else "and no payment was noted."
    )
    return [Said(f"{done} {paid}"), *_maybe_billed(record, "under way then"), *_trouble(record)]


def _still_billed(record: RunRecord) -> list[Bit]:
    """Of a run that stopped and told so."""
    return _maybe_billed(record, "still at the vendor") if record.state == "stopped" else []


def _maybe_billed(record: RunRecord, how: str) -> list[Bit]:
    # Nobody knows what becomes of a question that was sent when its process is gone.
    if record.under_way <= 0:
        return []
    return [Said(f"{counted(record.under_way, 'question')} {how} may be billed as well.")]


def _airflow_says(task_state: str) -> list[Bit]:
    if task_state in AIRFLOW_SAYS:
        return [Said(AIRFLOW_SAYS[task_state])]
    return [_closely(Said("Airflow says that the task is "), Name(task_state), Said("."))]


def _closely(*bits: Bit) -> Bit:
    return Several(bits, between="")


def _done(record: RunRecord) -> list[Bit]:
    succeeded, rows = count(record.outcomes.get("succeeded", 0)), counted(record.rows_done, "row")
    match record.state:
        case "published":
            return [Strong("Published:"), Said(f"{succeeded} of {rows} succeeded.")]
        case "staged":
            return [
                Strong("Done:"),
                Said(f"{succeeded} of {rows} succeeded; published with the other shards."),
            ]
    return [Strong("Unchanged:"), Said("there was nothing to ask, and the dataset is as it was.")]


def _why_in_part(record: RunRecord) -> list[Bit]:
    """What a headline has to say beside how many succeeded."""
    unasked = record.reasons.get(BUDGET, 0)
    if unasked:
        return [Said(f"The budget was used up before {counted(unasked, 'row')} could be asked.")]
    if not record.reasons or not is_partly_done(record.outcomes, record.reasons):
        return []
    code, rows = max(record.reasons.items(), key=lambda reason: reason[1])
    return [Said("Most frequent reason:"), _closely(Name(code), Said(f", {counted(rows, 'row')}."))]


def _stopped(record: RunRecord) -> list[Bit]:
    if record.state == "refused":
        return [Strong("Refused."), *_by(record.approval), _paid_all_the_same(record)]
    return [Strong("Stopped:"), Told(record.reason)] if record.reason else [Strong("Stopped.")]


def _remedy(record: RunRecord) -> list[Bit]:
    return [Told(record.remedy)] if record.remedy and record.state == "stopped" else []


def _by(approval: Approval | None) -> list[Bit]:
    if approval is None or not approval.by:
        return []
    return [Name(approval.by), Said("decided so.")]


def _trouble(record: RunRecord) -> list[Bit]:
    return [Said("No usable answer from the API:"), Told(record.trouble)] if record.trouble else []


def _again(task: TaskNow | None) -> list[Bit]:
    """Of a run that is over while its task is not."""
    if task is None or task.state is None or task.state in ENDED:
        return []
    says = _airflow_says(task.state)
    # A first try has none before it, and one that is to be followed by another is the one that is told of.
    if task.try_number <= 1 or task.state in BETWEEN_TRIES:
        return says
    return [*says, Said("What is noted here is of the try before.")]
