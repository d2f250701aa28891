"""What the exchange needs of others: inferences, somebody who looks on, sources of answers, the right to send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Sequence

    from runware_provider.engine.api.request_bodies import FollowUp
    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.errors import JobStopped
    from runware_provider.engine.exchange.effects import Effects
    from runware_provider.engine.exchange.inference import Inference


class Feed(Protocol):
    """Where inferences come from, and where their ends go."""

    def wants(self) -> bool:
        """Whether there is more to load, and room for it."""

    def all_loaded(self) -> bool:
        """Whether everything was loaded once."""

    def exhausted(self) -> bool:
        """Whether everything is loaded, what had to be let go for the second time."""

    def pending(self) -> set[asyncio.Task[None]]:
        """Work of its own that may make room."""

    async def load(self) -> None:
        """Bring the next batch's inferences into the flight."""

    def settle(self, inference: Inference, entry: Entry) -> FollowUp | None:
        """How an attempt ended, durable; returns what to ask further, None if that was the last word."""

    def budget_is_used_up(self) -> None:
        """From now on nothing new is asked: the budget is used up."""

    async def end_without_budget(self, inferences: Sequence[Inference]) -> None:
        """These, which the flight has let go, are not asked any more."""


class Watch(Protocol):
    """Who looks on, and may say that it is enough."""

    @property
    def proven(self) -> bool:
        """Whether a request like these was answered before, so that there is no need to probe."""

    def failing(self) -> JobStopped | None:
        """Why the job should stop, if too much fails."""

    def undecided(self) -> bool:
        """Whether the next answers may yet show that the job should stop, so that few should be under way."""

    def tick(self, trouble: str | None) -> None:
        """Called at least once a second, with what is wrong while nothing usable comes."""


class Source(Protocol):
    """Where answers come from."""

    @property
    def at_once(self) -> int:
        """Requests under way, at most."""

    def due(self) -> float | None:
        """When the next request is due; None where nobody waits for an answer."""

    def next_request(self, now: float) -> Coroutine[None, None, Effects] | None:
        """What to ask for next; None where nothing is due."""

    def lets_send(self, now: float) -> bool:
        """Whether it is known what was answered before this process began; none of that is READY any more."""


class Right(Protocol):
    """The right to send, of one process at a time."""

    @property
    def why_lost(self) -> JobStopped | None:
        """Why this process has it no more; None while it may have it."""

    def left_s(self) -> float:
        """Seconds for which this process may go on sending; 0 or less when it may not."""
