"""What is to be done about a question: the one place that decides when money is spent. Pure.

A plan, a budget and a run call `decide`, so that what a plan says is what a run does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from runware_provider.engine.attempt import Entry
from runware_provider.engine.outcome.follow_up import output_retry_after
from runware_provider.engine.outcome.rows import FAILED, Judgement
from runware_provider.engine.outcome.standing import may_have_been_sent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.job.question import Question
    from runware_provider.engine.outcome.follow_up import OutputRetry, Policy

Answers = list[tuple[Entry, Judgement]]
"""To one question, the oldest first, and what is thought of each."""


class Action(Enum):
    """What is done about a question."""

    ANSWERED = "answered"
    """Its rows show what is known. Nothing is sent."""
    ASK = "ask"
    """It is sent, and paid for."""
    ASK_ANEW = "ask_anew"
    """It did not succeed and is sent in this run's generation, as the user wishes, and paid for."""
    RETRY_OUTPUT = "retry_output"
    """Its answer does not fit, or was cut off. It is sent with its errors, or with more room, and paid for."""
    LOOK_FOR = "look_for"
    """It may have been sent, so the vendor is asked for it first. It is sent only if nobody knows of it."""
    ONLY_LOOK_FOR = "only_look_for"
    """An output retry that this run does not want may have been sent. It is collected, and never sent."""
    SKIP = "skip"
    """It would be sent, and the budget reaches for nothing more."""


PAID_FOR = frozenset({Action.ASK, Action.ASK_ANEW, Action.RETRY_OUTPUT})
"""What costs money for certain."""
IN_DOUBT = frozenset({Action.LOOK_FOR, Action.ONLY_LOOK_FOR})
"""What may have cost money already, and may cost some now."""


@dataclass(frozen=True, slots=True)
class RunWish:
    """What the user wishes this run to do about questions that were asked before."""

    follow_ups: Policy
    retry_failed: bool = False
    """Whether what did not succeed in an older generation is asked again in `generation`."""
    generation: int = 0

    def asks_again(self, question: Question) -> bool:
        """Whether the user wants this question asked again, if it did not succeed."""
        return self.retry_failed and question.key.generation < self.generation


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the ledger holds of a question that has something to show, read and judged."""

    judgement: Judgement
    """What its rows show if nothing more is asked."""
    answers: Answers = field(default_factory=list, repr=False)
    """None where it ended in errors alone."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done, and about which question."""

    action: Action
    question: Question
    """The one that was decided about; with `ASK_ANEW`, and where that is in doubt, the same in this run's generation."""
    judgement: Judgement | None = None
    """What its rows show if nothing more is asked; None where nothing was read."""
    output_retry: OutputRetry | None = None
    """What its next attempt says beside the prompt."""


def needs_reading(question: Question, wish: RunWish) -> bool:
    """Whether the answers to a question have to be read before anybody can say what is to be done about it."""
    standing = question.standing
    # There is nothing to read: it is asked, or ended in errors, whatever they were.
    if not standing.answers:
        return False
    # Only the answers say whether it succeeded, so that it is not paid for once more.
    if wish.asks_again(question):
        return True
    # Nothing more is asked, whatever the answers are.
    if standing.ended_by is not None:
        return False
    # A next attempt may be at the vendor. Whether this run wants it depends on the answers before it.
    if may_have_been_sent(standing):
        return True
    # An answer that does not fit may be asked about once more.
    return not wish.follow_ups.asks_nothing


def decide(question: Question, earlier: Earlier | None, wish: RunWish, *, may_ask: bool = True) -> Decision:
    """Say what is to be done about a question.

    Args:
        question: and where it stands by the ledger.
        earlier: what the ledger holds of it, if it has something to show; None where `needs_reading` says that it does not matter.
        wish: of this run.
        may_ask: whether the budget reaches for more.
    """
    standing = question.standing
    # Neither an answer nor an error that ended it: it is asked for the first time, or once more after an error.
    if standing.shown is None:
        return _decide_to_ask(question, may_ask=may_ask)

    judgement = earlier.judgement if earlier is not None else None
    # Asked again in a new generation: the user pays for what did not succeed once more.
    if wish.asks_again(question) and _did_not_succeed(question, judgement) and question.anew is not None:
        return _decide_anew(question, question.anew, judgement, may_ask=may_ask)

    # Errors used up the attempts. Nothing more is asked, whatever was answered before them.
    if standing.ended_by is not None:
        return Decision(Action.ANSWERED, question, judgement)
    return _decide_answered(question, earlier, wish, may_ask=may_ask)


def _decide_to_ask(question: Question, *, may_ask: bool) -> Decision:
    # An earlier process may have sent it. Looking costs nothing, so that the budget does not matter here.
    if question.standing.fate_unknown:
        return Decision(Action.LOOK_FOR, question)
    # It was never sent, and the budget reaches for nothing more.
    if not may_ask:
        return Decision(Action.SKIP, question)
    return Decision(Action.ASK, question)


def _decide_answered(
    question: Question, earlier: Earlier | None, wish: RunWish, *, may_ask: bool
) -> Decision:
    standing = question.standing
    judgement = earlier.judgement if earlier is not None else None
    judgements = [answer for _, answer in earlier.answers] if earlier is not None else []
    output_retry = output_retry_after(judgements, wish.follow_ups)
    if output_retry is None:
        # A run that allowed more output retries than this one may have sent the next before it died. What it sent is
        # billed, so that its answer is collected. This run does not want it, so that it never sends it.
        if may_have_been_sent(standing) and _may_need_an_output_retry(judgements, wish):
            return Decision(Action.ONLY_LOOK_FOR, question, judgement)
        # The answer fits, or may not be asked about any more. Nothing is paid.
        return Decision(Action.ANSWERED, question, judgement)

    # The same output retry may have been sent by a process that died: it is not paid for twice.
    if standing.fate_unknown:
        return Decision(Action.LOOK_FOR, question, judgement, output_retry)
    # The rows show the answer that does not fit.
    if not may_ask:
        return Decision(Action.SKIP, question, judgement)
    return Decision(Action.RETRY_OUTPUT, question, judgement, output_retry)


def _decide_anew(
    question: Question, anew: Question, judgement: Judgement | None, *, may_ask: bool
) -> Decision:
    # A process of this run that died may have sent it in this run's generation. It is that attempt which is looked for,
    # whatever the budget says: looking costs nothing.
    if anew.standing.fate_unknown:
        return Decision(Action.LOOK_FOR, anew, judgement)
    # The decision is about the question of before, so that its rows keep what they had.
    if not may_ask:
        return Decision(Action.SKIP, question, judgement)
    return Decision(Action.ASK_ANEW, anew, judgement)


def _did_not_succeed(question: Question, judgement: Judgement | None) -> bool:
    # What ended in errors alone needs no reading.
    if judgement is None:
        return not question.standing.answers
    return judgement.outcome in FAILED


def _may_need_an_output_retry(judgements: Sequence[Judgement], wish: RunWish) -> bool:
    """Whether the answers do not fit, so that a run with enough output retries asks once more.

    How many an earlier run allowed is written nowhere. As many as there are answers is enough for one more than there
    were; whether that run did send one, the ledger says.
    """
    enough = replace(wish.follow_ups, output_retries=max(wish.follow_ups.output_retries, len(judgements)))
    return output_retry_after(judgements, enough) is not None
