"""Brings home what earlier runs sent and nobody collected, so that another ledger may go on in the place of theirs.

Nothing is sent: what nobody knows is taken back, and whoever asks it next asks it under a new UUID of his own.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.api.client import Client
from runware_provider.engine.errors import JobStopped, Unreachable
from runware_provider.engine.exchange.collect import Collector
from runware_provider.engine.exchange.conversation import Exchange
from runware_provider.engine.exchange.fate import Fates
from runware_provider.engine.exchange.flight import Flight
from runware_provider.engine.exchange.inference import Inference, Phase
from runware_provider.engine.exchange.pace import Pace
from runware_provider.engine.exchange.polls import most_at_once
from runware_provider.engine.exchange.submit import Submitter
from runware_provider.engine.identity import task_uuid
from runware_provider.engine.job.conversing import sources_of
from runware_provider.engine.outcome.standing import MOST_SPENT

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from runware_provider.engine.api.client import Transport
    from runware_provider.engine.api.request_bodies import FollowUp
    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.errors import JobStopped
    from runware_provider.engine.identity import Key
    from runware_provider.engine.job.inboxes import Inboxes
    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.memory.lease import Lease
    from runware_provider.engine.memory.ledger import Ledger


async def collect(  # noqa: PLR0913 - each a fact of its own
    prepared: Prepared,
    ledger: Ledger,
    job_id: bytes,
    lease: Lease,
    endpoint: Endpoint,
    *,
    stop: asyncio.Event,
    transport: Transport | None,
    inboxes: Inboxes | None = None,
) -> None:
    """Ask for every attempt in doubt until each has an end; no attempt is in doubt afterwards.

    Args:
        prepared: a job of the same service, for its limits.
        ledger: whose attempts they are.
        job_id: of that ledger.
        lease: of that ledger, held; taken just before.
        endpoint: where the API answers.
        stop: when set, what is known by then is kept, and Interrupted is raised.
        transport: carries the HTTP requests; None for a real network.
        inboxes: where the vendor brings answers; None where they come otherwise.

    Raises:
        JobStopped: it ended before, or the API did not say what became of some.
        StateUnreadable: the state folder cannot be read.
    """
    left = ledger.unsettled()
    if not left:
        return
    limits = prepared.spec.limits.model_copy(update={"attempts": 1})
    now = time.monotonic
    feed = _InDoubt(left, job_id, Flight(), now() + lease.may_resend_after_s)
    connections = most_at_once(limits.requests)
    async with Client(endpoint, connections=connections, transport=transport) as client, ledger.writing():
        redactor = client.redactor(prepared.template.fields(0))
        bringing = inboxes.bringing(job_id, prepared.spec.webhook) if inboxes is not None else None
        calls = bringing.calls if bringing is not None else None
        fates = Fates(feed.flight, limits, spread=random.random(), redactor=redactor, calls=calls)  # noqa: S311 - only spreads load
        right, timeout = _OnlyToAsk(lease), limits.request_timeout_s
        collector = Collector(client, fates, timeout, now)
        exchange = Exchange(
            Submitter(client, ledger, feed.flight, fates, prepared.template, "poll", timeout, now),
            sources_of(collector, feed.flight, limits, right, bringing),
            pace=Pace(limits.max_outstanding),
            limits=limits,
            job_id=job_id,
            right=right,
        )
        await exchange.run(feed, _NobodyWatches(), stop)
    still = len(ledger.unsettled())
    if still:
        raise Unreachable(f"the API could not say what became of {still:,} inferences that earlier runs sent")


@dataclass(frozen=True)
class _OnlyToAsk:
    """The right to ask for answers, and to send nothing."""

    lease: Lease

    @property
    def why_lost(self) -> JobStopped | None:
        return self.lease.why_lost

    def left_s(self) -> float:
        return 0.0


@dataclass
class _InDoubt:
    """Attempts that may have been sent."""

    left: Sequence[tuple[Key, int]]
    job_id: bytes
    flight: Flight
    may_resend_at: float
    loaded: bool = False

    def wants(self) -> bool:
        return not self.loaded

    def all_loaded(self) -> bool:
        return self.loaded

    def exhausted(self) -> bool:
        return self.loaded

    def pending(self) -> set[asyncio.Task[None]]:
        return set()

    async def load(self) -> None:
        self.loaded = True
        now = time.monotonic()
        for key, attempt in self.left:
            self.flight.add(self._inference(key, attempt, now), now)

    def _inference(self, key: Key, attempt: int, now: float) -> Inference:
        return Inference(
            key=key,
            turns=(),
            size=0,
            attempt=attempt,
            counted=0,
            task_uuid=task_uuid(self.job_id, key, attempt),
            # There is no attempt after this one.
            spent=MOST_SPENT,
            phase=Phase.ASK,
            intended=True,
            only_look_for=True,
            doubted_at=now,
            not_before=self.may_resend_at,
        )

    def settle(self, inference: Inference, entry: Entry) -> FollowUp | None:  # noqa: ARG002 - the end is in the ledger
        return None

    def budget_is_used_up(self) -> None:
        """There is no budget."""

    async def end_without_budget(self, inferences: Sequence[Inference]) -> None:
        """There is no budget."""


class _NobodyWatches:
    proven = True

    def failing(self) -> JobStopped | None:
        return None

    def undecided(self) -> bool:
        return False

    def tick(self, trouble: str | None) -> None:
        """Nobody wants to know."""
