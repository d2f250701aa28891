"""Where the vendor is to call for the tasks of a job, once somebody was seen to answer there."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runware_provider.engine.inbox.addresses import GRACE_S
from runware_provider.engine.plain_text import wrapped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runware_provider.engine.errors import WebhookUnreachable
    from runware_provider.engine.exchange.calls import Calls
    from runware_provider.engine.inbox.addresses import HookAddress
    from runware_provider.engine.webhook import WhenUnreachable

log = logging.getLogger(__name__)


@dataclass(eq=False)
class JobHook:
    """Looks once whether the receiver is there, before the first task is sent.

    Args:
        address: of the job.
        calls: is told where the vendor gets no address.
        when_unreachable: whether the job stops where nobody is there.
        answered_within_s: seconds that an answer may take.
        why_not: looks; says what is wrong, and what to do, or None where all is well.
        clock: seconds since the epoch.
    """

    address: HookAddress
    calls: Calls
    when_unreachable: WhenUnreachable
    answered_within_s: float
    why_not: Callable[[], Awaitable[WebhookUnreachable | None]]
    clock: Callable[[], float] = time.time
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _has_looked: bool = False
    _stop: WebhookUnreachable | None = None

    async def why_unreachable(self) -> WebhookUnreachable | None:
        """Why nothing may be sent; None where the receiver is there, or answers are asked for instead."""
        async with self._looking:
            if not self._has_looked:
                self._decide(await self.why_not())
                self._has_looked = True
        return self._stop

    def url_of(self, task_uuid: str) -> str | None:
        """The URL for one task; None where its answer is asked for."""
        if not self.calls.have_address:
            return None
        return self.address.of(task_uuid, int(self.clock() + self.answered_within_s) + GRACE_S)

    def _decide(self, why: WebhookUnreachable | None) -> None:
        if why is None:
            return
        if self.when_unreachable == "stop":
            self._stop = why
            return
        self.calls.have_address = False
        for line in wrapped("Warning", f"{why.reason}. Answers are asked for instead. {why.remedy}"):
            log.warning("%s", line)
