"""What is recorded of a run, from what is known of it: while it goes of its progress, at its end of its manifest. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.errors import how_far
from runware_provider.engine.job.endings import WORDS_FOLLOW, remedy_of, what_happened
from runware_provider.engine.job.run_history import ENDED_WELL
from runware_provider.engine.job.run_record import Older, PastRun, RunRecord, Waited
from runware_provider.engine.money import cost_of_answers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.exchange.waits import Wait
    from runware_provider.engine.job.progress import Progress
    from runware_provider.engine.job.run_record import Approval, State

MOST_WAITS: Final = 20
IN_HISTORY: Final = frozenset({"published", "unchanged", "stopped"})
"""The states in which a run has ended for whoever looks at the dataset."""
SHORT: Final = "budget"
"""The code of a row that the budget did not reach for."""
SKIPPED: Final = "skipped"
"""The outcome of rows that were never sent."""


@dataclass(frozen=True)
class Before:
    """What earlier tries of a run came to, as far as anybody knows: no record of the run tells less."""

    paid_usd: float = 0.0
    rows: int = 0
    """That have their outcome."""
    reused: int = 0
    """As the next ones, as of `RunRecord`."""
    outcomes: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, earlier: RunRecord, asks: str) -> Before:
        """What the record of an earlier try tells.

        Args:
            earlier: it.
            asks: as of `RunRecord`, of the try that begins.
        """
        # Rows of other questions have no outcome any more.
        if not asks or earlier.asks != asks:
            return cls(earlier.paid_usd)
        # Those that the budget did not reach for may yet be asked.
        short = {SKIPPED: earlier.reasons.get(SHORT, 0)}
        outcomes = Counter(earlier.outcomes)
        outcomes.subtract(short)
        reasons = {code: rows for code, rows in earlier.reasons.items() if code != SHORT}
        rows = earlier.rows_done - short[SKIPPED]
        return cls(earlier.paid_usd, rows, earlier.reused, dict(+outcomes), reasons)

    @property
    def asked(self) -> int:
        """Of the rows, those that the run itself asked."""
        return max(0, self.rows - self.reused - self.outcomes.get(SKIPPED, 0))


@dataclass(frozen=True)
class Facts:
    """What is known of a run when it begins."""

    run: str
    """Its name; empty where it has none."""
    started_at: str
    source: str
    destination: str
    model: str
    rows: int
    """As far as the footers know."""
    budget_usd: float | None = None
    budget_tokens: int | None = None
    request: str = ""
    """As of `RunRecord`."""
    approval: Approval | None = None
    try_started_at: str = ""
    """As of `RunRecord`, as the next one."""
    asks: str = ""
    before: Before = field(default_factory=Before)

    def going_on_from(self, earlier: RunRecord, *, goes_on: bool) -> Facts:
        """With what an earlier process of the same run has noted.

        Args:
            earlier: its record.
            goes_on: whether this process goes on with what that one began, and is no new try.
        """
        # Who runs again what had published begins anew, maybe days later; all else is a try of the same.
        begins_anew = earlier.state in ENDED_WELL and not goes_on
        return replace(
            self,
            started_at=self.started_at if begins_anew else earlier.started_at,
            try_started_at=(goes_on and earlier.try_started_at) or self.try_started_at,
            # A person was asked once for the run, by whatever process.
            approval=self.approval or earlier.approval,
            before=Before.of(earlier, self.asks),
        )

    def as_large_as(self, earlier: RunRecord) -> Facts:
        """About the rows of an earlier try, and asking the same, where nobody has looked at the source since."""
        return replace(self, rows=earlier.rows, asks=earlier.asks, request=earlier.request)

    def knowing(self, paid_usd: float) -> Facts:
        """With what the ledger knows that the run has paid."""
        return replace(self, before=replace(self.before, paid_usd=max(paid_usd, self.before.paid_usd)))


@dataclass(frozen=True)
class Ending:
    """How a process of a run came to its end."""

    state: State
    known: Mapping[str, Any] = field(default_factory=dict)
    """Counts and sums under the manifest's names; empty where nobody counted."""
    reason: str = ""
    remedy: str = ""
    is_told_before: bool = False
    """Whether an earlier process of the run did it all, and its record says more than this one knows."""

    @classmethod
    def well(cls, manifest: Mapping[str, Any]) -> Ending:
        """With the manifest of a dataset that was published."""
        return cls("unchanged" if manifest.get("unchanged") else "published", manifest)

    @classmethod
    def badly(cls, error: BaseException) -> Ending:
        """With an error."""
        happened = what_happened(error).removesuffix(WORDS_FOLLOW)
        if not isinstance(error, Exception):
            happened = "its process was told to end"
        return cls("stopped", how_far(error), happened, remedy_of(error))


