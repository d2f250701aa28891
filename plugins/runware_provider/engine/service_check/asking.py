"""Sends one question and brings its reply: within the time and the money that there are. It judges nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from runware_provider.engine.api import request_bodies
from runware_provider.engine.api.client import Lost, NotSent
from runware_provider.engine.api.error_families import STEPS, Family, Step, stop_for
from runware_provider.engine.api.results import cost_of
from runware_provider.engine.errors import Unreachable
from runware_provider.engine.money import usd
from runware_provider.engine.service_check.heard import Heard
from runware_provider.engine.service_check.stream_judge import events
from runware_provider.engine.service_check.task_judges import knows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from runware_provider.engine.api.client import Received
    from runware_provider.engine.api.raw_client import RawClient
    from runware_provider.engine.service_check.purse import Purse, Rates
    from runware_provider.engine.service_check.questions import Question

FREE_S: Final = 15.0
"""Seconds that a question which costs nothing may take."""
MOST_SILENCES: Final = 3
"""Questions in a row without any reply after which no other is asked."""
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


class NotSeen(Exception):  # noqa: N818 - says what is the case
    """A question was not asked, or not answered; its message says why, in words of ours."""


class NeverSent(NotSeen):
    """No connection could be opened: nothing of the question arrived, and nothing of it is charged."""


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


class Hook(Protocol):
    """Where webhooks arrive: a receiver, and the place where it puts what it was called with."""

    def url_for(self, task_uuid: str) -> str:
        """The `webhookURL` of a task."""

    async def bodies(self) -> Sequence[bytes]:
        """The bodies of all calls so far."""


class Asker:
    """Asks one service about one model.

    Args:
        client: asks it.
        model: the API's name.
        rates: what its tokens cost.
        purse: says what may be spent, and keeps what was.
        pace: bounds of every wait. They run from now on.
    """

    def __init__(self, client: RawClient, *, model: str, rates: Rates, purse: Purse, pace: Pace) -> None:
        self._client = client
        self.model = model
        self._rates = rates
        self.purse = purse
        self._pace = pace
        self._patience_s = pace.finish_s
        self._ends_at = now() + pace.whole_s
        self._silences = 0

    @property
    def meets_silence(self) -> bool:
        """Whether the service has not replied for so long that no other question would fare better."""
        return self._silences >= MOST_SILENCES

    async def asked_for_key(self) -> Heard:
        """The reply to the free check of the key, the first question; errors as for `heard`.

        Raises:
            Unreachable: not the API answers here, but another server.
        """
        heard = await self.heard(self._client.received_of_key(self._free_s()))
        # A server in trouble may be the API's; one that has nothing here, or a page, is not.
        if heard.status < 500 and not heard.submission.from_the_api:
            raise Unreachable(f"what answers at {self._client.base_url} is not the API: {heard.told}")
        return _without_passing_error(_from_the_api(heard))

    async def asked_for_models(self) -> Heard:
        """The list of models, also of a server that has none; errors as for `heard`."""
        # The client bounds this question itself; where no time is left, it is not asked.
        self._left_s()
        return await self.heard(self._client.listed())

    async def asked(self, content: bytes) -> Heard:
        """The reply to a question that costs nothing; errors as for `sent`."""
        return _without_passing_error(await self._asked(content))

    async def _asked(self, content: bytes) -> Heard:
        """The same, also where it says that a task ended in an error that passes."""
        heard = await self.heard(self._client.received(content, self._free_s()))
        self._stop_where_nothing_helps(heard)
        return _from_the_api(heard)

    async def sent(
        self,
        *tasks: tuple[Question, str],
        is_replay: bool = False,
        expects_no_model: bool = False,
        stream_of: RawClient | None = None,
    ) -> Heard:
        """The reply to tasks, in one array, which may cost something.

        Args:
            tasks: each question with its UUID.
            is_replay: whether they were sent before under the same UUID.
            expects_no_model: whether it is no surprise that the model is unknown.
            stream_of: carries them in the place of the usual client; its reply is a stream.

        Raises:
            NotSeen: the budget has no room, no reply came, or one that tells a passing error.
            JobStopped: the reply says that no other question would fare better.
        """
        contents = [question.task(self.model, name) for question, name in tasks]
        entries = {name: f"{name} again" if is_replay else name for _, name in tasks}
        self._put_aside(tasks, contents, entries)
        client = stream_of or self._client
        try:
            heard = await self.heard(client.received(request_bodies.body(contents), self._answer_s()))
        except NeverSent:
            # A request whose reply was lost may be charged, and keeps what was put aside for it; this one cannot be.
            for entry in entries.values():
                self.purse.refused(entry)
            raise
        self._account_for(heard, entries)
        self._stop_where_nothing_helps(heard, expects_no_model=expects_no_model)
        # A stream that has begun is no JSON, and is judged by itself; a page is no stream either.
        is_stream = stream_of is not None and heard.status < 400 and any(events(heard.content))
        if is_stream and not heard.tells_passing_error:
            return heard
        return _without_passing_error(_from_the_api(heard))

    def _put_aside(
        self, tasks: Sequence[tuple[Question, str]], contents: Sequence[bytes], entries: Mapping[str, str]
    ) -> None:
        """Keep back what tasks may cost.

        Raises:
            NotSeen: the budget has no room for all of them.
        """
        costs = {
            entries[name]: self._rates.at_most(content, question.max_tokens)
            for content, (question, name) in zip(contents, tasks, strict=True)
        }
        # What may cost more than is left is not sent, also where it is believed to be refused.
        if not self.purse.has_room_for(sum(costs.values())):
            raise NotSeen(f"no room in the budget of {usd(self.purse.budget_usd)}")
        for entry, cost in costs.items():
            self.purse.put_aside(entry, cost)

    def _account_for(self, heard: Heard, entries: Mapping[str, str]) -> None:
        """Keep in the purse what a reply to tasks says of their cost."""
        reply = heard.submission
        for name, entry in entries.items():
            error = reply.failures.get(name)
            if name in reply.results:
                self.purse.note(entry, reply.results[name])
            # The error says what it cost, if it was run and charged.
            elif error is not None and cost_of(error.item) is not None:
                self.purse.note(entry, error.item)
            # It was not taken. After any other error it may have run, and keeps what was put aside for it.
            elif error is not None and error.family in REFUSALS:
                self.purse.refused(entry)

    def _stop_where_nothing_helps(self, heard: Heard, *, expects_no_model: bool = False) -> None:
        redactor = self._client.redactor({})
        for error in (*heard.submission.unnamed, *heard.submission.failures.values()):
            expected = expects_no_model and error.family is Family.MODEL
            if STEPS[error.family] is Step.STOP and not expected:
                raise stop_for(error.family, redactor.code(error.code), redactor.said(error.message))

    async def polled_until_finished(self, names: list[str]) -> list[Heard]:
        """The replies to polls of accepted tasks, the first at once, until all are finished or it took too long.

        Raises:
            NotSeen: no poll was answered, or several in a row were not.
        """
        gives_up_at = now() + min(self._patience_s, self._left_s())
        pause_s = self._pace.first_s
        polls: list[Heard] = []
        while True:
            why = await self._poll(names, polls)
            # What was heard before says nothing of how the tasks ended.
            if why is not None and self.meets_silence:
                raise why
            if polls and all(_is_over(polls[-1], name) for name in names):
                return polls
            if now() + pause_s > gives_up_at:
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
            self.purse.note(name, results[name])
        return None

    async def heard(self, asked: Awaitable[Received]) -> Heard:
        """A reply.

        Raises:
            NeverSent: the question did not arrive.
            NotSeen: no reply came.
        """
        try:
            received = await asked
        except NotSent as error:
            self._silences += 1
            raise NeverSent(f"no reply: {error}") from None
        except Lost as error:
            self._silences += 1
            raise NotSeen(f"no reply: {error}") from None
        self._silences = 0
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
        left = self._ends_at - now()
        if left <= 0:
            raise NotSeen(f"no time left of {self._pace.whole_s:g} s")
        # In tenths, as it is told where no reply came within it.
        return max(0.1, round(left, 1))

    async def called(self, hook: Hook, name: str) -> Heard | None:
        """The first call that names a task; None where none came in time."""
        gives_up_at = now() + min(self._patience_s, self._left_s())
        while True:
            calls = [Heard(200, body) for body in await hook.bodies()]
            call = next((call for call in calls if call.submission.names(name)), None)
            if call is not None or now() + self._pace.first_s > gives_up_at:
                return call
            await asyncio.sleep(self._pace.first_s)


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


def _without_passing_error(heard: Heard) -> Heard:
    """The same, if no task of it met an error that is nobody's rule.

    Raises:
        NotSeen: one did. What may have been accepted beside it keeps the money that was put aside for it.
    """
    if heard.tells_passing_error:
        raise NotSeen(f"the service was in trouble: {heard.told}")
    return heard


def _is_over(heard: Heard, name: str) -> bool:
    """Whether a poll tells how a task ended; that it is not found may only mean that it is not known yet."""
    reply = heard.poll
    return knows(heard, name) and name not in reply.processing | reply.acknowledged


def now() -> float:
    """Seconds, by the event loop's clock."""
    return asyncio.get_running_loop().time()
