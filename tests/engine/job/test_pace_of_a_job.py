"""The window moves in a real job, not in simulations alone: the answers that it sees are of its own cohorts."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("delivery", ["poll", "sync"])
async def test_a_job_leaves_to_the_next_what_it_learnt_of_the_vendor(place: Any, delivery: str) -> None:
    place.fill(100)
    manifest = await place.run(delivery=delivery)
    assert manifest["outcomes"] == {"succeeded": 100}
    learnt = json.loads((place.state / "pace.json").read_text(encoding="utf-8"))
    assert learnt["window"] >= 1
    assert 0 < learnt["latency_s"] < 60


@pytest.mark.parametrize("queue", [0, 8])
async def test_a_vendor_with_little_room_refuses_few_and_every_record_is_answered_once(
    new_place: Callable[..., Any], queue: int
) -> None:
    place = new_place(latency=0.05, capacity=4, queue=queue)
    place.fill(250)
    assert (await place.run())["outcomes"] == {"succeeded": 250}
    bill = place.server.bill_summary()
    assert (bill["executed"], bill["uuids_executed_again"]) == (250, 0)
    # A window that somebody fixed a little above the room is refused several times for each task.
    assert bill["refused"].get("inferenceRateLimitExceeded", 0) <= 30
    learnt = json.loads((place.state / "pace.json").read_text(encoding="utf-8"))
    assert learnt["met_a_limit"] is True


async def test_a_vendor_whose_room_shrinks_in_the_middle_of_a_job_is_followed(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(latency=0.05, capacity=40, queue=40)
    place.fill(400)
    job = asyncio.create_task(place.run())
    while place.executed() < 150 and not job.done():  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.01)
    place.server.resize(4, 4)
    assert (await job)["outcomes"] == {"succeeded": 400}
    assert place.server.bill_summary()["uuids_executed_again"] == 0
