"""What is recorded of a run, from what is known of it: while it goes of its progress, at its end of its manifest. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.errors import how_far
from runware_provider.engine.job.endings import remedy_of, what_happened
from runware_provider.engine.job.run_record import PastRun, RunRecord, Waited

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.job.progress import Progress
    from runware_provider.engine.job.run_record import Approval, State

MOST_WAITS: Final = 20
IN_HISTORY: Final = frozenset({"published", "unchanged", "stopped"})
"""The states in which a run has ended for whoever looks at the dataset."""


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

    def going_on_from(self, earlier: RunRecord, *, goes_on: bool) -> Facts:
        """With what an earlier process of the same run has noted.

        Args:
            earlier: its record.
            goes_on: whether this process goes on with what that one began, and is no new try.
        """
        started_at = earlier.started_at if goes_on else self.started_at
        # A person was asked once for the run, by whatever process.
        return replace(self, started_at=started_at, approval=self.approval or earlier.approval)


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
        """With a manifest: of a dataset that was published, or of a preview."""
        if manifest["status"] != "published":
            return cls("preview", manifest)
        return cls("unchanged" if manifest.get("unchanged") else "published", manifest)

    @classmethod
    def badly(cls, error: BaseException) -> Ending:
        """With an error."""
        return cls("stopped", how_far(error), what_happened(error), remedy_of(error))


def record_of(facts: Facts, progress: Progress | None, ending: Ending | None, *, at: str) -> RunRecord:
    """The record of a run at one moment.

    Args:
        facts: what was known from the start.
        progress: the newest one; None before the first.
        ending: how this process ended; None while it goes on.
        at: now, in UTC (ISO 8601).
    """
    record = RunRecord(
        run=facts.run,
        state="running",
        started_at=facts.started_at,
        at=at,
        source=facts.source,
        destination=facts.destination,
        model=facts.model,
        rows=facts.rows,
        rows_done=0,
        budget_usd=facts.budget_usd,
        budget_tokens=facts.budget_tokens,
        request=facts.request,
        approval=facts.approval,
    )
    if progress is not None:
        record = replace(record, **_of_progress(progress))
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
        cost_usd=known.get("cost_usd", 0.0) + known.get("reused_usd", 0.0) if is_published else None,
        publish_id=record.publish_id,
    )


def _of_progress(progress: Progress) -> dict[str, Any]:
    waits = [Waited(wait.what, wait.inferences, wait.longest_s) for wait in progress.waits[:MOST_WAITS]]
    return {
        "rows": progress.total,
        "rows_done": progress.done,
        "reused": progress.reused,
        "outcomes": dict(progress.outcomes),
        "reasons": dict(progress.reasons),
        "under_way": progress.outstanding,
        "window": progress.window,
        "window_reason": progress.window_reason,
        "rows_a_second": progress.rate,
        "left_s": progress.left_s,
        "quiet_s": progress.quiet_s,
        "latency_median_s": progress.latency_median_s,
        "latency_slow_s": progress.latency_slow_s,
        "asked_again": progress.asked_again,
        "waits": waits,
        "paid_usd": progress.cost,
        "foreseen_usd": progress.foreseen_cost,
        "trouble": progress.trouble or "",
    }


def _of_ending(ending: Ending, record: RunRecord) -> dict[str, Any]:
    """What the end says; it knows better than the last progress, and nothing is waited for any more."""
    known = ending.known
    told: dict[str, Any] = {
        "state": ending.state,
        "reason": ending.reason,
        "remedy": ending.remedy,
        "waits": [],
        "left_s": None,
    }
    if ending.state in {"waiting", "running"}:
        return told
    done = known.get("rows", record.rows_done)
    return {
        **told,
        "rows": record.rows if ending.state == "stopped" else known.get("rows", record.rows),
        "rows_done": done,
        "outcomes": dict(known.get("outcomes", record.outcomes)),
        "reasons": dict(known.get("reasons", record.reasons)),
        "paid_usd": known.get("paid_usd", record.paid_usd),
        "under_way": known.get("still_at_vendor") or 0,
        "asked_again": 0,
        "foreseen_usd": None,
        "publish_id": known.get("publish_id"),
    }
