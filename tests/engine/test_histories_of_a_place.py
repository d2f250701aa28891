"""Whatever ledgers of a place a question has gone through, what was paid for is found, and nothing is paid for twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.errors import BadInput, StateUnreadable
from runware_provider.testing import Fault
from tests.engine.test_shards import all_three, infer, publish, split

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS = 20
RETRIED = {"answers": {"output_retries": 1}}
ANEW = {"refresh": "anew"}
AGAIN = {"retry_failed": "again"}
PARTIAL = {"when_short": "partial", "usd_per_million": (0.435, 0.87)}

Step = tuple[int, dict[str, Any]]
"""How many shards, 0 for a plain run; and what is wished besides."""
SEQUENCES: dict[str, tuple[list[Step], int]] = {
    "back and forth": ([(2, {}), (3, {}), (0, {}), (2, {}), (0, {}), (5, {}), (1, {})], RECORDS),
    "a refresh in shards, then plain": ([(0, {}), (2, ANEW), (0, ANEW), (0, {})], 2 * RECORDS),
    "a refresh over re-splits": ([(2, {}), (3, ANEW), (2, ANEW), (2, {})], 2 * RECORDS),
    "samples": ([(2, {"samples": 2}), (3, {"samples": 3}), (0, {"samples": 3})], 3 * RECORDS),
}
"""The steps, and how many inferences they come to."""


async def walk(place: Any, steps: list[Step]) -> dict[str, Any]:
    manifest: dict[str, Any] = {}
    for shards, changes in steps:
        manifest = await (all_three(place, shards, **changes) if shards else place.run(**changes))
    return manifest


def cost(place: Any) -> float:
    return float(place.server.bill_summary()["cost_usd"])


@pytest.mark.parametrize("name", SEQUENCES)
async def test_answers_go_where_their_questions_go(new_place: Callable[..., Any], name: str) -> None:
    steps, executed = SEQUENCES[name]
    place = new_place()
    place.fill(RECORDS)
    manifest = await walk(place, steps)
    assert place.executed() == executed
    assert manifest["outcomes"].keys() == {"succeeded"}
    assert manifest["cost_usd_ever"] == pytest.approx(cost(place))


@pytest.mark.parametrize("first", [0, 2])
@pytest.mark.parametrize("last", [0, 3])
async def test_a_look_at_a_few_records_or_another_prompt_does_not_hide_what_was_answered(
    new_place: Callable[..., Any], first: int, last: int
) -> None:
    place = new_place()
    place.fill(RECORDS)
    other = {"prompt": "Else?\n{{ record.body }}"}
    await walk(place, [(first, {}), (last, {**other, "limit": 5}), (last, {"limit": 4})])
    assert place.executed() == RECORDS + 5
    manifest = await walk(place, [(last, {}), (first, {}), (last, {**other, "limit": 5}), (last, {})])
    assert place.executed() == RECORDS + 5
    assert manifest["outcomes"] == {"succeeded": RECORDS}
    assert manifest["cost_usd_ever"] == pytest.approx(cost(place))


@pytest.mark.parametrize("steps", [[(0, {}), (2, RETRIED)], [(2, {}), (3, RETRIED)], [(2, RETRIED)]])
@pytest.mark.parametrize("last", [(0, RETRIED), (0, {}), (2, RETRIED), (4, RETRIED)])
async def test_output_retries_go_where_their_questions_go(
    new_place: Callable[..., Any], steps: list[Step], last: Step
) -> None:
    place = new_place(faults=(Fault("break_schema", without="assistant"),))
    place.fill(RECORDS)
    await walk(place, steps)
    assert place.executed() == 2 * RECORDS
    manifest = await walk(place, [last])
    assert (place.executed(), manifest["outcomes"]) == (2 * RECORDS, {"succeeded": RECORDS})
    assert manifest["cost_usd_ever"] == pytest.approx(cost(place))


def refused() -> Fault:
    return Fault("fail_task", contains="0 GmbH", code="contentPolicyViolation", charge=True)


async def test_an_error_goes_where_its_question_goes(new_place: Callable[..., Any]) -> None:
    place = new_place(faults=(refused(),))
    place.fill(RECORDS)
    manifest = await walk(place, [(2, {}), (3, {}), (0, {}), (2, {})])
    assert (place.executed(), manifest["outcomes"]) == (RECORDS, {"refused": 2, "succeeded": RECORDS - 2})
    assert manifest["cost_usd_ever"] == pytest.approx(cost(place))


@pytest.mark.parametrize("first", [0, 2])
@pytest.mark.parametrize("last", [(0, AGAIN), (0, {}), (3, AGAIN)])
async def test_what_succeeded_when_it_was_asked_again_is_shown_by_whoever_goes_on(
    new_place: Callable[..., Any], first: int, last: Step
) -> None:
    place = new_place(faults=(refused(),))
    place.fill(RECORDS)
    await walk(place, [(first, {})])
    place.server.clear_faults()
    manifest = await walk(place, [(2, AGAIN), last])
    assert (place.executed(), manifest["outcomes"]) == (RECORDS + 2, {"succeeded": RECORDS})


async def test_the_bill_is_right_when_an_old_split_is_found_again(new_place: Callable[..., Any]) -> None:
    place = new_place()
    for records in (RECORDS, RECORDS + 5, RECORDS):
        place.fill(records)
        manifest = await all_three(place, 2)
    assert place.executed() == RECORDS + 5
    assert manifest["cost_usd_ever"] == pytest.approx(cost(place))


BUDGETED: list[list[int]] = [[1, 4], [0, 4], [4, 0], [4, 2, 4]]


@pytest.mark.parametrize("steps", BUDGETED)
async def test_a_budget_is_one_whatever_ledgers_it_goes_through(
    new_place: Callable[..., Any], steps: list[int]
) -> None:
    place = new_place()
    place.fill(200)
    whole = await place.run(destination=str(place.root / "measured"), memory={"state": None})
    usd, before = whole["cost_usd"] / 2, cost(place)
    wish = {"budget": {"usd": usd, **PARTIAL}, "run": "r"}
    await walk(place, [(shards, wish) for shards in steps])
    await split(place, 3, **wish)
    await walk(place, [(3, wish)])
    assert cost(place) - before <= 1.05 * usd


async def test_what_a_budget_did_not_reach_for_is_asked_with_another(new_place: Callable[..., Any]) -> None:
    place = new_place()
    place.fill(200)
    first = await all_three(place, 2, budget={"usd": 0.005, **PARTIAL})
    assert first["outcomes"]["skipped"]
    second = await all_three(place, 2, budget={"usd": 5.0, **PARTIAL})
    assert (second["outcomes"], place.executed()) == ({"succeeded": 200}, 200)


async def test_more_attempts_are_made_where_more_are_allowed(new_place: Callable[..., Any]) -> None:
    place = new_place(faults=(Fault("fail_task", contains="0 GmbH", code="providerError"),))
    place.fill(RECORDS)
    first = await all_three(place, 2, limits={"attempts": 1})
    assert first["outcomes"]["failed"] == 2
    place.server.clear_faults()
    second = await all_three(place, 2, limits={"attempts": 3})
    assert second["outcomes"] == {"succeeded": RECORDS}


@pytest.mark.parametrize(("of_split", "of_infer"), [({}, ANEW), (ANEW, {}), (ANEW, {"refresh": "other"})])
async def test_a_wish_to_ask_anew_is_the_same_for_all_verbs(
    new_place: Callable[..., Any], of_split: dict[str, Any], of_infer: dict[str, Any]
) -> None:
    place = new_place()
    place.fill(RECORDS)
    cut = await split(place, 2, **of_split)
    with pytest.raises(BadInput, match="what is asked changed"):
        await infer(place, cut[0], **of_infer)


async def test_a_ledger_of_the_place_that_cannot_be_read_is_an_error_and_nothing_is_paid(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    place.fill(RECORDS)
    await place.run()
    cut = await split(place, 2)
    for segment in (place.state / "ledger").glob("*.segment"):
        segment.write_bytes(b"no segment")
    with pytest.raises(StateUnreadable):
        await infer(place, cut[0])
    assert place.executed() == RECORDS


async def test_a_split_that_is_lost_or_damaged_is_an_error(new_place: Callable[..., Any]) -> None:
    place = new_place()
    place.fill(RECORDS)
    cut = await split(place, 2)
    await infer(place, cut[0])
    path = place.state / "split.json"
    whole = path.read_text(encoding="utf-8")
    for damage in ("", "{}", "[]", whole[:100], whole.replace('"folders": 2', '"folders": 1')):
        path.write_text(damage, encoding="utf-8")
        with pytest.raises(StateUnreadable, match=r"split\.json is damaged"):
            await place.run()
    path.unlink()
    with pytest.raises(StateUnreadable, match=r"split\.json is missing"):
        await place.run()
    path.write_text(whole, encoding="utf-8")
    assert (await place.run())["outcomes"] == {"succeeded": RECORDS}
    assert place.executed() == RECORDS


async def test_a_shards_account_that_lacks_rows_is_an_error(new_place: Callable[..., Any]) -> None:
    place = new_place()
    place.fill(RECORDS)
    cut = await split(place, 2)
    for shard in cut:
        await infer(place, shard)
    (path,) = (place.state / "shards" / "0001").glob("done-*.json")
    whole = path.read_text(encoding="utf-8")
    for damage in (
        whole.replace('"rows": 10', '"rows": 9', 1),
        whole.replace('"records": 10', '"records": "ten"'),
    ):
        assert damage != whole
        path.write_text(damage, encoding="utf-8")
        with pytest.raises(StateUnreadable, match=r"done-.*\.json is damaged"):
            await publish(place, cut)
    path.write_text(whole, encoding="utf-8")
    assert (await publish(place, cut))["rows"] == RECORDS


RUNS: dict[str, list[tuple[int, str]]] = {
    "cut into fewer shards": [(4, "first"), (2, "first")],
    "nothing to do for the second run": [(2, "first"), (2, "second")],
    "shards after a plain run of the same name": [(0, "first"), (3, "first")],
    "a plain run after shards of the same name": [(3, "first"), (0, "first")],
    "shards, a plain run, and shards again": [(4, "first"), (0, "second"), (2, "first")],
}


@pytest.mark.parametrize("name", RUNS)
async def test_what_the_runs_say_that_they_paid_is_the_bill(new_place: Callable[..., Any], name: str) -> None:
    place = new_place()
    said: dict[str, float] = {}
    for number, (shards, run) in enumerate(RUNS[name]):
        place.fill(RECORDS + (5 * number if run == "first" else 0))
        said[run] = (await walk(place, [(shards, {"run": run})]))["paid_usd"]
    assert sum(said.values()) == pytest.approx(cost(place))
