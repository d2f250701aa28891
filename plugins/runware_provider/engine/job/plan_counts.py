"""How much a run would ask and pay: every question decided about, nothing sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runware_provider.engine.attempt import Kind
from runware_provider.engine.job.decider import READ_AT_ONCE
from runware_provider.engine.job.decision import IN_DOUBT, Action

if TYPE_CHECKING:
    from runware_provider.engine.attempt import Attempt
    from runware_provider.engine.identity import Key
    from runware_provider.engine.job.asked import Asked
    from runware_provider.engine.job.decider import Decider
    from runware_provider.engine.job.decision import Decision, Earlier
    from runware_provider.engine.job.question import Question

MOST_ANSWERS = 200


@dataclass
class PlanCounts:
    """Counts of distinct questions."""

    records: int = 0
    """Chosen records."""
    left_out: int = 0
    """Records of the source that are not chosen."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Rows that are never sent, by reason."""
    answered: int = 0
    failed: int = 0
    """Settled without an answer."""
    unknown: int = 0
    """Sent before, by a run that never learnt what became of it."""
    to_pay: int = 0
    to_retry_output: int = 0
    """How many of `to_pay` are output retries: the model is shown its errors, or gets more room."""
    prompt_tokens: int = 0
    """Estimated tokens of the prompts of `to_pay`."""
    doubted: set[Key] = field(default_factory=set, repr=False)
    """The questions that `unknown` counts."""
    unknown_tokens: int = 0
    """Estimated tokens of their prompts."""
    answers: list[Attempt] = field(default_factory=list)
    """Some of what was answered: all of them are of the model that is asked."""

    @property
    def chargeable(self) -> tuple[int, int]:
        """How many inferences a budget may be charged with, and the tokens of their prompts.

        What was sent before is either collected, and paid for now, or sent again.
        """
        return self.to_pay + self.unknown, self.prompt_tokens + self.unknown_tokens

    @property
    def prompt_tokens_each(self) -> int:
        """Estimated tokens of one prompt of `chargeable`, on average; 0 where there is none."""
        inferences, tokens = self.chargeable
        return round(tokens / inferences) if inferences else 0


def plan_counts(asked: Asked, decider: Decider) -> PlanCounts:
    """Decide about everything that the chosen records ask, as a run would.

    Raises:
        StateUnreadable: a segment of the ledger cannot be read.
    """
    counts = PlanCounts(records=asked.records, left_out=asked.left_out, skipped=asked.skipped)
    to_read: list[Question] = []
    for requests in asked.requests():
        questions = decider.questioner.questions(requests)
        to_read += _count_at_sight(counts, decider, questions)
        if len(to_read) >= READ_AT_ONCE:
            _count_read(counts, decider, to_read)
    _count_read(counts, decider, to_read)
    return counts


def _count_at_sight(counts: PlanCounts, decider: Decider, questions: list[Question]) -> list[Question]:
    """Count what needs no reading, each question once; returns the others."""
    to_read: list[Question] = []
    first_seen = decider.ledger.first_seen([question.key for question in questions])
    for question, is_new in zip(questions, first_seen, strict=True):
        if not is_new:
            continue
        shown = question.standing.shown
        if shown is not None and shown.kind is Kind.ANSWERED and len(counts.answers) < MOST_ANSWERS:
            counts.answers.append(shown)
        if decider.needs_reading(question):
            to_read.append(question)
        else:
            _count(counts, decider.decide(question), None)
    return to_read


def _count_read(counts: PlanCounts, decider: Decider, to_read: list[Question]) -> None:
    """Count what the ledger has to be read for; the list is empty afterwards."""
    for start in range(0, len(to_read), READ_AT_ONCE):
        questions = to_read[start : start + READ_AT_ONCE]
        for question, earlier in zip(questions, decider.read(questions), strict=True):
            _count(counts, decider.decide(question, earlier), earlier)
    to_read.clear()


def _count(counts: PlanCounts, decision: Decision, earlier: Earlier | None) -> None:
    question = decision.question
    if decision.action is Action.ANSWERED:
        shown = question.standing.shown
        if shown is not None and shown.kind is Kind.ANSWERED:
            counts.answered += 1
        else:
            counts.failed += 1
        return
    # It may have been billed already; whether more is to be paid, only the vendor can tell.
    if decision.action in IN_DOUBT:
        counts.unknown += 1
        counts.doubted.add(question.key)
        counts.unknown_tokens += question.request.tokens
        return
    counts.to_pay += 1
    counts.prompt_tokens += question.request.tokens
    if decision.action is Action.RETRY_OUTPUT and earlier is not None:
        counts.to_retry_output += 1
        newest_answer, _ = earlier.answers[-1]
        counts.prompt_tokens += newest_answer.completion_tokens or 0  # the model is shown its answer
