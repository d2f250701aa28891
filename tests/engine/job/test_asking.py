"""A run in legs: each sends all that may be sent and leaves, the next one collects. It comes to what one process comes to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.errors import BadInput, BudgetExhausted, Interrupted
from runware_provider.engine.job.inferring import infer_shard
from runware_provider.engine.job.leg import AllSent, Leg
from runware_provider.engine.job.publishing_shards import publish_shards
from runware_provider.engine.job.run import run_job
from runware_provider.engine.job.splitting import split_shards
from runware_provider.engine.memory.learnt_pace import read_pace
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS = 40
CANARY = 5
SLOW_S = 2.0
"""What an answer takes, so that all is sent before the first answer after those of the canary is there."""
AT_ONCE = Leg(worth_s=0.0)
"""Leaves as soon as everything is sent and an answer is still awaited."""
RUN = "dag/task/run/-1"


async def leave(place: Any, leg: Leg = AT_ONCE, **changes: Any) -> AllSent:
    """One leg, which leaves."""
    with pytest.raises(AllSent) as left:
        await run_job(place.spec(run=RUN, **changes), place.endpoint, leg=leg)
    return left.value


async def go_on(place: Any, left: AllSent, **changes: Any) -> dict[str, Any]:
    """The last leg, which stays to the end."""
    leg = Leg(goes_on=True, published=left.published)
    return await run_job(place.spec(run=RUN, **changes), place.endpoint, leg=leg)


@pytest.fixture
def place(new_place: Callable[..., Any]) -> Any:
    slow = new_place(latency=SLOW_S)
    slow.fill(RECORDS)
    return slow


async def test_a_leg_leaves_once_all_is_sent_and_what_it_left_is_collected_and_paid_once(place: Any) -> None:
    left = await leave(place)
    assert len(left.task_uuids) == RECORDS - CANARY
    assert 0 < left.expected_s <= 2 * SLOW_S
    assert 0 < left.given_up_s <= place.limits["deadline_s"]
    assert place.server.bill_summary()["distinct_uuids"] == RECORDS
    assert not list(place.state.rglob("*.staged"))
    assert not (place.state / "manifest.json").exists()
    manifest = await go_on(place, left)
    assert manifest["outcomes"] == {"succeeded": RECORDS}
    assert manifest["paid_inferences"] == RECORDS == place.executed()
    place.audit(manifest, RECORDS)


async def test_the_next_leg_takes_the_lease_at_once_and_sends_nothing_that_is_under_way(place: Any) -> None:
    left = await leave(place)
    await go_on(place, left, limits={"lease_wait_s": 0.001})
    assert place.server.bill_summary()["refused"] == {}  # a UUID that is sent again is in use


async def test_a_lost_reply_is_looked_into_before_a_leg_leaves(new_place: Callable[..., Any]) -> None:
    cut = Fault("cut_after_work", nth=2, task_type="textInference")
    place = new_place(latency=2 * SLOW_S, faults=(cut,))
    place.fill(RECORDS)
    left = await leave(place, limits={"tasks_per_request": 7})
    assert place.server.faults()[0]["fired"]
    manifest = await go_on(place, left)
    place.audit(manifest, RECORDS)
    assert manifest["outcomes"] == {"succeeded": RECORDS}


async def test_a_leg_stays_where_the_answers_are_expected_sooner_than_leaving_is_worth(place: Any) -> None:
    manifest = await run_job(place.spec(), place.endpoint, leg=Leg(worth_s=60.0))
    assert manifest["outcomes"] == {"succeeded": RECORDS}


async def test_a_leg_stays_where_nothing_is_under_way(new_place: Callable[..., Any]) -> None:
    place = new_place(latency=0.0)
    place.fill(RECORDS)
    await place.run()
    manifest = await run_job(place.spec(), place.endpoint, leg=Leg(worth_s=-60.0))
    assert (manifest["paid_inferences"], place.executed()) == (0, RECORDS)


async def test_a_leg_stays_while_the_window_is_smaller_than_what_is_to_be_sent(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(latency=1.0)
    place.fill(RECORDS)
    left = await leave(place, limits={"max_outstanding": RECORDS // 4})
    assert len(left.task_uuids) <= RECORDS // 4
    assert place.server.bill_summary()["distinct_uuids"] == RECORDS
    place.audit(await go_on(place, left), RECORDS)


async def test_the_next_leg_begins_with_the_window_and_the_latency_that_the_first_one_left(
    place: Any,
) -> None:
    left = await leave(place)
    model = place.spec().model
    learnt = read_pace(LocalStorage(), str(place.state), model)
    assert learnt is not None
    assert SLOW_S <= learnt.latency_s < 2 * SLOW_S
    await go_on(place, left)
    assert read_pace(LocalStorage(), str(place.state), model) == learnt


async def test_any_number_of_legs_may_leave_one_after_the_other(place: Any) -> None:
    left = await leave(place)
    again = await leave(place, Leg(worth_s=0.0, goes_on=True, published=left.published))
    assert set(again.task_uuids) <= set(left.task_uuids)
    place.audit(await go_on(place, again), RECORDS)


async def test_a_wish_to_ask_anew_is_one_wish_for_all_legs_and_a_budget_one_budget(place: Any) -> None:
    await place.run()
    wish = {"refresh": RUN, "budget": {"tokens": 10_000_000}}
    left = await leave(place, **wish)
    manifest = await go_on(place, left, **wish)
    assert place.executed() == 2 * RECORDS
    assert manifest["paid_inferences"] == RECORDS
    assert manifest["generation"] == 1


async def test_a_leg_that_has_nothing_to_send_collects_what_is_paid_for_whatever_the_budget_says(
    place: Any,
) -> None:
    left = await leave(place, budget={"tokens": 10_000_000})
    manifest = await go_on(place, left, budget={"tokens": 100})
    assert manifest["outcomes"] == {"succeeded": RECORDS}
    assert manifest["paid_inferences"] == RECORDS == place.executed()
    place.audit(manifest, RECORDS)


async def test_a_leg_that_has_more_to_send_than_the_budget_pays_for_collects_first_and_then_stops(
    place: Any,
) -> None:
    left = await leave(place, budget={"tokens": 10_000_000})
    place.fill(2 * RECORDS)
    with pytest.raises(BudgetExhausted, match="is used up") as stopped:
        await go_on(place, left, budget={"tokens": 1_000})
    told = stopped.value.manifest
    assert told["paid_inferences"] == RECORDS == place.executed()
    assert told["still_at_vendor"] == 0


@pytest.mark.parametrize("run", [RUN, "another run", None])
async def test_a_job_that_the_budget_refuses_collects_first_what_whichever_run_has_paid_for(
    place: Any, run: str | None
) -> None:
    await leave(place, budget={"tokens": 10_000_000})
    place.fill(2 * RECORDS)
    collected = 0
    async with asyncio.timeout(60):
        while collected < RECORDS:  # each refused try takes what is there by now
            with pytest.raises(BudgetExhausted, match="nothing was sent") as refused:
                await place.run(run=run, budget={"tokens": 1_000})
            still = refused.value.manifest["still_at_vendor"]
            assert collected <= RECORDS - still
            collected = RECORDS - still
    assert refused.value.manifest["to_pay"] == RECORDS
    assert place.executed() == RECORDS
    manifest = await place.run(run=run, limit=RECORDS)
    assert manifest["outcomes"] == {"succeeded": RECORDS}
    assert place.executed() == RECORDS


async def test_who_is_killed_in_a_later_leg_loses_nothing(place: Any) -> None:
    left = await leave(place)
    stop = asyncio.Event()
    stop.set()
    leg = Leg(worth_s=0.0, goes_on=True, published=left.published)
    with pytest.raises(Interrupted) as stopped:
        await run_job(place.spec(run=RUN), place.endpoint, stop=stop, leg=leg)
    assert stopped.value.manifest["paid_inferences"] >= CANARY
    place.audit(await place.run(), RECORDS)


async def test_a_leg_does_not_replace_the_rows_of_another_source_that_was_published_while_it_waited(
    place: Any,
) -> None:
    left = await leave(place)
    other = place.root / "other"
    place.fill(["Invoice 1 from Shop 1 GmbH\nTotal: 1.50 EUR"], name="../other/a.parquet")
    await place.run(source=str(other))
    with pytest.raises(BadInput, match=r"published .*other") as refused:
        await go_on(place, left)
    assert refused.value.field == "source"
    assert len(place.rows()) == 1


async def test_a_leg_replaces_what_its_own_source_published_while_it_waited(place: Any) -> None:
    left = await leave(place)
    await place.run()
    manifest = await go_on(place, left)
    assert manifest["outcomes"] == {"succeeded": RECORDS}
    assert place.executed() == RECORDS


async def test_a_shard_is_done_in_legs_as_well(place: Any) -> None:
    spec = place.spec(run=RUN)
    (shard,) = await split_shards(spec, place.endpoint, shards=1, least_rows=1)
    which = {"split": shard["split"], "shard": shard["shard"]}
    with pytest.raises(AllSent) as left:
        await infer_shard(spec, place.endpoint, **which, leg=AT_ONCE)
    leg = Leg(goes_on=True, published=left.value.published)
    told = await infer_shard(spec, place.endpoint, **which, leg=leg)
    assert (told["paid_inferences"], told["outcomes"]) == (RECORDS, {"succeeded": RECORDS})
    manifest = await publish_shards(spec, place.endpoint, split=shard["split"])
    place.audit(manifest, RECORDS)
