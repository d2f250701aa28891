"""The trigger of a deferred task, as plain asyncio, against the local API server over a socket."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk._shared.module_loading import import_string

from runware_provider import triggers
from runware_provider.engine.api import client
from runware_provider.engine.inbox.calls import Call, encoded, file_name
from runware_provider.engine.inbox.folder import InboxFolder
from runware_provider.engine.job.leg import AllSent, Leg
from runware_provider.engine.job.run import run_job
from runware_provider.engine.storage.port import StoredFile
from runware_provider.testing import Fault
from runware_provider.triggers import ARGUMENTS, AnswersTrigger
from tests.engine.conftest import KEY, places_below
from tests.engine.plain_receiver import SECRET, PlainReceiver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

RECORDS = 25
UNDER_WAY = 20
"""All but the canary, which is answered first."""
SLOW_S = 2.0
LONG_S = 3_600.0
BRIEFLY_S = 0.5
NOBODY = [f"0b5c6d3e-0000-4000-8000-{number:012d}" for number in range(UNDER_WAY)]
"""Tasks that the API does not know."""
HANDOVER = {"legs": 2, "begun": 1_700_000_000.0, "published": "abc"}
AS_THE_FIRST_VERSION_WROTE_IT = """
{"conn_id": "runware_default", "task_uuids": ["0b5c6d3e-0000-4000-8000-000000000001"], "share": 0.9, "quiet_s": 15.0,
 "every_s": 10.0, "overdue_at": 1767225900.0, "give_up_at": 1767227400.0,
 "handover": {"legs": 1, "begun": 1767225600.0, "published": null}}
"""


@pytest.fixture
def new_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Makes a place with records, whose server the connection leads to."""
    with places_below(tmp_path) as make:

        def with_connection(**settings: Any) -> Any:
            place = make(latency=SLOW_S, **settings)
            place.fill(RECORDS)
            connect(monkeypatch, place.server.base_url)
            return place

        yield with_connection


def connect(monkeypatch: pytest.MonkeyPatch, host: str, key: str = KEY) -> None:
    connection = {"conn_type": "runware", "host": host, "password": key}
    monkeypatch.setenv("AIRFLOW_CONN_RUNWARE_DEFAULT", json.dumps(connection))


async def left_by(place: Any) -> list[str]:
    """The inferences that a leg has left."""
    with pytest.raises(AllSent) as left:
        await run_job(place.spec(), place.endpoint, leg=Leg(worth_s=0.0))
    assert len(left.value.task_uuids) == UNDER_WAY
    return list(left.value.task_uuids)


def a_trigger(task_uuids: list[str], **changes: Any) -> AnswersTrigger:
    now = time.time()
    usual = {
        "conn_id": "runware_default",
        "task_uuids": task_uuids,
        "share": 0.9,
        "quiet_s": 0.0,
        "every_s": 0.05,
        "overdue_at": now + LONG_S,
        "give_up_at": now + LONG_S,
        "handover": HANDOVER,
    }
    return AnswersTrigger(**usual | changes)


async def fired(trigger: AnswersTrigger) -> dict[str, Any]:
    """The one event of a trigger."""
    events = [event.payload async for event in trigger.run()]
    (payload,) = events
    assert json.loads(json.dumps(payload)) == payload
    return dict(payload)


