"""What is sent next: as much as the pace, the budget and the canary allow. Pure: time comes as a number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.attempt import Kind
from runware_provider.engine.exchange.at_once import as_many_as_it_takes
from runware_provider.engine.exchange.fate import may_be_billed
from runware_provider.engine.exchange.inference import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.exchange.at_once import Brake, RoundTrips
    from runware_provider.engine.exchange.canary import Canary
    from runware_provider.engine.exchange.flight import Flight
    from runware_provider.engine.exchange.inference import Inference
    from runware_provider.engine.exchange.pace import Pace
    from runware_provider.engine.spec import Limits
    from runware_provider.engine.spending.budget import Account

SYNC_TASKS_PER_REQUEST = 8
"""At most: the reply waits for the slowest of them, and one that is lost leaves all in doubt."""
REQUESTS_A_SECOND = 500
"""Of sync requests, about: more of them take a large part of a processor."""
AT_ONCE = 0.05
"""Of the usual latency: within so long what the window has room for is sent."""
UNDECIDED = 64
"""Inferences that may be paid for at most before it is known whether all of them fail."""
WORTH = 20
"""One request for each so many parts of the window, at most."""


def worth_sending(window: int, per_request: int) -> int:
    """Tasks that make a request worth it, where something is under way already.

    Args:
        window: what may be under way.
        per_request: tasks of one request at most.
    """
    return min(per_request, max(1, window // WORTH))


def sync_tasks(window: int, requests: int, usual_s: float, *, alike: bool) -> int:
    """Tasks of one sync request: as few as there are requests for.

    Args:
        window: what may be under way.
        requests: that may be.
        usual_s: seconds in which an answer usually comes; 0 where nobody knows.
        alike: whether answers take about as long as one another, so that none waits long for those beside it.
    """
    tasks = math.ceil(window / requests)
    if alike and usual_s > 0:
        tasks = max(tasks, math.ceil(window / usual_s / REQUESTS_A_SECOND))
    return min(SYNC_TASKS_PER_REQUEST, tasks)


@dataclass(kw_only=True)
class Sending:
    """Chooses what goes into the next request.

    Args:
        flight: what is under way, and what is ready.
        canary: the first chunk.
        pace: how much may be under way.
        limits: of the job.
        is_sync: whether replies wait for the answers.
        account: of the budget; None where there is none.
        brake: how many requests may be under way.
        round_trips: of requests that send tasks and do not wait for the answers.
    """

    flight: Flight
    canary: Canary
    pace: Pace
    limits: Limits
    is_sync: bool
    account: Account | None
    brake: Brake
    round_trips: RoundTrips
    undurable: int = 0
    """Verdicts that are on their way into the ledger."""

    @property
    def per_request(self) -> int:
        """Tasks of one request, at most."""
        most = self.limits.tasks_per_request
        if not self.is_sync:
            return most
        pace = self.pace
        return min(most, sync_tasks(pace.window, self.brake.allowed, pace.usual_s, alike=pace.answers_alike))

    @property
    def requests_at_once(self) -> int:
        """Requests that send tasks, at most."""
        # The window bounds those that wait for their answers.
        if self.is_sync:
            return self.brake.allowed
        free = self.pace.window - self.flight.outstanding
        round_trip_s, within_s = self.round_trips.shortest_s, AT_ONCE * self.pace.usual_s
        needed = as_many_as_it_takes(free / self.per_request, round_trip_s, within_s)
        return min(self.brake.allowed, needed)

    def probe(self, now: float) -> list[Inference]:
        """A part of the first chunk: one that has to be sent again, or one that completes it; now SENDING."""
        again = self.canary.due_again(now, self.limits.request_bytes, self.limits.tasks_per_request)
        for inference in again:
            self.flight.move(inference, Phase.SENDING, now)
        if again:
            return again
        room = min(self.pace.window - self.flight.outstanding, self.canary.room, self.per_request)
        if room < 1:
            return []
        chunk = self.flight.take_to_send(now, room, self.limits.request_bytes)
        self.canary.add(chunk)
        return chunk

    def next_chunk(self, now: float, *, undecided: bool) -> list[Inference]:
        """What is sent after the first chunk; now SENDING.

        Args:
            now: seconds, from any moment.
            undecided: whether the next answers may yet show that the job should stop.
        """
        room = self._room(undecided=undecided)
        if room < 1:
            return []
        return self.flight.take_to_send(now, room, self.limits.request_bytes)

    def _room(self, *, undecided: bool) -> int:
        """Tasks for the next request; it waits until a request is worth it, unless nothing else is under way."""
        window, outstanding = self.pace.window, self.flight.outstanding
        undurable = 0
        # An answer counts against a job that should stop only once it is durable.
        if undecided:
            window, undurable = min(window, UNDECIDED), self.undurable
        free, per_request = window - outstanding - undurable, self.per_request
        if free < worth_sending(window, per_request) and outstanding:
            return 0
        return min(free, per_request)

    def within_budget(self, chunk: list[Inference], now: float) -> list[Inference]:
        """What of a chunk the budget reaches for; the rest is ready again.

        What may have been sent before counts like the rest: it was looked for, and the API knows nothing of it.
        """
        if self.account is None or not chunk:
            return chunk
        for inference in chunk:
            self.flight.move(inference, Phase.READY, inference.due)
        tokens = [inference.tokens for inference in chunk]
        output_retries = [inference.is_output_retry for inference in chunk]
        fit = self.account.fits(tokens, output_retries)
        for inference in chunk[:fit]:
            self.flight.move(inference, Phase.SENDING, now)
        return chunk[:fit]

    def take_all_ready(self, now: float) -> list[Inference]:
        """The budget is used up: what was to be sent leaves the flight."""
        ready = [inference for inference in self.flight if inference.phase is Phase.READY]
        for inference in ready:
            self.flight.move(inference, Phase.DONE, now)
        return ready

    def next_tokens(self) -> int:
        """Of the prompt that would be sent next, by estimate; 0 where nothing is to be sent."""
        ready = (inference.tokens for inference in self.flight if inference.phase is Phase.READY)
        return next(ready, 0)

    def count(self, verdicts: Sequence[tuple[Inference, Entry]], is_ours: Sequence[bool]) -> None:
        """Put on the budget what ended.

        Args:
            verdicts: how attempts ended.
            is_ours: of each, whether this run meant to send it: what another run meant to send is on that run's
                account, whoever collects it.
        """
        if self.account is None:
            return
        for (inference, entry), ours in zip(verdicts, is_ours, strict=True):
            if ours and may_be_billed(entry):
                self.account.paid(inference.tokens, entry.cost, entry.prompt_tokens, entry.completion_tokens)
            if entry.kind is Kind.ANSWERED:
                self.account.answered(inference.tokens, output_retry=inference.is_output_retry)

    def next_due(self, now: float, *, probing: bool) -> float | None:
        """When something that is not due yet may be sent; None where nothing is foreseen."""
        if probing and self.canary.room < 1:
            return self.canary.next_due(now)
        return self.flight.due(Phase.READY)
