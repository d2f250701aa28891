"""Whether a process may leave what is under way to whoever goes on. Pure: time comes as a number, and nothing is waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runware_provider.engine.exchange.inference import Phase

if TYPE_CHECKING:
    from runware_provider.engine.exchange.flight import Flight
    from runware_provider.engine.exchange.pace import Pace

LOOK_S: Final = 1.0
"""Between two looks at everything that is under way."""
_AT_REST: Final = frozenset({Phase.WAITING})
_SOON_AT_REST: Final = frozenset({Phase.WAITING, Phase.BUSY, Phase.SETTLING})
"""It waits, or is being asked for, or its answer is about to be durable."""


@dataclass(frozen=True)
class Tail:
    """What is left when everything is sent: inferences that the API has accepted and not answered."""

    task_uuids: tuple[str, ...]
    expected_s: float
    """Seconds until what was accepted last is answered, as far as one can tell."""
    given_up_s: float
    """Seconds until all of it would be given up."""


def tail_of(flight: Flight, usual_s: float, now: float, phases: frozenset[Phase] = _AT_REST) -> Tail | None:
    """What is left to wait for; None where there is something else to do, or nothing at all.

    Args:
        flight: what is under way.
        usual_s: seconds in which an answer usually comes after its acceptance; 0 where nobody knows.
        now: seconds, from any moment.
        phases: in which an inference is one that is waited for.
    """
    # Something is still to be sent: for the first time, after an error, or because the API had no room.
    if flight.due(Phase.READY) is not None:
        return None
    task_uuids: list[str] = []
    accepted_last = given_up_last = 0.0
    for inference in flight:
        # It may never have arrived, or has to be looked for in the archive.
        if inference.phase not in phases or inference.deadline is None:
            return None
        # This process alone knows how it ends if nobody has its answer. Whoever goes on would wait for longer.
        if inference.verdict_if_not_found is not None:
            return None
        task_uuids.append(inference.task_uuid)
        accepted_last = max(accepted_last, inference.since)
        given_up_last = max(given_up_last, inference.deadline)
    if not task_uuids:
        return None
    return Tail(tuple(task_uuids), _expected_s(now - accepted_last, usual_s), given_up_last - now)


def _expected_s(waited_s: float, usual_s: float) -> float:
    """Seconds for which an answer is still to be waited for."""
    if waited_s < usual_s:
        return usual_s - waited_s
    # It is late, for all that is known. What has taken so long is expected to take as long again.
    return waited_s


class Leaving:
    """Whether this process may leave, and when that is worth it.

    Args:
        flight: what is under way.
        pace: knows how long answers usually take.
        worth_s: seconds for which the answers have to be expected to stay away; None for a process that never leaves.
    """

    def __init__(self, flight: Flight, pace: Pace, worth_s: float | None) -> None:
        self._flight = flight
        self._pace = pace
        self._worth_s = worth_s
        self._is_near = False
        self._next_look = 0.0

    def is_near(self, now: float, *, all_loaded: bool) -> bool:
        """Whether no answer should be asked for any more, so that it comes to a rest; as it was a second ago, at most."""
        if self._worth_s is not None and now >= self._next_look:
            self._is_near = all_loaded and self._tail(now, _SOON_AT_REST) is not None
            self._next_look = now + LOOK_S
        return self._is_near

    def tail(self, now: float, *, all_loaded: bool) -> Tail | None:
        """What is left to whoever goes on; None where this process has to stay, or may as well."""
        return self._tail(now, _AT_REST) if all_loaded else None

    def _tail(self, now: float, phases: frozenset[Phase]) -> Tail | None:
        if self._worth_s is None:
            return None
        learnt = self._pace.learnt
        tail = tail_of(self._flight, learnt.latency_s if learnt is not None else 0.0, now, phases)
        if tail is None or tail.expected_s < self._worth_s:
            return None
        return tail
