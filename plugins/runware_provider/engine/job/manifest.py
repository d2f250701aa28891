"""The small dict that a run ends with (docs/decisions/0004): made of counts and sums, for XCom and the state folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from runware_provider import __version__
from runware_provider.engine.dataset.schema_text import schema_text
from runware_provider.engine.job.endings import remedy_of, what_happened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.memory.ledger_sums import Of, Totals
    from runware_provider.engine.outcome.rows import Counts

FORMAT = 1
REASONS_SHOWN = 20
UNPRICED_SHOWN = 20


@dataclass(frozen=True)
class Clock:
    """When a run began and ended, in UTC, and how long it took."""

    started_at: str
    finished_at: str
    duration_s: float


class Sums(Protocol):
    """What inferences come to: those of one ledger, or of several."""

    def totals(self, of: Of = "used") -> Totals:
        """Over what the rows show, over what this run paid, or over everything."""


def manifest_of(  # noqa: PLR0913 - each a fact of its own
    prepared: Prepared, sums: Sums, counts: Counts, clock: Clock, *, status: str, generation: int
) -> dict[str, Any]:
    """What a finished run tells."""
    # What stopped has no rows yet: it tells of everything in the ledger.
    whole = sums.totals("used" if status != "stopped" else "all")
    fresh, ever = sums.totals("fresh"), sums.totals("all")
    return {
        "format": FORMAT,
        "status": status,
        "destination": prepared.folder,
        "state": prepared.state_folder,
        "source": prepared.spec.source,
        "model": prepared.spec.model,
        "started_at": clock.started_at,
        "finished_at": clock.finished_at,
        "duration_s": clock.duration_s,
        "records": counts.records,
        "records_left_out": prepared.records - counts.records,
        "rows": counts.rows,
        "outcomes": dict(sorted(counts.outcomes.items())),
        "reasons": dict(counts.reasons.most_common(REASONS_SHOWN)),
        "mends": dict(counts.mends.most_common(REASONS_SHOWN)),
        "reasks": counts.reasks,
        "inferences": whole.inferences,
        "prompt_tokens": whole.prompt_tokens,
        "cached_tokens": whole.cached_tokens,
        "completion_tokens": whole.completion_tokens,
        "cost_usd": whole.cost,
        "cost_usd_ever": ever.cost,
        "cost_unreported": whole.cost_unreported,
        "maybe_billed": whole.maybe_billed,
        "paid_inferences": fresh.answered,
        "paid_usd": fresh.cost,
        "reused_inferences": whole.reused,
        "reused_usd": whole.reused_cost,
        "generation": generation,
        "flattened": prepared.results.names if prepared.results.flat else None,
        "schema": schema_text(prepared.output_schema),
        "request": prepared.digests,
        "version": __version__,
    }


def stopped_manifest(  # noqa: PLR0913 - keywords, each a fact of its own
    prepared: Prepared,
    sums: Sums,
    counts: Counts,
    clock: Clock,
    error: BaseException,
    *,
    generation: int,
    records: int,
    records_done: int | None,
    still_at_vendor: int,
) -> dict[str, Any]:
    """What a run tells that an error ended; `records_done` is None where they were not counted."""
    known = manifest_of(prepared, sums, counts, clock, status="stopped", generation=generation)
    return {
        **known,
        "records": records,
        "records_left_out": prepared.records - records,
        "records_done": records_done,
        "reason": what_happened(error),
        "remedy": remedy_of(error),
        "still_at_vendor": still_at_vendor,
    }


def unpriced(task_uuids: Sequence[str], file: str | None) -> dict[str, Any]:
    """The tasks that were or may have been billed at a cost that the API did not report."""
    return {"unpriced_tasks": list(task_uuids[:UNPRICED_SHOWN]), "unpriced_file": file}
