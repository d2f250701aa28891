"""What a call of the vendor means for the task that it is about. Pure: what was brought and time in, phases and entries out.

A call answers no question, so that an error in it can only be about its task. Nor is it known for certain whose call it is:
what it says is believed where it concerns its task alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from runware_provider.engine.api.error_families import STEPS, Family, Step
from runware_provider.engine.exchange.inference import Phase
from runware_provider.engine.exchange.transitions import asking

if TYPE_CHECKING:
    from runware_provider.engine.api.replies import ApiError, Reply
    from runware_provider.engine.exchange.effects import Effects
    from runware_provider.engine.exchange.inference import Inference
    from runware_provider.engine.exchange.transitions import Transitions

AT_REST: Final = frozenset({Phase.READY, Phase.ASK, Phase.WAITING, Phase.LOOK_UP})
"""Phases of an inference that no request is about just now, so that nobody else decides on it at the same time."""

OF_ONE_TASK_FOR_GOOD: Final = frozenset({Step.FAIL, Step.REFUSE})
"""What follows from the errors that a call is believed: no other task is touched by it, and nothing is paid."""


class Brought(NamedTuple):
    """What a call said of one task."""

    inference: Inference
    """At rest, or busy with this call alone."""
    reply: Reply
    """The body, sorted; it names the inference."""
    came_at: float
    """When the call came, by the clock that all times here are of."""


class CallReplies:
    """Applies what was brought."""

    def __init__(self, moves: Transitions) -> None:
        self._moves = moves

    def apply(self, brought: Brought, now: float, effects: Effects) -> None:
        """A call says what became of an inference."""
        inference, reply, came_at = brought
        item = reply.results.get(inference.task_uuid)
        error = reply.failures.get(inference.task_uuid)
        if self._moves.calls is not None and (item is not None or error is not None):
            self._moves.calls.was_brought()
        # The call is only news: getResponse is asked, and what that says counts.
        if self._moves.calls is not None and self._moves.calls.verify:
            self._moves.flight.move(inference, asking(inference), now)
        elif item is not None:
            # It was there when it came, and not at the look before.
            inference.looked_at = came_at
            self._moves.answer(inference, item, came_at, effects)
        elif error is not None:
            self._failed(inference, error, came_at, now, effects)
        # It is at work on it, or says nothing of it.
        else:
            self.not_brought(inference, now)

    def not_brought(self, inference: Inference, now: float) -> None:
        """What a call was to say of an inference is not there any more: it is asked for."""
        if inference.phase not in AT_REST:
            self._moves.flight.move(inference, asking(inference), now)

    def _failed(
        self, inference: Inference, error: ApiError, came_at: float, now: float, effects: Effects
    ) -> None:
        """The call says that the task has ended in an error."""
        # Whether it was run is another question: the archive is asked before anything is decided.
        if error.family in {Family.LOST, Family.CONFLICT}:
            self._moves.flight.move(inference, Phase.LOOK_UP, came_at)
            return
        # Whoever has the URL of one task could stop the whole job by it, or have the task paid for twice: the API has to
        # say so itself.
        if STEPS[error.family] not in OF_ONE_TASK_FOR_GOOD:
            self._moves.flight.move(inference, asking(inference), now)
            return
        self._moves.settle(inference, self._moves.error_entry(inference, error), came_at, effects)
