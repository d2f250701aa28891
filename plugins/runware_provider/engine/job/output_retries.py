"""Answers that do not fit, while their questions are asked further: what is asked next, and what counts in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runware_provider.engine.attempt import Kind
from runware_provider.engine.outcome.follow_up import (
    OUT_OF_BUDGET,
    ended_with,
    follow_up,
    last_word,
    output_retry_after,
)

if TYPE_CHECKING:
    from runware_provider.engine.api.output_mode import Forced
    from runware_provider.engine.api.request_bodies import FollowUp
    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.exchange.inference import Inference
    from runware_provider.engine.identity import Key
    from runware_provider.engine.job.decision import Answers, Decision
    from runware_provider.engine.outcome.follow_up import Policy
    from runware_provider.engine.outcome.rows import Judge, Judgement
NEVER_ENDED = frozenset({Kind.INTENT, Kind.REJECTED})
"""What an output retry ends with that was only looked for: it may have been sent, or it never was."""


@dataclass
class OutputRetries:
    """The answers so far of questions that are under way once more.

    Args:
        judge: reads answers.
        forced: where an answer stands.
        policy: how much may be asked again.
    """

    judge: Judge
    forced: Forced
    policy: Policy
    _answers: dict[Key, Answers] = field(default_factory=dict, repr=False)

    def begin(self, decision: Decision, answers: Answers) -> FollowUp | None:
        """Keep the answers of before; returns what the next attempt says beside the prompt."""
        self._answers[decision.question.key] = answers
        if decision.output_retry is None:
            return None
        return follow_up(decision.output_retry, answers, self.forced)

    def after(self, inference: Inference, entry: Entry, *, may_ask: bool) -> FollowUp | Judgement:
        """What follows from the end of an attempt, durable by now: what is asked further, or the last word.

        Args:
            inference: whose attempt it was.
            entry: how it ended.
            may_ask: whether the budget reaches for more.
        """
        answers = self._answers.pop(inference.key, [])
        if entry.kind is not Kind.ANSWERED:
            return self._ended(inference, entry, answers)
        answers.append((entry, self.judge.judge(entry, 1)))
        judgements = [judgement for _, judgement in answers]
        output_retry = output_retry_after(judgements, self.policy)
        if output_retry is None:
            return last_word(judgements, inference.counted, errors_usd=inference.errors_usd)
        # The budget reaches for nothing more: the answer counts as it is.
        if not may_ask:
            return last_word(judgements, inference.counted, OUT_OF_BUDGET, errors_usd=inference.errors_usd)
        self._answers[inference.key] = answers
        return follow_up(output_retry, answers, self.forced)

    def given_up(self, inference: Inference, note: str = OUT_OF_BUDGET) -> Judgement | None:
        """The last word on a question that is asked no further; None where it has no answer.

        Args:
            inference: that asks it.
            note: why it is asked no further; by default for want of money.
        """
        answers = self._answers.pop(inference.key, [])
        if not answers:
            return None
        judgements = [judgement for _, judgement in answers]
        return last_word(judgements, inference.counted, note, errors_usd=inference.errors_usd)

    def without_money(self, inference: Inference) -> Judgement:
        """The last word on a question that is asked no further because the budget is used up."""
        answered = self.given_up(inference)
        # What it was answered is paid for, and counts as it is.
        if answered is not None:
            return answered
        doubted = inference.task_uuid if inference.may_be_billed else None
        return self.judge.given_up(inference.counted, doubted, errors_usd=inference.errors_usd)

    def __contains__(self, key: Key) -> bool:
        return key in self._answers

    def _ended(self, inference: Inference, entry: Entry, answers: Answers) -> Judgement:
        if not answers:
            return self.judge.judge(entry, inference.counted, errors_usd=inference.errors_usd)
        judgements = [judgement for _, judgement in answers]
        note = None if entry.kind in NEVER_ENDED else ended_with(entry.family)
        return last_word(judgements, inference.counted, note, errors_usd=inference.errors_usd)
