"""To send everything and leave, and to collect it from another process, comes to what one process comes to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.job.asking import ask_until_sent
from runware_provider.engine.job.opening import check_run, open_run
from runware_provider.engine.memory.lease_keeping import held
from runware_provider.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS = 40


async def send(place: Any, **changes: Any) -> int:
    where = check_run(place.spec(**changes), place.endpoint, preview=None, stores=None)
    stop = asyncio.Event()
    async with held(where.lease, most_s=10, stop=stop):
        job = open_run(where, waited=False)
        try:
            return await ask_until_sent(job, place.endpoint, report=None, stop=stop, transport=None)
        finally:
            job.close()


@pytest.mark.parametrize("faults", [(), (Fault("cut_after_work", nth=2, task_type="textInference"),)])
async def test_what_was_sent_is_collected_by_whoever_goes_on_and_nothing_is_sent_twice(
    new_place: Callable[..., Any], faults: tuple[Fault, ...]
) -> None:
    place = new_place(latency=3.0, faults=faults)
    place.fill(RECORDS)
    # All but the canary, which is answered before the rest is sent; and perhaps the first of the rest.
    assert RECORDS // 2 < await send(place, limits={"tasks_per_request": 7}) <= RECORDS - 5
    assert place.server.bill_summary()["distinct_uuids"] == RECORDS
    assert not list(place.state.rglob("*.staged"))
    manifest = await place.run()
    assert manifest["outcomes"] == {"succeeded": RECORDS}
    assert place.executed() == RECORDS
    place.audit(manifest, RECORDS)


async def test_where_everything_is_answered_before_all_is_sent_nothing_is_left(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(latency=0.0)
    place.fill(RECORDS)
    await place.run()
    assert await send(place) == 0
    assert place.executed() == RECORDS
