"""What a reply to textInference means for each task that was sent. Pure: replies and time in, phases and entries out.

An error that names a task in a 200 or 400 reply is the API's word on that task: it was refused, and was not run. Whatever
else went wrong (a lost reply, garbage, HTTP 5xx) leaves open whether it was accepted, so that it is asked for before
anything is sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.api.error_families import STEPS, Family, Step
from runware_provider.engine.attempt import Kind
from runware_provider.engine.errors import Unreachable
from runware_provider.engine.exchange.effects import Effects
from runware_provider.engine.exchange.inference import Phase
from runware_provider.engine.exchange.patience import REJECTED_POLL_S, SETTLE_IN_S, TRIES_TOGETHER
from runware_provider.engine.exchange.transitions import MESSAGE_CHARS

if TYPE_CHECKING:
    from runware_provider.engine.api.replies import ApiError, Reply
    from runware_provider.engine.errors import JobStopped
    from runware_provider.engine.exchange.inference import Inference
    from runware_provider.engine.exchange.transitions import Transitions

NO_ROOM = frozenset({503, 504})
"""HTTP statuses of a server that could do nothing with a request for want of room, whatever else it says."""


class SubmissionReplies:
    """Applies replies to textInference."""

    def __init__(self, moves: Transitions) -> None:
        self._moves = moves

    def not_sent(self, chunk: list[Inference], now: float) -> Effects:
        """The connection could not be opened: nothing was sent."""
        for inference in chunk:
            inference.failed_requests += 1
            if inference.doubted_at is None:
                inference.sent_at = None
            self._moves.flight.move(inference, Phase.READY, now + self._moves.patience.back_off_s(inference))
        return Effects()

    def not_begun(self, chunk: list[Inference], stop: JobStopped, now: float) -> Effects:
        """These were about to be sent, and are not, since the job stops; nothing is known that was not known before."""
        for inference in chunk:
            self._moves.flight.move(inference, Phase.READY, now)
        return Effects(stop=stop, is_of_the_api=False)

    def unanswered(self, chunk: list[Inference], now: float, *, split: bool) -> Effects:
        """No usable reply came to a request that may have arrived."""
        for inference in chunk:
            self._moves.doubt(inference, now)
            if split or inference.unanswered_sends >= TRIES_TOGETHER:
                inference.together = max(1, len(chunk) // 2)
        return Effects()

    def apply(self, chunk: list[Inference], reply: Reply, now: float) -> Effects:
        """A reply came to a chunk of tasks."""
        if self._moves.is_elsewhere(reply):
            return self._nothing_arrived(chunk, reply, now)
        throttled = reply.throttled
        usable = reply.from_the_api and not throttled and not self._moves.is_hearsay(reply)
        effects = Effects(usable=usable, throttled=throttled, accepted_at=now, chunk=chunk)
        unnamed = [inference for inference in chunk if not reply.names(inference.task_uuid)]
        for inference in chunk:
            name = inference.task_uuid
            if name in reply.results:
                self._moves.answer(inference, reply.results[name], now, effects)
            elif name in reply.failures:
                self._refused(inference, reply.failures[name], reply, now, effects)
            elif name in reply.acknowledged or name in reply.processing:
                effects.accepted += 1
                self._moves.accept(inference, now)
            else:
                self._unnamed(inference, len(unnamed), reply, now, effects)
        # Not one of them got further: whatever else it says, it has no room.
        if all(inference.rejected and inference.phase is Phase.READY for inference in chunk):
            effects.usable, effects.throttled = False, True
        self._moves.reached = self._moves.reached or effects.usable or effects.throttled
        if effects.refused or not effects.usable:
            effects.stop = effects.stop or self._too_late(reply)
        return effects

    def _nothing_arrived(self, chunk: list[Inference], reply: Reply, now: float) -> Effects:
        """There is no API at this address, so that nothing was accepted: the intents are taken back."""
        for inference in chunk:
            # What an earlier process may have sent elsewhere stays in doubt.
            if inference.doubted_at is None:
                inference.sent_at = None
                inference.can_be_withdrawn = not inference.refused_or_withdrawn
            inference.failed_requests += 1
            self._moves.flight.move(inference, Phase.READY, now + self._moves.patience.back_off_s(inference))
        return Effects(stop=self._moves.no_api_here(reply, chunk), chunk=chunk)

    def _too_late(self, reply: Reply) -> JobStopped | None:
        """Nobody waits longer for room than for an API that does not answer."""
        after_s, patience_s = reply.retry_after_s, self._moves.limits.unreachable_s
        if after_s is None or after_s <= patience_s:
            return None
        return Unreachable(
            f"the API answered HTTP {reply.status} and asks to come back in {after_s:,.0f} seconds, and the job"
            f" waits {patience_s:,.0f} at most (limits.unreachable_s)"
        )

    # a task that an error is about

    def _refused(
        self, inference: Inference, error: ApiError, reply: Reply, now: float, effects: Effects
    ) -> None:
        step = STEPS[error.family]
        # No later request fares better, and this one was not run: its UUID is there for the next run.
        if step is Step.STOP:
            self._moves.reject(inference, error, reply, now, effects)
            effects.stop = effects.stop or self._moves.stop_for(error, effects.chunk)
        # No room: it was not run, and is no attempt. The same UUID is sent again.
        elif step is Step.WAIT:
            effects.refused += 1
            self._moves.reject(inference, error, reply, now, effects)
        elif step is Step.POLL:
            self._in_use(inference, now)
        # The task may run on after this error. Only where nobody knows of it, the error is how it ended.
        elif error.family is Family.TIMEOUT or reply.status >= 500 or step is Step.LOOK_UP:
            inference.verdict_if_not_found = self._moves.error_entry(inference, error)
            self._moves.doubt(inference, now)
            self._count_if_no_room(reply, effects)
        # It was not run. Its family says whether a new attempt is paid for, or the row fails or is refused.
        else:
            self._moves.settle(inference, self._moves.error_entry(inference, error), now, effects)

    def _in_use(self, inference: Inference, now: float) -> None:
        """The UUID was used before."""
        if inference.rejected:
            self._in_use_after_a_refusal(inference, now)
        elif inference.unexplained:
            self._in_use_by_nobody_known(inference, now)
        # It was sent before, by this process or by one whose intent is in the ledger: proof of acceptance.
        else:
            self._moves.accept(inference, now)

    def _in_use_after_a_refusal(self, inference: Inference, now: float) -> None:
        """Its UUID may be used up without its having been run."""
        message = "the UUID was refused, then in use; if it was run, nothing is known of an answer"
        if inference.verdict_if_not_found is None:
            inference.verdict_if_not_found = inference.entry(
                Kind.SPENT, family=Family.CONFLICT.value, code="conflictTaskUUID", message=message
            )
        patience_s = self._moves.limits.deadline_s
        # Every reply to it was read, and none accepted it: it was hardly run.
        if inference.doubted_at is None:
            patience_s = min(patience_s, REJECTED_POLL_S)
        self._moves.accept(inference, now, patience_s)

    def _in_use_by_nobody_known(self, inference: Inference, now: float) -> None:
        """It was sent by nobody that this ledger knows: by whom the state folder was copied from, or before it was lost.

        Its answer is waited for as long as one may take. If nobody has it then, the record failed: it was run, and
        paid for, so that it is not asked again unless the user wishes it.
        """
        message = (
            "its taskUUID was used before, though nothing in the state folder says so (was it restored from a backup,"
            " or copied?), and neither the API nor its archive has the answer; it may have been billed"
        )
        inference.verdict_if_not_found = inference.entry(
            Kind.ERROR, family=Family.CONFLICT.value, code="lost", message=message[:MESSAGE_CHARS]
        )
        inference.sent_at = None  # nobody knows when it was: the wait for its answer is no latency of the API
        patience_s = max(SETTLE_IN_S, self._moves.latencies.several_s)
        self._moves.accept(inference, now, min(patience_s, self._moves.limits.deadline_s))

    # a task that nothing is about

    def _unnamed(
        self, inference: Inference, unnamed: int, reply: Reply, now: float, effects: Effects
    ) -> None:
        """The reply does not name this task, and so many in all: what it says as a whole decides."""
        # It says nothing at all: whether the task was accepted is open.
        if not reply.unnamed and reply.readable and reply.status < 300:
            self._moves.doubt(inference, now)
            return
        said = reply.as_a_whole
        # The whole request was refused, and none of it was run.
        if STEPS[said.family] in {Step.STOP, Step.WAIT}:
            self._refused(inference, said, reply, now, effects)
        # Whatever the code, nothing of it was run. Fewer tasks may be taken.
        elif self._is_too_large(reply, said) and unnamed > 1:
            inference.together = max(1, unnamed // 2)
            self._moves.flight.move(inference, Phase.READY, now)
        # It is the only task that the error can be about.
        elif unnamed == 1 and self._is_about_the_only_task(reply, said):
            self._refused(inference, said, reply, now, effects)
        # The error may be about any of them, or is not the API's: whether this one was accepted is open.
        else:
            self._unclear(inference, unnamed, reply, now, effects)

    @staticmethod
    def _is_too_large(reply: Reply, said: ApiError) -> bool:
        return said.family is Family.TOO_LARGE or reply.status == 413

    def _is_about_the_only_task(self, reply: Reply, said: ApiError) -> bool:
        if self._is_too_large(reply, said):
            return True
        return bool(reply.unnamed) and reply.from_the_api

    @staticmethod
    def _count_if_no_room(reply: Reply, effects: Effects) -> None:
        if reply.status in NO_ROOM:
            effects.refused += 1

    def _unclear(
        self, inference: Inference, unnamed: int, reply: Reply, now: float, effects: Effects
    ) -> None:
        self._count_if_no_room(reply, effects)
        self._moves.doubt(inference, now, reply.retry_after_s)
        was_refused_as_a_whole = 400 <= reply.status < 500
        took_too_long = reply.status == 504
        # Sent in smaller requests, those that are well are told from the one that is not.
        if was_refused_as_a_whole or took_too_long or inference.unanswered_sends >= TRIES_TOGETHER:
            inference.together = max(1, unnamed // 2)
