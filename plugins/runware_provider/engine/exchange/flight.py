"""What is under way: which inferences may be sent, asked for or looked up now. Pure: time comes as a number.

    READY ──send──> SENDING ──accepted──> WAITING ──answer, error──> SETTLING ──durable──> DONE
      ^                │ reply lost           │ deadline                 │ next attempt
      │                v                      v                          v
      └──nothing─── LOOK_UP <──nothing──── ASK (fate unknown)          READY

An inference whose fate is unknown is asked for (getResponse), then looked up in the archive, and only then sent
again under the same UUID. `otherwise` is what to commit instead of sending, where the attempt is known to be over.
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Protocol

from runware_provider.engine.exchange.inference import ARRIVED, OUTSTANDING, Inference, Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runware_provider.engine.api.request_bodies import FollowUp
    from runware_provider.engine.identity import Key

FIRST = 0.0
"""When an output retry is due: before everything new, so that its record is soon decided."""


def _queued(phase: Phase) -> Phase:
    """What is asked for and what is waited for are polled alike."""
    return Phase.WAITING if phase is Phase.ASK else phase


class Meter(Protocol):
    """Who wants to know how much is under way."""

    def sent(self, prompt_estimate: int, *, output_retry: bool) -> None:
        """An inference with so many tokens of prompt is under way."""

    def ended(self, prompt_estimate: int, *, output_retry: bool) -> None:
        """It no longer is."""


class Flight:
    """The inferences under way, by what is due for each."""

    def __init__(self, meter: Meter | None = None) -> None:
        self._meter = meter
        self._held: dict[Key, Inference] = {}
        self._by_uuid: dict[str, Inference] = {}
        self._queues: dict[Phase, list[tuple[float, int, Inference]]] = {
            Phase.READY: [],
            Phase.WAITING: [],
            Phase.LOOK_UP: [],
        }
        self._tickets = itertools.count(1)
        self.on_attempt: Callable[[str], None] = lambda _task_uuid: None
        """Is told the UUID of each attempt that begins to be under way."""
        self.outstanding = 0
        self.arrived = 0
        """Of these, what the API has, as far as is known."""

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Inference]:
        return iter(self._held.values())

    def get(self, key: Key) -> Inference | None:
        """The inference under way for this key, if there is one."""
        return self._held.get(key)

    def of_attempt(self, task_uuid: str) -> Inference | None:
        """The inference under way whose present attempt has this UUID, if there is one."""
        return self._by_uuid.get(task_uuid)

    def start_attempt(self, inference: Inference, job_id: bytes, number: int) -> None:
        """Begin the given attempt of an inference that is under way."""
        self._by_uuid.pop(inference.task_uuid, None)
        inference.start_attempt(job_id, number)
        self._by_uuid[inference.task_uuid] = inference
        self.on_attempt(inference.task_uuid)

    def add(self, inference: Inference, now: float) -> None:
        """Take on an inference in the phase that it comes in."""
        self._held[inference.key] = inference
        self._by_uuid[inference.task_uuid] = inference
        self.on_attempt(inference.task_uuid)
        first = inference.phase
        inference.phase = Phase.DONE
        self.move(inference, first, now)

    def ask_further(self, inference: Inference, follow_up: FollowUp, job_id: bytes) -> None:
        """Take an inference on once more, that was answered with what does not fit: before everything new."""
        inference.start_attempt(job_id, inference.attempt + 1)
        inference.say(follow_up)
        inference.phase = Phase.READY
        self.add(inference, FIRST)

    def move(self, inference: Inference, phase: Phase, due: float) -> None:
        """Put an inference into a phase, to be acted on at the given time."""
        before, after = inference.phase in OUTSTANDING, phase in OUTSTANDING
        self.outstanding += after - before
        self.arrived += (phase in ARRIVED) - (inference.phase in ARRIVED)
        if self._meter is not None and before != after:
            tell = self._meter.sent if after else self._meter.ended
            tell(inference.tokens, output_retry=inference.is_output_retry)
        inference.phase = phase
        inference.due = due
        inference.ticket = next(self._tickets)
        queue = self._queues.get(_queued(phase))
        if queue is not None:
            heapq.heappush(queue, (due, inference.ticket, inference))
        if phase is Phase.DONE:
            self._held.pop(inference.key, None)
            self._by_uuid.pop(inference.task_uuid, None)

    def take_to_send(self, now: float, most: int, most_bytes: int) -> list[Inference]:
        """Inferences for one request, now SENDING; never more than most_bytes together, but at least one."""
        size = 0
        limit = most

        def fits(inference: Inference, chosen: int) -> bool:
            nonlocal size, limit
            limit = min(limit, inference.together)
            if chosen and (chosen >= limit or size + inference.size > most_bytes):
                return False
            size += inference.size
            return True

        chunk = self._take(Phase.READY, now, most, fits)
        for inference in chunk:
            self.move(inference, Phase.SENDING, now)
        return chunk

    def take_to_ask(self, now: float, most: int) -> list[Inference]:
        """Inferences to ask getResponse for, now BUSY; one that is asked alone has no others beside it."""
        alone = False

        def fits(inference: Inference, chosen: int) -> bool:
            nonlocal alone
            if chosen and (alone or inference.asked_alone):
                return False
            alone = inference.asked_alone
            return True

        return self._busy(self._take(Phase.WAITING, now, most, fits), now)

    def take_to_look_up(self, now: float, most: int) -> list[Inference]:
        """Inferences to look up in the archive, now BUSY."""
        return self._busy(self._take(Phase.LOOK_UP, now, most), now)

    def without_intent(self, most: int) -> list[Inference]:
        """The next inferences to be sent that have no durable intent yet.

        Without those that were refused or withdrawn before: a second intent of theirs cannot be withdrawn, so it is
        written only when they are sent.
        """
        queue = self._queues[Phase.READY]
        chosen = []
        for _, ticket, inference in heapq.nsmallest(most * 2, queue):
            if inference.ticket == ticket and not inference.intended and not inference.refused_or_withdrawn:
                chosen.append(inference)
                if len(chosen) == most:
                    break
        return chosen

    def due(self, *phases: Phase) -> float | None:
        """When the next inference of these phases is due."""
        queues = [self._queues[_queued(phase)] for phase in phases]
        heads = [head for queue in queues if (head := self._head(queue)) is not None]
        return min((head.due for head in heads), default=None)

    def count(self, phase: Phase) -> int:
        """Entries queued for a phase, stale ones included: an upper bound."""
        return len(self._queues[_queued(phase)])

    def _busy(self, chunk: list[Inference], now: float) -> list[Inference]:
        for inference in chunk:
            self.move(inference, Phase.BUSY, now)
        return chunk

    def _take(
        self, phase: Phase, now: float, most: int, fits: Callable[[Inference, int], bool] | None = None
    ) -> list[Inference]:
        queue = self._queues[phase]
        chunk: list[Inference] = []
        while len(chunk) < most:
            head = self._head(queue)
            if head is None or head.due > now or (fits is not None and not fits(head, len(chunk))):
                break
            heapq.heappop(queue)
            head.ticket = 0
            chunk.append(head)
        return chunk

    @staticmethod
    def _head(queue: list[tuple[float, int, Inference]]) -> Inference | None:
        """The first entry that is still true: an inference that moved on left stale ones behind."""
        while queue:
            _, ticket, inference = queue[0]
            if inference.ticket == ticket:
                return inference
            heapq.heappop(queue)
        return None
