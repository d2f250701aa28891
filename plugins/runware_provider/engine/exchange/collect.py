"""Ask for results: getResponse for what was accepted, the archive for what cannot be found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runware_provider.engine.api import request_bodies
from runware_provider.engine.api.client import Lost, NotSent
from runware_provider.engine.exchange.at_once import RoundTrips
from runware_provider.engine.exchange.effects import Effects
from runware_provider.engine.exchange.inference import NO_LIMIT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runware_provider.engine.api.client import Client
    from runware_provider.engine.api.replies import Reply
    from runware_provider.engine.exchange.fate import Fates
    from runware_provider.engine.exchange.inference import Inference


@dataclass
class Collector:
    """Asks for the inferences of one job."""

    client: Client
    fates: Fates
    timeout_s: float
    now: Callable[[], float]
    together: int = NO_LIMIT
    """Inferences in one request, at most: halved when a request is too large, or its reply takes too long."""
    _round_trips: RoundTrips = field(default_factory=RoundTrips)

    @property
    def round_trip_s(self) -> float:
        """Seconds that a request takes; 0 as long as nobody knows."""
        return self._round_trips.shortest_s

    async def ask(self, chunk: list[Inference]) -> Effects:
        """Ask for the results of these inferences."""
        return await self._in_turn(chunk, self._ask)

    async def look_up(self, chunk: list[Inference]) -> Effects:
        """Look these inferences up in the archive."""
        return await self._in_turn(chunk, self._look_up)

    async def _in_turn(
        self, chunk: list[Inference], request: Callable[[list[Inference]], Awaitable[Effects | None]]
    ) -> Effects:
        """As many requests as it takes; usually more."""
        whole = Effects()
        rest = chunk
        while rest:
            some = rest[: self.together]
            effects = await request(some)
            if effects is None:
                self.together = max(1, len(some) // 2)
                continue
            _add(whole, effects)
            rest = rest[len(some) :]
            # One large answer shall not make every later question a small one.
            self.together = min(NO_LIMIT, self.together + 1)
        return whole

    async def _ask(self, chunk: list[Inference]) -> Effects | None:
        content = request_bodies.get_response([inference.task_uuid for inference in chunk])
        started = self.now()
        try:
            reply = await self.client.ask(content, self.timeout_s)
        except NotSent as error:
            effects = self.fates.ask_failed(chunk, self.now())
            return replace(effects, trouble=str(error), remedy=error.remedy)
        except Lost as lost:
            if lost.too_large:
                return self._too_large(chunk, lost)
            self._ask_for_less(chunk, lost)
            effects = self.fates.ask_failed(chunk, self.now())
            return replace(effects, trouble=str(lost), remedy=lost.remedy)
        self._round_trips.took(self.now() - started)
        if _too_many(reply, chunk):
            return None
        return self.fates.asked(chunk, reply, self.now())

    async def _look_up(self, chunk: list[Inference]) -> Effects | None:
        content = request_bodies.get_task_details([inference.task_uuid for inference in chunk])
        try:
            reply = await self.client.look_up(content, self.timeout_s)
        except NotSent as error:
            effects = self.fates.look_up_failed(chunk, self.now())
            return replace(effects, trouble=str(error), remedy=error.remedy)
        except Lost as lost:
            if lost.too_large:
                return self._too_large(chunk, lost)
            self._ask_for_less(chunk, lost)
            effects = self.fates.look_up_failed(chunk, self.now())
            return replace(effects, trouble=str(lost), remedy=lost.remedy)
        if _too_many(reply, chunk):
            return None
        return self.fates.looked_up(chunk, reply, self.now())

    def _too_large(self, chunk: list[Inference], lost: Lost) -> Effects | None:
        """The answers that were asked for are more than is taken: None where fewer at once may be less."""
        if len(chunk) > 1:
            return None
        return self.fates.answer_too_large(chunk[0], str(lost), self.now())

    def _ask_for_less(self, chunk: list[Inference], lost: Lost) -> None:
        """A reply that took too long may come in time where fewer are asked for."""
        if lost.timed_out:
            self.together = max(1, min(self.together, len(chunk)) // 2)


def _too_many(reply: Reply, chunk: list[Inference]) -> bool:
    named = reply.results or reply.failures or reply.processing
    return reply.status == 413 and not named and len(chunk) > 1


def _add(whole: Effects, more: Effects) -> None:
    whole.verdicts += more.verdicts
    whole.rejections += more.rejections
    whole.answered += more.answered
    whole.ended_otherwise += more.ended_otherwise
    whole.usable = whole.usable or more.usable
    whole.stop = whole.stop or more.stop
    if more.trouble:
        whole.trouble, whole.remedy = more.trouble, more.remedy
