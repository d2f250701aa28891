"""Ask for results: getResponse for what was accepted, the archive for what cannot be found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine import wire
from runware_provider.engine.client import Lost, NotSent
from runware_provider.engine.fate import Effects
from runware_provider.engine.flight import NO_LIMIT
from runware_provider.engine.retry import Family, family_of, family_of_status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runware_provider.engine.client import Client
    from runware_provider.engine.fate import Fates
    from runware_provider.engine.flight import Inference

_OF_THE_REQUEST = frozenset({Family.VALIDATION, Family.TOO_LARGE, Family.UNKNOWN})


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
        content = wire.get_response([one.task_uuid for one in chunk])
        try:
            reply = await self.client.post(content, self.timeout_s)
        except (NotSent, Lost):
            return self.fates.ask_failed(chunk, self.now())
        if _refused_as_a_whole(reply):
            too_many = reply.status == 413 and len(chunk) > 1
            return None if too_many else self.fates.ask_failed(chunk, self.now())
        return self.fates.asked(chunk, reply, self.now())

    async def _look_up(self, chunk: list[Inference]) -> Effects | None:
        content = wire.get_task_details([one.task_uuid for one in chunk])
        try:
            reply = await self.client.look_up(content, self.timeout_s)
        except (NotSent, Lost):
            return self.fates.look_up_failed(chunk, self.now())
        if _refused_as_a_whole(reply):
            too_many = reply.status == 413 and len(chunk) > 1
            return None if too_many else self.fates.look_up_failed(chunk, self.now())
        return self.fates.looked_up(chunk, reply, self.now())


def _refused_as_a_whole(reply: wire.Reply) -> bool:
    """Whether it was the request that was refused, so that nothing is known of any task in it."""
    if reply.status < 400 or reply.results or reply.failures or reply.processing:
        return False
    families = {family_of(error.code, reply.status) for error in reply.unnamed}
    return (families or {family_of_status(reply.status)}) <= _OF_THE_REQUEST


def _add(whole: Effects, one: Effects) -> None:
    whole.verdicts += one.verdicts
    whole.rejections += one.rejections
    whole.latencies += one.latencies
    whole.full = whole.full or one.full
    whole.usable = whole.usable or one.usable
    whole.stop = whole.stop or one.stop
