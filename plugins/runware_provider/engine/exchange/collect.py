"""Ask for results: getResponse for what was accepted, the archive for what cannot be found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runware_provider.engine.api import request_bodies
from runware_provider.engine.api.client import Lost, NotSent
from runware_provider.engine.exchange.fate import Effects
from runware_provider.engine.exchange.flight import NO_LIMIT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runware_provider.engine.api.client import Client
    from runware_provider.engine.api.replies import Reply
    from runware_provider.engine.exchange.fate import Fates
    from runware_provider.engine.exchange.flight import Inference


@dataclass
class Collector:
    """Asks for the inferences of one job."""

    client: Client
    fates: Fates
    timeout_s: float
    now: Callable[[], float]
    together: int = NO_LIMIT
    """Inferences in one request, at most: halved when the API says that a request is too large."""

    async def ask(self, chunk: list[Inference]) -> Effects:
        """Ask for the results of these inferences."""
        return await self._in_turn(chunk, self._ask)

    async def look_up(self, chunk: list[Inference]) -> Effects:
        """Look these inferences up in the archive."""
        return await self._in_turn(chunk, self._look_up)

    async def _in_turn(
        self, chunk: list[Inference], request: Callable[[list[Inference]], Awaitable[Effects | None]]
    ) -> Effects:
        """As many requests as it takes; usually one."""
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
        return whole

    async def _ask(self, chunk: list[Inference]) -> Effects | None:
        content = request_bodies.get_response([one.task_uuid for one in chunk])
        try:
            reply = await self.client.ask(content, self.timeout_s)
        except (NotSent, Lost) as error:
            effects = self.fates.ask_failed(chunk, self.now())
            return replace(effects, trouble=str(error), remedy=error.remedy)
        if _too_large(reply, chunk):
            return None
        return self.fates.asked(chunk, reply, self.now())

    async def _look_up(self, chunk: list[Inference]) -> Effects | None:
        content = request_bodies.get_task_details([one.task_uuid for one in chunk])
        try:
            reply = await self.client.look_up(content, self.timeout_s)
        except (NotSent, Lost) as error:
            effects = self.fates.look_up_failed(chunk, self.now())
            return replace(effects, trouble=str(error), remedy=error.remedy)
        if _too_large(reply, chunk):
            return None
        return self.fates.looked_up(chunk, reply, self.now())


def _too_large(reply: Reply, chunk: list[Inference]) -> bool:
    named = reply.results or reply.failures or reply.processing
    return reply.status == 413 and not named and len(chunk) > 1


def _add(whole: Effects, one: Effects) -> None:
    whole.verdicts += one.verdicts
    whole.rejections += one.rejections
    whole.latencies += one.latencies
    whole.full = whole.full or one.full
    whole.usable = whole.usable or one.usable
    whole.stop = whole.stop or one.stop
    if one.trouble:
        whole.trouble, whole.remedy = one.trouble, one.remedy
