"""What is brought: a whole exchange in virtual time, whose vendor's calls are lost, late, doubled, and in any order."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runware_provider.engine.attempt import Kind
from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.exchange.calls import Calls
from runware_provider.engine.exchange.collect import Collector
from runware_provider.engine.exchange.conversation import Exchange
from runware_provider.engine.exchange.fate import Fates
from runware_provider.engine.exchange.flight import Flight
from runware_provider.engine.exchange.inbox import BYTES_AT_ONCE, REMEMBERED, UNREADABLE_S, Inbox
from runware_provider.engine.exchange.inference import Inference, Phase
from runware_provider.engine.exchange.pace import Pace
from runware_provider.engine.exchange.polls import Polls
from runware_provider.engine.exchange.submit import Submitter
from runware_provider.engine.identity import Key, task_uuid
from runware_provider.engine.inbox.bounded_threads import ANSWERS_WITHIN_S
from runware_provider.engine.inbox.calls import Call, file_name
from runware_provider.engine.spec import Limits
from runware_provider.engine.storage.port import StoredFile
from tests.engine.exchange import virtual_time
from tests.engine.exchange.simulated_job import JOB, Feed, Forever, Ledger, NobodyWatches, Template, Vendor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

OVERDUE_S = 60.0
KEY_OF_7 = Key((7).to_bytes(16, "big"), 0, 0)


class AtOnce(Executor):
    """Does what it is given, before time can pass; or gives it up in the end, while the store does not answer."""

    def __init__(self, hangs: Callable[[], bool] = lambda: False) -> None:
        self._hangs = hangs

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        if self._hangs():
            away = TimeoutError("it has not answered")
            asyncio.get_running_loop().call_later(ANSWERS_WITHIN_S, done.set_exception, away)
            return done
        try:
            done.set_result(work(*arguments, **named))
        except (OSError, StateUnreadable) as error:
            done.set_exception(error)
        return done


@dataclass
class Folder:
    """An inbox in memory."""

    now: Callable[[], float]
    away: Callable[[float], bool] = lambda _now: False
    there: dict[str, list[Call]] = field(default_factory=dict)
    read_of: dict[str, int] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    size: int = 100
    """Of each file, as it is listed."""

    def put(self, *names: str, **said: Any) -> str:
        """A file of calls about these tasks, which say that they are answered, or something else."""
        facts = said or {"text": "Hi", "cost": 0.001}
        bodies = [json.dumps({"taskUUID": name, **facts}).encode() for name in names]
        path = file_name(int(self.now() * 1000), "0123456789abcdef", len(self.read_of) + len(self.there))
        self.there[path] = [Call(int(self.now() * 1000), body) for body in bodies]
        return path

    def _reach(self) -> None:
        if self.away(self.now()):
            raise OSError("away")

    def files(self) -> list[StoredFile]:
        self._reach()
        return [StoredFile(path, self.size) for path in sorted(self.there)]

    def read(self, path: str) -> list[Call]:
        self._reach()
        self.read_of[path] = self.read_of.get(path, 0) + 1
        if path in self.damaged:
            raise StateUnreadable("it is damaged")
        if path not in self.there:
            raise FileNotFoundError(path)
        return self.there[path]

    def remove(self, paths: Iterable[str]) -> None:
        self._reach()
        for path in paths:
            self.there.pop(path, None)


@dataclass
class Hook:
    """Gives every task an address."""

    async def why_unreachable(self) -> None:
        return None

    def url_of(self, name: str) -> str:
        return f"https://example.com/hook?token={name}"


class ExactLedger(Ledger):
    """Knows how often each attempt has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[Any] = []

    async def commit(self, entries: Any, *, at_once: bool = False, wait_s: float = 0.0) -> None:
        await super().commit(entries, at_once=at_once, wait_s=wait_s)
        self.ends += [(entry.key, entry.attempt) for entry in entries if entry.item is not None]


