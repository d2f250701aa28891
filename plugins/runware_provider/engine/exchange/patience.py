"""How long is waited, for what, and when it is looked at again: every bound of the exchange on one inference. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.api.error_families import back_off_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.exchange.calls import Calls
    from runware_provider.engine.exchange.inference import Inference
    from runware_provider.engine.exchange.latencies import Latencies
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
"""Failed look-ups in a row, until a task that was never accepted is sent again, under the same UUID; and failed polls in a
row, until it is looked up."""
REFUSED_LOOK_UPS = 3
"""Look-ups in a row that the API refused, until its archive counts as one that will not say anything."""
OUTAGES = 2
"""How many times longer than an API that gives no answer at all one inference is unheard, until it is given up: where
nobody hears anything, the job stops before that, and keeps it."""
TRIES_TOGETHER = 3
"""Sends in a row without a usable reply, until the inferences of a request are told apart."""
PROCESSING_DEADLINES = 10
"""After how many deadlines a task that is said to be processing is given up."""
LONGEST_POLL_S = 10.0
LONGEST_REPLAY_S = 8.0
"""The longest pause before a task is sent again, where only its sends go wrong."""
SHORTEST_POLL_S = 0.1
"""However fast the answers come, nothing is asked for more often, unless `limits.poll_interval_s` is shorter."""
SOONER = 0.95
"""Of the time after which the fast answers are there: a look that comes a little too soon shows that it does."""
RARE = 0.2
"""Of its age: the longest pause until an inference is asked for again, so that an answer is late by a fifth at most."""
CLOSE = 0.05
"""The same where answers differ little."""
CLOSE_AT_FIRST = 0.1
"""The same as long as nobody knows how long answers take."""
LOOKS_AT_MANY = 4
"""About so many looks at each inference fall into the time in which most answers come."""
LOOKS_AT_FEW = 10
"""The same where one request asks for all that are under way."""
OVERDUE_CALL = 3.0
"""Times the median latency: an answer that the vendor was to bring by then is asked for."""
OVERDUE_SHARE = 0.25
"""Of the time after which an inference is given up: by then it is asked for in any case, whatever the vendor was to bring."""
RARE_CALL = 0.5
"""Of its age: the pause until an answer is asked for again that the vendor is to bring."""
OVERDUE = 1.25
"""Times the age at which most answers are there: from then on nobody knows when one comes."""


@dataclass(frozen=True)
class Patience:
    """The bounds of one job.

    Args:
        limits: of the job.
        spread: 0 to 1, different in each process, so that many clients do not come back together.
        latencies: of late.
        under_way: how many inferences are.
        calls: what may be expected of the vendor's calls; None where he was given no address.
    """

    limits: Limits
    spread: float
    latencies: Latencies
    under_way: Callable[[], int]
    calls: Calls | None = None

    def back_off_s(self, inference: Inference) -> float:
        """Seconds before the next request about an inference after some that brought nothing usable."""
        return back_off_s(inference.failed_requests - 1, spread=self.spread)

    def before_replay_s(self, inference: Inference) -> float:
        """Seconds until what a send came to is asked for, and then sent again where it came to nothing."""
        of_sends = back_off_s(inference.unanswered_sends - 1, longest_s=LONGEST_REPLAY_S, spread=self.spread)
        return max(REPLAY_AFTER_S, self.back_off_s(inference), of_sends)

    def gives_up_at(self, inference: Inference) -> float:
        """When an accepted inference that nobody has an answer of is given up."""
        deadline = inference.since if inference.deadline is None else inference.deadline
        # The vendor says that it is at work on it.
        if inference.processing:
            return inference.since + PROCESSING_DEADLINES * self.limits.deadline_s
        # getResponse has nothing to give; the archive may lag behind the acceptance.
        if inference.said_lost:
            return min(inference.since + SETTLE_IN_S, deadline)
        return deadline

    def resends_until(self, inference: Inference, now: float) -> float:
        """How long an inference that was never accepted is sent again and again."""
        doubted_at = now if inference.doubted_at is None else inference.doubted_at
        return max(doubted_at, inference.not_before) + self.limits.deadline_s

    def next_look_up_at(self, inference: Inference, now: float) -> float:
        """When the archive is asked the next time for an inference that was accepted: when it is twice as old."""
        return now + max(self.limits.first_look_up_s, now - inference.since)

    def is_unheard_for_good(self, inference: Inference, now: float) -> bool:
        """Whether the archive will not say what became of an inference, however often it is asked."""
        if inference.refused_look_ups >= REFUSED_LOOK_UPS:
            return True
        since = inference.archive_silent_since
        silent_s = 0.0 if since is None else now - since
        return inference.failed_look_ups > LOOK_UPS and silent_s > OUTAGES * self.limits.unreachable_s

    def before_next_look_s(self, inference: Inference) -> float:
        """Seconds until an inference is asked for again, and then looked up, after look-ups that brought no word."""
        return back_off_s(inference.failed_look_ups - 1, spread=self.spread)

    def before_next_attempt_s(self, counted: int) -> float:
        """Seconds between an attempt that ended in an error and the next.

        Args:
            counted: attempts that have ended without an answer by now.
        """
        return back_off_s(counted - 1, spread=self.spread)

    @property
    def brings_answers(self) -> bool:
        """Whether the vendor is to bring the answers, so that only what is overdue is asked for."""
        return self.calls is not None and self.calls.are_expected

    def overdue_s(self) -> float:
        """Seconds from the acceptance until an answer is asked for that the vendor was to bring; 0 where he is to bring none."""
        if self.calls is None or not self.calls.are_expected:
            return 0.0
        overdue_s = max(self.calls.overdue_s, OVERDUE_CALL * self.latencies.median_s)
        return min(overdue_s, OVERDUE_SHARE * self.limits.deadline_s)

    def first_poll_s(self) -> float:
        """Seconds from the acceptance to the first look: about as long as fast answers take, or as late ones are overdue."""
        if self.brings_answers:
            return self.overdue_s()
        if not self.latencies.are_known:
            return self.shortest_poll_s()
        return max(self.shortest_poll_s(), SOONER * self.latencies.fast_s)

    def shortest_poll_s(self) -> float:
        """Seconds between two looks at least."""
        shortest_s = SHORTEST_POLL_S
        if self.latencies.are_known:
            shortest_s = max(SHORTEST_POLL_S, CLOSE * self.latencies.fast_s)
        return min(self.limits.poll_interval_s, shortest_s)

    def along_s(self) -> float:
        """What is due within so many seconds is asked for along with what is due now: that costs next to nothing."""
        if not self.latencies.are_known:
            return self.shortest_poll_s()
        return max(self.shortest_poll_s(), self._bulk_pause_s() / 2)

    def next_poll_s(self, inference: Inference, now: float) -> float:
        """Seconds until an inference that is waited for is asked for again."""
        shortest_s = self.shortest_poll_s()
        pause_s = max(shortest_s, self._pause_s(now - inference.since))
        # The vendor may bring it yet, and may be at work on it.
        if self.brings_answers:
            rare_s = min(RARE_CALL * (now - inference.since), OVERDUE_SHARE * self.limits.deadline_s)
            pause_s = max(pause_s, rare_s)
        for moment in (inference.deadline, inference.look_up_at):
            if moment is not None and moment > now:
                pause_s = min(pause_s, max(shortest_s, moment - now))
        return pause_s

    def _pause_s(self, age_s: float) -> float:
        """Seconds until the next look at what is so old: as rare as the answers to be expected allow."""
        if not self.latencies.are_known:
            return min(LONGEST_POLL_S, CLOSE_AT_FIRST * age_s)
        rare_s = min(LONGEST_POLL_S, RARE * age_s)
        if age_s > OVERDUE * self.latencies.late_s:
            return rare_s
        # Where they come within a short time of one another, it pays to look when they do.
        return min(rare_s, max(CLOSE * age_s, self._bulk_pause_s()))

    def _bulk_pause_s(self) -> float:
        """Seconds between two looks while most answers come."""
        fits_one_request = self.under_way() <= self.limits.polls_per_request
        looks = LOOKS_AT_FEW if fits_one_request else LOOKS_AT_MANY
        return (self.latencies.late_s - self.latencies.fast_s) / looks
