"""Asks the service, one question after the other, and notes what is found. Bounded in time and in money."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol
from uuid import uuid4

from runware_provider.engine.api import request_bodies
from runware_provider.engine.api.account import balance_in, listed_models
from runware_provider.engine.api.client import Lost, NotSent
from runware_provider.engine.api.error_families import STEPS, Family, Step, stop_for
from runware_provider.engine.api.results import cost_of
from runware_provider.engine.money import usd
from runware_provider.engine.service_check import account_judges, answer_judges, refusal_judges, task_judges
from runware_provider.engine.service_check.findings import differs, skipped, unseen
from runware_provider.engine.service_check.heard import Heard
from runware_provider.engine.service_check.questions import (
    ANIMAL,
    CALL,
    COLOUR,
    FRUIT,
    HOOKED,
    ONE_WORD,
    SLOW,
    STREAMED,
    SYSTEM_ROLE,
    UNKNOWN_MODEL,
)
from runware_provider.engine.service_check.stream_judge import joined, judge_stream, tells_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from runware_provider.engine.api.client import Received
    from runware_provider.engine.api.raw_client import RawClient
    from runware_provider.engine.service_check.findings import Finding
    from runware_provider.engine.service_check.purse import Purse, Rates
    from runware_provider.engine.service_check.questions import Question

FREE_S: Final = 15.0
"""Seconds that a question which costs nothing may take."""
SHORTER: Final = 0.1
"""Of the time to finish, what later tasks get after one did not."""
REFUSALS: Final = frozenset(
    {
        Family.AUTH,
        Family.CONFLICT,
        Family.MODEL,
        Family.QUOTA,
        Family.RATE,
        Family.TOO_LARGE,
        Family.VALIDATION,
    }
)
"""Errors of a task that was not taken."""
NO_STREAMS: Final = "this version asks for no streams"
NOT_WISHED: Final = "ask for it with --webhook"


class NotSeen(Exception):  # noqa: N818 - says what is the case
    """A question was not asked, or not answered; its message says why, in words of ours."""


@dataclass(frozen=True)
class Pace:
    """Seconds: how long answers are waited for, and how often they are asked for.

    Attributes:
        whole_s: for all questions together.
        answer_s: for one request that is to bring an answer.
        finish_s: for a task to be told finished by polls.
        first_s: between the first two polls.
        longest_s: between later ones.
    """

    whole_s: float = 300.0
    answer_s: float = 90.0
    finish_s: float = 90.0
    first_s: float = 0.5
    longest_s: float = 3.0


@dataclass
class Notes:
    """What was found so far, also when the questions end early.

    Attributes:
        findings: in any order.
        troubles: why something could not be asked or was not answered; empty where all of it was.
    """

    findings: list[Finding] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


class Hook(Protocol):
    """Where webhooks arrive: a receiver, and the place where it puts what it was called with."""

    def url_for(self, task_uuid: str) -> str:
        """The `webhookURL` of a task."""

    async def bodies(self) -> Sequence[bytes]:
        """The bodies of all calls so far."""


class Session:
    """The questions to one service about one model.

    Args:
        client: asks it.
        streaming: asks it for streams; None where none is to be asked for.
        hook: where webhooks arrive; a text where none is to be asked for, which says why.
        model: the API's name.
        rates: what its tokens cost.
        purse: says what may be spent, and keeps what was.
        pace: bounds of every wait.
    """

    def __init__(  # noqa: PLR0913 - each a fact of its own
        self,
        client: RawClient,
        streaming: RawClient | None,
        hook: Hook | str = NOT_WISHED,
        *,
        model: str,
        rates: Rates,
        purse: Purse,
        pace: Pace,
    ) -> None:
        self._client = client
        self._streaming = streaming
        self._hook = hook
        self._model = model
        self._rates = rates
        self._purse = purse
        self._pace = pace
        self._ends_at = 0.0
        self._price: tuple[float, float] | None = None
        self._balance: float | None = None
        self._refused_uuid = ""
        self._patience_s = pace.finish_s
        self.notes = Notes()

    async def ask_all(self) -> None:
        """Ask everything; the notes have what was found, also after an error.

        Raises:
            JobStopped: the service takes the key or the model for no question at all, or has nothing left to pay with.
        """
        self._ends_at = _now() + self._pace.whole_s
        for names, step in self._steps():
            try:
                await step()
            except NotSeen as why:
                self._note(*(unseen(name, str(why)) for name in names))
                self.notes.troubles.append(str(why))

    def _steps(self) -> Sequence[tuple[Sequence[str], Callable[[], Awaitable[None]]]]:
        """In their order: what each is to show, and what does it. What costs nothing comes first."""
        return (
            (("key-check",), self._key),
            (("balance",), self._account),
            (("models-list",), self._models),
            (("bad-role", "error-shape", "unknown-model", "refused-unpaid"), self._refusals),
            (("unknown-poll", "unknown-archive"), self._unknown_task),
            (
                (
                    *answer_judges.ANSWER,
                    "price-unit",
                    "rejected-uuid",
                    "sync-poll",
                    "archive",
                    "reused-uuid",
                    "archive-after-replay",
                ),
                self._sync_answer,
            ),
            (
                ("acknowledgement", "known-at-once", "running-poll", "finished-poll", "polls-repeat"),
                self._async_answer,
            ),
            (("mixed-array",), self._mixed_array),
            (("two-items", "two-polls", "named-once"), self._two_items),
            (answer_judges.CALL, self._call),
            (("stream",), self._stream),
            (("webhook", "webhook-shape"), self._webhook),
            (("bill",), self._bill),
        )

    # what costs nothing

    async def _key(self) -> None:
        self._note(account_judges.judge_key(await self._heard(self._client.received_of_key(self._free_s()))))

    async def _account(self) -> None:
        heard = await self._asked(request_bodies.account_details(str(uuid4())))
        self._balance = balance_in(heard.body)
        self._note(account_judges.judge_balance(heard))

    async def _models(self) -> None:
        heard = await self._heard(self._client.listed())
        # It is no reply to tasks, and a list that is not there at all is a deviation.
        if heard.status == 429 or heard.status >= 500:
            raise NotSeen(f"no usable reply: HTTP {heard.status}")
        prices = {entry.id: entry.usd_per_token for entry in listed_models(heard.body)}
        self._price = prices.get(self._model)
        self._note(account_judges.judge_models(heard, self._model))

    async def _refusals(self) -> None:
        name, other = str(uuid4()), str(uuid4())
        bad_role = await self._sent((SYSTEM_ROLE, name))
        self._note(*refusal_judges.judge_bad_role(bad_role, name))
        unknown_model = await self._sent((UNKNOWN_MODEL, other), expects_no_model=True)
        self._note(refusal_judges.judge_unknown_model(unknown_model, other))
        was_refused = bad_role.error_about(name) is not None
        self._refused_uuid = name if was_refused else ""
        refused = was_refused and unknown_model.error_about(other) is not None
        self._note(account_judges.judge_refusals(self._balance, await self._balance_now(), refused=refused))

    async def _unknown_task(self) -> None:
        name = str(uuid4())
        poll = await self._asked(request_bodies.get_response([name]))
        self._note(refusal_judges.judge_unknown_poll(poll, name))
        archive = await self._asked(request_bodies.get_task_details([name]))
        self._note(refusal_judges.judge_unknown_archive(archive, name))

    # what is paid for

    async def _sync_answer(self) -> None:
        name, heard = await self._answer_under_a_refused_uuid()
        item = heard.submission.results.get(name)
        if item is None:
            self._note(*_unanswered(heard))
            return
        self._note(*answer_judges.judge_answer(item))
        tokens, cost = answer_judges.tokens_of(item), cost_of(item)
        self._note(account_judges.judge_price(tokens, cost, self._price))
        await self._look_back(name)

    async def _answer_under_a_refused_uuid(self) -> tuple[str, Heard]:
        """An answer, and its UUID; the UUID of a task that was refused, if there is one and it is taken."""
        name = self._refused_uuid
        if not name:
            self._note(unseen("rejected-uuid", "no task was refused"))
            name = str(uuid4())
            return name, await self._sent((ONE_WORD, name))
        heard = await self._sent((ONE_WORD, name))
        self._note(refusal_judges.judge_rejected_uuid(heard, name))
        if not heard.submission.says_in_use(name):
            return name, heard
        name = str(uuid4())
        return name, await self._sent((ONE_WORD, name))

    async def _look_back(self, name: str) -> None:
        """Ask for an answered task in every way. A replay comes last: it may change what the archive stores."""
        poll = await self._asked(request_bodies.get_response([name]))
        self._note(task_judges.judge_sync_poll(poll, name))
        before = await self._asked(request_bodies.get_task_details([name]))
        self._note(task_judges.judge_archive(before, name))
        replay = await self._sent((ONE_WORD, name), is_replay=True)
        self._note(task_judges.judge_replay(replay, name))
        after = await self._asked(request_bodies.get_task_details([name]))
        had_it = name in before.archive.results
        self._note(task_judges.judge_archive_after_replay(after, name, had_it=had_it))

    async def _async_answer(self) -> None:
        name = str(uuid4())
        heard = await self._sent((SLOW, name))
        self._note(task_judges.judge_acknowledgement(heard, name))
        began = _now()
        polls = await self._polled_until_finished([name])
        self._note(*task_judges.judge_polls(polls, name, _now() - began))
        if name in polls[-1].poll.results:
            again = await self._asked(request_bodies.get_response([name]))
            self._note(task_judges.judge_repeated_poll(again, name))
        else:
            self._note(unseen("polls-repeat", "no poll told it finished"))

    async def _mixed_array(self) -> None:
        good, bad = str(uuid4()), str(uuid4())
        heard = await self._sent((COLOUR, good), (SYSTEM_ROLE, bad))
        self._note(task_judges.judge_mixed_array(heard, good, bad))
        # It is waited for to learn what it cost.
        if _may_run(heard, good):
            await self._polled_until_finished([good])

    async def _two_items(self) -> None:
        names = [str(uuid4()), str(uuid4())]
        heard = await self._sent((ANIMAL, names[0]), (FRUIT, names[1]))
        self._note(task_judges.judge_two_items(heard, names))
        running = [name for name in names if _may_run(heard, name)]
        polls = await self._polled_until_finished(running) if running else []
        if running == names:
            self._note(*task_judges.judge_two_polls(polls[-1], names))
        else:
            why = "it takes two tasks that were accepted"
            self._note(unseen("two-polls", why), unseen("named-once", why))

    async def _call(self) -> None:
        name = str(uuid4())
        heard = await self._sent((CALL, name))
        item = heard.submission.results.get(name)
        if item is None:
            raise NotSeen(f"the question was not answered: {heard.told}")
        self._note(*answer_judges.judge_call(item))

    async def _stream(self) -> None:
        if self._streaming is None:
            self._note(skipped("stream", NO_STREAMS))
            return
        name = str(uuid4())
        heard = await self._sent((STREAMED, name), client=self._streaming)
        self._purse.note(name, joined(heard.content))
        if tells_error(heard):
            raise NotSeen("a frame of the stream tells an error")
        self._note(judge_stream(heard, name))

    async def _webhook(self) -> None:
        if isinstance(self._hook, str):
            self._note(skipped("webhook", self._hook), skipped("webhook-shape", self._hook))
            return
        name = str(uuid4())
        await self._sent((replace(HOOKED, changes={"webhookURL": self._hook.url_for(name)}), name))
        began = _now()
        call = await self._called(self._hook, name)
        waited_s = _now() - began
        polls = await self._polled_until_finished([name])
        self._note(*task_judges.judge_webhook(call, polls[-1], name, waited_s))

    async def _called(self, hook: Hook, name: str) -> Heard | None:
        """The first call that names a task; None where none came in time."""
        gives_up_at = _now() + min(self._patience_s, self._left_s())
        while True:
            calls = [Heard(200, body) for body in await hook.bodies()]
            call = next((call for call in calls if call.submission.names(name)), None)
            if call is not None or _now() + self._pace.first_s > gives_up_at:
                return call
            await asyncio.sleep(self._pace.first_s)

    async def _bill(self) -> None:
        after = await self._balance_now()
        reported, at_most = self._purse.reported_usd, self._purse.at_most_usd
        self._note(account_judges.judge_bill(self._balance, after, reported, at_most))

    # how it is asked

    def _note(self, *findings: Finding) -> None:
        self.notes.findings.extend(findings)

    async def _balance_now(self) -> float | None:
        return balance_in((await self._asked(request_bodies.account_details(str(uuid4())))).body)

    async def _asked(self, content: bytes) -> Heard:
        """The reply to a question that costs nothing; errors as for `_sent`."""
        heard = await self._heard(self._client.received(content, self._free_s()))
        self._stop_where_nothing_helps(heard)
        return _from_the_api(heard)

    async def _sent(
        self,
        *tasks: tuple[Question, str],
        is_replay: bool = False,
        expects_no_model: bool = False,
        client: RawClient | None = None,
    ) -> Heard:
        """The reply to tasks, in one array, which may cost something.

        Args:
            tasks: each question with its UUID.
            is_replay: whether they were sent before under the same UUID.
            expects_no_model: whether it is no surprise that the model is unknown.
            client: another one than usual.

        Raises:
            NotSeen: the budget has no room, or no reply came.
            JobStopped: the reply says that no other question would fare better.
        """
        contents = [question.task(self._model, name) for question, name in tasks]
        costs = [
            self._rates.at_most(content, question.max_tokens)
            for content, (question, _) in zip(contents, tasks, strict=True)
        ]
        # What may cost more than is left is not sent, also where it is believed to be refused.
        if not self._purse.has_room_for(sum(costs)):
            raise NotSeen(f"no room in the budget of {usd(self._purse.budget_usd)}")
        entries = {name: f"{name} again" if is_replay else name for _, name in tasks}
        for (_, name), cost in zip(tasks, costs, strict=True):
            self._purse.put_aside(entries[name], cost)
        client = client or self._client
        heard = await self._heard(client.received(request_bodies.body(contents), self._answer_s()))
        self._account_for(heard, entries)
        self._stop_where_nothing_helps(heard, expects_no_model=expects_no_model)
        # A stream is no JSON, and is judged by itself.
        return heard if client is self._streaming else _from_the_api(heard)

    def _account_for(self, heard: Heard, entries: Mapping[str, str]) -> None:
        """Keep in the purse what a reply to tasks says of their cost."""
        reply = heard.submission
        for name, entry in entries.items():
            error = reply.failures.get(name)
            if name in reply.results:
                self._purse.note(entry, reply.results[name])
            # The error says what it cost, if it was run and charged.
            elif error is not None and cost_of(error.item) is not None:
                self._purse.note(entry, error.item)
            # It was not taken. After any other error it may have run, and keeps what was put aside for it.
            elif error is not None and error.family in REFUSALS:
                self._purse.refused(entry)

    def _stop_where_nothing_helps(self, heard: Heard, *, expects_no_model: bool = False) -> None:
        redactor = self._client.redactor({})
        for error in (*heard.submission.unnamed, *heard.submission.failures.values()):
            expected = expects_no_model and error.family is Family.MODEL
            if STEPS[error.family] is Step.STOP and not expected:
                raise stop_for(error.family, redactor.code(error.code), redactor.said(error.message))

    async def _polled_until_finished(self, names: list[str]) -> list[Heard]:
        """The replies to polls of accepted tasks, the first at once, until all are finished or it took too long.

        Raises:
            NotSeen: no poll was answered.
        """
        gives_up_at = _now() + min(self._patience_s, self._left_s())
        pause_s = self._pace.first_s
        polls: list[Heard] = []
        while True:
            why = await self._poll(names, polls)
            if polls and all(_is_over(polls[-1], name) for name in names):
                return polls
            if _now() + pause_s > gives_up_at:
                # Whoever did not come once is not waited for as long again.
                self._patience_s = self._pace.finish_s * SHORTER
                if not polls and why is not None:
                    raise why
                return polls
            await asyncio.sleep(pause_s)
            pause_s = min(1.5 * pause_s, self._pace.longest_s)

    async def _poll(self, names: list[str], polls: list[Heard]) -> NotSeen | None:
        """Poll once, and add the reply to the others; returns why there was none."""
        try:
            heard = await self._asked(request_bodies.get_response(names))
        except NotSeen as why:
            return why
        polls.append(heard)
        results = heard.poll.results
        for name in results.keys() & set(names):
            self._purse.note(name, results[name])
        return None

    async def _heard(self, asked: Awaitable[Received]) -> Heard:
        """A reply.

        Raises:
            NotSeen: none came.
        """
        try:
            received = await asked
        except (NotSent, Lost) as error:
            raise NotSeen(f"no reply: {error}") from None
        return Heard(received.status_code, received.content)

    def _free_s(self) -> float:
        return min(FREE_S, self._left_s())

    def _answer_s(self) -> float:
        return min(self._pace.answer_s, self._left_s())

    def _left_s(self) -> float:
        """Seconds until everything has to be over.

        Raises:
            NotSeen: there is none left.
        """
        left = self._ends_at - _now()
        if left <= 0:
            raise NotSeen(f"no time left of {self._pace.whole_s:g} s")
        return left


def _from_the_api(heard: Heard) -> Heard:
    """The same, if it says something of what the API does.

    Raises:
        NotSeen: a server in trouble, or another one, spoke; or there is no room now.
    """
    reply = heard.submission
    if reply.throttled:
        raise NotSeen(f"the service has no room now: {heard.told}")
    if not reply.from_the_api:
        raise NotSeen(f"no usable reply: {heard.told}")
    return heard


def _unanswered(heard: Heard) -> list[Finding]:
    """A question for one word that was not answered with a finished item."""
    others = (*answer_judges.ANSWER[1:], "price-unit", "sync-poll", "archive", "reused-uuid")
    return [
        differs("sync-reply", f"no answer: {heard.told}", heard.shape),
        *(unseen(name, "it takes an answer") for name in (*others, "archive-after-replay")),
    ]


def _may_run(heard: Heard, name: str) -> bool:
    """Whether a task may be at work after this reply to it: it was not refused, neither by its name nor with all others."""
    reply = heard.submission
    if name in reply.failures:
        return False
    return reply.names(name) or not reply.unnamed


def _is_over(heard: Heard, name: str) -> bool:
    """Whether a poll tells how a task ended; that it is not found may only mean that it is not known yet."""
    reply = heard.poll
    return task_judges.knows(heard, name) and name not in reply.processing | reply.acknowledged


def _now() -> float:
    return asyncio.get_running_loop().time()