@dataclass
class Came:
    """What came of a job."""

    vendor: Vendor
    folder: Folder
    ledger: ExactLedger
    done: int
    ended_at: float

    @property
    def asked(self) -> int:
        return sum(map(len, self.vendor.asked))


def run(
    tasks: int,
    delays: Callable[[int], list[float]],
    *,
    latency_s: float = 5.0,
    away: Callable[[float], bool] = lambda _now: False,
    hangs: Callable[[float], bool] = lambda _now: False,
    right: Any = None,
) -> Came:
    """Run a job whose n-th finished task is called about after each of these delays."""
    return virtual_time.run(_run(tasks, delays, latency_s, away, hangs, right or Forever()))


async def _run(  # noqa: PLR0917 - as `run`
    tasks: int,
    delays: Callable[[int], list[float]],
    latency_s: float,
    away: Callable[[float], bool],
    hangs: Callable[[float], bool],
    right: Any,
) -> Came:
    loop = asyncio.get_running_loop()
    now = loop.time
    folder = Folder(now, away)
    vendor = Vendor(lambda _now: 1_000, lambda: latency_s)
    finished = iter(range(10**9))

    def call(name: str) -> None:
        for delay_s in delays(next(finished)):
            loop.call_later(delay_s, folder.put, name)

    vendor.on_finish = call
    flight, ledger, limits = Flight(), ExactLedger(), Limits()
    calls = Calls(OVERDUE_S)
    fates = Fates(flight, limits, spread=0.5, calls=calls)
    client = cast("Any", vendor)
    submitter = Submitter(
        client, cast("Any", ledger), flight, fates, cast("Any", Template()), "webhook", 60.0, now, hook=Hook()
    )
    inbox = Inbox(
        folder=cast("Any", folder),
        fates=fates,
        flight=flight,
        calls=calls,
        right=right,
        now=now,
        clock=now,
        threads=AtOnce(lambda: hangs(now())),
    )
    polls = Polls(Collector(client, fates, 60.0, now), flight, limits, may_ask=lambda: inbox.was_read)
    exchange = Exchange(
        submitter, [inbox, polls], pace=Pace(limits.max_outstanding), limits=limits, job_id=JOB, right=right
    )
    feed = Feed(flight, tasks)
    await exchange.run(feed, NobodyWatches(), asyncio.Event())
    return Came(vendor, folder, ledger, feed.done, now())


def check(came: Came, tasks: int) -> None:
    assert came.done == tasks
    assert len(came.ledger.ends) == len(set(came.ledger.ends)) == tasks, "each into the ledger exactly once"


def test_where_every_call_comes_nothing_is_asked_for() -> None:
    came = run(500, lambda _number: [0.1])
    check(came, 500)
    assert came.asked == 0
    # The canary's five, then as many as fit, then the rest: a latency each, and less than a look.
    assert came.ended_at < 3 * (5.0 + 1.0)


def test_a_call_may_come_before_the_reply_to_its_sending() -> None:
    came = run(300, lambda _number: [0.0], latency_s=0.0)
    check(came, 300)
    assert came.asked == 0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.floats(0.0, 200.0), max_size=3), min_size=1, max_size=20),
    st.integers(1, 60),
)
def test_lost_late_and_doubled_calls_lose_nothing_and_count_once(
    script: list[list[float]], tasks: int
) -> None:
    came = run(tasks, lambda number: script[number % len(script)])
    check(came, tasks)
    # A call that never comes delays its record: by the time that it is overdue, and twice, as the canary is first.
    assert came.ended_at < 2 * (5.0 + OVERDUE_S + 5.0) + 40.0
    assert came.asked <= 3 * tasks


@settings(max_examples=20, deadline=None)
@given(st.floats(0.0, 100.0), st.floats(1.0, 300.0))
def test_an_inbox_that_is_away_for_a_while_loses_nothing(since: float, for_s: float) -> None:
    came = run(60, lambda _number: [0.1], away=lambda now: since <= now < since + for_s)
    check(came, 60)


