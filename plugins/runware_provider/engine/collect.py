"""Ask for results: getResponse for what was accepted, the archive for what cannot be found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine import wire
from runware_provider.engine.client import Lost, NotSent

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.client import Client
    from runware_provider.engine.fate import Effects, Fates
    from runware_provider.engine.flight import Inference


@dataclass
class Collector:
    """Asks for the inferences of one job."""

    client: Client
    fates: Fates
    timeout_s: float
    now: Callable[[], float]

    async def ask(self, chunk: list[Inference]) -> Effects:
        """Ask for the results of these inferences in one request."""
        content = wire.get_response([one.task_uuid for one in chunk])
        try:
            reply = await self.client.post(content, self.timeout_s)
        except (NotSent, Lost):
            return self.fates.ask_failed(chunk, self.now())
        return self.fates.asked(chunk, reply, self.now())

    async def look_up(self, chunk: list[Inference]) -> Effects:
        """Look these inferences up in the archive in one request."""
        content = wire.get_task_details([one.task_uuid for one in chunk])
        try:
            reply = await self.client.look_up(content, self.timeout_s)
        except (NotSent, Lost):
            return self.fates.look_up_failed(chunk, self.now())
        return self.fates.looked_up(chunk, reply, self.now())
