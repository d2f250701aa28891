"""What a run has come to so far: whether it should stop, and what a person is told of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runware_provider.engine.errors import TooManyFailed
from runware_provider.engine.job.failure_advice import advice_on
from runware_provider.engine.job.progress import Progress
from runware_provider.engine.memory.payments import Payments
from runware_provider.engine.outcome.rows import FAILED, Counts, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.errors import JobStopped
    from runware_provider.engine.exchange.calls import Calls
    from runware_provider.engine.exchange.pace import Pace
    from runware_provider.engine.exchange.waits import Wait
    from runware_provider.engine.identity import Key
    from runware_provider.engine.job.failure_watch import FailureWatch
    from runware_provider.engine.outcome.rows import Judgement

MOST_PRICED = 10_000
UNRENDERED = "prompt_error"
"""The code of a record for which the template failed."""
REPORTED_EVERY_S = 1.0
REASONS_TOLD = 20


def nobody_knows() -> None:
    """What is said of latencies before anybody has asked."""


@dataclass(kw_only=True)
class RunWatch:
    """Looks on while rows get their outcomes.

    Args:
        failures: counts what failed; None where any number may.
        records: that the job is about, as far as the footers know.
        samples: rows of each record.
        paid: USD that this run has paid so far, with all its tries.
        learnt: what the attempts came to whose ends this process knows to be durable.
        outstanding: inferences under way at the vendor.
        report_to: gets the progress about once a second; None where nobody wants it.
        now: seconds, from any moment.
        waits: what is waited for; called at each report.
        pace: how much may be under way, once that is known.
        streamed_chars: of answers, what open streams have brought so far.
        calls: of the vendor, who brings the answers; None where they come otherwise.
        latencies_s: after how many seconds half of the answers of late were seen, and 95 of a hundred; None as long as nobody
            knows.
    """

    failures: FailureWatch | None
    records: int
    samples: int
    paid: Callable[[], float]
    outstanding: Callable[[], int]
    report_to: Callable[[Progress], None] | None
    now: Callable[[], float]
    learnt: Callable[[], Payments] = Payments
    waits: Callable[[], Sequence[Wait]] = tuple
    pace: Pace | None = None
    streamed_chars: Callable[[], int] = int
    calls: Calls | None = None
    latencies_s: Callable[[], tuple[float, float] | None] = nobody_knows
    proven: bool = False
    """Whether a request like these was answered before, so that there is no need to probe."""
    seen: Counts = field(default_factory=Counts)
    """Rows whose outcome is known, whether or not they are staged."""
    reused: int = 0
    """Of these, rows that were answered before this process began."""
    earlier: Counter[str] = field(default_factory=Counter)
    """The same, by outcome."""
    earlier_tries: int = 0
    """Of these, rows whose answers this very run had asked for."""
    payments: dict[str, Payments] = field(default_factory=dict)
    """By the outcome of what was paid for: of what this process learnt, the answers that its rows asked for."""
    asked_again: dict[Key, float] = field(default_factory=dict, repr=False)
    """Questions that are asked once more, with the USD that their answers have cost so far."""
    priced: list[tuple[int, float]] = field(default_factory=list, repr=False)
    """Of some answers with a reported cost: estimated prompt tokens and USD."""

    def __post_init__(self) -> None:
        self._started = self._reported_at = self._last_row_at = self.now()
        self._paid_before = self.paid()

    def failing(self) -> JobStopped | None:
        """Why the job should stop now, if too much fails."""
        reason = self.failures.beyond() if self.failures is not None else None
        return self._too_many(reason) if reason is not None else None

    def failed(self) -> JobStopped | None:
        """Why the whole is not good enough, now that all is known."""
        reason = self.failures.beyond_at_the_end() if self.failures is not None else None
        return self._too_many(reason) if reason is not None else None

    def _too_many(self, reason: str) -> TooManyFailed:
        return TooManyFailed(reason, remedy=advice_on(self.seen.reasons))

    def undecided(self) -> bool:
        """Whether the next answers may yet show that the job should stop, so that few should be under way."""
        return self.failures is not None and self.failures.undecided

    def bears(self, rows: int) -> bool:
        """Whether the job would go on if so many rows more had failed."""
        return self.failures is None or self.failures.bears(rows)

    def saw(self, judgement: Judgement, rows: int) -> None:
        """Some rows have got their outcome."""
        self._last_row_at = self.now()
        self.seen.saw(judgement, rows)
        if self.failures is None:
            return
        if judgement.sent:
            self.failures.saw(failed=judgement.outcome in FAILED, times=rows)
        elif judgement.facts.get("error_code") == UNRENDERED:
            # The record is there, and the job was to ask it: a dataset without its answer is no good one.
            self.failures.could_not_ask(rows)
        else:
            self.failures.left_out(rows)

    def saw_earlier(self, judgement: Judgement, rows: int, *, of_this_run: bool) -> None:
        """Some rows, of which `saw` is told as well, have an outcome that is older than this process.

        Args:
            judgement: on them.
            rows: how many.
            of_this_run: whether an earlier try of this run asked for it, and paid.
        """
        self.reused += rows
        self.earlier[judgement.outcome] += rows
        if of_this_run:
            self.earlier_tries += rows

    def saw_payment(self, entry: Entry, outcome: Outcome) -> None:
        """An attempt that rows wait for has ended."""
        self.payments[outcome] = self.payments.get(outcome, Payments()) + Payments.of(entry)

    def asks_again(self, key: Key, usd: float | None) -> None:
        """An answer that was paid for does not fit, and its question is asked once more."""
        self.asked_again[key] = self.asked_again.get(key, 0.0) + (usd or 0.0)

    def asks_no_further(self, key: Key) -> None:
        """A question has its last word."""
        self.asked_again.pop(key, None)

    def leave_out(self, records: int) -> None:
        """These records are not chosen."""
        self.records -= records
        if self.failures is not None:
            self.failures.left_out(records * self.samples)

    def price(self, tokens: int, judgement: Judgement) -> None:
        """Note what an answer cost, for the prices of a preview."""
        cost = judgement.facts.get("cost_usd")
        if judgement.answered and cost is not None and len(self.priced) < MOST_PRICED:
            self.priced.append((tokens, cost))

    def tick(self, trouble: str | None) -> None:
        """Report now and then."""
        if self.now() - self._reported_at >= REPORTED_EVERY_S:
            self.report(trouble)

    def report(self, trouble: str | None = None, *, last: bool = False) -> None:
        """Say how far the job is.

        Args:
            trouble: that the API or the network has.
            last: whether nothing is learnt after this report.
        """
        self._reported_at = self.now()
        if self.report_to is None:
            return
        total = self.records * self.samples
        done = min(self.seen.rows, total)
        now, paid = self._reported_at, self.paid()
        quiet_s = now - self._last_row_at
        median_s, slow_s = self.latencies_s() or (None, None)
        self.report_to(
            Progress(
                done=done,
                total=total,
                elapsed_s=now - self._started,
                outstanding=self.outstanding(),
                cost=paid,
                reused=min(self.reused, done),
                skipped=min(self.seen.outcomes[Outcome.SKIPPED], done - min(self.reused, done)),
                trouble=trouble,
                cost_here=paid - self._paid_before,
                asked_again=len(self.asked_again),
                paid_of_asked_again=sum(self.asked_again.values()),
                quiet_s=quiet_s,
                waits=self.waits(),
                window=None if self.pace is None else self.pace.window,
                window_reason="" if self.pace is None else self.pace.reason,
                decided=self._decided(),
                payments=self._payments(last=last),
                streamed_chars=self.streamed_chars(),
                brought=0 if self.calls is None else self.calls.brought,
                fetched=0 if self.calls is None else self.calls.fetched,
                outcomes=dict(self.seen.outcomes),
                reasons=dict(self.seen.reasons.most_common(REASONS_TOLD)),
                latency_median_s=median_s,
                latency_slow_s=slow_s,
                earlier_tries=min(self.earlier_tries, self.reused, done),
            )
        )

    def _decided(self) -> dict[str, int]:
        """Rows by the outcome that this process gave them; who was skipped was asked by nobody."""
        decided = self.seen.outcomes - self.earlier
        return {outcome: rows for outcome, rows in decided.items() if outcome != Outcome.SKIPPED}

    def _payments(self, *, last: bool) -> dict[str, Payments]:
        """What this process learnt to be paid, by outcome; no sum is ever smaller than in the report before.

        What no row waits for counts as failed: errors that were tried again, and answers to what an earlier run asked
        otherwise. Only the last report can tell: until then, the rows of an answer that is durable may be about to get it.
        """
        if not last:
            return dict(self.payments)
        shown = sum(self.payments.values(), Payments())
        failed = self.payments.get(Outcome.FAILED, Payments())
        return {**self.payments, Outcome.FAILED: failed + (self.learnt() - shown)}