def test_where_the_inbox_stays_away_answers_are_asked_for_as_if_nobody_brought_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    came = run(2_000, lambda _number: [0.1], away=lambda _now: True)
    check(came, 2_000)
    assert caplog.text.count("cannot be read") == 1
    assert came.ended_at < UNREADABLE_S + 2 * OVERDUE_S + 20.0


@pytest.mark.parametrize("since", [0.0, 3.0, 10.0])
def test_where_the_inbox_hangs_answers_are_asked_for_and_the_run_comes_to_its_end(
    since: float, caplog: pytest.LogCaptureFixture
) -> None:
    came = run(60, lambda _number: [0.1], hangs=lambda now: now >= since)
    check(came, 60)
    if since < 5.0:
        assert caplog.text.count("cannot be read") == 1
        assert "Can he reach" not in caplog.text, "nobody knows what he has brought"
    assert came.ended_at < 2 * (OVERDUE_S + ANSWERS_WITHIN_S)


def test_where_no_call_ever_comes_only_the_first_answers_are_late(caplog: pytest.LogCaptureFixture) -> None:
    came = run(2_000, lambda _number: [])
    check(came, 2_000)
    # The canary's are waited for in vain; from then on it is as with polls.
    assert came.ended_at < OVERDUE_S + 60.0
    assert caplog.text.count("Can he reach webhook_url?") == 1


def test_what_is_durable_is_removed_and_what_comes_once_more_is_known() -> None:
    came = run(400, lambda _number: [0.1, 3.0])
    check(came, 400)
    assert REMEMBERED > 400
    # What came last, when nobody waited any more, goes when the job has published.
    assert len(came.folder.there) < 400


class Overtaken(Forever):
    """The right to send, as of somebody who is about to lose it: he still has it, and nothing of it."""

    removed = False

    def left_s(self) -> float:
        # As the loop asks it before it sends; whoever removes files asks when the first answers are durable.
        return 10.0 if asyncio.get_running_loop().time() < 4.0 else -1.0


def test_a_process_without_its_right_removes_nothing() -> None:
    came = run(5, lambda _number: [0.1], right=Overtaken())
    check(came, 5)
    assert len(came.folder.there) == 5


# one look at a time


@dataclass
class Scene:
    """An inbox and a flight, without a loop around them."""

    now: float = 100.0
    flight: Flight = field(default_factory=Flight)
    calls: Calls = field(default_factory=lambda: Calls(OVERDUE_S))
    stop: Exception | None = None

    def __post_init__(self) -> None:
        self.folder = Folder(lambda: self.now)
        self.fates = Fates(self.flight, Limits(), spread=0.0, calls=self.calls)
        self.inbox = Inbox(
            folder=cast("Any", self.folder),
            fates=self.fates,
            flight=self.flight,
            calls=self.calls,
            right=Forever(),
            now=lambda: self.now,
            clock=lambda: self.now,
            threads=AtOnce(),
        )

    def add(self, number: int, phase: Phase) -> Inference:
        key = Key(number.to_bytes(16, "big"), 0, 0)
        inference = Inference(key, (), 0, 1, 0, task_uuid(JOB, key, 1), phase=phase, doubted_at=self.now)
        self.flight.add(inference, self.now)
        return inference

    def look(self) -> list[Any]:
        """All that is due now; the verdicts."""
        verdicts: list[Any] = []
        while (request := self.inbox.next_request(self.now)) is not None:
            effects = asyncio.run(request)
            verdicts += effects.verdicts
            self.stop = self.stop or effects.stop
        return verdicts


