"""What becomes of one inference: the moves that replies of every kind have in common. Pure.

Each function moves an inference into the phase in which it waits for its next step, or ends its attempt with a verdict.
"""

from __future__ import annotations

from ctypes import c_float
from typing import TYPE_CHECKING

from runware_provider.engine.api.error_families import STEPS, Family, Step, stop_for
from runware_provider.engine.api.redact import Redactor
from runware_provider.engine.api.replies import bare_status, encode_item
from runware_provider.engine.api.results import cost_of, usage_of
from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.endpoint import DEFAULT_BASE_URL
from runware_provider.engine.errors import Unreachable
from runware_provider.engine.exchange.effects import Effects, Ended, trouble_of
from runware_provider.engine.exchange.inference import Phase
from runware_provider.engine.exchange.latencies import Latencies
from runware_provider.engine.exchange.patience import Patience
from runware_provider.engine.outcome.follow_up import NOT_TAKEN
from runware_provider.engine.spending.picodollars import as_kept

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from runware_provider.engine.api.replies import ApiError, Reply
    from runware_provider.engine.errors import JobStopped
    from runware_provider.engine.exchange.calls import Calls
    from runware_provider.engine.exchange.flight import Flight
    from runware_provider.engine.exchange.inference import Inference
    from runware_provider.engine.identity import Key
    from runware_provider.engine.spec import Limits

MESSAGE_CHARS = 500


