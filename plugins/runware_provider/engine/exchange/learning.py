"""What the pace and the budget learn from each reply. Pure: time comes as a number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runware_provider.engine.exchange.unrefused import Unrefused

if TYPE_CHECKING:
    from runware_provider.engine.exchange.effects import Effects
    from runware_provider.engine.exchange.flight import Flight
    from runware_provider.engine.exchange.pace import Pace


class Learning:
    """Tells the pace what was accepted, refused and answered.

    Args:
        pace: learns.
        flight: what is under way.
        is_sync: whether replies wait for the answers, so that nothing else says that a task was accepted.
    """

    def __init__(self, pace: Pace, flight: Flight, *, is_sync: bool) -> None:
        self._pace = pace
        self._flight = flight
        self._is_sync = is_sync
        self._unrefused = Unrefused()
        self._refused_at = -math.inf

    def sent(self, count: int, now: float) -> None:
        """A sync request with so many tasks is handed over."""
        self._unrefused.sent(count, now)

    def look(self, now: float) -> None:
        """Take for accepted what was not refused for a while, and let the pace decide."""
        self._count_as_accepted(now - self._unrefused.awhile_s(self._pace.usual_s))
        self._pace.look(now)

    def due(self) -> float | None:
        """When there is something to look at; None where nothing is foreseen."""
        return self._unrefused.due(self._pace.usual_s)

    def reply(self, effects: Effects, now: float) -> None:
        """A reply came, or none to something that was sent."""
        if effects.sent_at is not None and self._is_sync:
            self._end_of_sync(effects, effects.sent_at, now)
        if effects.accepted:
            self._pace.accepted(effects.accepted, self._arrived, effects.accepted_at)
        if effects.refused:
            # Of sync requests, those on their way are not refused as long as nothing says so.
            arrived = self._flight.outstanding if self._is_sync else self._arrived
            is_known = effects.sent_at is None or effects.sent_at > self._refused_at
            self._pace.refused(effects.refused, arrived, is_known=is_known)
            self._refused_at = now
        # The pace knows each again by when it was accepted, so that it gets the times of the reply, and none of its own.
        for ended in effects.ended_otherwise:
            self._pace.ended_otherwise(ended.latency_s, ended.at)
        for ended in effects.answered:
            self._pace.answered(ended.latency_s, ended.at)

    @property
    def _arrived(self) -> int:
        """What the API has, as far as is known."""
        if self._is_sync:
            return self._flight.outstanding - self._unrefused.tasks
        return self._flight.arrived

    def _end_of_sync(self, effects: Effects, sent_at: float, now: float) -> None:
        ended = len(effects.answered) + len(effects.ended_otherwise)
        # Whoever has answered this one would have refused those before it by now.
        if ended:
            self._count_as_accepted(sent_at)
        elif effects.refused:
            self._unrefused.refused(now - sent_at)
        was_unknown = self._unrefused.ended(sent_at)
        if ended and was_unknown:
            self._pace.accepted(ended, self._arrived + ended, sent_at)

    def _count_as_accepted(self, sent_before: float) -> None:
        requests = list(self._unrefused.accepted(sent_before))
        arrived = self._arrived - sum(request.tasks for request in requests)
        for request in requests:
            arrived += request.tasks
            is_last = request is requests[-1]
            self._pace.accepted(request.tasks, arrived, request.at, more_come=not is_last)
