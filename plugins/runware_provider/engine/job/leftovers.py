"""Ask once for what earlier runs may have sent and no question of this run covers: an edited prompt, fewer records.

Nothing of it is ever sent: without its prompt nobody could. What the API still has goes into the ledger, so that an
answer that was paid for is on the bill, and there for whoever asks the same again. The rest stays in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.exchange.collect import Collector
from runware_provider.engine.exchange.effects import Effects
from runware_provider.engine.exchange.fate import Fates
from runware_provider.engine.exchange.flight import Flight
from runware_provider.engine.exchange.inbox import Inbox
from runware_provider.engine.exchange.inference import Inference, Phase
from runware_provider.engine.identity import task_uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runware_provider.engine.api.client import Client
    from runware_provider.engine.api.redact import Redactor
    from runware_provider.engine.exchange.ports import Right
    from runware_provider.engine.identity import Key
    from runware_provider.engine.job.inboxes import Bringing
    from runware_provider.engine.memory.ledger import Ledger
    from runware_provider.engine.spec import Limits


@dataclass(kw_only=True)
class Leftovers:
    """What is in doubt in the ledger of one job.

    Args:
        client: asks.
        ledger: the job's, inside `writing()`.
        job_id: of the job.
        limits: of the job.
        redactor: knows what of the API's words may be shown.
        now: seconds, from any moment.
        right: of this process.
        bringing: how the vendor brings answers, so that it is seen what is there before anything is asked for; None
            where he brings none.
    """

    client: Client
    ledger: Ledger
    job_id: bytes
    limits: Limits
    redactor: Redactor
    may_resend_at: float
    """When what a process before may have sent is known to the API for certain, if it arrived."""
    now: Callable[[], float]
    right: Right
    bringing: Bringing | None = None

    async def ask(self, left: Sequence[tuple[Key, int]]) -> int:
        """Ask for these attempts, then look up in the archive what is not found, once each.

        Args:
            left: inferences and the number of the attempt in doubt.

        Returns:
            How many of them may be under way, or billed, without a word of what it cost: neither a verdict came, nor
            was it said that nobody knows of them.
        """
        flight, started = Flight(), self.now()
        calls = self.bringing.calls if self.bringing is not None else None
        fates = Fates(flight, self.limits, spread=0.0, redactor=self.redactor, calls=calls)
        collector = Collector(self.client, fates, self.limits.request_timeout_s, lambda: started)
        for key, attempt in left:
            flight.add(self._in_doubt(key, attempt, started), started)
        await self._collect_brought(flight, fates, started)
        effects = Effects(usable=True)
        most = self.limits.polls_per_request
        while effects.usable and (chunk := flight.take_to_ask(started, most)):
            effects = await self._commit(await collector.ask(chunk))
        while effects.usable and (chunk := flight.take_to_look_up(started, most)):
            effects = await self._commit(await collector.look_up(chunk))
        return sum(one.phase not in {Phase.SETTLING, Phase.READY} for one in flight)

    async def _collect_brought(self, flight: Flight, fates: Fates, started: float) -> None:
        """Take what the vendor has brought of them, so that it is not asked for."""
        if self.bringing is None or not len(flight):
            return
        inbox = Inbox(
            folder=self.bringing.folder,
            fates=fates,
            flight=flight,
            calls=self.bringing.calls,
            right=self.right,
            now=lambda: started,
        )
        while (look := inbox.next_request(started)) is not None:
            await self._commit(await look)

    async def _commit(self, effects: Effects) -> Effects:
        await self.ledger.commit([entry for _, entry in effects.verdicts], at_once=True)
        return effects

    def _in_doubt(self, key: Key, attempt: int, now: float) -> Inference:
        name = task_uuid(self.job_id, key, attempt)
        return Inference(
            key,
            (),
            0,
            attempt,
            0,
            name,
            intended=True,
            doubted_at=now,
            not_before=self.may_resend_at,
            phase=Phase.ASK,
        )
