"""Send chunks of tasks: first the intent into the ledger, then the POST, then what the reply means."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from runware_provider.engine.api import request_bodies
from runware_provider.engine.api.client import Lost, NotSent
from runware_provider.engine.exchange.effects import trouble_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from runware_provider.engine.api.client import Client
    from runware_provider.engine.api.replies import Reply
    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.exchange.effects import Effects
    from runware_provider.engine.exchange.fate import Fates
    from runware_provider.engine.exchange.flight import Flight
    from runware_provider.engine.exchange.inference import Inference
    from runware_provider.engine.identity import Key
    from runware_provider.engine.spec import Delivery

INTENTS_AHEAD = 500
"""Intents written together: fewer, larger segments, at the price of asking for so many after a death."""


class Attempts(Protocol):
    """What remembers the attempts of a run: a ledger, or the memory of a process alone."""

    async def commit(self, entries: Sequence[Entry], *, at_once: bool = ..., wait_s: float = ...) -> None:
        """Return when the entries are as durable as they get."""

    def hurry(self) -> None:
        """Let nothing that is pending wait for company."""

    async def told_by_others(self, attempts: Collection[tuple[Key, int]]) -> set[tuple[Key, int]]:
        """Which of these attempts other processes know of."""

    def is_of_this_run(self, key: Key, attempt: int) -> bool:
        """Whether this run pays for an attempt."""


@dataclass
class Submitter:
    """Sends inferences of one job."""

    client: Client
    ledger: Attempts
    flight: Flight
    fates: Fates
    template: request_bodies.RequestTemplate
    delivery: Delivery
    timeout_s: float
    now: Callable[[], float]
    on_sending: Callable[[int, float], None] = lambda _count, _now: None
    """Called with the number of tasks of a request and the time, when it is handed over."""
    intents: asyncio.Lock = field(default_factory=asyncio.Lock)
    _about_to_be_sent: list[Inference] = field(default_factory=list)
    """Whose requests wait for their turn to write intents."""

    async def send(self, chunk: list[Inference], *, ahead: bool) -> Effects:
        """Send one request and apply its reply.

        Args:
            chunk: inferences in the phase SENDING.
            ahead: whether intents of later chunks may be written along.
        """
        await self._intend(chunk, ahead=ahead)
        tasks = [
            self.template.task(
                inference.prompt,
                inference.key.sample,
                inference.task_uuid,
                self.delivery,
                inference.follow_up,
            )
            for inference in chunk
        ]
        started = self.now()
        effects = await self._posted(chunk, request_bodies.body(tasks), started)
        effects.sent_at = started
        return effects

    async def _posted(self, chunk: list[Inference], content: bytes, started: float) -> Effects:
        fresh = [inference for inference in chunk if inference.never_sent]
        self.on_sending(len(chunk), started)
        for inference in chunk:
            inference.sent_at = inference.sent_at if inference.sent_at is not None else started
            inference.can_be_withdrawn = inference.found_nowhere = False
        try:
            reply = await self.client.post(content, self.timeout_s)
        except NotSent as error:
            effects = self.fates.not_sent(chunk, self.now())
            return replace(effects, trouble=str(error), remedy=error.remedy)
        except Lost as lost:
            # The reply to a single task that waits for its answer is that answer.
            if lost.too_large and self.delivery == "sync" and len(chunk) == 1:
                return self.fates.answer_too_large(chunk[0], str(lost), self.now())
            effects = self.fates.send_unknown(chunk, self.now(), split=lost.timed_out)
            return replace(effects, trouble=str(lost), remedy=lost.remedy)
        await self._explain(fresh, reply)
        effects = self.fates.sent(chunk, reply, self.now())
        if effects.usable:
            return effects
        return replace(effects, trouble=trouble_of(reply, has_no_room=effects.throttled))

    async def _explain(self, fresh: list[Inference], reply: Reply) -> None:
        """A UUID is in use that this process sent for the first time: has another one of this job sent it meanwhile?

        Args:
            fresh: what was sent for the first time.
            reply: to that.
        """
        in_use = [inference for inference in fresh if reply.says_in_use(inference.task_uuid)]
        if not in_use:
            return
        told = await self.ledger.told_by_others([(inference.key, inference.attempt) for inference in in_use])
        for inference in in_use:
            inference.unexplained = (inference.key, inference.attempt) not in told

    async def _intend(self, chunk: list[Inference], *, ahead: bool) -> None:
        """Make durable that these will be sent; other senders wait, since their intents may be in the same write."""
        self._about_to_be_sent += chunk
        async with self.intents:
            # Whoever came first has written the intents of all that were waiting for their turn.
            if all(inference.intended for inference in chunk):
                return
            waiting, self._about_to_be_sent = self._about_to_be_sent, []
            # Of those that wait, none is named twice, whatever became of an earlier write.
            to_be_sent = dict.fromkeys([*chunk, *waiting])
            missing = [inference for inference in to_be_sent if not inference.intended]
            if ahead:
                missing += self.flight.without_intent(INTENTS_AHEAD - len(missing))
            for inference in missing:
                inference.can_be_withdrawn = not inference.refused_or_withdrawn
            await self.ledger.commit([inference.intent() for inference in missing], at_once=True)
            for inference in missing:
                inference.intended = True
