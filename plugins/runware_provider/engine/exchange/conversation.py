"""The conversation with the API: decides what is sent, asked and looked up next, until all have their verdict.

One loop owns the flight. Requests and commits run beside it as asyncio tasks, a bounded number at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Literal

from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.errors import (
    BalanceExhausted,
    BudgetExhausted,
    Interrupted,
    JobStopped,
    Overtaken,
    StateUnreadable,
    TooManyFailed,
    Unreachable,
)
from runware_provider.engine.exchange.canary import Canary
from runware_provider.engine.exchange.fate import may_be_billed
from runware_provider.engine.exchange.flight import Phase

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from runware_provider.engine.exchange.fate import Effects
    from runware_provider.engine.exchange.flight import Inference
    from runware_provider.engine.exchange.pace import Pace
    from runware_provider.engine.exchange.ports import Feed, Right, Source, Watch
    from runware_provider.engine.exchange.submit import Submitter
    from runware_provider.engine.spec import Limits, WhenShort
    from runware_provider.engine.spending.budget import Account

log = logging.getLogger(__name__)

Until = Literal["settled", "sent"]
DRAIN_S = 30.0
"""After a stop that leaves the API well: how long answers that are on their way are still collected."""
DRAINED = (BalanceExhausted, TooManyFailed)
FINISH_S = 5.0
"""After a stop: how long requests that are under way may take."""
FINISH_INTERRUPTED_S = 2.0
"""The same where somebody asked to stop: Airflow kills a task five seconds after it asked, and its last words take time."""
TICK_S = 1.0
MARGIN_S = 1.0
"""Of the right to send, without which no request is begun: it has to be handed over within it."""
FIRST_CONTACT_S = 30.0
"""How long an API that never answered is tried, at most: it is rather a wrong address than an outage."""
SYNC_TASKS_PER_REQUEST = 8
UNDECIDED = 64
"""Inferences that may be paid for at most before it is known whether all of them fail."""


class Exchange:
    """Runs a flight to its end."""

    def __init__(  # noqa: PLR0913 - the pieces of a run, by keyword
        self,
        submitter: Submitter,
        sources: Sequence[Source],
        *,
        pace: Pace,
        limits: Limits,
        job_id: bytes,
        right: Right,
        account: Account | None = None,
        when_short: WhenShort = "stop",
    ) -> None:
        self._submitter = submitter
        self._sources = sources
        self._asks: dict[Source, set[asyncio.Task[None]]] = {source: set() for source in sources}
        self._flight = submitter.flight
        self._fates = submitter.fates
        self._ledger = submitter.ledger
        self._now = submitter.now
        self._pace = pace
        self._limits = limits
        self._job_id = job_id
        self._right = right
        self._account = account
        self._when_short = when_short
        self._per_request = limits.tasks_per_request
        self._is_sync = submitter.delivery == "sync"
        if self._is_sync:
            self._per_request = min(self._per_request, SYNC_TASKS_PER_REQUEST)
        self._sends: set[asyncio.Task[None]] = set()
        self._commits: set[asyncio.Task[None]] = set()
        self._loads: set[asyncio.Task[None]] = set()
        self._canary = Canary(submitter.fates.redactor)
        self._failing_since: float | None = None
        self._trouble: str | None = None
        self._remedy = ""
        """What to do about the trouble; empty where nothing is known to help."""
        self._told_of_trouble = False
        self._reached = False
        self._unsettled = 0
        self._let_go: list[Inference] = []
        """Given up, and still to be withdrawn."""
        self._stopped: JobStopped | None = None
        self._stopped_at = 0.0

    async def run(
        self, feed: Feed, watch: Watch, interrupted: asyncio.Event, *, until: Until = "settled"
    ) -> None:
        """Return when every inference that the feed brought has its last word, or else when all is sent.

        Args:
            feed: brings them.
            watch: may say that it is enough.
            interrupted: when set, nothing more is sent.
            until: with `sent`, what the API has accepted and not answered is left to whoever goes on.

        Raises:
            JobStopped: it ended before; everything that was learnt is durable.
        """
        stop = asyncio.create_task(interrupted.wait())
        try:
            while not self._finished(feed, until):
                self._launch(feed, watch)
                watch.tick(self._trouble)
                await self._wait(stop, feed.pending())
                if self._right.lost:
                    self._stop(Overtaken("this process was silent for so long that another run took over"))
                if interrupted.is_set():
                    self._stop(Interrupted("it was asked to stop"))
                if (failing := watch.failing()) is not None:
                    self._stop(failing)
        finally:
            stop.cancel()
            await self._wind_up()
        if self._stopped is not None:
            raise self._stopped

    def _finished(self, feed: Feed, until: Until) -> bool:
        if self._stopped is not None:
            draining = isinstance(self._stopped, DRAINED) and self._flight.outstanding > 0
            return not draining or self._now() > self._stopped_at + DRAIN_S
        if self._busy():
            return False
        if until == "sent" and feed.all_loaded():
            return all(one.accepted for one in self._flight)
        return not len(self._flight) and feed.exhausted()

    def _busy(self) -> set[asyncio.Task[None]]:
        """Everything that runs beside the loop."""
        return set().union(self._sends, self._commits, self._loads, *self._asks.values())

    def _launch(self, feed: Feed, watch: Watch) -> None:
        now = self._now()
        patience_s = self._limits.unreachable_s
        if not self._reached:
            patience_s = min(patience_s, FIRST_CONTACT_S)
        if self._failing_since is not None and now - self._failing_since > patience_s:
            last = f"; the last try: {self._trouble}" if self._trouble else ""
            reason = f"the API gave no usable answer for {patience_s:.0f} seconds{last}"
            self._stop(Unreachable(reason, remedy=self._remedy or None))
        if self._stopped is None:
            ready = self._flight.count(Phase.READY)
            if not self._loads and ready < 4 * self._per_request and feed.wants():
                self._start(self._loads, feed.load())
            self._launch_sends(feed, watch, now)
        for source in self._sources:
            self._launch_asks(source, feed, watch, now)

    def _launch_asks(self, source: Source, feed: Feed, watch: Watch, now: float) -> None:
        asks = self._asks[source]
        while len(asks) < source.at_once:
            request = source.next_request(now)
            if request is None:
                return
            self._start(asks, self._request(feed, watch, request))

    def _launch_sends(self, feed: Feed, watch: Watch, now: float) -> None:
        while self._right.left_s() > MARGIN_S and self._requests_open() < self._limits.requests:
            probing = self._canary.open and not watch.proven
            chunk = self._probe(now) if probing else self._next_chunk(watch, now)
            paid_for = self._within_budget(chunk, now)
            if chunk and not paid_for:
                self._run_short(feed, now)
                return
            chunk = paid_for
            if not chunk:
                return
            self._start(
                self._sends, self._request(feed, watch, self._submitter.send(chunk, ahead=not probing))
            )

    def _requests_open(self) -> int:
        """Requests under way; a sync reply may be the only place of its answers, and counts until they are durable."""
        return len(self._sends) + (len(self._commits) if self._is_sync else 0)

    def _probe(self, now: float) -> list[Inference]:
        """A part of the first chunk: one that has to be sent again, or one that completes it."""
        again = self._canary.due_again(now, self._limits.request_bytes)
        for one in again:
            self._flight.move(one, Phase.SENDING, now)
        room = min(self._pace.window - self._flight.outstanding, self._canary.room)
        if again or room < 1:
            return again
        chunk = self._flight.take_to_send(now, room, self._limits.request_bytes)
        self._canary.add(chunk)
        return chunk

    def _next_chunk(self, watch: Watch, now: float) -> list[Inference]:
        most = self._room(watch)
        return self._flight.take_to_send(now, most, self._limits.request_bytes) if most > 0 else []

    def _within_budget(self, chunk: list[Inference], now: float) -> list[Inference]:
        """What of a chunk the budget reaches for; the rest is ready again.

        What may have been sent before counts like the rest: it was looked for, and the API knows nothing of it.
        """
        if self._account is None or not chunk:
            return chunk
        for one in chunk:
            self._flight.move(one, Phase.READY, one.due)
        fit = self._account.fits([one.tokens for one in chunk], [one.is_output_retry for one in chunk])
        for one in chunk[:fit]:
            self._flight.move(one, Phase.SENDING, now)
        return chunk[:fit]

    def _run_short(self, feed: Feed, now: float) -> None:
        """The budget reaches for nothing more now; what is under way may yet cost less than was thought."""
        account = self._account
        if account is None or self._flight.outstanding or self._commits or self._sends:
            return
        if self._when_short == "stop":
            following = (one.tokens for one in self._flight if one.phase is Phase.READY)
            self._stop(BudgetExhausted(account.reason(next(following, 0))))
            return
        feed.cut_short()
        given_up = [one for one in self._flight if one.phase is Phase.READY]
        for one in given_up:
            self._flight.move(one, Phase.DONE, now)
        # What was never sent, or is known to nobody, is taken back, so that no later run is in doubt of it.
        self._let_go += [one for one in given_up if one.unsent or one.unknown_to_all]
        self._start(self._loads, feed.give_up(given_up))

    def _room(self, watch: Watch) -> int:
        """Tasks for the next request; it waits until a request is worth it, unless nothing else is under way."""
        window = self._pace.window
        free = window - self._flight.outstanding
        if watch.undecided():  # an answer counts against a job that should stop only once it is durable
            free = min(window, UNDECIDED) - self._flight.outstanding - self._unsettled
        worth = min(self._per_request, max(1, window // 10))
        if free < worth and self._flight.outstanding:
            return 0
        return min(free, self._per_request)

    def _start(self, group: set[asyncio.Task[None]], work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        group.add(task)

    async def _request(self, feed: Feed, watch: Watch, work: Coroutine[None, None, Effects]) -> None:
        effects = await work
        now = self._now()
        self._note_contact(effects, now)
        if effects.full:
            self._pace.refused(now)
        for latency in effects.latencies:
            self._pace.answered(latency)
        if self._account is not None:
            for one, entry in effects.verdicts:
                # What another run meant to send is on that run's account, whoever collects it.
                if may_be_billed(entry) and self._ledger.is_of_this_run(entry.key, entry.attempt):
                    self._account.paid(one.tokens, entry.cost, entry.prompt_tokens, entry.completion_tokens)
                if entry.kind is Kind.ANSWERED:
                    self._account.answered(one.tokens, output_retry=one.is_output_retry)
        ruling = self._canary.rule(effects.verdicts, proven=watch.proven)
        stop = effects.stop or ruling.stop
        if stop is not None:
            self._stop(stop)
        rejections = effects.rejections + ruling.rejections
        if ruling.verdicts or rejections:
            self._start(self._commits, self._commit(feed, watch, ruling.verdicts, rejections))

    async def _commit(
        self, feed: Feed, watch: Watch, verdicts: list[tuple[Inference, Entry]], rejections: list[Entry]
    ) -> None:
        waiting = self._flight.outstanding or self._flight.due(Phase.READY) is not None
        self._unsettled += len(verdicts)
        await self._ledger.commit(
            [entry for _, entry in verdicts] + rejections,
            # The answers of a sync reply may be nowhere else: they do not wait for company.
            at_once=self._is_sync or not waiting or self._canary.open or watch.undecided(),
        )
        self._unsettled -= len(verdicts)
        for inference, entry in verdicts:
            if not self._fates.settled(inference, entry, self._job_id, self._now()):
                continue
            tokens, output_retry = inference.tokens, inference.is_output_retry
            follow_up = feed.settle(inference, entry)
            # The answer does not fit, or was cut off: one more attempt, which is paid for.
            if follow_up is not None:
                self._flight.ask_further(inference, follow_up, self._job_id)
            # What was kept back for a further attempt is now needed, or free.
            if self._account is not None and entry.kind is Kind.ANSWERED:
                beside = inference.tokens - inference.prompt_tokens if follow_up is not None else None
                self._account.judged(tokens, beside, output_retry=output_retry)

    def _note_contact(self, effects: Effects, now: float) -> None:
        """Whether the API is there, and what is wrong if it is not."""
        if effects.usable:
            self._reached, self._failing_since, self._trouble = True, None, None
            return
        self._reached = self._reached or effects.throttled
        self._failing_since = now if self._failing_since is None else self._failing_since
        if effects.trouble:
            self._trouble, self._remedy = effects.trouble, effects.remedy
            self._tell_of_trouble()

    def _tell_of_trouble(self) -> None:
        """Say what is wrong when nothing was reached yet: it is rather a wrong address than an outage."""
        if self._reached or self._told_of_trouble:
            return
        self._told_of_trouble = True
        log.warning("No usable answer from the API: %s.", self._trouble)
        if self._remedy:
            log.warning("%s", self._remedy)
        log.warning("It is tried for %.0f s.", min(self._limits.unreachable_s, FIRST_CONTACT_S))

    def _stop(self, stop: JobStopped) -> None:
        if self._stopped is None:
            self._stopped = stop
            self._stopped_at = self._now()
            self._ledger.hurry()

    async def _wait(self, stop: asyncio.Task[bool], beside: set[asyncio.Task[None]]) -> None:
        """Until something under way ends or something becomes due."""
        now = self._now()
        timeout = TICK_S
        for source in self._sources:
            due = source.due()
            if due is not None and len(self._asks[source]) < source.at_once:
                timeout = min(timeout, max(0.001, due - now))
        probing = self._canary.open and self._canary.room < 1
        sends = self._canary.next_due(now) if probing else self._flight.due(Phase.READY)
        if sends is not None and sends > now:  # what is due and was not sent waits for something to end
            timeout = min(timeout, sends - now)
        running = self._busy()
        done, _ = await asyncio.wait(
            {*running, *beside, stop}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done & running:
            for group in (self._sends, self._commits, self._loads, *self._asks.values()):
                group.discard(task)
            task.result()

    async def _wind_up(self) -> None:
        """Let what is under way end for a moment, then give it up: intents cover whatever was sent."""
        running = self._busy() - self._commits
        if running:
            interrupted = isinstance(self._stopped, Interrupted)
            await asyncio.wait(running, timeout=FINISH_INTERRUPTED_S if interrupted else FINISH_S)
        for task in running:
            task.cancel()
        self._ledger.hurry()
        results = await asyncio.gather(*running, *self._commits, return_exceptions=True)
        failures = [one for one in results if isinstance(one, Exception)]
        await self._withdraw()
        if failures and self._stopped is None:
            raise failures[0]

    async def _withdraw(self) -> None:
        """Take back the intents of what was handed to no request, so that no later run is in doubt of it.

        Where that cannot be written, it stays in doubt, and a later run asks before it sends.
        """
        # Whoever took over, or may have done so by now, may have sent it since.
        if self._right.lost or self._right.left_s() <= 0:
            return
        unsent = [*self._let_go, *(one for one in self._flight if one.unsent)]
        with contextlib.suppress(OSError, StateUnreadable):
            await self._ledger.commit([one.withdrawal() for one in unsent], at_once=True)
            for one in unsent:
                one.unsent = one.intended = False