async def test_it_fires_when_most_of_the_answers_are_there_and_hands_on_what_it_was_given(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    event = await fired(a_trigger(await left_by(place)))
    assert event["there"] >= 0.9 * UNDER_WAY
    assert event == {**HANDOVER, "why": "answers", "there": event["there"], "of": UNDER_WAY}


async def test_where_answers_are_brought_it_fires_by_the_inbox_and_asks_nobody(
    new_place: Callable[..., Any], tmp_path: Path
) -> None:
    place = new_place()
    with PlainReceiver(tmp_path / "inbox") as receiver:
        with pytest.raises(AllSent) as left:
            await place.run(delivery="webhook", webhooks=receiver.settings, leg=Leg(worth_s=0.0))
        assert left.value.inbox is not None
        before = place.server.bill_summary()["requests"]
        # What has not come when it fires is asked for by the next leg.
        trigger = a_trigger(list(left.value.task_uuids), inbox=left.value.inbox, share=1.0)
        path, arguments = trigger.serialize()
        assert SECRET.decode() not in json.dumps(arguments)
        event = await fired(import_string(path)(**arguments))
        assert (event["why"], place.server.bill_summary()["requests"]) == ("answers", before)
        manifest = await place.run(delivery="webhook", webhooks=receiver.settings, leg=Leg(goes_on=True))
    place.audit(manifest, RECORDS)
    assert place.server.bill_summary()["requests"] == before, "the next leg finds in the inbox what it needs"


async def test_a_damaged_file_and_one_that_was_removed_hide_nothing_that_lies_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = NOBODY[:3]
    for number, name in enumerate(names):
        body = json.dumps({"taskUUID": name.upper(), "text": "Hi"}).encode()
        path = tmp_path / file_name(1_800_000_000_000 + 2 * number, "0123456789abcdef", number)
        path.write_bytes(encoded([Call(1, body)]))
    (tmp_path / file_name(1_800_000_000_001, "0123456789abcdef", 7)).write_bytes(b"no lines of JSON")
    gone = file_name(1_800_000_000_003, "0123456789abcdef", 8)
    listed = InboxFolder.files
    removed = StoredFile(str(tmp_path / gone), 1)
    monkeypatch.setattr(
        InboxFolder, "files", lambda folder: sorted([*listed(folder), removed], key=lambda file: file.path)
    )
    connect(monkeypatch, "http://127.0.0.1:9/v1")
    event = await fired(a_trigger(names, inbox=str(tmp_path), share=1.0, give_up_at=time.time() + 10.0))
    assert (event["why"], event["there"]) == ("answers", 3)


async def test_what_was_read_before_the_store_went_away_counts_and_the_rest_is_read_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = NOBODY[:2]
    for number, name in enumerate(names):
        path = tmp_path / file_name(1_800_000_000_000 + number, "0123456789abcdef", number)
        path.write_bytes(encoded([Call(1, json.dumps({"taskUUID": name, "text": "Hi"}).encode())]))
    read, reads = InboxFolder.read, itertools.count()

    def fails_once(folder: InboxFolder, file: str) -> list[Call]:
        if next(reads) == 1:
            raise OSError("away")
        return read(folder, file)

    monkeypatch.setattr(InboxFolder, "read", fails_once)
    connect(monkeypatch, "http://127.0.0.1:9/v1")
    event = await fired(a_trigger(names, inbox=str(tmp_path), share=1.0, give_up_at=time.time() + 10.0))
    assert (event["why"], event["there"], next(reads)) == ("answers", 2, 3)


async def test_where_no_call_comes_it_asks_for_what_is_overdue(
    new_place: Callable[..., Any], tmp_path: Path
) -> None:
    place = new_place(faults=[Fault("webhook_lost", after=5)])
    with PlainReceiver(tmp_path / "inbox") as receiver, pytest.raises(AllSent) as left:
        await place.run(delivery="webhook", webhooks=receiver.settings, leg=Leg(worth_s=0.0))
    overdue_at = time.time() + 2 * BRIEFLY_S
    names = list(left.value.task_uuids)
    event = await fired(a_trigger(names, inbox=left.value.inbox, overdue_at=overdue_at))
    assert event["why"] == "answers"
    assert time.time() >= overdue_at


async def test_stragglers_beyond_the_share_are_not_waited_for_and_those_within_it_are(
    new_place: Callable[..., Any],
) -> None:
    """Of 20, 18 are enough: with two that never end it fires, with three it does not."""
    names = await left_by(new_place())
    await fired(a_trigger(names, share=1.0))  # all of them are there
    for number, why in ((2, "answers"), (3, "deadline")):
        sample = [*names[number:], *NOBODY[:number]]
        event = await fired(a_trigger(sample, give_up_at=time.time() + BRIEFLY_S))
        assert (event["why"], event["there"]) == (why, UNDER_WAY - number)


async def test_what_the_api_says_nothing_of_is_to_be_looked_for_by_a_worker_once_it_is_overdue(
    new_place: Callable[..., Any],
) -> None:
    new_place()
    event = await fired(a_trigger(NOBODY, overdue_at=time.time() + BRIEFLY_S))
    assert (event["why"], event["there"]) == ("answers", UNDER_WAY)


async def test_what_ended_in_an_error_is_there_and_what_is_still_running_is_not_even_overdue(
    new_place: Callable[..., Any],
) -> None:
    last = [f"Shop {number} GmbH" for number in range(RECORDS - 4, RECORDS)]
    place = new_place(
        faults=[Fault("never_finish", contains=name) for name in last[1:]]
        + [Fault("fail_task", contains=last[0], code="contentFlagged")]
    )
    names = await left_by(place)
    now = time.time()
    event = await fired(a_trigger(names, overdue_at=now, give_up_at=now + 3 * SLOW_S))
    assert (event["why"], event["there"]) == ("deadline", UNDER_WAY - 3)


async def test_an_api_that_does_not_answer_is_asked_again_until_the_time_is_over(
    new_place: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = await left_by(new_place())
    connect(monkeypatch, "http://127.0.0.1:9/v1")
    event = await fired(a_trigger(names, give_up_at=time.time() + 0.5))
    assert (event["why"], event["there"]) == ("deadline", 0)


@pytest.mark.parametrize("connection", ["another key", "none", "no host that can be"])
async def test_where_it_cannot_ask_it_wakes_the_task_which_can_say_what_to_do(
    new_place: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, connection: str
) -> None:
    place = new_place()
    names = await left_by(place)
    if connection == "none":
        monkeypatch.delenv("AIRFLOW_CONN_RUNWARE_DEFAULT")
    elif connection == "another key":
        connect(monkeypatch, place.server.base_url, "another-key-0123456789")
    else:
        connect(monkeypatch, "ftp://somewhere")
    assert (await fired(a_trigger(names)))["why"] == "trouble"


async def test_it_says_nothing_before_its_quiet_time_is_over_even_where_all_is_there_or_time_is_up(
    new_place: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it is started for the second time, on another triggerer."""
    place = new_place()
    names = await left_by(place)
    requests = place.server.bill_summary()["requests"]
    slept: list[tuple[float, int]] = []

    def noted(seconds: float) -> Awaitable[None]:
        slept.append((seconds, place.server.bill_summary()["requests"] - requests))
        return asyncio.sleep(0)

    monkeypatch.setattr(triggers, "asyncio", SimpleNamespace(sleep=noted, to_thread=asyncio.to_thread))
    _, arguments = a_trigger(names, quiet_s=15.0, give_up_at=0.0).serialize()
    for _ in range(2):
        slept.clear()
        assert (await fired(AnswersTrigger(**arguments)))["why"] == "deadline"
        assert slept == [(15.0, 0)]


async def test_its_one_client_is_closed_whether_it_fires_or_is_cancelled(
    new_place: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = await left_by(new_place())
    opened: list[Any] = []
    second = asyncio.Event()

    class Noted(client.Client):
        is_closed = False

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            opened.append(self)
            if len(opened) == 2:
                second.set()

        async def close(self) -> None:
            await super().close()
            self.is_closed = True

    monkeypatch.setattr(client, "Client", Noted)
    await fired(a_trigger(names))
    waiting = asyncio.create_task(fired(a_trigger(NOBODY)))
    await second.wait()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert [client.is_closed for client in opened] == [True, True]


def test_it_can_be_made_again_of_what_it_tells_airflow() -> None:
    trigger = a_trigger(NOBODY)
    path, arguments = trigger.serialize()
    assert json.loads(json.dumps(arguments)) == arguments
    again = import_string(path)(**arguments)
    assert type(again) is AnswersTrigger
    assert again.serialize() == (path, arguments)
    assert trigger.task_instance is None


def test_what_the_first_version_has_left_in_airflows_database_still_makes_a_trigger() -> None:
    arguments = json.loads(AS_THE_FIRST_VERSION_WROTE_IT)
    assert AnswersTrigger(**arguments).serialize() == (
        "runware_provider.triggers.AnswersTrigger",
        arguments,
    )
    assert tuple(arguments) == ARGUMENTS


def test_it_kills_nothing_where_airflow_calls_it_back() -> None:
    """Airflow does so also where nobody killed the task (T4)."""
    assert "on_kill" not in vars(AnswersTrigger)


def test_the_triggerer_loads_nothing_heavy(fresh_python: Callable[[str], str]) -> None:
    code = (
        "import sys, airflow.triggers.base; before = set(sys.modules); import runware_provider.triggers as t;"
        "print(t.AnswersTrigger.__name__, sorted({%s} & (set(sys.modules) - before)))"
    )
    heavy = (
        '"pyarrow", "pandas", "numpy", "boto3", "obstore", "aiohttp", "httpx", "airflow.sdk.bases.hook",'
        '"runware_provider.hook", "runware_provider.engine.api.client"'
    )
    assert fresh_python(code % heavy).splitlines()[-1] == "AnswersTrigger []"