def record_of(facts: Facts, progress: Progress | None, ending: Ending | None, *, at: str) -> RunRecord:
    """The record of a run at one moment.

    Args:
        facts: what was known from the start.
        progress: the newest one; None before the first.
        ending: how this process ended; None while it goes on.
        at: now, in UTC (ISO 8601).
    """
    before = facts.before
    record = RunRecord(
        run=facts.run,
        state="running",
        started_at=facts.started_at,
        try_started_at=facts.try_started_at,
        at=at,
        source=facts.source,
        destination=facts.destination,
        model=facts.model,
        rows=facts.rows,
        rows_done=min(before.rows, facts.rows),
        reused=before.reused,
        earlier_tries=before.asked,
        outcomes=dict(before.outcomes),
        reasons=dict(before.reasons),
        paid_usd=before.paid_usd,
        asks=facts.asks,
        budget_usd=facts.budget_usd,
        budget_tokens=facts.budget_tokens,
        request=facts.request,
        approval=facts.approval,
    )
    if progress is not None:
        record = replace(record, **_of_progress(progress, before))
    if ending is not None:
        record = replace(record, **_of_ending(ending, record))
    return record


def past_of(record: RunRecord, ending: Ending) -> PastRun | None:
    """The line of the history for a run that has ended so; None where it has not ended, or published nothing on purpose."""
    if ending.state not in IN_HISTORY:
        return None
    known = ending.known
    is_published = ending.state != "stopped"
    return PastRun(
        run=record.run,
        state=record.state,
        started_at=record.started_at,
        finished_at=record.at,
        model=record.model,
        rows=record.rows,
        outcomes=record.outcomes,
        paid_usd=record.paid_usd,
        cost_usd=cost_of_answers(known) if is_published else None,
        publish_id=record.publish_id,
    )


def _rows_of(progress: Progress, before: Before) -> dict[str, Any]:
    """How far the rows are: as this process counted them, or together with what earlier tries counted."""
    # It finds what earlier tries answered bit by bit, and much of it at its end. Until then, their own count says more.
    together = before.rows + progress.worked
    if progress.done < together <= progress.total:
        return {
            "rows_done": together,
            "reused": before.reused,
            "earlier_tries": before.asked,
            "outcomes": dict(Counter(before.outcomes) + Counter(progress.decided)),
            "reasons": dict(Counter(before.reasons) | Counter(progress.reasons)),
        }
    return {
        "rows_done": progress.done,
        "reused": progress.reused - progress.earlier_tries,
        "earlier_tries": progress.earlier_tries,
        "outcomes": dict(progress.outcomes),
        "reasons": dict(progress.reasons),
    }


def _waited(wait: Wait) -> Waited:
    older = [Older(than_s, inferences) for than_s, inferences in wait.older]
    return Waited(wait.what, wait.inferences, wait.longest_s, older)


def _of_progress(progress: Progress, before: Before) -> dict[str, Any]:
    return {
        **_rows_of(progress, before),
        "rows": progress.total,
        "under_way": progress.outstanding,
        "window": progress.window,
        "window_reason": progress.window_reason,
        "rows_a_second": progress.rate,
        "left_s": progress.left_s,
        "quiet_s": progress.quiet_s,
        "latency_median_s": progress.latency_median_s,
        "latency_slow_s": progress.latency_slow_s,
        "asked_again": progress.asked_again,
        "waits": [_waited(wait) for wait in progress.waits[:MOST_WAITS]],
        "paid_usd": max(progress.cost, before.paid_usd),
        "foreseen_usd": progress.foreseen_cost,
        "trouble": progress.trouble or "",
    }


def _of_ending(ending: Ending, record: RunRecord) -> dict[str, Any]:
    """What the end says; it knows better than the last progress."""
    known = ending.known
    told: dict[str, Any] = {
        "state": ending.state,
        "reason": ending.reason,
        "remedy": ending.remedy,
        "left_s": None,
    }
    if ending.state in {"waiting", "running"}:
        return told
    return {
        **told,
        **_rows_at_the_end(ending, record),
        "waits": [],
        "paid_usd": max(known.get("paid_usd", 0.0), record.paid_usd),
        "under_way": known.get("still_at_vendor") or 0,
        "asked_again": 0,
        "foreseen_usd": None,
        "publish_id": known.get("publish_id"),
    }


def _rows_at_the_end(ending: Ending, record: RunRecord) -> dict[str, Any]:
    known = ending.known
    rows = known.get("rows", record.rows_done)
    # Who stopped may not have come to all that it, or an earlier try, had seen.
    if ending.state == "stopped" and rows <= record.rows_done:
        return {}
    counted: dict[str, Any] = {
        "rows_done": rows,
        "outcomes": dict(known.get("outcomes", record.outcomes)),
        "reasons": dict(known.get("reasons", record.reasons)),
    }
    # Earlier runs had answered all of a shard that this one found done.
    if ending.is_told_before and not record.rows_done:
        counted["reused"] = rows - counted["outcomes"].get(SKIPPED, 0)
    return counted if ending.state == "stopped" else {"rows": known.get("rows", record.rows), **counted}
