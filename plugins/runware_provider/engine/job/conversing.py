"""The client and the exchange of whoever asks, put together from what a spec says of them."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.api.client import StreamBounds
from runware_provider.engine.api.descriptors import connections_possible
from runware_provider.engine.exchange.collect import Collector
from runware_provider.engine.exchange.conversation import FINISH_INTERRUPTED_S, Exchange
from runware_provider.engine.exchange.fate import Fates
from runware_provider.engine.exchange.inbox import Inbox
from runware_provider.engine.exchange.polls import MOST_AT_ONCE, Polls, most_at_once
from runware_provider.engine.exchange.submit import Submitter
from runware_provider.engine.job.hook_probe import why_no_call_arrives
from runware_provider.engine.job.job_hook import JobHook

if TYPE_CHECKING:
    from runware_provider.engine.api.client import Client
    from runware_provider.engine.api.request_bodies import RequestTemplate
    from runware_provider.engine.exchange.flight import Flight
    from runware_provider.engine.exchange.pace import Pace
    from runware_provider.engine.exchange.ports import Right, Source
    from runware_provider.engine.exchange.submit import Attempts
    from runware_provider.engine.job.inboxes import Bringing
    from runware_provider.engine.limits import Limits
    from runware_provider.engine.spec import Spec
    from runware_provider.engine.spending.budget import Account


def connections_of(limits: Limits) -> int:
    """Connections for requests with tasks, and beside them for questions about these."""
    return requests_possible(limits) + most_at_once(limits.requests)


def requests_possible(limits: Limits) -> int:
    """Requests with tasks at once, at most: this process may not have as many files open as are allowed."""
    return max(1, int(min(limits.requests, connections_possible() - MOST_AT_ONCE)))


def sources_of(
    collector: Collector, flight: Flight, limits: Limits, right: Right, bringing: Bringing | None
) -> list[Source]:
    """Where answers come from.

    Args:
        collector: asks for them.
        flight: what is under way.
        limits: of the job.
        right: of this process.
        bringing: how the vendor brings them; None where they are only asked for.
    """
    if bringing is None:
        return [Polls(collector, flight, limits)]
    inbox = Inbox(
        folder=bringing.folder,
        fates=collector.fates,
        flight=flight,
        calls=bringing.calls,
        right=right,
        now=time.monotonic,
    )
    # What was brought already is not asked for.
    return [inbox, Polls(collector, flight, limits, may_ask=lambda: inbox.was_read)]


@dataclass(kw_only=True)
class Conversing:
    """What an exchange is made of.

    Args:
        spec: what is asked for.
        client: the connection to the API.
        attempts: what remembers them.
        template: what all requests have in common.
        job_id: from which the UUIDs are made.
        right: to send.
        bringing: how the vendor brings the answers; None where they come otherwise.
    """

    spec: Spec
    client: Client
    attempts: Attempts
    template: RequestTemplate
    job_id: bytes
    right: Right
    bringing: Bringing | None = None

    def exchange(
        self,
        flight: Flight,
        account: Account | None,
        pace: Pace,
        *,
        worth_s: float | None = None,
        finish_interrupted_s: float = FINISH_INTERRUPTED_S,
    ) -> Exchange:
        """The exchange.

        Args:
            flight: what is under way.
            account: of the budget; None where there is none.
            pace: how much may be under way.
            worth_s: as of `Leg`.
            finish_interrupted_s: how long requests that are under way may take once somebody asked to stop.
        """
        spec, limits = self.spec, self._limits()
        redactor = self.client.redactor(self.template.fields(0))
        calls = self.bringing.calls if self.bringing is not None else None
        fates = Fates(flight, limits, spread=random.random(), redactor=redactor, calls=calls)  # noqa: S311 - only spreads load
        timeout = limits.sync_timeout_s if spec.delivery == "sync" else limits.request_timeout_s
        submitter = Submitter(
            self.client,
            self.attempts,
            flight,
            fates,
            self.template,
            spec.delivery,
            timeout,
            time.monotonic,
            stream_bounds=self._stream_bounds(),
        )
        if self.bringing is not None:
            submitter.hook = self._hook(self.bringing)
        collector = Collector(self.client, fates, limits.request_timeout_s, time.monotonic)
        return Exchange(
            submitter,
            sources_of(collector, flight, limits, self.right, self.bringing),
            pace=pace,
            limits=limits,
            job_id=self.job_id,
            right=self.right,
            account=account,
            when_short=spec.budget.when_short if spec.budget is not None else "stop",
            worth_s=worth_s,
            requests=requests_possible(limits),
            finish_interrupted_s=finish_interrupted_s,
        )

    def _limits(self) -> Limits:
        """Those of the spec, as far as the delivery leaves a choice."""
        limits = self.spec.limits
        if self.spec.delivery == "stream":
            return limits.model_copy(update={"tasks_per_request": 1})
        return limits

    def _stream_bounds(self) -> StreamBounds | None:
        if self.spec.delivery != "stream":
            return None
        limits = self.spec.limits
        return StreamBounds(silence_s=limits.sync_timeout_s, whole_s=limits.stream_timeout_s)

    def _hook(self, bringing: Bringing) -> JobHook:
        return JobHook(
            bringing.address,
            bringing.calls,
            self.spec.webhook.when_unreachable,
            self.spec.limits.deadline_s,
            lambda: why_no_call_arrives(bringing.address, bringing.folder),
        )
