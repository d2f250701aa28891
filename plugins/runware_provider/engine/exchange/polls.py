"""A source of answers: getResponse for what was accepted, the archive for what cannot be found. Decides when to ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.exchange.at_once import as_many_as_it_takes
from runware_provider.engine.exchange.inference import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from runware_provider.engine.exchange.collect import Collector
    from runware_provider.engine.exchange.effects import Effects
    from runware_provider.engine.exchange.flight import Flight
    from runware_provider.engine.exchange.inference import Inference
    from runware_provider.engine.spec import Limits


MOST_AT_ONCE = 32
"""Requests: each may bring a hundred answers."""


def most_at_once(requests: int) -> int:
    """Requests that ask for answers, at most.

    Args:
        requests: that may send tasks at once.
    """
    return min(MOST_AT_ONCE, max(1, requests // 2))


@dataclass(frozen=True, eq=False)
class Polls:
    """Asks the API for answers.

    Args:
        collector: makes the requests.
        flight: what is under way.
        limits: of the job.
        may_ask: whether anything may be asked for yet: not before it is known what was brought already.
    """

    collector: Collector
    flight: Flight
    limits: Limits
    may_ask: Callable[[], bool] = lambda: True

    @property
    def at_once(self) -> int:
        """Requests under way, at most."""
        # All that are waited for may be due together.
        requests = self.flight.arrived / self.limits.polls_per_request
        needed = as_many_as_it_takes(
            requests, self.collector.round_trip_s, self.collector.fates.asked_within_s
        )
        return min(most_at_once(self.limits.requests), needed)

    def due(self) -> float | None:
        """When the next request is due; None where nobody waits for an answer."""
        if not self.may_ask():
            return None
        return self.flight.due(Phase.WAITING, Phase.LOOK_UP)

    def next_request(self, now: float) -> Coroutine[None, None, Effects] | None:
        """What to ask for next; None where nothing is due."""
        if not self.may_ask():
            return None
        most = self.limits.polls_per_request
        if to_look_up := self.flight.take_to_look_up(now, most):
            return self.collector.look_up(to_look_up)
        if to_ask := self._take_due(now, most):
            return self.collector.ask(to_ask)
        return None

    def lets_send(self, _now: float) -> bool:
        """Yes: what may have been sent before is asked for first anyway."""
        return True

    def _take_due(self, now: float, most: int) -> list[Inference]:
        """Once one is due, those along with it that nearly are."""
        due = self.flight.due(Phase.WAITING)
        if due is None or due > now:
            return []
        return self.flight.take_to_ask(now + self.collector.fates.asked_along_s, most)
