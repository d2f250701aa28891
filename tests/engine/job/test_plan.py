"""A plan says what a run then does, and sends nothing."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import pyarrow as pa
import pytest

from runware_provider.engine.errors import BadInput, JobStopped
from runware_provider.testing import Fault

SEEDS = 8


async def test_a_plan_sends_nothing_and_leaves_nothing_behind(place: Any) -> None:
    place.fill(5)
    planned = place.plan()
    assert (planned["records"], planned["to_pay"], planned["files"]) == (5, 5, 1)
    assert place.asked_nothing()
    assert not place.state.exists()


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_a_plan_counts_what_a_run_then_pays(place: Any, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - a test that repeats itself
    place.server.script(Fault("refuse_task", contains="poison", code="invalidMessages"))
    # Duplicates, nulls and blanks, cut into small batches.
    pool = [f"Total: {n}.50 EUR" for n in range(6)] + [None, "", "poison", "x" * 400]
    changes = {
        "limits": {"batch_rows": dice.randint(1, 5), "max_prompt_chars": 300},
        "samples": dice.randint(1, 2),
    }
    for step in range(3):
        place.fill([dice.choice(pool) for _ in range(dice.randint(0, 12))], name=f"{step}.parquet")
        more = {"limit": dice.choice([None, 7]), "settings": {"seed": dice.choice([1, 1, 2])}}
        planned = place.plan(**changes, **more)
        manifest = await place.run(**changes, **more)
        asked = planned["to_pay"] + planned["fate_unknown"]
        failed = manifest["inferences"] - planned["answered_before"] - planned["failed_before"]
        assert asked == failed
        assert manifest["paid_inferences"] <= asked
        samples = changes["samples"]
        assert sum(planned["skipped"].values()) == manifest["outcomes"].get("skipped", 0)
        assert manifest["rows"] == planned["records"] * samples
        again = place.plan(**changes, **more)
        assert (again["to_pay"], again["fate_unknown"]) == (0, 0)


@pytest.mark.parametrize("seed", range(SEEDS // 2))
async def test_a_run_pays_what_its_plan_said_whatever_was_stopped_before_and_however_the_wishes_change(
    place: Any, seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311 - a test that repeats itself
    place.fill(12)
    for trial in range(3):
        place.server.script(
            Fault("break_schema", contains=f"Shop {dice.randint(0, 9)}"),
            Fault(
                dice.choice(["cut_before_work", "cut_after_work"]),
                nth=dice.randint(2, 4),
                task_type="textInference",
            ),
            Fault("fail_task", contains=f"Shop {dice.randint(0, 9)} ", code="providerError"),
        )
        with contextlib.suppress(JobStopped):
            await place.run(
                **_a_wish(dice, trial), limits={"unreachable_s": 0.3, "tasks_per_request": 3, "attempts": 1}
            )
        place.server.clear_faults()
        wish = _a_wish(dice, trial)
        planned, before = place.plan(**wish, limits={"attempts": 1}), place.executed()
        await place.run(**wish, limits={"attempts": 1})
        assert planned["to_pay"] <= place.executed() - before <= planned["to_pay"] + planned["fate_unknown"]
        assert place.plan(**wish, limits={"attempts": 1})["to_pay"] == 0


def _a_wish(dice: random.Random, trial: int) -> dict[str, Any]:
    return {
        "answers": {"output_retries": dice.randint(0, 2)},
        "retry_failed": dice.choice([None, f"retry {trial}"]),
        "settings": {"seed": dice.choice([1, 1, 1, 2])},
    }


async def test_a_plan_tells_answered_from_failed(place: Any) -> None:
    place.fill(["Total: 1.50 EUR", "poison", "Total: 3.50 EUR"])
    place.server.script(Fault("refuse_task", contains="poison", code="invalidMessages"))
    await place.run()
    planned = place.plan()
    assert (planned["answered_before"], planned["failed_before"], planned["to_pay"]) == (2, 1, 0)


async def test_a_plan_counts_what_was_under_way_apart(new_place: Any) -> None:
    place = new_place()
    place.fill(12)
    place.server.script(Fault("refuse_task", after=5, code="insufficientCredits"))
    with pytest.raises(JobStopped):
        await place.run()
    planned = place.plan()
    assert planned["answered_before"] == 5
    assert planned["fate_unknown"] + planned["to_pay"] == 7
    assert planned["fate_unknown"] > 0


async def test_a_plan_of_a_wish_to_ask_anew_counts_everything_and_opens_no_generation(place: Any) -> None:
    place.fill(4)
    await place.run()
    assert place.plan(refresh="again")["to_pay"] == 4
    assert not (place.state / "generations").exists()
    assert (await place.run())["paid_inferences"] == 0


async def test_a_plan_knows_that_everything_was_asked_anew_at_this_wish(place: Any) -> None:
    place.fill(4)
    await place.run()
    await place.run(refresh="monday", limit=3)
    assert place.plan(refresh="monday")["to_pay"] == 1
    assert place.plan(refresh="tuesday")["to_pay"] == 4
    assert place.plan()["to_pay"] == 0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, []),
        ({"prompt": "Anew: {{ record.body }}"}, ["prompt"]),
        ({"model": "qwen-3.5-plus"}, ["model"]),
        ({"system_prompt": "Be exact.", "settings": {"temperature": 1}}, ["system_prompt", "settings"]),
        (
            {"output_type": {"type": "object", "title": "X", "properties": {"a": {"type": "string"}}}},
            ["schema"],
        ),
        ({"answers": {"output_mode": "prompt"}}, ["answers.output_mode"]),
    ],
)
async def test_a_plan_says_which_parts_of_the_request_changed(
    place: Any, changes: dict[str, Any], named: list[str]
) -> None:
    place.fill(2)
    assert place.plan()["changed"] == []
    await place.run()
    planned = place.plan(**changes)
    assert planned["changed"] == named
    assert planned["to_pay"] == (2 if named else 0)


async def test_an_estimate_is_based_on_answers_as_soon_as_there_are_some(place: Any) -> None:
    place.fill(10)
    prices = {"deepseek-v4-pro": (1e-6, 2e-6)}
    assumed = place.plan(model="nobody:knows@1")["estimate"]
    assert (assumed["cost_usd"], assumed["based_on"]) == (None, "an assumption, not a measurement")
    seen = place.plan()["estimate"]
    assert seen["cost_usd"] > 0
    assert seen["priced_by"] == "the price list as this version knows it"
    await place.run(limit=4)
    from_answers = place.plan(prices=prices)["estimate"]
    assert from_answers["based_on"] == "taken from the answers of this job"
    assert from_answers["completion_tokens_each"] == 10
    said = from_answers["prompt_tokens"] * 1e-6 + from_answers["completion_tokens"] * 2e-6
    assert from_answers["cost_usd"] == pytest.approx(said, abs=1e-6)


def test_an_estimate_never_expects_more_than_an_answer_may_have(place: Any) -> None:
    place.fill(10)
    short = place.plan(settings={"max_tokens": 200})["estimate"]
    assert (short["completion_tokens_each"], short["completion_tokens"]) == (200, 2000)
    assert place.plan()["estimate"]["completion_tokens_each"] == 250


async def test_a_plan_says_what_it_costs_at_most_and_a_run_never_costs_more(place: Any) -> None:
    place.fill(10)
    changes = {"settings": {"max_tokens": 200}, "answers": {"output_retries": 2}}
    most = place.plan(**changes)["estimate"]["at_most"]
    assert (most["inferences"], most["completion_tokens"], most["max_tokens_each"]) == (30, 6000, 200)
    place.server.script(Fault("break_schema"))
    manifest = await place.run(**changes, failures={"most": None})
    assert manifest["paid_inferences"] == most["inferences"]
    assert manifest["cost_usd"] <= most["cost_usd"]
    assert place.plan(model="nobody:knows@1", **changes)["estimate"]["at_most"]["cost_usd"] is None


def test_a_plan_of_an_empty_source_is_a_plan_of_nothing(place: Any) -> None:
    place.fill(0)
    planned = place.plan()
    assert (planned["records"], planned["to_pay"]) == (0, 0)


def test_a_plan_warns_of_a_model_that_nobody_knows(place: Any) -> None:
    place.fill(1)
    assert place.plan()["warnings"] == []
    assert "no-such-model" in place.plan(model="no-such-model")["warnings"][0]


async def test_a_plan_refuses_what_a_run_refuses(place: Any) -> None:
    place.fill(1)
    await place.run()
    for changes in (
        {"publish": {"columns": ("nope",)}},
        {"publish": {"if_exists": "error"}},
        {"prompt": "{{ record.bdy }}"},
    ):
        with pytest.raises(BadInput) as by_run:
            await place.run(**changes)
        with pytest.raises(BadInput) as by_plan:
            place.plan(**changes)
        assert str(by_plan.value) == str(by_run.value)


def test_a_record_that_python_cannot_hold_is_planned_as_skipped(place: Any) -> None:
    text = pa.array([b"Total: 1.50 EUR", b"\xff"]).view(pa.string())
    place.put(pa.table({"n": range(2), "body": text}))
    planned = place.plan()
    assert (planned["to_pay"], planned["skipped"]) == (1, {"prompt_error": 1})


async def test_an_upper_bound_is_what_the_run_has_spent_and_what_the_rest_may_come_to(place: Any) -> None:
    place.fill(6)
    bound = place.plan(run="a run")["upper_bound"]
    assert (bound["spent_usd"], bound["spent_tokens"]) == (0, 0)
    assert bound["usd"] >= place.plan(run="a run")["estimate"]["at_most"]["cost_usd"] > 0
    manifest = await place.run(run="a run")
    after = place.plan(run="a run")["upper_bound"]
    assert after["spent_usd"] == pytest.approx(manifest["paid_usd"])
    assert (after["usd"], after["tokens"]) == (0, 0)
    # Another run has spent nothing yet.
    assert place.plan(run="another run")["upper_bound"]["spent_usd"] == 0


@pytest.mark.parametrize("records", [1, 7])
@pytest.mark.parametrize("max_tokens", [20, 4_000])
async def test_a_run_whose_budget_is_its_upper_bound_is_never_refused(
    place: Any, records: int, max_tokens: int
) -> None:
    place.fill(records)
    changes = {"run": "a run", "settings": {"max_tokens": max_tokens}, "output_type": None}
    bound = place.plan(**changes)["upper_bound"]
    manifest = await place.run(**changes, budget={"usd": bound["usd"]})
    assert manifest["outcomes"] == {"succeeded": records}
    assert manifest["paid_usd"] <= bound["usd"]