def test_a_call_for_a_row_that_is_not_loaded_yet_is_remembered_without_its_body() -> None:
    scene = Scene()
    key = Key((7).to_bytes(16, "big"), 0, 0)
    path = scene.folder.put(task_uuid(JOB, key, 1))
    assert scene.look() == []
    assert scene.inbox.was_read
    inference = scene.add(7, Phase.ASK)
    ((ended, entry),) = scene.look()
    assert (ended, entry.cost) == (inference, 0.001)
    assert scene.folder.read_of[path] == 2


@pytest.mark.parametrize("phase", [Phase.SENDING, Phase.BUSY])
def test_what_a_request_is_about_just_now_is_left_to_it(phase: Phase) -> None:
    scene = Scene()
    inference = scene.add(7, phase)
    scene.folder.put(inference.task_uuid)
    assert scene.look() == []
    scene.flight.move(inference, Phase.WAITING, scene.now + OVERDUE_S)
    scene.now += 1.0
    ((ended, _),) = scene.look()
    assert ended is inference


def test_a_file_that_is_gone_when_it_is_needed_leaves_its_question_to_the_polls() -> None:
    scene = Scene()
    key = Key((7).to_bytes(16, "big"), 0, 0)
    path = scene.folder.put(task_uuid(JOB, key, 1))
    scene.look()
    del scene.folder.there[path]
    inference = scene.add(7, Phase.ASK)
    assert scene.look() == []
    assert (inference.phase, inference.due) == (Phase.ASK, scene.now)


def test_a_file_that_cannot_be_read_just_now_is_not_removed_before_its_answer_is_durable() -> None:
    scene = Scene()
    key = Key((7).to_bytes(16, "big"), 0, 0)
    path = scene.folder.put(task_uuid(JOB, key, 1))
    scene.look()
    scene.folder.away = lambda _now: True
    inference = scene.add(7, Phase.ASK)
    assert scene.look() == []
    assert (inference.phase, inference.due) == (Phase.ASK, scene.now)
    scene.folder.away = lambda _now: False
    scene.now += 2.0
    ((ended, _),) = scene.look()
    assert ended is inference
    assert path in scene.folder.there
    scene.flight.move(inference, Phase.DONE, scene.now)
    scene.add(8, Phase.WAITING)
    scene.now += 2.0
    scene.look()
    assert path not in scene.folder.there


def test_a_damaged_file_is_left_where_it_is() -> None:
    scene = Scene()
    inference = scene.add(7, Phase.WAITING)
    path = scene.folder.put(inference.task_uuid)
    scene.folder.damaged.add(path)
    assert scene.look() == []
    scene.now += 1.0
    assert scene.look() == []
    assert path in scene.folder.there
    assert scene.folder.read_of[path] == 1


def test_a_file_that_is_damaged_after_it_was_read_is_read_once_more_and_its_task_asked_for_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    path = scene.folder.put(task_uuid(JOB, KEY_OF_7, 1))
    scene.look()
    scene.folder.damaged.add(path)
    inference = scene.add(7, Phase.WAITING)
    assert scene.look() == []
    assert inference.phase is Phase.ASK
    scene.flight.move(inference, Phase.WAITING, scene.now + OVERDUE_S)
    for _ in range(3):
        scene.now += 2.0
        assert scene.look() == []
    assert (inference.phase, scene.folder.read_of[path]) == (Phase.WAITING, 2)
    assert caplog.text.count("it is damaged") == 1
    assert path in scene.folder.there


def test_nothing_is_sent_before_the_inbox_was_read_nor_what_it_answers() -> None:
    scene = Scene()
    scene.folder.put(task_uuid(JOB, KEY_OF_7, 1))
    assert not scene.inbox.lets_send(scene.now)
    scene.look()
    answered, new = scene.add(7, Phase.READY), scene.add(8, Phase.READY)
    assert scene.inbox.lets_send(scene.now)
    assert scene.flight.take_to_send(scene.now, 10, 1_000_000) == [new]
    ((ended, _),) = scene.look()
    assert ended is answered


