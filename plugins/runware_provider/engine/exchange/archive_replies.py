"""What a reply to getTaskDetails means for each task that was looked up. Pure: replies and time in, phases and entries out.

A look-up that was refused is no word on the task that it asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.api.error_families import STEPS, Family, Step
from runware_provider.engine.attempt import Kind
from runware_provider.engine.exchange.effects import Effects, trouble_of
from runware_provider.engine.exchange.inference import Phase
from runware_provider.engine.exchange.patience import LOOK_UPS, PATIENCE
from runware_provider.engine.exchange.poll_replies import TROUBLES
from runware_provider.engine.exchange.transitions import asking

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
            effects = self.unanswered(chunk, now)
            effects.trouble = trouble_of(reply)
            return effects
        effects = self._moves.effects_of_question(chunk, reply)
        unheard = reply.unheard
        for inference in chunk:
            name = inference.task_uuid
            if name in reply.results:
                self._moves.answer(inference, reply.results[name], now, effects)
            # The job stops: the next run looks it up.
            elif effects.stop is not None:
                self._moves.flight.move(inference, Phase.LOOK_UP, now + AFTER_A_STOP_S)
            elif name in reply.stored:
                self._stored(inference, reply.failures[name], now, effects)
            elif name in reply.failures:
                self._failed(inference, reply.failures[name], now, effects)
            elif name in reply.processing:
                self._known(inference, now, effects)
            elif unheard:
                self._no_word(inference, now, effects, refused=reply.refuses_the_question)
            else:
                self._moves.not_found(inference, now, effects)
        return effects

    def _no_word(self, inference: Inference, now: float, effects: Effects, *, refused: bool = False) -> None:
        """The look-up was not heard, or refused by the API itself: the archive says nothing of the task."""
        inference.failed_requests += 1
        inference.failed_look_ups += 1
        if inference.archive_silent_since is None:
            inference.archive_silent_since = now
        if refused:
            inference.refused_look_ups += 1
        if inference.accepted:
            self._accepted_without_word(inference, now, effects)
        else:
            self._never_accepted_without_word(inference, now, effects)

    def _accepted_without_word(self, inference: Inference, now: float, effects: Effects) -> None:
        patience = self._moves.patience
        gives_up = now >= patience.gives_up_at(inference)
        named_its_end = inference.verdict_if_not_found is not None and not inference.verdict_is_a_guess
        # It may have been billed: no further attempt is paid for unasked.
        if patience.is_unheard_for_good(inference, now) and (gives_up or named_its_end):
            self._moves.leave_unknown(inference, now, effects)
            return
        # getResponse may have the answer yet, and shows that the API is there.
        inference.look_up_at = patience.next_look_up_at(inference, now)
        pause_s = patience.next_poll_s(inference, now)
        if gives_up or named_its_end:
            pause_s = patience.before_next_look_s(inference)
        self._moves.flight.move(inference, asking(inference), now + pause_s)

    def _never_accepted_without_word(self, inference: Inference, now: float, effects: Effects) -> None:
        pause_s = self._moves.patience.before_next_look_s(inference)
        if inference.failed_look_ups <= LOOK_UPS or now < inference.not_before:
            self._moves.flight.move(inference, Phase.ASK, now + pause_s)
        # Nobody can say whether it was sent: it stays in doubt, and a later run looks for it.
        elif inference.only_look_for:
            self._moves.settle(inference, inference.intent(), now, effects)
        # It was sent often enough, and may have been billed: no further attempt is paid for unasked.
        elif now >= self._moves.patience.resends_until(inference, now):
            self._moves.leave_unknown(inference, now, effects)
        # The same UUID is sent again, which the API does not run twice.
        else:
            self._moves.flight.move(inference, Phase.READY, now + pause_s)

    def _stored(self, inference: Inference, error: ApiError, now: float, effects: Effects) -> None:
        """The archive holds an error as what became of the task."""
        if error.family is Family.LOST:
            self._moves.not_found(inference, now, effects)
        # A replay of it that was refused is what the archive holds: it was run before.
        elif error.family is Family.CONFLICT:
            self._known(inference, now, effects)
        else:
            self._ended(inference, error, now, effects)

    def _failed(self, inference: Inference, error: ApiError, now: float, effects: Effects) -> None:
        """An error names the task, as what became of it or of the look-up."""
        family = error.family
        is_about_look_up = error.item.get("taskType") == "getTaskDetails"
        if family in {Family.LOST, Family.CONFLICT}:
            self._stored(inference, error, now, effects)
        elif is_about_look_up and family in {*TROUBLES, Family.VALIDATION}:
            self._no_word(inference, now, effects, refused=family in {Family.VALIDATION, Family.UNKNOWN})
        elif family in TROUBLES and inference.doubtful_errors < PATIENCE:
            inference.doubtful_errors += 1
            self._no_word(inference, now, effects)
        else:
            self._ended(inference, error, now, effects)

    def _ended(self, inference: Inference, error: ApiError, now: float, effects: Effects) -> None:
        """The archive says how it ended. Its family says whether a new attempt is paid for."""
        # It was refused for a reason that is none of its own, and counts as no attempt.
        was_refused = STEPS[error.family] in {Step.STOP, Step.WAIT}
        kind = Kind.SPENT if was_refused else Kind.ERROR
        self._moves.settle(inference, self._moves.error_entry(inference, error, kind=kind), now, effects)

    def _known(self, inference: Inference, now: float, effects: Effects) -> None:
        """The archive knows the task and no answer of it: wait, but not for ever."""
        self._moves.heard_from_archive(inference)
        deadline_s = self._moves.limits.deadline_s
        if not inference.accepted:
            self._moves.accept(inference, now)
        # As long again as any task may take.
        elif now >= self._moves.patience.gives_up_at(inference) + deadline_s:
            self._moves.not_found(inference, now, effects)
        else:
            self._moves.wait_for_next_look(inference, now)
