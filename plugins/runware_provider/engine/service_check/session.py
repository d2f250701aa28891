"""The questions to the service, in their order, and what is noted of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from runware_provider.engine.api import request_bodies
from runware_provider.engine.api.account import balance_in, listed_models
from runware_provider.engine.api.results import cost_of
from runware_provider.engine.errors import Unreachable
from runware_provider.engine.service_check import account_judges, answer_judges, refusal_judges, task_judges
from runware_provider.engine.service_check.asking import MOST_SILENCES, NotSeen, now
from runware_provider.engine.service_check.findings import differs, skipped, unseen
from runware_provider.engine.service_check.questions import (
    ANIMAL,
    CALL,
    COLOUR,
    FRUIT,
    ONE_WORD,
    SLOW,
    STREAMED,
    SYSTEM_ROLE,
    UNKNOWN_MODEL,
    hooked,
)
from runware_provider.engine.service_check.stream_judge import joined, judge_stream, tells_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from runware_provider.engine.api.raw_client import RawClient
    from runware_provider.engine.service_check.asking import Asker, Hook
    from runware_provider.engine.service_check.findings import Finding
    from runware_provider.engine.service_check.heard import Heard

NO_STREAMS: Final = "this version asks for no streams"
NOT_WISHED: Final = "ask for it with --webhook"


@dataclass
class Notes:
    """What was found so far, also when the questions end early.

    Attributes:
        findings: in any order.
        troubles: why something could not be asked or was not answered; empty where all of it was.
    """

    findings: list[Finding] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


class Session:
    """The questions to one service about one model.

    Args:
        asker: sends them.
        streaming: carries those for streams; None where none is to be asked for.
        hook: where webhooks arrive; a text where none is to be asked for, which says why.
    """

    def __init__(
        self, asker: Asker, streaming: RawClient | None = None, hook: Hook | str = NOT_WISHED
    ) -> None:
        self._asker = asker
        self._streaming = streaming
        self._hook = hook
        self._price: tuple[float, float] | None = None
        self._balance: float | None = None
        self._refused_uuid = ""
        self.notes = Notes()

    async def ask_all(self) -> None:
        """Ask everything; the notes have what was found, also after an error.

        Raises:
            JobStopped: the service takes the key or the model for no question at all, has nothing left to pay with, or
                does not reply any more.
        """
        for names, step in self._steps():
            try:
                await step()
            except NotSeen as why:
                self._note(*(unseen(name, str(why)) for name in names))
                self.notes.troubles.append(str(why))
                if self._asker.meets_silence:
                    raise Unreachable(f"{MOST_SILENCES} questions in a row had {why}") from None

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
        self._note(account_judges.judge_key(await self._asker.asked_for_key()))

    async def _account(self) -> None:
        heard = await self._asker.asked(request_bodies.account_details(str(uuid4())))
        self._balance = balance_in(heard.body)
        self._note(account_judges.judge_balance(heard))

    async def _models(self) -> None:
        heard = await self._asker.asked_for_models()
        # It is no reply to tasks, and a list that is not there at all is a deviation; a page in its place is not the API's.
        is_page = heard.status < 300 and heard.body is None
        if heard.status == 429 or heard.status >= 500 or is_page:
            raise NotSeen(f"no usable reply to GET /models: HTTP {heard.status}")
        prices = {entry.id: entry.usd_per_token for entry in listed_models(heard.body)}
        self._price = prices.get(self._asker.model)
        self._note(account_judges.judge_models(heard, self._asker.model))

    async def _refusals(self) -> None:
        name, other = str(uuid4()), str(uuid4())
        bad_role = await self._asker.sent((SYSTEM_ROLE, name))
        self._note(*refusal_judges.judge_bad_role(bad_role, name))
        unknown_model = await self._asker.sent((UNKNOWN_MODEL, other), expects_no_model=True)
        self._note(refusal_judges.judge_unknown_model(unknown_model, other))
        was_refused = bad_role.error_about(name) is not None
        self._refused_uuid = name if was_refused else ""
        refused = was_refused and unknown_model.error_about(other) is not None
        self._note(account_judges.judge_refusals(self._balance, await self._balance_now(), refused=refused))

    async def _unknown_task(self) -> None:
        name = str(uuid4())
        poll = await self._asker.asked(request_bodies.get_response([name]))
        self._note(refusal_judges.judge_unknown_poll(poll, name))
        archive = await self._asker.asked(request_bodies.get_task_details([name]))
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
            return name, await self._asker.sent((ONE_WORD, name))
        heard = await self._asker.sent((ONE_WORD, name))
        self._note(refusal_judges.judge_rejected_uuid(heard, name))
        if not heard.submission.says_in_use(name):
            return name, heard
        name = str(uuid4())
        return name, await self._asker.sent((ONE_WORD, name))

    async def _look_back(self, name: str) -> None:
        """Ask for an answered task in every way. A replay comes last: it may change what the archive stores."""
        poll = await self._asker.asked(request_bodies.get_response([name]))
        self._note(task_judges.judge_sync_poll(poll, name))
        before = await self._asker.asked(request_bodies.get_task_details([name]))
        self._note(task_judges.judge_archive(before, name))
        replay = await self._asker.sent((ONE_WORD, name), is_replay=True)
        self._note(task_judges.judge_replay(replay, name))
        after = await self._asker.asked(request_bodies.get_task_details([name]))
        had_it = name in before.archive.results
        self._note(task_judges.judge_archive_after_replay(after, name, had_it=had_it))

    async def _async_answer(self) -> None:
        name = str(uuid4())
        heard = await self._asker.sent((SLOW, name))
        self._note(task_judges.judge_acknowledgement(heard, name))
        if not _may_run(heard, name):
            raise NotSeen(f"the task was refused: {heard.told}")
        began = now()
        polls = await self._asker.polled_until_finished([name])
        self._note(*task_judges.judge_polls(polls, name, now() - began))
        if polls[-1].ended_in_passing_error(name):
            raise NotSeen(f"the service was in trouble: {polls[-1].told}")
        if name in polls[-1].poll.results:
            again = await self._asker.asked(request_bodies.get_response([name]))
            self._note(task_judges.judge_repeated_poll(again, name))
        else:
            self._note(unseen("polls-repeat", "no poll told it finished"))

    async def _mixed_array(self) -> None:
        good, bad = str(uuid4()), str(uuid4())
        heard = await self._asker.sent((COLOUR, good), (SYSTEM_ROLE, bad))
        self._note(task_judges.judge_mixed_array(heard, good, bad))
        # It is waited for to learn what it cost.
        if _may_run(heard, good):
            await self._asker.polled_until_finished([good])

    async def _two_items(self) -> None:
        names = [str(uuid4()), str(uuid4())]
        heard = await self._asker.sent((ANIMAL, names[0]), (FRUIT, names[1]))
        self._note(task_judges.judge_two_items(heard, names))
        running = [name for name in names if _may_run(heard, name)]
        polls = await self._asker.polled_until_finished(running) if running else []
        if running == names:
            self._note(*task_judges.judge_two_polls(polls[-1], names))
        else:
            why = "it takes two tasks that were accepted"
            self._note(unseen("two-polls", why), unseen("named-once", why))

    async def _call(self) -> None:
        name = str(uuid4())
        heard = await self._asker.sent((CALL, name))
        item = heard.submission.results.get(name)
        if item is None:
            raise NotSeen(f"the question was not answered: {heard.told}")
        self._note(*answer_judges.judge_call(item))

    async def _stream(self) -> None:
        if self._streaming is None:
            self._note(skipped("stream", NO_STREAMS))
            return
        name = str(uuid4())
        heard = await self._asker.sent((STREAMED, name), stream_of=self._streaming)
        self._asker.purse.note(name, joined(heard.content))
        if tells_error(heard):
            raise NotSeen("a frame of the stream tells an error")
        self._note(judge_stream(heard, name))

    async def _webhook(self) -> None:
        if isinstance(self._hook, str):
            self._note(skipped("webhook", self._hook), skipped("webhook-shape", self._hook))
            return
        name = str(uuid4())
        heard = await self._asker.sent((hooked(self._hook.url_for(name)), name))
        if not _may_run(heard, name):
            raise NotSeen(f"the task was refused: {heard.told}")
        began = now()
        call = await self._asker.called(self._hook, name)
        waited_s = now() - began
        polls = await self._asker.polled_until_finished([name])
        self._note(*task_judges.judge_webhook(call, polls[-1], name, waited_s))

    async def _bill(self) -> None:
        after = await self._balance_now()
        reported, at_most = self._asker.purse.reported_usd, self._asker.purse.at_most_usd
        self._note(account_judges.judge_bill(self._balance, after, reported, at_most))

    def _note(self, *findings: Finding) -> None:
        self.notes.findings.extend(findings)

    async def _balance_now(self) -> float | None:
        return balance_in((await self._asker.asked(request_bodies.account_details(str(uuid4())))).body)


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