def test_a_later_attempt_that_was_brought_before_is_not_sent_either() -> None:
    scene = Scene()
    scene.folder.put(task_uuid(JOB, KEY_OF_7, 2))
    scene.look()
    inference = scene.add(7, Phase.READY)
    assert scene.inbox.lets_send(scene.now)
    scene.flight.start_attempt(inference, JOB, 2)
    assert scene.inbox.lets_send(scene.now)
    assert inference.phase is Phase.BUSY


def test_files_are_read_once_more_in_portions_for_which_there_is_memory() -> None:
    scene = Scene()
    scene.folder.size = BYTES_AT_ONCE // 2
    for number in range(5):
        scene.folder.put(task_uuid(JOB, Key(number.to_bytes(16, "big"), 0, 0), 1))
        scene.now += 1.0
    scene.look()
    for number in range(5):
        scene.add(number, Phase.ASK)
    portions: list[int] = []
    while (request := scene.inbox.next_request(scene.now)) is not None:
        portions.append(len(asyncio.run(request).verdicts))
    assert portions == [2, 2, 1]


def test_with_verify_a_call_is_only_news_and_its_file_stays_until_the_answer_is_durable() -> None:
    scene = Scene(calls=Calls(OVERDUE_S, verify=True))
    inference = scene.add(7, Phase.WAITING)
    path = scene.folder.put(inference.task_uuid)
    assert scene.look() == []
    assert (inference.phase, inference.due) == (Phase.ASK, scene.now)
    scene.now += 2.0
    scene.look()
    assert path in scene.folder.there
    scene.flight.move(inference, Phase.DONE, scene.now)
    scene.add(8, Phase.WAITING)
    scene.now += 2.0
    scene.look()
    assert path not in scene.folder.there


@pytest.mark.parametrize("code", ["providerBadRequest", "contentPolicyViolation", "invalidParameter"])
def test_an_error_in_a_call_that_ends_its_task_for_good_is_how_it_ended(code: str) -> None:
    scene = Scene()
    inference = scene.add(7, Phase.WAITING)
    scene.folder.put(inference.task_uuid, code=code, message="no")
    ((ended, entry),) = scene.look()
    assert (ended, entry.kind, entry.code) == (inference, Kind.ERROR, code)
    assert scene.stop is None


@pytest.mark.parametrize(
    "code",
    [
        # They would stop the whole job.
        "invalidApiKey",
        "insufficientCredits",
        "modelNotFound",
        # They would have the task run, and paid for, once more.
        "providerError",
        "timeoutProvider",
        "somethingNew",
        "rateLimitExceeded",
    ],
)
def test_an_error_in_a_call_that_would_stop_the_job_or_cost_another_attempt_is_asked_about_first(
    code: str,
) -> None:
    scene = Scene()
    inference = scene.add(7, Phase.WAITING)
    inference.accepted = True
    path = scene.folder.put(inference.task_uuid, code=code, message="no")
    assert scene.look() == []
    assert scene.stop is None
    assert inference.phase is Phase.WAITING
    assert scene.flight.take_to_ask(scene.now, 100) == [inference]
    scene.now += 2.0
    scene.look()
    assert path not in scene.folder.there


@pytest.mark.parametrize("code", ["taskNotFound", "conflictTaskUUID"])
def test_where_a_call_does_not_say_whether_the_task_was_run_the_archive_is_asked(code: str) -> None:
    scene = Scene()
    inference = scene.add(7, Phase.WAITING)
    scene.folder.put(inference.task_uuid, code=code, message="no")
    assert scene.look() == []
    assert inference.phase is Phase.LOOK_UP


def test_a_call_that_says_that_a_task_is_at_work_changes_nothing() -> None:
    scene = Scene()
    inference = scene.add(7, Phase.WAITING)
    path = scene.folder.put(inference.task_uuid, status="processing")
    assert scene.look() == []
    assert inference.phase is Phase.WAITING
    scene.now += 2.0
    scene.look()
    assert path not in scene.folder.there
