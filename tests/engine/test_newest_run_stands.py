"""Of two runs at once, the one that began last stands, whichever ends first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.errors import PublishConflict
from runware_provider.engine.job.run import run_job
from runware_provider.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

SLOW_S = 1.5
OLD, NEW = "The old prompt\n{{ record.body }}", "The new prompt\n{{ record.body }}"


async def both(place: Any, slow: str) -> tuple[Any, Any]:
    """The results of the older run and of the newer one, which starts once the older is under way."""
    place.server.script(Fault("delay_task", contains=slow, seconds=SLOW_S))
    place.fill(6)
    began = asyncio.Event()
    older = asyncio.create_task(run_job(place.spec(prompt=OLD), place.endpoint, report=lambda _: began.set()))
    if slow == "new":
        async with asyncio.timeout(30):
            while not place.server.bill_summary()["executed"] and not older.done():  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0)
    else:
        await began.wait()
    newer = asyncio.create_task(run_job(place.spec(prompt=NEW), place.endpoint))
    first, second = await asyncio.gather(older, newer, return_exceptions=True)
    return first, second


async def test_an_older_run_that_ends_last_does_not_publish(new_place: Callable[..., Any]) -> None:
    place = new_place()
    older, newer = await both(place, "old")
    assert isinstance(older, PublishConflict)
    assert newer["status"] == "published"
    uuids = {row["inference"]["task_uuid"] for row in place.rows()}
    assert len(place.rows()) == 6
    assert not list(place.state.glob("staged/*/*"))
    assert (await place.run(prompt=NEW))["paid_inferences"] == 0
    assert {row["inference"]["task_uuid"] for row in place.rows()} == uuids
    assert (await place.run(prompt=OLD))["paid_inferences"] == 0


async def test_a_newer_run_goes_over_what_an_older_one_published_meanwhile(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    older, newer = await both(place, "new")
    assert (older["status"], newer["status"]) == ("published", "published")
    uuids = {row["inference"]["task_uuid"] for row in place.rows()}
    assert len(place.rows()) == 6
    assert (await place.run(prompt=NEW))["paid_inferences"] == 0
    assert {row["inference"]["task_uuid"] for row in place.rows()} == uuids
    with pytest.raises(StopIteration):
        next(iter(place.state.glob("staged/*/*")))
