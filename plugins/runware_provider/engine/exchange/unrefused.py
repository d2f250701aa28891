"""Sync requests that nobody has refused yet. Pure: time comes as a number.

Such a request is accepted by nothing but its answers, which come a latency later. But who has no room says so at once: so
what was not refused for a while counts as accepted, as if the API had said so when it was sent.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

AWHILE = 0.02
"""Of the usual latency."""
AWHILE_AT_LEAST_S = 0.004
LATER = 1.25
"""Times what refusals took: a further one may take a little longer."""
REFUSALS = 20
"""The last ones, of which the fastest counts: the others waited for this process."""


class Sent(NamedTuple):
    """Tasks of one request."""

    tasks: int
    at: float


class Unrefused:
    """Requests in the order in which they were sent, until they count as accepted."""

    def __init__(self) -> None:
        self._requests: deque[Sent] = deque()
        self.tasks = 0
        """In all of them."""
        self._refused_after: deque[float] = deque(maxlen=REFUSALS)

    def sent(self, count: int, now: float) -> None:
        """A request with so many tasks is handed over."""
        self._requests.append(Sent(count, now))
        self.tasks += count

    def ended(self, sent_at: float) -> bool:
        """What was sent then is answered, refused or lost; whether it was one of these until now."""
        for request in self._requests:
            if request.at == sent_at:
                self._requests.remove(request)
                self.tasks -= request.tasks
                return True
            if request.at > sent_at:
                return False
        return False

    def refused(self, after_s: float) -> None:
        """A refusal came so many seconds after what it refuses was sent."""
        self._refused_after.append(after_s)

    def awhile_s(self, usual_s: float) -> float:
        """Seconds after which what was not refused counts as accepted.

        Args:
            usual_s: in which an answer usually comes; 0 where nobody knows.
        """
        refused_s = LATER * min(self._refused_after, default=0.0)
        return max(AWHILE_AT_LEAST_S, AWHILE * usual_s, refused_s)

    def accepted(self, sent_before: float) -> Iterator[Sent]:
        """Those that were sent before count as accepted, and are none of these any more."""
        while self._requests and self._requests[0].at < sent_before:
            request = self._requests.popleft()
            self.tasks -= request.tasks
            yield request

    def due(self, usual_s: float) -> float | None:
        """When the next one counts as accepted; None where there is none."""
        return self._requests[0].at + self.awhile_s(usual_s) if self._requests else None
