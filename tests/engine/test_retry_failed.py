"""What failed is asked again at a wish with a name, and only that; also what was lost is left alone at a wish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.errors import JobStopped
from runware_provider.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS = ["plain", "broken", "refused", "filtered", "plain", "failing", "plain", "plain"]
FAULTS = (
    Fault("break_schema", contains="broken"),
    Fault("refuse_task", contains="refused", code="invalidMessages"),
    Fault("content_filter", contains="filtered"),
    Fault("fail_task", contains="failing", code="providerBadRequest"),
)
FIRST = ["succeeded", "invalid", "failed", "refused", "succeeded", "failed", "succeeded", "succeeded"]


def fill(place: Any) -> None:
    place.fill([f"{word} {n}\nTotal: {n}.50 EUR" for n, word in enumerate(WORDS)])


async def failed_once(place: Any, **changes: Any) -> None:
    place.server.script(*FAULTS)
    fill(place)
    await place.run(**changes)
    assert [row["inference"]["outcome"] for row in place.rows() if not row["inference"]["sample"]] == FIRST


def uuids(place: Any) -> list[str]:
    return [row["inference"]["task_uuid"] for row in place.rows()]


async def test_only_what_did_not_succeed_is_asked_again_under_new_uuids(place: Any) -> None:
    await failed_once(place)
    before, asked = uuids(place), place.executed()
    place.server.clear_faults()
    manifest = await place.run(retry_failed="monday")
    assert manifest["outcomes"] == {"succeeded": 8}
    assert manifest["paid_inferences"] == place.executed() - asked == 4
    same = [old == new for old, new in zip(before, uuids(place), strict=True)]
    assert same == [outcome == "succeeded" for outcome in FIRST]
    assert [row["result"]["total"] for row in place.rows()] == [n + 0.5 for n in range(8)]


async def test_the_same_name_asks_once_and_another_name_again(place: Any) -> None:
    await failed_once(place)
    bill = place.server.bill_summary
    await place.run(retry_failed="monday")
    assert place.outcomes() == FIRST
    before, paid = place.rows(), bill()["executed"]
    await place.run(retry_failed="monday")
    assert (place.rows(), bill()["executed"]) == (before, paid)
    place.server.clear_faults()
    assert (await place.run(retry_failed="monday"))["outcomes"]["succeeded"] == 4
    assert (await place.run(retry_failed="tuesday"))["outcomes"] == {"succeeded": 8}
    assert bill()["executed"] == paid + 4


async def test_what_was_asked_again_stays_so_without_the_wish(place: Any) -> None:
    await failed_once(place)
    place.server.clear_faults()
    await place.run(retry_failed="monday")
    before, paid = place.rows(), place.executed()
    await place.run()
    assert (place.rows(), place.executed()) == (before, paid)


async def test_each_sample_is_asked_again_for_itself(place: Any) -> None:
    place.server.script(Fault("break_schema", nth=(2, 5)))
    place.fill(4)
    await place.run(samples=3, settings={"temperature": 1.0})
    failed = [n for n, outcome in enumerate(place.outcomes()) if outcome == "invalid"]
    before, paid = uuids(place), place.executed()
    assert len(failed) == 2
    place.server.clear_faults()
    assert (await place.run(samples=3, settings={"temperature": 1.0}, retry_failed="x"))["outcomes"] == {
        "succeeded": 12
    }
    changed = [n for n, pair in enumerate(zip(before, uuids(place), strict=True)) if pair[0] != pair[1]]
    assert (changed, place.executed() - paid) == (failed, 2)


async def test_a_wish_that_was_stopped_goes_on_and_pays_no_answer_twice(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    place.server.script(Fault("break_schema"))
    place.fill(12)
    await place.run()
    place.server.clear_faults()
    place.server.script(Fault("refuse_task", after=5, code="insufficientCredits"))
    with pytest.raises(JobStopped):
        await place.run(retry_failed="monday")
    assert place.executed() == 12 + 5
    place.server.clear_faults()
    assert (await place.run(retry_failed="monday"))["outcomes"] == {"succeeded": 12}
    assert place.executed() == 24


async def test_rows_that_ask_the_same_are_asked_again_once_across_batches(place: Any) -> None:
    place.server.script(Fault("break_schema", contains="same"))
    place.fill(["same: Total: 1.50 EUR"] * 9 + ["other: Total: 2.50 EUR"])
    await place.run(limits={"batch_rows": 3})
    paid = place.executed()
    place.server.clear_faults()
    manifest = await place.run(limits={"batch_rows": 3}, retry_failed="x")
    assert (manifest["outcomes"], manifest["rows"]) == ({"succeeded": 10}, 10)
    assert place.executed() == paid + 1


async def test_a_plan_counts_what_a_wish_will_ask_again_the_invalid_and_filtered_too(place: Any) -> None:
    await failed_once(place)
    planned = place.plan(retry_failed="monday")
    assert (planned["answered_before"], planned["failed_before"], planned["to_pay"]) == (4, 0, 4)
    assert place.plan()["to_pay"] == 0
    before = place.executed()
    place.server.clear_faults()
    await place.run(retry_failed="monday")
    assert place.executed() - before == planned["to_pay"]
    assert place.plan(retry_failed="monday")["to_pay"] == 0


async def test_a_plan_knows_that_a_wish_was_fulfilled(place: Any) -> None:
    await failed_once(place)
    await place.run(retry_failed="monday")
    assert place.outcomes() == FIRST
    assert place.plan(retry_failed="monday")["to_pay"] == 0
    assert place.plan(retry_failed="tuesday")["to_pay"] == 4


# what was lost


async def test_a_lost_inference_is_left_alone_where_the_user_wants_that(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(faults=(Fault("never_finish", contains="Shop 1 "),))
    place.fill(3)
    limits = {"deadline_s": 0.3, "retry_lost": False}
    manifest = await place.run(limits=limits)
    assert manifest["outcomes"] == {"succeeded": 2, "failed": 1}
    lost = place.rows()[1]["inference"]
    assert (lost["outcome"], lost["error_code"]) == ("failed", "taskLost")
    assert "billed" in lost["error_message"]
    assert manifest["maybe_billed"] == 1
    paid = place.executed()
    await place.run(limits=limits)
    assert place.executed() == paid
    # The other way round the attempts that are left are used.
    place.server.clear_faults()
    assert (await place.run(retry_failed="found out", limits=limits))["outcomes"] == {"succeeded": 3}


async def test_a_lost_inference_is_asked_again_by_default(new_place: Callable[..., Any]) -> None:
    place = new_place(faults=(Fault("never_finish", contains="Shop 1 ", times=1),))
    place.fill(3)
    assert (await place.run(limits={"deadline_s": 0.3}))["outcomes"] == {"succeeded": 3}
