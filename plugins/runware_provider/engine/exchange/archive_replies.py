"""What a reply to getTaskDetails means for each task that was looked up. Pure: replies and time in, phases and entries out.

A look-up that was refused is no word on the task that it asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.api.error_families import STEPS, Family, Step
from runware_provider.engine.attempt import Kind
from runware_provider.engine.exchange.effects import Effects
from runware_provider.engine.exchange.inference import Phase
from runware_provider.engine.exchange.patience import LOOK_UPS, PATIENCE
from runware_provider.engine.exchange.poll_replies import TROUBLES

if TYPE_CHECKING:
    from runware_provider.engine.api.replies import ApiError, Reply
    from runware_provider.engine.exchange.inference import Inference
    from runware_provider.engine.exchange.transitions import Transitions

AFTER_A_STOP_S = 1.0


class ArchiveReplies:
    """Applies replies to getTaskDetails."""

    def __init__(self, moves: Transitions) -> None:
        self._moves = moves

    def unanswered(self, chunk: list[Inference], now: float) -> Effects:
        """No usable reply came from the archive; that says nothing about the tasks."""
        effects = Effects()
        for inference in chunk:
            self._no_word(inference, now, effects)
        return effects

    def apply(self, chunk: list[Inference], reply: Reply, now: float) -> Effects:
        """A reply came from the archive."""
        if not reply.readable:
            return self.unanswered(chunk, now)
        effects = self._moves.effects_of_question(chunk, reply)
        unheard = reply.unheard
        for inference in chunk:
            name = inference.task_uuid
            if name in reply.results:
                self._moves.answer(inference, reply.results[name], now, effects)
            # The job stops: the next run looks it up.
            elif effects.stop is not None:
                self._moves.flight.move(inference, Phase.LOOK_UP, now + AFTER_A_STOP_S)
            elif name in reply.failures:
                self._failed(inference, reply.failures[name], now, effects)
            elif name in reply.processing:
                self._known(inference, now, effects)
            elif unheard:
                self._no_word(inference, now, effects)
            else:
                self._moves.not_found(inference, now, effects)
        return effects

    def _no_word(self, inference: Inference, now: float, effects: Effects) -> None:
        """The look-up was not heard."""
        inference.failed_requests += 1
        pause_s = self._moves.patience.back_off_s(inference)
        is_given_up = (
            inference.failed_requests > LOOK_UPS and not inference.accepted and now >= inference.not_before
        )
        if not is_given_up:
            self._moves.flight.move(inference, Phase.LOOK_UP, now + pause_s)
        # Nobody can say whether it was sent: it stays in doubt, and a later run looks for it.
        elif inference.only_look_for:
            self._moves.settle(inference, inference.intent(), now, effects)
        # The same UUID is sent again, which the API does not run twice.
        else:
            self._moves.flight.move(inference, Phase.READY, now + pause_s)

    def _failed(self, inference: Inference, error: ApiError, now: float, effects: Effects) -> None:
        """An error names the task: what became of it, or of the look-up."""
        family = error.family
        is_about_look_up = error.item.get("taskType") == "getTaskDetails"
        if family is Family.LOST:
            self._moves.not_found(inference, now, effects)
        # A replay of it that was refused is what the archive holds: it was run before.
        elif family is Family.CONFLICT:
            self._known(inference, now, effects)
        elif is_about_look_up and family in {*TROUBLES, Family.VALIDATION}:
            self._look_up_failed(inference, now, effects)
        elif family in TROUBLES and inference.doubtful_errors < PATIENCE:
            inference.doubtful_errors += 1
            self._no_word(inference, now, effects)
        else:
            self._ended(inference, error, now, effects)

    def _look_up_failed(self, inference: Inference, now: float, effects: Effects) -> None:
        if inference.accepted:
            self._known(inference, now, effects)
        else:
            self._no_word(inference, now, effects)

    def _ended(self, inference: Inference, error: ApiError, now: float, effects: Effects) -> None:
        """The archive says how it ended. Its family says whether a new attempt is paid for."""
        # It was refused for a reason that is none of its own, and counts as no attempt.
        was_refused = STEPS[error.family] in {Step.STOP, Step.WAIT}
        kind = Kind.SPENT if was_refused else Kind.ERROR
        self._moves.settle(inference, self._moves.error_entry(inference, error, kind=kind), now, effects)

    def _known(self, inference: Inference, now: float, effects: Effects) -> None:
        """The archive knows the task and no answer of it: wait, but not for ever."""
        if not inference.accepted:
            self._moves.accept(inference, now)
        elif inference.deadline is not None and now >= inference.deadline + self._moves.limits.deadline_s:
            self._moves.not_found(inference, now, effects)
        else:
            self._moves.wait_on(inference, now)
