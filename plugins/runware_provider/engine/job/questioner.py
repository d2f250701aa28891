"""Turns records into questions, with what the ledger knows of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runware_provider.engine.api.request_bodies import encoded
from runware_provider.engine.exchange.inference import Inference, Phase
from runware_provider.engine.identity import Key, task_uuid
from runware_provider.engine.job.question import Question, Request
from runware_provider.engine.outcome.standing import Standing, may_have_been_sent, standing
from runware_provider.engine.spending.tokens import estimated_tokens
from runware_provider.engine.templates.prompt import Skip
from runware_provider.engine.turns import contents_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.api.request_bodies import RequestTemplate
    from runware_provider.engine.attempt import History
    from runware_provider.engine.memory.ledger import Ledger
    from runware_provider.engine.spec import Delivery, Limits
    from runware_provider.engine.templates.record_messages import RecordMessages
    from runware_provider.engine.turns import Turn, Turns

TASK_OVERHEAD = 200
"""Bytes of a task beside its messages and what all tasks share."""
TURN_OVERHEAD = 40
"""Bytes of a message beside its text."""


@dataclass(frozen=True)
class Shared:
    """What every task of a job has in common."""

    bytes: int
    tokens: int

    @classmethod
    def of(cls, template: RequestTemplate, delivery: Delivery) -> Shared:
        """Measured on a task without a message."""
        task = template.task((), 0, "", delivery)
        asked = encoded(template.fields(0)).decode(errors="replace")
        return cls(len(task) + TASK_OVERHEAD, estimated_tokens(asked))


@dataclass
class Requester:
    """Turns records into requests, and questions into inferences.

    Args:
        messages: what asks of a record.
        template: what all requests have in common.
        samples: answers per record.
        max_input_tokens: requests of more are skipped.
        shared: of the same template.
    """

    messages: RecordMessages
    template: RequestTemplate
    samples: int
    max_input_tokens: int | None
    shared: Shared

    def ask(self, record: Mapping[str, Any] | Skip) -> list[Request | Skip]:
        """One request per sample, or why there is none."""
        if isinstance(record, Skip):
            return [record] * self.samples
        turns = self.messages.render(record)
        if isinstance(turns, Skip):
            return [turns] * self.samples
        return self.ask_turns(turns)

    def ask_turns(self, turns: Turns) -> list[Request | Skip]:
        """One request per sample, or why there is none."""
        tokens = sum(map(estimated_tokens, contents_of(turns))) + self.shared.tokens
        if self.max_input_tokens is not None and tokens > self.max_input_tokens:
            told = f"about {tokens:,} tokens, and max_input_tokens is {self.max_input_tokens:,}"
            return [Skip("too_many_tokens", told)] * self.samples
        fingerprint = self.template.fingerprint
        return [Request(turns, fingerprint(turns, n), n, tokens) for n in range(self.samples)]

    def inference(self, question: Question, job_id: bytes, now: float) -> Inference:
        """A question on its way: to be sent, or asked for first where an earlier process may have sent it."""
        key, known = question.key, question.standing
        perhaps_sent = may_have_been_sent(known)
        turns = question.request.turns
        return Inference(
            key=key,
            turns=turns,
            size=self.shared.bytes + sum(map(_size, turns)),
            tokens=question.request.tokens,
            attempt=known.attempt,
            counted=known.counted,
            errors_usd=known.errors_usd,
            spent=known.spent,
            task_uuid=task_uuid(job_id, key, known.attempt),
            phase=Phase.ASK if known.fate_unknown else Phase.READY,
            rejected=known.rejected,
            withdrawn=known.withdrawn,
            intended=perhaps_sent,
            doubted_at=now if perhaps_sent else None,
        )


@dataclass
class Questioner(Requester):
    """Turns records into questions.

    Args:
        ledger: where earlier answers are found.
        limits: how many attempts a record may have.
        at_least: answers of older generations do not count; 0 where the user did not ask anew.
        generation: in which new questions are asked.
        retry_failed: what did not succeed in an older generation than `generation` is asked again in it.
    """

    ledger: Ledger
    limits: Limits
    at_least: int
    generation: int
    retry_failed: bool

    def questions(self, requests: Sequence[Request]) -> list[Question]:
        """Where each request stands by the ledger."""
        asked = [(request.fingerprint, request.sample) for request in requests]
        histories = self.ledger.histories(asked, self.at_least)
        questions: list[Question] = []
        for request, history in zip(requests, histories, strict=True):
            question = self._question(request, history)
            if self._may_be_asked_again(question):
                question = replace(question, anew=self._anew(question))
            questions.append(question)
        return questions

    def answered_once(self, requests: Sequence[Request]) -> list[bool]:
        """Of each request, whether one answer is all that is known of it, and stands whatever this run wishes to ask anew."""
        if self.retry_failed:
            return [False] * len(requests)
        asked = [(request.fingerprint, request.sample) for request in requests]
        return self.ledger.answered_once(asked, self.at_least)

    def _question(self, request: Request, history: History | None) -> Question:
        """As asked in the newest generation, unless that came to nothing: an older one that has its last word counts.

        Nobody pays for a wish to ask anew in a run that does not have it.
        """
        if history is None:
            return Question(
                Key(request.fingerprint, request.sample, self.generation), request, self._standing(None)
            )
        key = Key(request.fingerprint, request.sample, history.generation)
        question = Question(key, request, self._standing(history))
        if question.standing.shown is not None or key.generation <= self.at_least:
            return question
        return self._older(question, self.at_least) or question

    def _older(self, question: Question, at_least: int) -> Question | None:
        """The same in an older generation: the newest that has its last word, or else was ever sent."""
        key, begun = question.key, question if question.standing.begun else None
        while (
            history := self.ledger.history(key.fingerprint, key.sample, at_least, key.generation)
        ) is not None:
            key = Key(key.fingerprint, key.sample, history.generation)
            older = Question(key, question.request, self._standing(history))
            if older.standing.shown is not None:
                return older
            begun = begun or (older if older.standing.begun else None)
        return begun

    def _may_be_asked_again(self, question: Question) -> bool:
        has_ended = question.standing.shown is not None
        return has_ended and self.retry_failed and question.key.generation < self.generation

    def _anew(self, question: Question) -> Question:
        """The same question in this run's generation, where it may have been under way already."""
        request, generation = question.request, self.generation
        history = self.ledger.history(request.fingerprint, request.sample, generation, generation + 1)
        key = Key(request.fingerprint, request.sample, generation)
        return Question(key, request, self._standing(history))

    def before(self, inference: Inference) -> Question | None:
        """What an inference asks, in the newest older generation that has its last word."""
        key = inference.key
        request = Request(inference.turns, key.fingerprint, key.sample, inference.tokens)
        older = self._older(Question(key, request, self._standing(None)), 0)
        return older if older is not None and older.standing.shown is not None else None

    def _standing(self, history: History | None) -> Standing:
        return standing(history, self.limits.attempts, retry_lost=self.limits.retry_lost)


def _size(turn: Turn) -> int:
    """Bytes of a message as sent, about."""
    return len(turn.content.encode(errors="replace")) + TURN_OVERHEAD