class Transitions:
    """Moves the inferences of a flight.

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
        redactor: Redactor | None,
        calls: Calls | None = None,
    ) -> None:
        self.flight = flight
        self.limits = limits
        self.latencies = Latencies()
        self.patience = Patience(limits, spread, self.latencies, lambda: flight.outstanding, calls)
        self.calls = calls
        self.redactor = redactor if redactor is not None else Redactor()
        self.reached = False
        """Whether the API spoke to this process."""

    # its attempt goes on

    def accept(self, inference: Inference, now: float, patience_s: float | None = None) -> None:
        """The API has it: its answer is waited for.

        Args:
            inference: what was accepted.
            now: seconds, from any moment.
            patience_s: how long, if not as long as any.
        """
        inference.accepted = True
        inference.processing = inference.said_lost = False
        inference.doubtful_errors = inference.unanswered_sends = 0
        self.heard_from_polls(inference)
        inference.no_room_since = None
        inference.since = inference.looked_at = now
        inference.look_up_at = now + self.limits.first_look_up_s
        inference.deadline = now + (self.limits.deadline_s if patience_s is None else patience_s)
        first_s = self.patience.first_poll_s()
        # Nobody may be going to bring it.
        if patience_s is not None:
            first_s = min(first_s, self.patience.shortest_poll_s())
        self.flight.move(inference, Phase.WAITING, now + first_s)

    def wait_on(self, inference: Inference, now: float) -> None:
        """Nothing new: it is asked for again."""
        inference.doubtful_errors = 0
        inference.looked_at = now
        self.heard(inference)
        self.flight.move(inference, asking(inference), now + self.patience.next_poll_s(inference, now))

    def doubt(self, inference: Inference, now: float, at_least_s: float | None = None) -> None:
        """It may have arrived, and nobody said so: it is asked for before it is sent again."""
        inference.failed_requests += 1
        inference.unanswered_sends += 1
        inference.doubted_at = now if inference.doubted_at is None else inference.doubted_at
        pause_s = max(self.patience.before_replay_s(inference), at_least_s or 0.0)
        self.flight.move(inference, Phase.ASK, now + pause_s)

    @staticmethod
    def heard(inference: Inference) -> None:
        """A question about it brought a word: it is well with the API, so that the next request need not wait."""
        inference.failed_requests = 0

    def heard_from_polls(self, inference: Inference) -> None:
        """GetResponse brought a word."""
        self.heard(inference)
        inference.failed_polls = 0

    def heard_from_archive(self, inference: Inference) -> None:
        """A look-up brought a word."""
        self.heard(inference)
        inference.failed_look_ups = inference.refused_look_ups = 0
        inference.archive_silent_since = None

    def reject(
        self, inference: Inference, error: ApiError, reply: Reply, now: float, effects: Effects
    ) -> None:
        """It was refused without being run: the same UUID may be sent again, later."""
        if not inference.rejected:
            inference.rejected = True
            kind = Kind.REJECTED if inference.doubted_at is None else Kind.SENT_AGAIN
            effects.rejections.append(inference.entry(kind, family=error.family.value, code=error.code))
            # The next send of it has to be durable, too: from then on a conflict may mean that it was run.
            inference.intended = False
        inference.failed_requests += 1
        inference.sent_at = None  # the wait for room is no latency of the API
        if inference.no_room_since is None:
            inference.no_room_since = now
        pause_s = max(self.patience.back_off_s(inference), reply.retry_after_s or 0.0)
        self.flight.move(inference, Phase.READY, now + pause_s)

    # its attempt ends

    def settle(self, inference: Inference, entry: Entry, now: float, effects: Effects) -> None:
        """Its attempt has ended, as soon as that is durable."""
        self.flight.move(inference, Phase.SETTLING, now)
        effects.verdicts.append((inference, entry))
        begun = inference.since if inference.accepted else inference.sent_at
        # What another process sent says nothing of how much this one has under way.
        if begun is not None and inference.sent_at is not None:
            ends = effects.answered if entry.kind is Kind.ANSWERED else effects.ended_otherwise
            ends.append(Ended(begun, now))

    def answer(self, inference: Inference, item: Mapping[str, Any], now: float, effects: Effects) -> None:
        """It was answered."""
        latency = None
        if inference.sent_at is not None:
            latency = now - inference.sent_at
            # A sync reply has the answer when it comes; what was accepted is looked for now and then.
            not_there = inference.looked_at - inference.since if inference.accepted else latency
            self.latencies.saw(latency, not_there, now)
        # As exact as the ledger keeps it.
        kept_latency = None if latency is None else c_float(latency).value
        entry = answer_entry(inference.key, inference.attempt, item, kept_latency)
        self.settle(inference, entry, now, effects)

    def answer_too_large(self, inference: Inference, told: str, now: float) -> Effects:
        """What the API says of this inference alone is larger than is taken, however often it is asked.

        It was run and billed: its answer is one that nobody can read, and it is not paid for again unasked.

        Args:
            inference: that alone was asked for, or sent.
            told: how large it is, in some words.
            now: seconds, from any moment.
        """
        self.reached = True
        effects = Effects(usable=True, chunk=[inference])
        message = f"its answer came in {told}, and is not taken; it was billed"
        entry = inference.entry(Kind.ANSWERED, code=NOT_TAKEN, message=message)
        self.settle(inference, entry, now, effects)
        return effects

    def lose(self, inference: Inference, message: str, now: float, effects: Effects) -> None:
        """Nobody knows of it. Whether it gets another attempt is up to `limits.retry_lost`."""
        lost = inference.entry(Kind.ERROR, family=Family.LOST.value, code="taskLost", message=message)
        self.settle(inference, lost, now, effects)

    def leave_unknown(self, inference: Inference, now: float, effects: Effects) -> None:
        """Nobody would say what became of it, though it may have been run.

        The archive never said that it does not know it, so that no further attempt is paid for unasked.
        """
        # The API said itself how it ended.
        if inference.verdict_if_not_found is not None and not inference.verdict_is_a_guess:
            self.settle(inference, inference.verdict_if_not_found, now, effects)
            return
        message = (
            "it may have been run, and neither getResponse nor the archive would say what became of it; it may have been"
            " billed, so that only retry_failed asks it again"
        )
        unknown = inference.entry(
            Kind.ERROR, family=Family.CONFLICT.value, code="lost", message=message[:MESSAGE_CHARS]
        )
        self.settle(inference, unknown, now, effects)

    def not_found(self, inference: Inference, now: float, effects: Effects) -> None:
        """Neither getResponse nor the archive knows of it."""
        self.heard_from_archive(inference)
        verdict = inference.verdict_if_not_found
        # The API said itself how it ended: nothing else is to come.
        if verdict is not None and verdict.family != Family.CONFLICT.value:
            self.settle(inference, verdict, now, effects)
        elif inference.accepted:
            self._accepted_and_not_found(inference, now, effects)
        elif verdict is not None:
            self.settle(inference, verdict, now, effects)
        else:
            self._never_accepted_and_not_found(inference, now, effects)

    def _accepted_and_not_found(self, inference: Inference, now: float, effects: Effects) -> None:
        # It may still be running, and the archive knows only what was run to its end.
        if now < self.patience.gives_up_at(inference):
            self.wait_for_next_look(inference, now)
        # Its UUID was in use before it was sent here: no further attempt is paid for unasked.
        elif inference.verdict_if_not_found is not None:
            self.settle(inference, inference.verdict_if_not_found, now, effects)
        else:
            self.lose(inference, "accepted, then never seen again; it may have been billed", now, effects)

    def wait_for_next_look(self, inference: Inference, now: float) -> None:
        """The archive had nothing: getResponse is asked on, and the archive when it is twice as old."""
        inference.look_up_at = self.patience.next_look_up_at(inference, now)
        self.wait_on(inference, now)

    def _never_accepted_and_not_found(self, inference: Inference, now: float, effects: Effects) -> None:
        # The process before may have sent it a moment ago, and the API may know it a moment later. It is asked for once
        # more then, so that it is not run twice.
        if now < inference.not_before:
            self.flight.move(inference, Phase.ASK, inference.not_before)
        elif now >= self.patience.resends_until(inference, now):
            self.lose(inference, "sent again and again without a usable reply", now, effects)
        # This run does not want it, and nobody has it: what was meant to be sent is taken back.
        elif inference.only_look_for:
            self.settle(inference, inference.withdrawal(), now, effects)
        # It never arrived. The same UUID is sent again, which the API does not run twice.
        else:
            inference.found_nowhere = True
            self.flight.move(inference, Phase.READY, now)

    # what a reply says as a whole

    def effects_of_question(self, chunk: Sequence[Inference], reply: Reply) -> Effects:
        """What the reply to a question, to getResponse or to the archive, says of the API itself."""
        usable = reply.from_the_api and not reply.question_in_trouble and not self.is_hearsay(reply)
        effects = Effects(
            usable=usable,
            stop=self._stop_of_question(chunk, reply),
            trouble=None if usable else trouble_of(reply),
            chunk=chunk,
        )
        if self.is_elsewhere(reply):
            effects.stop = self.no_api_here(reply, chunk)
        self.reached = self.reached or usable
        return effects

    def is_hearsay(self, reply: Reply) -> bool:
        """Whether any server might have said this, and none has been seen to be the API yet."""
        return reply.is_vague and not self.reached

    def is_elsewhere(self, reply: Reply) -> bool:
        """Whether a server says that there is nothing at this address, and the API never spoke to this process."""
        return reply.is_elsewhere and not self.reached

    def no_api_here(self, reply: Reply, chunk: Sequence[Inference]) -> JobStopped:
        """What ends the job where the base URL is not the API's."""
        said = ""
        if reply.gravest is not None and reply.gravest.message:
            prompts: list[str] = []
            for inference in chunk:
                prompts += inference.words
            said = f" ({self.redactor.said(reply.gravest.message, prompts)})"
        return Unreachable(
            f"the base URL answered HTTP {reply.status}{said}: there is a server, but not the API, which is at"
            f" {DEFAULT_BASE_URL}; nothing was accepted there, and nothing is billed"
        )

    def _stop_of_question(self, chunk: Sequence[Inference], reply: Reply) -> JobStopped | None:
        """A refusal of the request as a whole that no later request would fare better with."""
        gravest = reply.gravest
        if gravest is not None and STEPS[gravest.family] is Step.STOP:
            return self.stop_for(gravest, chunk)
        if reply.status in {401, 403} and not reply.results:
            return stop_for(Family.AUTH, bare_status(reply.status).code, "")
        return None

    def stop_for(self, error: ApiError, chunk: Sequence[Inference]) -> JobStopped:
        """What ends the job for this error; the prompts of the chunk are not quoted."""
        prompts: list[str] = []
        for inference in chunk:
            prompts += inference.words
        code = self.redactor.code(error.code, prompts)
        return stop_for(error.family, code, self.redactor.said(error.message, prompts))

    def error_entry(self, inference: Inference, error: ApiError, kind: Kind = Kind.ERROR) -> Entry:
        """The verdict that an error is."""
        message = error.message
        if error.parameter is not None:
            message = f"{message} (parameter: {error.parameter})"
        return inference.entry(
            kind,
            family=error.family.value,
            code=self.redactor.code(error.code, inference.words),
            message=message[:MESSAGE_CHARS],
            cost=cost_of(error.item),
            item=encode_item(error.item),
        )


def asking(inference: Inference) -> Phase:
    """In which phase an inference is asked for."""
    return Phase.WAITING if inference.accepted else Phase.ASK


def answer_entry(key: Key, attempt: int, item: Mapping[str, Any], latency_s: float | None = None) -> Entry:
    """The verdict that an answer is.

    Args:
        key: the inference's.
        attempt: its number.
        item: of the API, finished.
        latency_s: as exact as the ledger keeps it; None where nobody knows it.
    """
    usage = usage_of(item)
    return Entry(
        key,
        attempt,
        Kind.ANSWERED,
        cost=as_kept(cost_of(item)),
        prompt_tokens=usage.prompt,
        cached_tokens=usage.cached,
        completion_tokens=usage.completion,
        latency_s=latency_s,
        item=encode_item(item),
    )
