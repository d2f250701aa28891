"""Jobs whose answers stream in: they come to what those of any other delivery come to, and nothing is paid for twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.errors import BalanceExhausted, Interrupted, JobStopped, KeyRefused
from runware_provider.engine.job.run import run_job
from runware_provider.testing import Fault
from tests.raw_server import raw_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.job.progress import Progress

STREAM = {"delivery": "stream", "output_type": None}
RECORDS = 12


def most_at_once(bill: dict[str, Any]) -> int:
    """Tasks that ran at the same time, at most."""
    changes = [(task["accepted_s"], 1) for task in bill["tasks"].values()]
    changes += [(task["finished_s"], -1) for task in bill["tasks"].values()]
    running = most = 0
    for _, change in sorted(changes):
        running += change
        most = max(most, running)
    return most


def without_uuids(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    left_out = ("latency_s", "task_uuid")
    return [
        {
            **row,
            "inference": {name: row["inference"][name] for name in row["inference"] if name not in left_out},
        }
        for row in rows
    ]


async def test_the_rows_of_a_stream_are_those_of_a_poll(new_place: Callable[..., Any]) -> None:
    rows = {}
    for delivery in ("poll", "stream"):
        place = new_place(delivery)
        place.fill(RECORDS)
        manifest = await place.run(delivery=delivery, output_type=None)
        place.audit(manifest, RECORDS)
        rows[delivery] = without_uuids(place.rows())
    assert rows["stream"] == rows["poll"]
    assert [row["result"] for row in rows["stream"]] == [f"{n}.5" for n in range(RECORDS)]


async def test_what_streamed_in_is_paid_for_and_not_asked_again_by_polling(place: Any) -> None:
    place.fill(RECORDS)
    await place.run(**STREAM)
    again = await place.run(delivery="poll", output_type=None)
    assert (again["paid_inferences"], place.executed()) == (0, RECORDS)


async def test_each_request_streams_one_task_and_so_many_are_open_at_once(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(latency=0.05)
    place.fill(40)
    await place.run(**STREAM, limits={"requests": 3})
    bill = place.server.bill()
    assert bill["requests"] == 40
    assert most_at_once(bill) <= 3


async def test_tasks_that_are_sent_again_are_sent_alone_too(place: Any) -> None:
    """The first five are refused for want of room, and are due again together."""
    place.server.script(Fault("refuse_request", status=429, code="rateLimitExceeded", times=5))
    place.fill(RECORDS)
    manifest = await place.run(**STREAM)
    place.audit(manifest, RECORDS)
    assert "incompatibleParameters" not in place.server.bill_summary()["refused"]


@pytest.mark.parametrize(
    ("code", "stopped"), [("insufficientCredits", BalanceExhausted), ("invalidApiKey", KeyRefused)]
)
async def test_a_stream_that_begins_with_what_no_task_can_help_stops_the_job_at_once(
    place: Any, code: str, stopped: type[JobStopped]
) -> None:
    asked = 0
    frame = b'data: {"errors": [{"code": "%s", "message": "No."}]}\n\n' % code.encode()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        asked += 1
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + frame
        )
        await writer.drain()
        writer.close()

    place.fill(3)
    async with raw_server(refuse) as port:
        endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", "a-key-of-the-tests")
        with pytest.raises(stopped, match=code):
            await run_job(place.spec(**STREAM), endpoint)
    assert asked <= 3


async def test_the_line_of_progress_counts_the_characters_that_came(new_place: Callable[..., Any]) -> None:
    stalls = Fault("stall_stream", contains="Shop 2 ")
    place = new_place(faults=(stalls, Fault("say", body="x" * 640, contains="Shop 2 ")))
    place.fill(RECORDS)
    told: list[Progress] = []
    wanted = place.spec(**STREAM, limits={"sync_timeout_s": 2.5})
    await run_job(wanted, place.endpoint, report=told.append)
    open_streams = [progress for progress in told if progress.streamed_chars]
    assert 0 < open_streams[0].streamed_chars < 640
    assert " characters streaming in" in open_streams[0].line()
    assert told[-1].streamed_chars == 0


async def test_a_job_that_is_asked_to_stop_amid_streams_leaves_them_to_the_next(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(faults=(Fault("stall_stream", times=3),))
    place.fill(RECORDS)
    stop = asyncio.Event()

    def stop_when_it_streams(progress: Progress) -> None:
        if progress.streamed_chars:
            stop.set()

    with pytest.raises(Interrupted):
        await run_job(place.spec(**STREAM), place.endpoint, report=stop_when_it_streams, stop=stop)
    manifest = await place.run(**STREAM)
    place.audit(manifest, RECORDS)
    assert place.server.bill_summary()["requests_executed_again"] == 0


def test_a_process_that_is_killed_amid_streams_has_paid_for_none_in_vain(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    place.fill(RECORDS)
    options = {"schema": None, "delivery": "stream"}
    place.kill_at(Fault("stall_stream", contains="Shop 2 "), *place.arguments(**options))
    ended = place.call(*place.arguments(**options))
    assert ended.returncode == 0, ended.stderr
    bill = place.server.bill_summary()
    assert (bill["executed"], bill["requests_executed_again"]) == (RECORDS, 0)
    assert [row["result"] for row in place.rows()] == [f"{n}.5" for n in range(RECORDS)]
