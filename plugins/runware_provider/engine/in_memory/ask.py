"""Ask questions that no dataset holds: one call, one process, nothing on a disk."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import math
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.api.client import FREE_TIMEOUT_S, Client, check_endpoint
from runware_provider.engine.encodable import is_encodable
from runware_provider.engine.errors import BadInput, BudgetExhausted, Interrupted, JobStopped
from runware_provider.engine.exchange.conversation import FINISH_INTERRUPTED_S
from runware_provider.engine.exchange.flight import Flight
from runware_provider.engine.exchange.pace import Pace
from runware_provider.engine.in_memory.answer import Answer
from runware_provider.engine.in_memory.attempts import AttemptsInMemory
from runware_provider.engine.in_memory.feed import QuestionFeed
from runware_provider.engine.in_memory.typed_check import TypedCheck, member_of
from runware_provider.engine.in_memory.watch import QuestionWatch
from runware_provider.engine.job.account_opening import ASSUMED_SPREAD, unpriced
from runware_provider.engine.job.asked_for import AskedFor, asked_for_by
from runware_provider.engine.job.conversing import Conversing, connections_of
from runware_provider.engine.job.output_retries import OutputRetries
from runware_provider.engine.job.question import Request
from runware_provider.engine.job.questioner import Requester, Shared
from runware_provider.engine.messages import Message, as_messages
from runware_provider.engine.money import usd
from runware_provider.engine.outcome.rows import Judge, Outcome
from runware_provider.engine.plain_text import printable, with_article
from runware_provider.engine.schema.label_answers import LabelSchema
from runware_provider.engine.seconds import check_timeout
from runware_provider.engine.spec import Spec
from runware_provider.engine.spending.budget import Account, Spend
from runware_provider.engine.spending.pricing import ASSUMED_COMPLETION_TOKENS, prices_of
from runware_provider.engine.templates.given_turns import given_turns
from runware_provider.engine.templates.prompt import Skip
from runware_provider.engine.templates.record_messages import record_messages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from runware_provider.engine.api.client import Transport
    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.exchange.conversation import Exchange
    from runware_provider.engine.outcome.rows import Judgement

    Asked = str | Sequence[Message | Mapping[str, Any]]
    """A text, or the messages of a conversation."""

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 1_800.0
FINISHING: Final = 0.25
"""Of the time of a call, at most, what is kept for requests that are under way at its end."""
LOOKING_UP: Final = 0.5
"""The same for the price of the model: an API that does not name it leaves time for the questions."""
COLUMN: Final = "question"
_NOWHERE: Final[dict[str, Any]] = {
    "source": "nowhere",
    "destination": "nowhere",
    "prompt": f"{{{{ record.{COLUMN} }}}}",
}
"""A question is a record of one column, whose text is the prompt, and which lies nowhere."""


class _Always:
    """The right to send of who shares nothing with anybody."""

    why_lost: JobStopped | None = None

    def left_s(self) -> float:
        """For ever."""
        return math.inf


def question_spec(wish: Mapping[str, Any]) -> Spec:
    """What a call asks for, checked as a job's; nothing of it is stored, so that what has no one type is no trouble.

    Args:
        wish: fields of `Spec`, in the user's words; None stands for what is not given.

    Raises:
        BadInput: they cannot work.
    """
    spec = Spec(**_NOWHERE, **{name: value for name, value in wish.items() if value is not None})
    return spec.model_copy(update={"answers": spec.answers.model_copy(update={"untyped": "json"})})


async def ask_in_memory(  # noqa: PLR0913 - by keyword, each a fact of its own
    questions: Sequence[Asked],
    spec: Spec,
    endpoint: Endpoint,
    *,
    timeout_s: float = TIMEOUT_S,
    stop: asyncio.Event | None = None,
    transport: Transport | None = None,
) -> list[Answer[Any]]:
    """Ask each question, and say what became of it, in order.

    Args:
        questions: texts, or lists of messages, sent as they are.
        spec: made by `question_spec`.
        endpoint: where the API answers.
        timeout_s: seconds that the call may take, with the look-up of the price and the end of what is under way.
        stop: when set, the call ends with Interrupted.
        transport: carries the HTTP requests; a real network by default.

    Raises:
        BadInput: nothing was sent.
        JobStopped: the call was asked to stop, or no question was answered for a reason that is none of theirs.
    """
    _check(questions, timeout_s)
    if spec.delivery == "webhook":
        problem = "a call waits for its answers itself, and keeps no inbox"
        raise BadInput("delivery", problem, "Choose 'poll' or 'sync'")
    check_endpoint(endpoint)
    asked_for = asked_for_by(spec)
    for warning in asked_for.warnings:
        log.warning("%s", printable(f"Warning: {warning}."))
    client = Client(
        endpoint,
        connections=connections_of(spec.limits),
        transport=transport,
        free_timeout_s=min(FREE_TIMEOUT_S, LOOKING_UP * timeout_s),
    )
    async with client:
        call = _Call(spec, asked_for, client, questions)
        return await call.run(timeout_s, stop or asyncio.Event())


def _finish_s(timeout_s: float) -> float:
    """What is kept of the time of a call for requests that are under way when nothing more is begun."""
    return min(FINISH_INTERRUPTED_S, FINISHING * timeout_s)


@contextlib.asynccontextmanager
async def _ending(stop: asyncio.Event, seconds: float) -> AsyncIterator[asyncio.Event]:
    """An event that is set as soon as the call is asked to stop, or has taken so many seconds."""
    ending = asyncio.Event()

    async def wait() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
        ending.set()

    waiting = asyncio.create_task(wait())
    try:
        yield ending
    finally:
        waiting.cancel()


def _check(questions: object, timeout_s: object) -> None:
    if isinstance(questions, str | bytes):
        raise BadInput("questions", "one text is one question", "Give a list of texts, or use ask")
    if not isinstance(questions, Sequence):
        raise BadInput("questions", f"it is {with_article(type(questions).__name__)}", "Give a list of texts")
    for number, question in enumerate(questions):
        _check_question(f"questions[{number}]", question)
    check_timeout(timeout_s)


def _check_question(field: str, question: object) -> None:
    if isinstance(question, str):
        if not is_encodable(question):
            raise BadInput(
                field,
                "it holds half of a surrogate pair, which UTF-8 cannot hold",
                "Take it out, for example with question.encode(errors='replace').decode()",
            )
        return
    if not isinstance(question, list | tuple):
        raise BadInput(
            field, f"it is {with_article(type(question).__name__)}", "Give a text, or a list of messages"
        )
    try:
        as_messages(question)
    except BadInput as error:
        raise BadInput(field, error.problem, error.remedy) from None


class _Call:
    """The pieces of one call, put together."""

    def __init__(self, spec: Spec, asked_for: AskedFor, client: Client, questions: Sequence[Asked]) -> None:
        self._spec = spec
        self._asked_for = asked_for
        self._client = client
        self._job_id = secrets.token_bytes(16)
        self._attempts = AttemptsInMemory()
        self._requester = Requester(
            messages=record_messages(
                spec.prompt, spec.messages, {}, [COLUMN], max_chars=spec.limits.max_prompt_chars
            ),
            template=asked_for.template,
            samples=1,
            max_input_tokens=spec.limits.max_input_tokens,
            shared=Shared.of(asked_for.template, spec.delivery),
        )
        self._requests = [self._request(question) for question in questions]

    def _request(self, question: Asked) -> Request | Skip:
        if isinstance(question, str):
            return self._requester.ask({COLUMN: question})[0]
        turns = given_turns(list(map(_as_dict, question)), self._spec.limits.max_prompt_chars)
        return turns if isinstance(turns, Skip) else self._requester.ask_turns(turns)[0]

    async def run(self, timeout_s: float, stop: asyncio.Event) -> list[Answer[Any]]:
        """Ask; see `ask_in_memory`."""
        log.info("%s", printable(f"Asking {self._spec.model}: {_questions(len(self._requests))}"))
        finish_s = _finish_s(timeout_s)
        async with _ending(stop, timeout_s - finish_s) as ending:
            account = await self._account()
            flight = Flight(account)
            feed = self._feed(flight)
            try:
                await self._exchange(flight, account, finish_s).run(feed, self._watch(feed), ending)
            except JobStopped as stopped:
                timed_out = isinstance(stopped, Interrupted) and not stop.is_set()
                # Somebody wants the call to end, or nothing was answered that would be lost with the error.
                if stop.is_set() or not (timed_out or self._attempts.answered):
                    raise
                why = f"there was no answer within timeout_s={timeout_s:g}" if timed_out else stopped.reason
                feed.end_the_rest(_code_of(stopped, timed_out=timed_out), why)
        answers = [self._answer(judgement, again=again) for judgement, again in feed.judgements()]
        log.info("%s", _what_became(answers))
        return answers

    def _watch(self, feed: QuestionFeed) -> QuestionWatch:
        return QuestionWatch(
            feed=feed,
            attempts=self._attempts,
            questions=len(self._requests),
            now=time.monotonic,
            tell=lambda line: log.info("%s", printable(line)),
        )

    async def _account(self) -> Account | None:
        """The budget's account.

        Raises:
            BadInput: the budget is in USD, and nobody knows what the model costs.
            Unreachable: the same, since the API does not answer.
            BudgetExhausted: the estimate exceeds it, and the call shall not go as far as it gets.
        """
        budget = self._spec.budget
        if budget is None:
            return None
        listed = await self._client.prices() if budget.usd is not None else {}
        price = prices_of(self._spec.model, budget, listed or {})
        if budget.usd is not None and price is None:
            raise unpriced(self._spec.model, listed)
        account = Account(
            budget,
            price.prices if price is not None else None,
            Spend(0.0, 0),
            ASSUMED_COMPLETION_TOKENS,
            ASSUMED_SPREAD * ASSUMED_COMPLETION_TOKENS,
            output_retries=self._asked_for.follow_ups.further_answers,
        )
        tokens = {
            request.fingerprint: request.tokens for request in self._requests if isinstance(request, Request)
        }
        reason = account.exceeds(account.estimate(sum(tokens.values()), len(tokens)))
        if reason is not None and budget.when_short == "stop":
            raise BudgetExhausted(f"{reason}; nothing was sent")
        return account

    def _feed(self, flight: Flight) -> QuestionFeed:
        asked_for, check = self._asked_for, self._asked_for.check
        # A label is a text, stored or not.
        if check is not None and not isinstance(check, LabelSchema):
            check = TypedCheck(check)
        judge = Judge(asked_for.forced, check, model=self._spec.model, job_id=self._job_id, keep_raw=False)
        return QuestionFeed(
            requests=self._requests,
            requester=self._requester,
            flight=flight,
            retries=OutputRetries(judge, asked_for.forced, asked_for.follow_ups),
            judge=judge,
            job_id=self._job_id,
            now=time.monotonic,
        )

    def _exchange(self, flight: Flight, account: Account | None, finish_s: float) -> Exchange:
        conversing = Conversing(
            spec=self._spec,
            client=self._client,
            attempts=self._attempts,
            template=self._asked_for.template,
            job_id=self._job_id,
            right=_Always(),
        )
        pace = Pace(self._spec.limits.max_outstanding, None, log.debug)
        return conversing.exchange(flight, account, pace, finish_interrupted_s=finish_s)

    def _answer(self, judgement: Judgement, *, again: bool) -> Answer[Any]:
        facts = judgement.facts
        value = judgement.result if judgement.outcome is Outcome.SUCCEEDED else None
        if isinstance(value, str):
            value = member_of(self._spec.output_type, value)
        answer: Answer[Any] = Answer(
            outcome=judgement.outcome.value,
            value=value,
            code=facts.get("error_code"),
            message=facts.get("error_message"),
            attempts=facts["attempts"],
            cost_usd=0.0 if judgement.outcome is Outcome.SKIPPED else facts.get("cost_usd"),
            prompt_tokens=facts.get("prompt_tokens"),
            cached_tokens=facts.get("cached_tokens"),
            completion_tokens=facts.get("completion_tokens"),
            finish_reason=facts.get("finish_reason"),
            latency_s=facts.get("latency_s"),
            model=self._spec.model,
            task_uuid=facts.get("task_uuid"),
            mends=tuple(facts["mends"]),
            raw=facts.get("raw"),
        )
        return _copied(answer) if again else answer


def _as_dict(message: Message | Mapping[str, Any]) -> dict[str, Any]:
    return message.model_dump() if isinstance(message, Message) else dict(message)


def _what_became(answers: Sequence[Answer[Any]]) -> str:
    """How many questions have which outcome, what is known to be paid, and for how many nobody knows what they cost."""
    outcomes = Counter(answer.outcome for answer in answers)
    counted = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()) or "none"
    paid = sum(answer.cost_usd or 0.0 for answer in answers)
    told = f"{_questions(len(answers))}: {counted}; {usd(paid)} paid"
    # A task that was sent, and of which no cost was reported, may be billed all the same.
    unknown = sum(answer.attempts > 0 and answer.cost_usd is None for answer in answers)
    if not unknown:
        return told
    return f"{told}, and an unknown amount for {unknown:,} of them, which may be billed"


def _questions(count: int) -> str:
    return f"{count:,} question{'' if count == 1 else 's'}"


def _code_of(stopped: JobStopped, *, timed_out: bool) -> str:
    """Why a question has no answer that was not answered when the call ended."""
    if timed_out:
        return "timeout"
    return "budget" if isinstance(stopped, BudgetExhausted) else "stopped"


def _copied(answer: Answer[Any]) -> Answer[Any]:
    """The answer to a question that stands in the list before: it was paid for there, so that the costs add up to the bill."""
    return replace(
        answer,
        value=copy.deepcopy(answer.value),
        attempts=0,
        cost_usd=0.0,
        prompt_tokens=0,
        cached_tokens=0,
        completion_tokens=0,
    )
