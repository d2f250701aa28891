"""What a reply to getResponse means for each task that was asked for. Pure: replies and time in, phases and entries out.

A question that was refused is no word on the task that it asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.api.error_families import STEPS, Family, Step
from runware_provider.engine.attempt import Kind
from runware_provider.engine.exchange.effects import Effects, trouble_of
from runware_provider.engine.exchange.inference import Phase
from runware_provider.engine.exchange.patience import LOOK_UPS, PATIENCE
from runware_provider.engine.exchange.transitions import asking

if TYPE_CHECKING:
    from runware_provider.engine.api.replies import ApiError, Reply
    from runware_provider.engine.exchange.inference import Inference
    from runware_provider.engine.exchange.transitions import Transitions

TROUBLES = frozenset({Family.RATE, Family.SERVER, Family.TIMEOUT, Family.UNKNOWN})
"""What may be said of a question as well as of its task."""
OF_A_TASK = frozenset({Family.PROVIDER, Family.PROVIDER_FINAL, Family.SAFETY, Family.TOO_LARGE})
"""What is never said of a question: an error of these is about one of the tasks that it asks for."""


class PollReplies:
    """Applies replies to getResponse."""

    def __init__(self, moves: Transitions) -> None:
        self._moves = moves

    def unanswered(self, chunk: list[Inference], now: float) -> Effects:
        """No usable reply came to a getResponse request."""
        for inference in chunk:
            self._no_word(inference, now)
        return Effects()

    def apply(self, chunk: list[Inference], reply: Reply, now: float) -> Effects:
        """A reply came to getResponse."""
        if not reply.readable:
            self.unanswered(chunk, now)
            return Effects(trouble=trouble_of(reply))
        effects = self._moves.effects_of_question(chunk, reply)
        unheard = reply.unheard
        unnamed = [inference for inference in chunk if not reply.names(inference.task_uuid)]
        for inference in chunk:
            name = inference.task_uuid
            if name in reply.results:
                self._count_as_fetched(inference)
                self._moves.answer(inference, reply.results[name], now, effects)
            elif name in reply.failures:
                self._failed(inference, reply.failures[name], reply, now, effects)
            elif name in reply.processing:
                self._processing(inference, now)
            # The job stops: the next run asks for it.
            elif effects.stop is not None:
                self._moves.wait_on(inference, now)
            elif unheard:
                self._unnamed_error(inference, len(unnamed), reply)
                self._no_word(inference, now, was_refused=True)
            else:
                self._not_named(inference, now)
        return effects

    def _count_as_fetched(self, inference: Inference) -> None:
        """An answer to what this process sent was there, and nobody had brought it."""
        if self._moves.calls is not None and inference.accepted and inference.sent_at is not None:
            self._moves.calls.was_fetched()

    def _no_word(self, inference: Inference, now: float, *, was_refused: bool = False) -> None:
        """The question was not heard, which says nothing of the task. It counts against whoever waits for it."""
        inference.failed_requests += 1
        inference.failed_polls += 1
        # Once early: the archive may know of an error that getResponse does not name.
        looks_early = was_refused and inference.accepted and inference.failed_polls == PATIENCE
        if looks_early or self._is_to_be_looked_up(inference, now):
            self._moves.flight.move(inference, Phase.LOOK_UP, now)
        else:
            pause_s = self._moves.patience.back_off_s(inference)
            self._moves.flight.move(inference, asking(inference), now + pause_s)

    def _is_to_be_looked_up(self, inference: Inference, now: float) -> bool:
        # Nobody said that it was accepted. The archive may say so, else it is sent again under the same UUID.
        if not inference.accepted:
            return inference.failed_polls > LOOK_UPS
        return self._is_time_to_look(inference, now)

    def _is_time_to_look(self, inference: Inference, now: float) -> bool:
        """Whether an accepted inference was waited for so long that the archive is asked."""
        return now >= min(inference.look_up_at, self._moves.patience.gives_up_at(inference))

    def _unnamed_error(self, inference: Inference, unnamed: int, reply: Reply) -> None:
        """An error that names nobody may be about this task, which the reply does not name either."""
        error = reply.gravest
        # It may be said of the question, or mean that the task still runs: a further attempt could be paid for twice.
        if error is None or reply.question_in_trouble or error.family not in OF_A_TASK:
            return
        # It is about one of several. Asked for alone, they are told apart.
        if unnamed > 1:
            inference.asked_alone = True
            return
        inference.doubtful_errors += 1
        # If the archive does not know it either, the error is how it ended.
        is_believed = inference.accepted and inference.doubtful_errors >= PATIENCE
        if is_believed and inference.verdict_if_not_found is None:
            inference.verdict_if_not_found = self._moves.error_entry(inference, error)
            inference.verdict_is_a_guess = True

    def _processing(self, inference: Inference, now: float) -> None:
        """The vendor is at work on it."""
        if not inference.accepted:
            self._moves.accept(inference, now)
            inference.processing = True
            return
        inference.processing, inference.said_lost = True, False
        # It takes long. The archive may have the answer already; in the end, it has the last word.
        if self._is_time_to_look(inference, now):
            self._look_up(inference, now)
        else:
            self._wait_on(inference, now)

    def _not_named(self, inference: Inference, now: float) -> None:
        """Said of what is unknown, of what is expired, and of what is still running."""
        inference.processing = inference.said_lost = False
        # Nobody said that it was accepted: unless the archive knows it, it is sent.
        never_accepted = not inference.accepted
        # getResponse may have forgotten it.
        if never_accepted or self._is_time_to_look(inference, now):
            self._look_up(inference, now)
        else:
            self._wait_on(inference, now)

    def _wait_on(self, inference: Inference, now: float) -> None:
        """A word came, and nothing new."""
        self._moves.heard_from_polls(inference)
        self._moves.wait_on(inference, now)

    def _look_up(self, inference: Inference, now: float) -> None:
        """A word came, and the archive is asked for more."""
        self._moves.heard_from_polls(inference)
        self._moves.flight.move(inference, Phase.LOOK_UP, now)

    def _failed(
        self, inference: Inference, error: ApiError, reply: Reply, now: float, effects: Effects
    ) -> None:
        """An error names the task."""
        family = error.family
        # getResponse knows nothing of it, or will not say: the archive is asked before anything is decided.
        is_refused = not inference.accepted and family in {Family.VALIDATION, Family.UNKNOWN}
        if family is Family.LOST or is_refused:
            inference.processing, inference.said_lost = False, family is Family.LOST
            self._look_up(inference, now)
        elif family is Family.CONFLICT:
            self._in_use(inference, now)
        elif family is Family.RATE or (reply.question_in_trouble and family in TROUBLES):
            self._of_poll_or_task(inference, error, now)
        elif STEPS[family] is Step.STOP:
            self._stopped(inference, error, reply, now, effects)
        # It was run, and ended so. Its family says whether a new attempt is paid for, or the row fails or is refused.
        else:
            self._moves.settle(inference, self._moves.error_entry(inference, error), now, effects)

    def _in_use(self, inference: Inference, now: float) -> None:
        """A conflict, said of a question: the API knows the UUID, and has no answer."""
        if inference.accepted:
            self._not_named(inference, now)
        else:
            self._moves.accept(inference, now)

    def _stopped(
        self, inference: Inference, error: ApiError, reply: Reply, now: float, effects: Effects
    ) -> None:
        """An error that no later request would fare better with."""
        effects.stop = effects.stop or self._moves.stop_for(error, effects.chunk)
        # It is the question that was refused; the task may run on.
        if error.family is Family.AUTH or reply.status == 402:
            self._moves.wait_on(inference, now)
        # The task was refused after it had been accepted. It counts as no attempt: only a new UUID can fare better.
        else:
            entry = self._moves.error_entry(inference, error, kind=Kind.SPENT)
            self._moves.settle(inference, entry, now, effects)

    def _of_poll_or_task(self, inference: Inference, error: ApiError, now: float) -> None:
        """Was it the poll that was refused, or the task? Only the archive can tell; ask it after some patience."""
        inference.failed_requests += 1
        inference.doubtful_errors += 1
        is_full = error.family is Family.RATE
        phase = asking(inference)
        if inference.doubtful_errors > PATIENCE:
            phase = Phase.LOOK_UP
            # If the archive does not know it either, the error is how it ended; for want of room it is no attempt.
            if inference.accepted and inference.verdict_if_not_found is None:
                kind = Kind.SPENT if is_full else Kind.ERROR
                inference.verdict_if_not_found = self._moves.error_entry(inference, error, kind=kind)
        self._moves.flight.move(inference, phase, now + self._moves.patience.back_off_s(inference))
