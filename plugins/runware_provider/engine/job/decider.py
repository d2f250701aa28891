"""Decides about the questions of one run, with what its ledger holds of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.job.decision import Decision, Earlier, RunWish, decide, needs_reading
from runware_provider.engine.job.questioner import Questioner, Shared
from runware_provider.engine.outcome.follow_up import ended_with, last_word
from runware_provider.engine.outcome.rows import Judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.attempt import Attempt, Entry
    from runware_provider.engine.job.decision import Answers
    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.job.question import Question
    from runware_provider.engine.memory.ledger import Ledger

READ_AT_ONCE = 2_000
"""Questions, as many as a row group of the ledger has, which is read as a whole: fewer would read each again and again."""
NOBODY = bytes(16)
"""A job_id: the UUIDs in the judgements of a plan are not looked at."""


@dataclass
class Decider:
    """Decides about questions.

    Args:
        questioner: makes them of records.
        ledger: of the job.
        judge: reads their answers.
        wish: of this run.
        may_ask: whether the budget reaches for more.
    """

    questioner: Questioner
    ledger: Ledger
    judge: Judge
    wish: RunWish
    may_ask: bool = True

    @classmethod
    def of(cls, prepared: Prepared, ledger: Ledger, generation: int, job_id: bytes = NOBODY) -> Decider:
        """What decides for this job.

        Args:
            prepared: the job.
            ledger: where earlier answers are found.
            generation: the one to ask in, that of the user's wish to ask anew if there is one.
            job_id: of the job; without it, judgements name no task.
        """
        spec = prepared.spec
        questioner = Questioner(
            messages=prepared.messages,
            template=prepared.template,
            ledger=ledger,
            samples=spec.samples,
            limits=spec.limits,
            at_least=generation if spec.refresh is not None else 0,
            generation=generation,
            retry_failed=spec.retry_failed is not None,
            max_input_tokens=spec.limits.max_input_tokens,
            shared=Shared.of(prepared.template, spec.delivery),
        )
        judge = Judge(
            prepared.forced, prepared.check, model=spec.model, job_id=job_id, keep_raw=spec.publish.keep_raw
        )
        wish = RunWish(prepared.follow_ups, retry_failed=spec.retry_failed is not None, generation=generation)
        return cls(questioner, ledger, judge, wish)

    def needs_reading(self, question: Question) -> bool:
        """Whether `decide` needs what `read` gives."""
        return needs_reading(question, self.wish)

    def decide(self, question: Question, earlier: Earlier | None = None) -> Decision:
        """What is to be done about a question; see `decision.decide`."""
        return decide(question, earlier, self.wish, may_ask=self.may_ask)

    def read(self, questions: Sequence[Question]) -> list[Earlier]:
        """What the ledger holds of questions that have something to show. Safe to call from another thread.

        Raises:
            StateUnreadable: a segment of the ledger cannot be read.
        """
        attempts: list[Attempt] = []
        for question in questions:
            attempts += _told(question)
        entries = self.ledger.entries(attempts)
        return [self._judged(question, entries) for question in questions]

    def _judged(self, question: Question, entries: Mapping[Attempt, Entry]) -> Earlier:
        standing = question.standing
        if not standing.answers:
            (error,) = _told(question)
            judgement = self.judge.judge(entries[error], standing.counted, errors_usd=standing.errors_usd)
            return Earlier(judgement)
        answers: Answers = []
        for attempt in standing.answers:
            entry = entries[attempt]
            # Each answer is judged as one attempt of its own; `last_word` adds the attempts up.
            answers.append((entry, self.judge.judge(entry, 1)))
        note = ended_with(standing.ended_by.family) if standing.ended_by is not None else None
        judgements = [judgement for _, judgement in answers]
        return Earlier(last_word(judgements, standing.counted, note, errors_usd=standing.errors_usd), answers)


def _told(question: Question) -> Sequence[Attempt]:
    """The attempts that say what is known of a question: its answers, or else the error that ended it."""
    standing = question.standing
    if standing.answers:
        return standing.answers
    if standing.shown is None:
        return ()
    return (standing.shown,)
