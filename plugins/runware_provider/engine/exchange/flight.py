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
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from runware_provider.engine.attempt import WITHDRAWN, Entry, Kind
from runware_provider.engine.identity import Key, task_uuid
from runware_provider.engine.spending.tokens import estimated_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runware_provider.engine.api.request_bodies import FollowUp

NO_LIMIT = 1_000_000
FIRST = 0.0
"""When an output retry is due: before everything new, so that its record is soon decided."""


class Phase(Enum):
    """Where an inference stands in this process."""

    READY = "ready"
    SENDING = "sending"
    ASK = "ask"
    WAITING = "waiting"
    LOOK_UP = "look_up"
    BUSY = "busy"
    """In a getResponse or getTaskDetails request."""
    SETTLING = "settling"
    DONE = "done"


OUTSTANDING = frozenset({Phase.SENDING, Phase.ASK, Phase.WAITING, Phase.LOOK_UP, Phase.BUSY})


@dataclass(slots=True, eq=False)
class Inference:
    """One request on its way to a verdict."""

    key: Key
    prompt: str = field(repr=False)
    size: int
    """Bytes of the task as sent, about."""
    attempt: int
    counted: int
    """Attempts that ended without an answer, as the policy counts them."""
    task_uuid: str
    tokens: int = 0
    """Of the prompt side, by estimate."""
    follow_up: FollowUp | None = field(default=None, repr=False)
    """What this attempt says beside the prompt, where an answer before did not fit."""
    spent: int = 0
    errors_usd: float | None = None
    """What the attempts that ended without an answer cost; None where no cost was reported."""
    phase: Phase = Phase.READY
    due: float = 0.0
    deadline: float | None = None
    """When to stop waiting for it; none while it is not known to be accepted."""
    accepted: bool = False
    rejected: bool = False
    """This UUID was refused before, so a conflict no longer proves acceptance."""
    unexplained: bool = False
    """This UUID was in use when it was sent for the first time, and no intent in the ledger says by whom."""
    withdrawn: bool = False
    """An intent of an earlier run was taken back: the next one has to say more than that to hold against it."""
    intended: bool = False
    """That it is sent, or sent again after a refusal, is durable."""
    only_look_for: bool = False
    """It may have been sent by a run that wanted it. This run collects it if it is there, and never sends it."""
    unknown_to_all: bool = False
    """Neither getResponse nor the archive knew of it, and it was not sent since."""
    unsent: bool = False
    """Its intent is the only one there ever was, and it was handed to no request: it can be withdrawn."""
    otherwise: Entry | None = None
    sent_at: float | None = None
    doubted_at: float | None = None
    """When it was first sent without learning what became of it."""
    not_before: float = 0.0
    """When it may be sent again at the earliest: another process may have sent it a moment ago."""
    since: float = 0.0
    """When the waiting began; polls become rarer with its age."""
    tries: int = 0
    """Unsuccessful requests in a row, for the back-off."""
    blamed: int = 0
    """Errors in a row that may be about a question as well as about this task."""
    together: int = NO_LIMIT
    """With at most so many others in a request: halved when a request was too large or took too long."""
    ticket: int = 0

    def start_attempt(self, job_id: bytes, number: int) -> None:
        """Begin the given attempt: a new UUID, of which nothing is known."""
        self.attempt = number
        self.task_uuid = task_uuid(job_id, self.key, number)
        self.deadline = self.sent_at = self.doubted_at = self.otherwise = None
        self.not_before = 0.0
        self.accepted = self.rejected = self.withdrawn = self.intended = self.unsent = False
        self.only_look_for = self.unknown_to_all = self.unexplained = False
        self.tries = self.blamed = 0

    def say(self, follow_up: FollowUp | None) -> None:
        """Say this beside the prompt, instead of what was said before; only while it is not under way."""
        for text in self.follow_up.words if self.follow_up is not None else ():
            self.size -= len(text.encode(errors="replace"))
        self.tokens = self.prompt_tokens
        self.follow_up = follow_up
        for text in follow_up.words if follow_up is not None else ():
            self.size += len(text.encode(errors="replace"))
            self.tokens += estimated_tokens(text)

    @property
    def is_output_retry(self) -> bool:
        """Whether it asks again about an answer that does not fit."""
        return self.follow_up is not None

    @property
    def prompt_tokens(self) -> int:
        """Of the prompt side without what is said beside the prompt, by estimate."""
        beside = self.follow_up.words if self.follow_up is not None else ()
        return self.tokens - sum(estimated_tokens(text) for text in beside)

    @property
    def words(self) -> tuple[str, ...]:
        """The texts that it sends and that others do not: what an error may quote."""
        return (self.prompt, *(self.follow_up.words if self.follow_up is not None else ()))

    @property
    def never_sent(self) -> bool:
        """Whether, as far as this process knows, its UUID has reached the API in no request yet."""
        return self.sent_at is None and self.doubted_at is None and not self.rejected

    @property
    def held_back(self) -> bool:
        """Whether the ledger says that this attempt was refused or withdrawn."""
        return self.rejected or self.withdrawn

    def intent(self) -> Entry:
        """What has to be durable before it is sent."""
        return self.entry(Kind.SENT_AGAIN if self.held_back else Kind.INTENT)

    def withdrawal(self) -> Entry:
        """What takes an intent back: as after a refusal, the same attempt may be sent later."""
        return self.entry(Kind.REJECTED, family=WITHDRAWN)

    def entry(self, kind: Kind, **facts: object) -> Entry:
        """An entry about the current attempt."""
        return Entry(self.key, self.attempt, kind, **facts)  # type: ignore[arg-type] # names are checked by Entry


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
        self._queues: dict[Phase, list[tuple[float, int, Inference]]] = {
            Phase.READY: [],
            Phase.WAITING: [],
            Phase.LOOK_UP: [],
        }
        self._tickets = itertools.count(1)
        self.outstanding = 0

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Inference]:
        return iter(self._held.values())

    def get(self, key: Key) -> Inference | None:
        """The inference under way for this key, if there is one."""
        return self._held.get(key)

    def add(self, inference: Inference, now: float) -> None:
        """Take on an inference in the phase that it comes in."""
        self._held[inference.key] = inference
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

    def take_to_send(self, now: float, most: int, most_bytes: int) -> list[Inference]:
        """Inferences for one request, now SENDING; never more than most_bytes together, but at least one."""
        size = 0
        limit = most

        def fits(one: Inference, chosen: int) -> bool:
            nonlocal size, limit
            limit = min(limit, one.together)
            if chosen and (chosen >= limit or size + one.size > most_bytes):
                return False
            size += one.size
            return True

        chunk = self._take(Phase.READY, now, most, fits)
        for one in chunk:
            self.move(one, Phase.SENDING, now)
        return chunk

    def take_to_ask(self, now: float, most: int) -> list[Inference]:
        """Inferences to ask getResponse for, now BUSY."""
        return self._busy(self._take(Phase.WAITING, now, most), now)

    def take_to_look_up(self, now: float, most: int) -> list[Inference]:
        """Inferences to look up in the archive, now BUSY."""
        return self._busy(self._take(Phase.LOOK_UP, now, most), now)

    def without_intent(self, most: int) -> list[Inference]:
        """The next inferences to be sent that have no durable intent yet.

        Without those that were refused or withdrawn before: a second intent of theirs cannot be withdrawn, so it is
        written only when they are sent.
        """
        queue = self._queues[Phase.READY]
        found = []
        for _, ticket, one in heapq.nsmallest(most * 2, queue):
            if one.ticket == ticket and not one.intended and not one.held_back:
                found.append(one)
                if len(found) == most:
                    break
        return found

    def due(self, *phases: Phase) -> float | None:
        """When the next inference of these phases is due."""
        queues = [self._queues[_queued(phase)] for phase in phases]
        heads = [head for queue in queues if (head := self._head(queue)) is not None]
        return min((head.due for head in heads), default=None)

    def count(self, phase: Phase) -> int:
        """Entries queued for a phase, stale ones included: an upper bound."""
        return len(self._queues[_queued(phase)])

    def _busy(self, chunk: list[Inference], now: float) -> list[Inference]:
        for one in chunk:
            self.move(one, Phase.BUSY, now)
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
