"""The fate of each attempt: what the API's replies make of the inferences under way. Pure: replies and time in.

What was sent, asked for, looked up and brought has a module each: `submission_replies`, `poll_replies`, `archive_replies`,
`call_replies`. They share the moves of an inference (`transitions`) and the bounds of every wait (`patience`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.api.error_families import MAYBE_RUN
from runware_provider.engine.attempt import Kind
from runware_provider.engine.exchange.archive_replies import ArchiveReplies
from runware_provider.engine.exchange.call_replies import CallReplies
from runware_provider.engine.exchange.inference import Phase
from runware_provider.engine.exchange.poll_replies import PollReplies
from runware_provider.engine.exchange.submission_replies import SubmissionReplies
from runware_provider.engine.exchange.transitions import Transitions
from runware_provider.engine.outcome.standing import MOST_SPENT, is_final
from runware_provider.engine.spending.picodollars import sum_of_known

if TYPE_CHECKING:
    from runware_provider.engine.api.redact import Redactor
    from runware_provider.engine.api.replies import Reply
    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.errors import JobStopped
    from runware_provider.engine.exchange.call_replies import Brought
    from runware_provider.engine.exchange.calls import Calls
    from runware_provider.engine.exchange.effects import Effects
    from runware_provider.engine.exchange.flight import Flight
    from runware_provider.engine.exchange.inference import Inference
    from runware_provider.engine.spec import Limits


class Fates:
    """Applies replies to a flight.

    Args:
        flight: what is under way.
        limits: the job's limits.
        spread: 0 to 1, different in each process, so that many clients do not come back together.
        redactor: knows what of the API's words may be shown.
        calls: what may be expected of the vendor's calls; None where he was given no address.
    """

    def __init__(
        self,
        flight: Flight,
        limits: Limits,
        *,
        spread: float,
        redactor: Redactor | None = None,
        calls: Calls | None = None,
    ) -> None:
        self._moves = Transitions(flight, limits, spread=spread, redactor=redactor, calls=calls)
        self._submissions = SubmissionReplies(self._moves)
        self._polls = PollReplies(self._moves)
        self._archive = ArchiveReplies(self._moves)
        self._calls = CallReplies(self._moves)
        self.redactor = self._moves.redactor

    @property
    def asked_along_s(self) -> float:
        """What is due within so many seconds is asked for along with what is due now."""
        return self._moves.patience.along_s()

    @property
    def asked_within_s(self) -> float:
        """Within so many seconds all that are due are asked for."""
        return self._moves.patience.shortest_poll_s()

    @property
    def latencies_s(self) -> tuple[float, float] | None:
        """After how many seconds half of the answers of late were seen, and 95 of a hundred; None as long as nobody knows."""
        return self._moves.latencies.seen_s

    def not_sent(self, chunk: list[Inference], now: float) -> Effects:
        """The connection for a chunk of tasks could not be opened: nothing was sent."""
        return self._submissions.not_sent(chunk, now)

    def send_unknown(self, chunk: list[Inference], now: float, *, split: bool) -> Effects:
        """No usable reply came to a chunk of tasks that may have arrived."""
        return self._submissions.unanswered(chunk, now, split=split)

    def sent(self, chunk: list[Inference], reply: Reply, now: float) -> Effects:
        """A reply came to a chunk of tasks."""
        return self._submissions.apply(chunk, reply, now)

    def ask_failed(self, chunk: list[Inference], now: float) -> Effects:
        """No usable reply came to a getResponse request."""
        return self._polls.unanswered(chunk, now)

    def asked(self, chunk: list[Inference], reply: Reply, now: float) -> Effects:
        """A reply came to getResponse."""
        return self._polls.apply(chunk, reply, now)

    def called(self, brought: Brought, now: float, effects: Effects) -> None:
        """A call of the vendor says what became of an inference."""
        self._calls.apply(brought, now, effects)

    def not_brought(self, inference: Inference, now: float) -> None:
        """What a call was to say of an inference is not there any more."""
        self._calls.not_brought(inference, now)

    def not_begun(self, chunk: list[Inference], stop: JobStopped, now: float) -> Effects:
        """These were about to be sent, and are not, since the job stops."""
        return self._submissions.not_begun(chunk, stop, now)

    def look_up_failed(self, chunk: list[Inference], now: float) -> Effects:
        """No usable reply came from the archive."""
        return self._archive.unanswered(chunk, now)

    def answer_too_large(self, inference: Inference, told: str, now: float) -> Effects:
        """The reply about this inference alone is larger than is taken."""
        return self._moves.answer_too_large(inference, told, now)

    def looked_up(self, chunk: list[Inference], reply: Reply, now: float) -> Effects:
        """A reply came from the archive."""
        return self._archive.apply(chunk, reply, now)

    def settled(self, inference: Inference, entry: Entry, job_id: bytes, now: float) -> bool:
        """Whether a verdict, durable now, is the last of its inference; if not, the next attempt is on its way."""
        # It was not asked, or was answered: nothing follows from the exchange's side.
        if entry.kind not in {Kind.ERROR, Kind.SPENT}:
            self._moves.flight.move(inference, Phase.DONE, now)
            return True
        if self._is_last(inference, entry):
            self._moves.flight.move(inference, Phase.DONE, now)
            return True
        # A new attempt under a new UUID, which is paid for.
        self._moves.flight.start_attempt(inference, job_id, inference.attempt + 1)
        pause_s = 0.0
        if entry.kind is Kind.ERROR:
            pause_s = self._moves.patience.before_next_attempt_s(inference.counted)
        self._moves.flight.move(inference, Phase.READY, now + pause_s)
        return False

    def _is_last(self, inference: Inference, entry: Entry) -> bool:
        """Count an attempt that ended without an answer; whether there is no further one."""
        if entry.kind is Kind.SPENT:
            inference.spent += 1
            return inference.spent > MOST_SPENT
        inference.counted += 1
        inference.errors_usd = sum_of_known([inference.errors_usd, entry.cost])
        limits = self._moves.limits
        return is_final(entry.family, inference.counted, limits.attempts, retry_lost=limits.retry_lost)


def may_be_billed(entry: Entry) -> bool:
    """Whether a verdict is about work that the vendor charges, or may charge, whatever cost it reported."""
    return entry.kind is Kind.ANSWERED or entry.cost is not None or entry.family in MAYBE_RUN
