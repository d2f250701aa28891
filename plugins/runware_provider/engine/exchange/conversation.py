"""The conversation with the API: decides what is sent, asked and looked up next, until all have their verdict.

One loop owns the flight. Requests and commits run beside it as asyncio tasks, a bounded number at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from runware_provider.engine.attempt import Kind
from runware_provider.engine.errors import (
    BalanceExhausted,
    BudgetExhausted,
    Interrupted,
    JobStopped,
    Overtaken,
    StateUnreadable,
    TooManyFailed,
)
from runware_provider.engine.exchange.at_once import Brake, RoundTrips
from runware_provider.engine.exchange.beside import Beside
from runware_provider.engine.exchange.canary import Canary
from runware_provider.engine.exchange.inference import Phase
from runware_provider.engine.exchange.learning import Learning
from runware_provider.engine.exchange.leaving import Leaving
from runware_provider.engine.exchange.reach import Reach
from runware_provider.engine.exchange.sending import Sending
from runware_provider.engine.memory.group_commit import LINGER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.exchange.beside import Group
    from runware_provider.engine.exchange.canary import LetThrough
    from runware_provider.engine.exchange.effects import Effects
    from runware_provider.engine.exchange.inference import Inference
    from runware_provider.engine.exchange.leaving import Tail
    from runware_provider.engine.exchange.pace import Pace
    from runware_provider.engine.exchange.ports import Feed, Right, Source, Watch
    from runware_provider.engine.exchange.submit import Submitter
    from runware_provider.engine.limits import Limits, WhenShort
    from runware_provider.engine.spending.budget import Account

log = logging.getLogger(__name__)

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
SYNC_WAIT_S = 0.1
"""How long the answers of a sync reply wait for those of others, to be made durable together. While they do, they are no
further from a loss than answers to polls: getResponse and the archive give them once more."""
REQUESTS_LOADED = 4
"""Inferences are loaded until so many requests can be made of those that are ready."""
WINDOW_LOADED = 0.5
"""The same of the window: so much of it may become free at once."""


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
        worth_s: float | None = None,
        requests: int | None = None,
        finish_interrupted_s: float = FINISH_INTERRUPTED_S,
    ) -> None:
        self._submitter = submitter
        self._sources = sources
        self._beside = Beside()
        self._asks: dict[Source, Group] = {source: self._beside.group() for source in sources}
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
        self._finish_interrupted_s = finish_interrupted_s
        self._is_sync = submitter.answers_in_the_reply
        self._learning = Learning(pace, self._flight, is_sync=self._is_sync)
        if self._is_sync:
            submitter.on_sending = self._learning.sent
        self._canary = Canary(submitter.fates.redactor)
        self._brake = Brake(limits.requests if requests is None else requests)
        self._round_trips = RoundTrips()
        self._sending = Sending(
            flight=self._flight,
            canary=self._canary,
            pace=pace,
            limits=limits,
            is_sync=self._is_sync,
            account=account,
            brake=self._brake,
            round_trips=self._round_trips,
        )
        self._reach = Reach(limits.unreachable_s)
        self._leaving = Leaving(self._flight, pace, worth_s)
        self._left: Tail | None = None
        self._sends = self._beside.group()
        self._commits = self._beside.group()
        self._loads = self._beside.group()
        self._to_withdraw: list[Inference] = []
        """Left the flight for want of money, with intents that are still to be taken back."""
        self._without_right_since: float | None = None
        """Since when something is to be sent and this process may not send."""
        self._stopped: JobStopped | None = None
        self._stopped_at = 0.0
        self.on_refusal: Callable[[Sequence[tuple[Inference, Entry]]], None] = lambda _refused: None
        """Is told of the first inferences where the API refused all of them alike, so that none has a last word."""

    def latencies_s(self) -> tuple[float, float] | None:
        """After how many seconds half of the answers of late were seen, and 95 of a hundred; None as long as nobody knows."""
        return self._fates.latencies_s

    async def run(self, feed: Feed, watch: Watch, interrupted: asyncio.Event) -> Tail | None:
        """Return when every inference that the feed brought has its last word, or when it is time to leave.

        Args:
            feed: brings them.
            watch: may say that it is enough.
            interrupted: when set, nothing more is sent.

        Returns:
            What the API has accepted and not answered, where that is left to whoever goes on; None where nothing is.

        Raises:
            JobStopped: it ended before; everything that was learnt is durable.
        """
        stop = asyncio.create_task(interrupted.wait())
        try:
            while not self._finished(feed):
                self._launch(feed, watch)
                watch.tick(self._reach.trouble)
                await self._wait(stop, feed.pending())
                if self._right.why_lost is not None:
                    self._stop(self._right.why_lost)
                if interrupted.is_set():
                    self._stop(Interrupted("it was asked to stop"))
                if (failing := watch.failing()) is not None:
                    self._stop(failing)
        finally:
            stop.cancel()
            await self._wind_up()
        if self._stopped is not None:
            raise self._stopped
        return self._left

    def _finished(self, feed: Feed) -> bool:
        if self._stopped is not None:
            draining = isinstance(self._stopped, DRAINED) and self._flight.outstanding > 0
            return not draining or self._now() > self._stopped_at + DRAIN_S
        if self._beside:
            return False
        # Everything is sent, and the answers stay away for so long that somebody else may wait for them.
        self._left = self._leaving.tail(self._now(), all_loaded=feed.all_loaded())
        if self._left is not None:
            return True
        return not len(self._flight) and feed.exhausted()

    def _launch(self, feed: Feed, watch: Watch) -> None:
        now = self._now()
        self._learning.look(now)
        unreachable = self._reach.stop(now)
        if unreachable is not None:
            self._stop(unreachable)
        self._look_after_the_right(now)
        if self._stopped is None:
            self._launch_load(feed)
            self._launch_sends(feed, watch, now)
        # What is being asked for comes to its end before this process leaves.
        if self._stopped is None and self._leaving.is_near(now, all_loaded=feed.all_loaded()):
            return
        # Answers are collected after a stop, too, as long as it lasts.
        for source in self._sources:
            self._launch_asks(source, feed, watch, now)

    def _look_after_the_right(self, now: float) -> None:
        """Nobody waits for ever for the right to send, where the state folder cannot be written."""
        is_needed = self._right.left_s() <= 0 and self._flight.due(Phase.READY) is not None
        if not is_needed:
            self._without_right_since = None
            return
        if self._without_right_since is None:
            self._without_right_since = now
        waited_s = now - self._without_right_since
        if waited_s > self._limits.unreachable_s:
            self._stop(Overtaken(f"its right to send could not be renewed for {waited_s:.0f} seconds"))

    def _launch_load(self, feed: Feed) -> None:
        enough = max(REQUESTS_LOADED * self._sending.per_request, WINDOW_LOADED * self._pace.window)
        if not self._loads and self._flight.count(Phase.READY) < enough and feed.wants():
            self._loads.start(feed.load())

    def _launch_asks(self, source: Source, feed: Feed, watch: Watch, now: float) -> None:
        asks = self._asks[source]
        while len(asks) < source.at_once:
            request = source.next_request(now)
            if request is None:
                return
            asks.start(self._request(feed, watch, request))

    def _launch_sends(self, feed: Feed, watch: Watch, now: float) -> None:
        # What is sent although it was answered before is paid for twice.
        if not all(source.lets_send(now) for source in self._sources):
            return
        while self._right.left_s() > MARGIN_S and self._requests_open() < self._sending.requests_at_once:
            probing = self._canary.open and not watch.proven
            if probing:
                chosen = self._sending.probe(now)
            else:
                chosen = self._sending.next_chunk(now, undecided=watch.undecided())
            if not chosen:
                return
            chunk = self._sending.within_budget(chosen, now)
            if not chunk:
                self._end_of_budget(feed, watch, now)
                return
            # From here on it may be paid for.
            send = self._submitter.send(chunk, ahead=not probing)
            self._sends.start(self._request(feed, watch, send, is_send=True))

    def _requests_open(self) -> int:
        """Requests under way. Of sync replies, no more are on their way into the ledger than may be under way."""
        if self._is_sync:
            return max(len(self._sends), len(self._commits))
        return len(self._sends)

    def _end_of_budget(self, feed: Feed, watch: Watch, now: float) -> None:
        """The budget reaches for nothing more now."""
        # What is under way may yet cost less than was thought.
        if self._account is None or self._flight.outstanding or self._commits or self._sends:
            return
        if self._when_short == "stop":
            self._stop(BudgetExhausted(self._account.reason(self._sending.next_tokens())))
            return
        # Each of the rest gets its row without being paid for.
        feed.budget_is_used_up()
        unpaid = self._sending.take_all_ready(now)
        # What was never sent, or is known to nobody, is taken back, so that no later run is in doubt of it.
        self._to_withdraw += [
            inference for inference in unpaid if inference.can_be_withdrawn or inference.found_nowhere
        ]
        self._loads.start(feed.end_without_budget(unpaid))
        # Nothing is under way whose verdict could show more: what was held back counts now.
        self._see_to(feed, watch, self._canary.gives_up(unpaid), [])

    async def _request(
        self, feed: Feed, watch: Watch, work: Coroutine[None, None, Effects], *, is_send: bool = False
    ) -> None:
        """Make a request, and see to what its reply brought."""
        effects = await work
        now = self._now()
        self._note_contact(effects, now)
        if is_send:
            self._note_send(effects, now)
        self._learn(effects, now)
        through = self._canary.let_through(effects.verdicts, proven=watch.proven)
        if effects.stop is not None:
            self._stop(effects.stop)
        self._see_to(feed, watch, through, effects.rejections)

    def _see_to(self, feed: Feed, watch: Watch, through: LetThrough, rejections: list[Entry]) -> None:
        """Make durable what counts now."""
        if through.stop is not None:
            self.on_refusal(through.refused)
            self._stop(through.stop)
        rejections = rejections + through.rejections
        if through.verdicts or rejections:
            self._commits.start(self._commit(feed, watch, through, rejections))

    def _note_send(self, effects: Effects, now: float) -> None:
        """How it went with a request that sends tasks."""
        failed = not effects.usable and not effects.throttled
        self._brake.saw(failed=failed, at_once=len(self._sends))
        if not failed and effects.sent_at is not None and not self._is_sync:
            self._round_trips.took(now - effects.sent_at)

    def _learn(self, effects: Effects, now: float) -> None:
        """What the pace and the budget learn from a reply."""
        self._learning.reply(effects, now)
        if self._account is not None:
            is_ours = [self._ledger.is_of_this_run(entry.key, entry.attempt) for _, entry in effects.verdicts]
            self._sending.count(effects.verdicts, is_ours)

    async def _commit(self, feed: Feed, watch: Watch, through: LetThrough, rejections: list[Entry]) -> None:
        """Make verdicts durable, and only then let them count."""
        verdicts = through.verdicts
        others_come = bool(self._flight.outstanding) or self._flight.due(Phase.READY) is not None
        at_once = not others_come or self._canary.open or watch.undecided()
        wait_s = SYNC_WAIT_S if self._is_sync else LINGER_S
        self._sending.undurable += len(verdicts)
        entries = [*(entry for _, entry in verdicts), *rejections]
        await self._ledger.commit(entries, at_once=at_once, wait_s=wait_s)
        self._sending.undurable -= len(verdicts)
        for inference, entry in verdicts:
            is_last = self._fates.settled(inference, entry, self._job_id, self._now())
            if is_last:
                self._hand_over(feed, inference, entry)

    def _hand_over(self, feed: Feed, inference: Inference, entry: Entry) -> None:
        """Give the rows their outcome, unless the answer is asked about once more."""
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
        """Whether the API is there, and what a person is told if it never was."""
        if not effects.is_of_the_api:
            return
        self._reach.saw(effects, now)
        for line in self._reach.first_trouble():
            log.warning("%s", line)

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
        sends = self._sending.next_due(now, probing=self._canary.open)
        # What is due and was not sent waits for something to end.
        if sends is not None and sends > now:
            timeout = min(timeout, sends - now)
        accepted = self._learning.due()
        if accepted is not None:
            timeout = min(timeout, max(0.001, accepted - now))
        # It was seen already that somebody asked to stop.
        others: set[asyncio.Task[Any]] = {*beside} if stop.done() else {*beside, stop}
        await self._beside.wait(others, timeout)

    async def _wind_up(self) -> None:
        """Let what is under way end for a moment, then give it up: intents cover whatever was sent."""
        running = self._beside.running().difference(self._commits)
        if running:
            interrupted = isinstance(self._stopped, Interrupted)
            await asyncio.wait(running, timeout=self._finish_interrupted_s if interrupted else FINISH_S)
        for task in running:
            task.cancel()
        self._ledger.hurry()
        results = await asyncio.gather(*running, *self._commits, return_exceptions=True)
        failures = [result for result in results if isinstance(result, Exception)]
        await self._withdraw()
        if failures and self._stopped is None:
            raise failures[0]

    async def _withdraw(self) -> None:
        """Take back the intents of what was handed to no request, so that no later run is in doubt of it.

        Where that cannot be written, it stays in doubt, and a later run asks before it sends.
        """
        # Whoever took over, or may have done so by now, may have sent it since.
        if self._right.why_lost is not None or self._right.left_s() <= 0:
            return
        never_sent = [inference for inference in self._flight if inference.can_be_withdrawn]
        withdrawn = [*self._to_withdraw, *never_sent]
        with contextlib.suppress(OSError, StateUnreadable):
            await self._ledger.commit([inference.withdrawal() for inference in withdrawn], at_once=True)
            for inference in withdrawn:
                inference.can_be_withdrawn = inference.intended = False
