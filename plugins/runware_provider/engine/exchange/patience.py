"""How long is waited, for what, and when it is looked at again: every bound of the exchange on one inference. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.api.error_families import back_off_s

if TYPE_CHECKING:
    from runware_provider.engine.exchange.inference import Inference
    from runware_provider.engine.spec import Limits

REPLAY_AFTER_S = 1.0
"""The vendor's SDK waits at least a second before it replays a task."""
REJECTED_POLL_S = 10.0
"""How long a conflicting UUID is polled that had been refused before and was never sent without a reply."""
SETTLE_IN_S = 60.0
"""How long an accepted task may be unknown to everybody: stores may lag behind the acceptance."""
PATIENCE = 3
"""Errors in a row that may be about a question or about its task, until they are taken for the task's."""
LOOK_UPS = 5
"""Failed look-ups in a row, until a task that was never accepted is sent again, under the same UUID."""
TRIES_TOGETHER = 3
"""Sends in a row without a usable reply, until the inferences of a request are told apart."""
PROCESSING_DEADLINES = 10
"""After how many deadlines a task that is said to be processing is given up."""
LONGEST_POLL_S = 10.0
POLLS_PER_AGE = 0.2
"""Of the time that an inference has been waited for: the pause until it is asked for again."""


@dataclass(frozen=True)
class Patience:
    """The bounds of one job.

    Args:
        limits: of the job.
        spread: 0 to 1, different in each process, so that many clients do not come back together.
    """

    limits: Limits
    spread: float

    def back_off_s(self, inference: Inference) -> float:
        """Seconds before the next request about an inference after some that brought nothing usable."""
        return back_off_s(inference.failed_requests - 1, spread=self.spread)

    def before_next_attempt_s(self, counted: int) -> float:
        """Seconds between an attempt that ended in an error and the next.

        Args:
            counted: attempts that have ended without an answer by now.
        """
        return back_off_s(counted - 1, spread=self.spread)

    def next_poll_s(self, inference: Inference, now: float) -> float:
        """Seconds until an inference that is waited for is asked for again: the older, the rarer."""
        interval = self.limits.poll_interval_s
        pause = max(interval, min(LONGEST_POLL_S, POLLS_PER_AGE * (now - inference.since)))
        if inference.deadline is not None and inference.deadline > now:
            pause = min(pause, max(interval, inference.deadline - now))
        return pause
