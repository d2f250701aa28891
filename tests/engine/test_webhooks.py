"""Jobs whose answers the vendor brings: over real sockets, each into the output once, whatever becomes of the calls."""

from __future__ import annotations

import asyncio
import errno
import itertools
import json
import logging
import os
import shutil
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.errors import BadInput, WebhookUnreachable
from runware_provider.engine.inbox.addresses import HookAddress
from runware_provider.engine.inbox.folder import InboxFolder
from runware_provider.engine.job.run import run_job
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.testing import Fault
from tests.engine.plain_receiver import SECRET, PlainReceiver
from tests.receivers import ReceiverProcess
from tests.store_servers import server_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runware_provider.engine.job.progress import Progress

SOON = {"overdue_s": 0.3}
"""What is not brought is asked for at once, or a test would wait for a minute."""


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """At what was brought: most of what a small job takes would be the second between two looks."""
    monkeypatch.setattr("runware_provider.engine.exchange.inbox.EVERY_S", 0.05)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[PlainReceiver]:
    with PlainReceiver(tmp_path / "inbox") as listening:
        yield listening


def questions(place: Any, *about: str) -> Callable[[], int]:
    """Counts the requests from now on that ask for answers, or for those of these tasks."""
    counting = [
        Fault("delay_request", task_type=task_type, contains=task_uuid, seconds=0.0)
        for task_type in ("getResponse", "getTaskDetails")
        for task_uuid in about or [None]
    ]
    before = len(place.server.faults())
    place.server.script(*counting)
    return lambda: sum(fault["fired"] for fault in place.server.faults()[before : before + len(counting)])


async def test_answers_are_brought_and_none_is_asked_for(place: Any, receiver: PlainReceiver) -> None:
    place.fill(120)
    asked = questions(place)
    manifest = await place.run(delivery="webhook", webhooks=receiver.settings)
    place.audit(manifest, 120)
    assert asked() == 0
    assert len(receiver.taken) == 121, "each answer, and the own call before the first task"
    assert list(receiver.root.iterdir()) == [], "nor does an empty folder stay"


async def test_the_receiver_itself_brings_them_by_way_of_an_object_store(place: Any, tmp_path: Path) -> None:
    store = server_of("s3")
    secret = "a secret of the receiver that is long enough for one"
    texts = {"RUNWARE_WEBHOOK_INBOX": f"{store.new_place()}/inbox", "RUNWARE_WEBHOOK_SECRETS": secret}
    place.fill(60)
    asked = questions(place)
    with ReceiverProcess(
        {**os.environ, **store.environment(), **texts}, tmp_path / "receiver.log"
    ) as receiver:
        texts["RUNWARE_WEBHOOK_URL"] = receiver.url
        done = await asyncio.to_thread(
            place.call, *place.arguments(delivery="webhook"), **store.environment(), **texts
        )
    assert done.returncode == 0, done.stderr
    place.audit(json.loads(done.stdout), 60)
    assert asked() == 0
    assert secret not in done.stderr + (tmp_path / "receiver.log").read_text()


