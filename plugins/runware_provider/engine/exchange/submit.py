"""Send chunks of tasks: first the intent into the ledger, then the POST, then what the reply means."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runware_provider.engine.api import request_bodies
from runware_provider.engine.api.client import Lost, NotSent

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.api.client import Client
    from runware_provider.engine.api.replies import Reply
    from runware_provider.engine.exchange.fate import Effects, Fates
    from runware_provider.engine.exchange.flight import Flight, Inference
    from runware_provider.engine.memory.ledger import Ledger
    from runware_provider.engine.spec import Delivery

INTENTS_AHEAD = 500
"""Intents written together: fewer, larger segments, at the price of asking for so many after a death."""


@dataclass
class Submitter:
    """Sends inferences of one job."""

    client: Client
    ledger: Ledger
    flight: Flight
    fates: Fates
    template: request_bodies.RequestTemplate
    delivery: Delivery
    timeout_s: float
    now: Callable[[], float]
    intents: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def send(self, chunk: list[Inference], *, ahead: bool) -> Effects:
        """Send one request and apply its reply.

        Args:
            chunk: inferences in the phase SENDING.
            ahead: whether intents of later chunks may be written along.
        """
        await self._intend(chunk, ahead=ahead)
        tasks = [
            self.template.task(one.prompt, one.key.sample, one.task_uuid, self.delivery, one.follow_up)
            for one in chunk
        ]
        fresh = [one for one in chunk if one.never_sent]
        started = self.now()
        for one in chunk:
            one.sent_at = one.sent_at if one.sent_at is not None else started
            one.unsent = one.unknown_to_all = False
        try:
            reply = await self.client.post(request_bodies.body(tasks), self.timeout_s)
        except NotSent as error:
            effects = self.fates.not_sent(chunk, self.now())
            return replace(effects, trouble=str(error), remedy=error.remedy)
        except Lost as lost:
            effects = self.fates.send_unknown(chunk, self.now(), split=lost.timed_out)
            return replace(effects, trouble=str(lost), remedy=lost.remedy)
        await self._explain(fresh, reply)
        effects = self.fates.sent(chunk, reply, self.now())
        if effects.usable:
            return effects
        told = ": it has no room" if effects.throttled else ""
        return replace(effects, trouble=f"HTTP {reply.status}{told}")

    async def _explain(self, fresh: list[Inference], reply: Reply) -> None:
        """A UUID is in use that this process sent for the first time: has another one of this job sent it meanwhile?

        Args:
            fresh: what was sent for the first time.
            reply: to that.
        """
        in_use = [one for one in fresh if reply.says_in_use(one.task_uuid)]
        if not in_use:
            return
        told = await self.ledger.told_by_others([(one.key, one.attempt) for one in in_use])
        for one in in_use:
            one.unexplained = (one.key, one.attempt) not in told

    async def _intend(self, chunk: list[Inference], *, ahead: bool) -> None:
        """Make durable that these will be sent; other senders wait, since their intents may be in the same write."""
        async with self.intents:
            missing = [one for one in chunk if not one.intended]
            if not missing:
                return
            if ahead:
                missing += self.flight.without_intent(INTENTS_AHEAD - len(missing))
            for one in missing:
                one.unsent = not one.held_back
            await self.ledger.commit([one.intent() for one in missing], at_once=True)
            for one in missing:
                one.intended = True