@pytest.mark.parametrize("after", [1, 3])
async def test_an_inbox_that_hangs_holds_up_no_job(
    place: Any, receiver: PlainReceiver, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """As a mount does whose server is gone, be it at the own call, or at a later look."""
    monkeypatch.setattr("runware_provider.engine.inbox.bounded_threads.ANSWERS_WITHIN_S", 0.3)
    place.fill(20)
    gate, listings, listed = threading.Event(), itertools.count(), LocalStorage.list

    def hanging(storage: LocalStorage, folder: str, **named: Any) -> Any:
        if folder.startswith(str(receiver.root)) and next(listings) >= after:
            gate.wait()
        return listed(storage, folder, **named)

    monkeypatch.setattr(LocalStorage, "list", hanging)
    try:
        webhook = {**SOON, "when_unreachable": "poll"}
        manifest = await place.run(delivery="webhook", webhooks=receiver.settings, webhook=webhook)
    finally:
        gate.set()
    place.audit(manifest, 20)


async def test_where_the_state_is_lost_what_lies_in_the_inbox_is_not_paid_for_once_more(
    place: Any, receiver: PlainReceiver
) -> None:
    place.fill(40)
    bodies: list[bytes] = []
    receiver.on_call = bodies.append
    await place.run(delivery="webhook", webhooks=receiver.settings)
    executed = place.executed()
    shutil.rmtree(place.state / "ledger")
    shutil.rmtree(place.destination)
    receiver.on_call = lambda _body: None
    for body in bodies:
        if b'"cost"' in body:
            receiver.put(inbox_of(place), body)
    manifest = await place.run(delivery="webhook", webhooks=receiver.settings)
    assert (place.executed(), manifest["outcomes"]) == (executed, {"succeeded": 40})


@pytest.mark.parametrize("shape", ["flat", "data", "array"])
async def test_calls_of_every_shape_are_read(place: Any, receiver: PlainReceiver, shape: Any) -> None:
    place.fill(20)
    asked = questions(place)
    place.server.script(
        Fault("webhook_shape", shape=shape), Fault("fail_task", code="providerBadRequest", nth=15)
    )
    manifest = await place.run(delivery="webhook", webhooks=receiver.settings)
    place.audit(manifest, 20)
    assert manifest["outcomes"] == {"succeeded": 19, "failed": 1}
    assert asked() == 0


async def test_what_comes_twice_counts_once(place: Any, receiver: PlainReceiver) -> None:
    place.fill(60)
    place.server.script(Fault("webhook_twice"))
    manifest = await place.run(delivery="webhook", webhooks=receiver.settings)
    place.audit(manifest, 60)
    assert receiver.files() == []


async def test_a_call_that_never_comes_delays_a_record_and_loses_none(
    place: Any, receiver: PlainReceiver
) -> None:
    place.fill(60)
    asked = questions(place)
    place.server.script(Fault("webhook_lost", every=3), Fault("webhook_delay", seconds=0.6, every=4))
    manifest = await place.run(delivery="webhook", webhooks=receiver.settings, webhook=SOON)
    place.audit(manifest, 60)
    assert manifest["outcomes"] == {"succeeded": 60}
    assert asked() > 0


async def test_the_progress_tells_how_many_answers_were_brought_and_how_many_fetched(
    place: Any, receiver: PlainReceiver
) -> None:
    place.fill(30)
    place.server.script(Fault("webhook_lost", every=3))
    told: list[Progress] = []
    spec = place.spec(delivery="webhook", webhook=SOON)
    await run_job(spec, place.endpoint, report=told.append, webhooks=receiver.settings)
    # On a busy machine a call may come when its answer was fetched.
    assert told[-1].fetched >= 10
    assert told[-1].brought + told[-1].fetched == 30


async def test_with_a_receiver_that_dies_the_job_goes_on(place: Any, receiver: PlainReceiver) -> None:
    place.fill(60)

    def dies(_body: bytes) -> None:
        if len(receiver.taken) > 5:
            receiver.status = 503

    receiver.on_call = dies
    manifest = await place.run(delivery="webhook", webhooks=receiver.settings, webhook=SOON)
    place.audit(manifest, 60)


async def test_answers_that_do_not_fit_are_asked_about_once_more(place: Any, receiver: PlainReceiver) -> None:
    place.fill(12)
    asked = questions(place)
    place.server.script(Fault("break_schema", without="assistant", every=2))
    manifest = await place.run(delivery="webhook", webhooks=receiver.settings, answers={"output_retries": 1})
    place.audit(manifest, 12, output_retries=1)
    assert manifest["outcomes"] == {"succeeded": 12}
    assert asked() == 0


async def test_with_verify_each_answer_is_fetched_and_a_forged_one_is_not_taken(
    place: Any, receiver: PlainReceiver
) -> None:
    place.fill(20)
    asked = questions(place)

    def forge(body: bytes) -> None:
        told = json.loads(body)
        if isinstance(told, dict) and "deliveryMethod" not in told and receiver.settings.inbox:
            told["text"], told["tools"] = "forged", []
            receiver.put(inbox_of(place), json.dumps(told).encode())

    receiver.on_call = forge
    manifest = await place.run(delivery="webhook", webhooks=receiver.settings, webhook={"verify": True})
    place.audit(manifest, 20)
    assert manifest["outcomes"] == {"succeeded": 20}
    assert 0 < asked() <= 20


def inbox_of(place: Any) -> str:
    return str(json.loads((place.state / "job.json").read_text())["job_id"])


async def test_what_cannot_be_read_is_told_once_and_asked_for(
    place: Any, receiver: PlainReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    place.fill(5)
    await place.run(delivery="webhook", webhooks=receiver.settings)
    damaged = receiver.root / inbox_of(place) / "1700000000000-0123456789abcdef-0.inbox"
    damaged.parent.mkdir()
    damaged.write_bytes(b"no lines of JSON")
    place.fill(20)
    with caplog.at_level(logging.WARNING):
        place.audit(await place.run(delivery="webhook", webhooks=receiver.settings), 20)
    assert caplog.text.count("is damaged") == 1
    assert receiver.files() == []


# what an earlier process has sent


def all_brought(place: Any, receiver: PlainReceiver) -> list[str]:
    """The UUIDs of all that the vendor ran, once he has brought it."""
    pause = threading.Event()
    for _ in range(2_000):
        if place.server.bill_summary()["webhooks_sent"] >= place.executed() > 5:
            break
        pause.wait(0.01)
    return [name for name in receiver.taken if name in place.server.bill()["tasks"]]


def left_by_a_dead_process(new_place: Callable[..., Any], receiver: PlainReceiver) -> tuple[Any, list[str]]:
    """A job whose process was killed after it had sent all, and the UUIDs of what was brought since."""
    place = new_place(latency=0.3)
    place.fill(40)
    # The reply to the tasks after the first five never comes, and the process is killed while it waits for it.
    place.kill_at(
        Fault("delay_reply", nth=2, seconds=60.0, task_type="textInference"),
        *place.arguments("run", delivery="webhook"),
        **receiver.environment(),
    )
    return place, all_brought(place, receiver)


async def test_what_a_dead_process_sent_is_found_in_the_inbox(
    new_place: Callable[..., Any], receiver: PlainReceiver
) -> None:
    place, brought = left_by_a_dead_process(new_place, receiver)
    asked = questions(place, *brought)
    manifest = await place.run(delivery="webhook", webhooks=receiver.settings)
    assert len(brought) > 5
    place.audit(manifest, 40)
    assert place.executed() == 40
    assert asked() == 0
    assert receiver.files() == []


async def test_what_no_question_covers_any_more_is_taken_from_the_inbox(
    new_place: Callable[..., Any], receiver: PlainReceiver
) -> None:
    place, brought = left_by_a_dead_process(new_place, receiver)
    asked = questions(place, *brought)
    # An edited prompt: nobody asks any more what the dead process has asked.
    prompt = "How much is it?\n{{ record.body }}"
    await place.run(delivery="webhook", webhooks=receiver.settings, prompt=prompt)
    answered = [row for row in place.ledger().values() if row["cost_pico_usd"] is not None]
    assert len(answered) == place.executed() > 40
    assert asked() == 0


async def test_what_is_forgotten_does_not_stay_in_the_inbox(
    new_place: Callable[..., Any], receiver: PlainReceiver
) -> None:
    place = new_place(latency=0.0)
    place.fill(6)
    bodies: list[bytes] = []
    receiver.on_call = bodies.append
    await place.run(delivery="webhook", webhooks=receiver.settings)
    forgotten, other = (row["inference"]["task_uuid"] for row in place.rows()[3:5])
    # They come once more, when the job has published.
    for body in bodies:
        if forgotten.encode() in body or other.encode() in body:
            receiver.put(inbox_of(place), body)
    named = ("--destination", str(place.destination), "--task-uuid", forgotten)
    without = await asyncio.to_thread(place.call, "forget", *named)
    assert json.loads(without.stdout)["inbox"] is None
    assert "RUNWARE_WEBHOOK_INBOX names no inbox" in without.stderr
    assert len(receiver.files()) == 2
    done = await asyncio.to_thread(place.call, "forget", *named, **receiver.environment())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["inbox"] == 1
    [left] = receiver.files()
    assert other in left.read_text()


async def test_a_url_that_the_vendor_echoes_is_kept_nowhere(place: Any, receiver: PlainReceiver) -> None:
    place.fill(6)

    def echo(body: bytes) -> None:
        told = json.loads(body)
        if "cost" in told:
            url = HookAddress(receiver.settings.public_url, inbox_of(place), SECRET).of(
                told["taskUUID"], 4_000_000_000
            )
            receiver.put(inbox_of(place), json.dumps({**told, "webhookURL": url}).encode())

    receiver.on_call = echo
    await place.run(delivery="webhook", webhooks=receiver.settings, publish={"keep_raw": True})
    assert "taskUUID" in str(place.rows())
    assert "token=" not in str(place.rows())
    assert "token=" not in str(place.ledger())


async def a_record_that_is_lost(place: Any, receiver: PlainReceiver) -> bytes:
    """Run a job of eight records, of the last of which nothing can be learnt; returns the call that did not come."""
    taken: list[bytes] = []
    receiver.on_call = taken.append
    place.fill(8)
    place.server.script(
        Fault("forget_result", after=7),
        Fault("refuse_request", task_type="getTaskDetails", code="unsupportedTaskType", status=400),
        Fault("webhook_lost", after=7),
    )
    manifest = await place.run(
        delivery="webhook", webhooks=receiver.settings, webhook=SOON, limits={"deadline_s": 1.0}
    )
    assert manifest["outcomes"] == {"succeeded": 7, "failed": 1}
    place.server.clear_faults()
    [lost] = [name for name in place.server.bill()["tasks"] if name not in receiver.taken]
    answer = next(json.loads(body) for body in taken if b'"cost"' in body)
    return json.dumps({**answer, "taskUUID": lost, "cost": 0.5}).encode()


async def test_an_answer_that_comes_after_it_was_given_up_is_on_the_bill_and_not_paid_for_again(
    new_place: Callable[..., Any], receiver: PlainReceiver
) -> None:
    place = new_place(latency=0.0)
    late = await a_record_that_is_lost(place, receiver)
    receiver.put(inbox_of(place), late)
    executed = place.executed()
    manifest = await place.run(delivery="webhook", webhooks=receiver.settings, retry_failed="review")
    assert place.executed() == executed
    assert manifest["outcomes"] == {"succeeded": 8}
    assert 0.5 < manifest["cost_usd"] < 0.6
    assert manifest["maybe_billed"] == 0
    assert receiver.files() == []


async def test_an_answer_that_comes_too_late_for_the_rows_is_shown_by_the_next_run(
    new_place: Callable[..., Any], receiver: PlainReceiver
) -> None:
    place = new_place(latency=0.0)
    late = await a_record_that_is_lost(place, receiver)
    receiver.put(inbox_of(place), late)
    # Nothing else has changed, so that this run would have gone through no row.
    manifest = await place.run(delivery="webhook", webhooks=receiver.settings)
    assert manifest["outcomes"] == {"succeeded": 8}


# before anything is paid


async def test_without_settings_nothing_is_paid(place: Any) -> None:
    place.fill(3)
    with pytest.raises(BadInput, match="nothing says where to"):
        await place.run(delivery="webhook")
    assert place.asked_nothing()


@pytest.mark.parametrize(
    ("status", "told"), [(404, "takes none of our calls"), (503, "store"), (200, "which no receiver")]
)
async def test_a_receiver_that_takes_no_call_stops_the_job_before_anything_is_paid(
    place: Any, receiver: PlainReceiver, status: int, told: str
) -> None:
    receiver.status = status
    place.fill(3)
    with pytest.raises(WebhookUnreachable, match=told) as stopped:
        await place.run(delivery="webhook", webhooks=receiver.settings)
    assert place.executed() == 0
    assert SECRET.decode() not in repr(stopped.value) + str(stopped.value)
    assert "token" not in str(stopped.value)
    assert not [row for row in place.ledger().values() if row["kind"] == 0], "no task is in doubt"


async def test_where_nobody_listens_it_is_said_why(place: Any, tmp_path: Path) -> None:
    with PlainReceiver(tmp_path / "gone") as gone:
        settings = gone.settings
    place.fill(3)
    with pytest.raises(WebhookUnreachable, match="connection refused"):
        await place.run(delivery="webhook", webhooks=settings)
    assert place.executed() == 0


async def test_a_call_that_comes_into_another_inbox_stops_the_job(
    place: Any, receiver: PlainReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runware_provider.engine.job.hook_probe.APPEARS_WITHIN_S", 0.2)
    settings = receiver.settings
    receiver.root = tmp_path / "elsewhere"
    place.fill(3)
    with pytest.raises(WebhookUnreachable, match="did not come into the inbox"):
        await place.run(delivery="webhook", webhooks=settings)
    assert place.executed() == 0


async def test_a_receiver_whose_clock_is_ahead_is_none_that_takes_no_call(
    place: Any, receiver: PlainReceiver
) -> None:
    receiver.clock = lambda: time.time() + 3_600
    place.fill(6)
    manifest = await place.run(delivery="webhook", webhooks=receiver.settings)
    assert manifest["outcomes"] == {"succeeded": 6}


async def test_where_no_file_may_be_removed_the_job_goes_on_and_says_so(
    place: Any, receiver: PlainReceiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def may_not(_folder: InboxFolder, _files: list[str]) -> None:
        raise PermissionError(errno.EACCES, "Access Denied")

    monkeypatch.setattr(InboxFolder, "remove", may_not)
    place.fill(20)
    with caplog.at_level(logging.WARNING):
        manifest = await place.run(delivery="webhook", webhooks=receiver.settings)
    place.audit(manifest, 20)
    assert "the inbox was not emptied" in caplog.text


async def test_a_job_that_may_asks_for_the_answers_where_nobody_could_bring_them(
    place: Any, receiver: PlainReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 404
    place.fill(20)
    with caplog.at_level(logging.WARNING):
        manifest = await place.run(
            delivery="webhook", webhooks=receiver.settings, webhook={"when_unreachable": "poll"}
        )
    place.audit(manifest, 20)
    assert place.server.bill_summary()["webhooks_sent"] == place.server.bill_summary()["webhooks_failed"] == 0
    assert "Answers are asked for instead" in caplog.text
    assert SECRET.decode() not in caplog.text
    assert "token" not in caplog.text


async def test_where_everything_is_answered_the_receiver_is_not_called(
    place: Any, receiver: PlainReceiver
) -> None:
    place.fill(10)
    await place.run(delivery="webhook", webhooks=receiver.settings)
    receiver.status = 404
    place.fill(10)
    manifest = await place.run(delivery="webhook", webhooks=receiver.settings, publish={"keep_raw": True})
    assert manifest["paid_inferences"] == 0
