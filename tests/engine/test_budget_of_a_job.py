"""A budget is kept: nothing is begun that it does not pay for, and what it paid for is never paid again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runware_provider.engine.errors import BadInput, BudgetExhausted, RequestRefused, Unreachable
from runware_provider.engine.job.run import run_job
from runware_provider.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

CHEAP = (0.000_1, 0.000_1)
"""USD per million tokens, far below what is charged."""
PARTIAL = {"when_short": "partial"}


def spent(place: Any) -> float:
    return float(place.server.bill()["cost_usd"])


@pytest.mark.parametrize("budget", [{"usd": 0.001}, {"tokens": 500}])
async def test_a_job_whose_estimate_exceeds_the_budget_sends_nothing(place: Any, budget: Any) -> None:
    place.fill(50)
    planned = place.plan(budget=budget)
    assert "exceed the budget" in planned["budget"]["exceeded"]
    with pytest.raises(BudgetExhausted, match="nothing was sent") as stopped:
        await place.run(budget=budget)
    assert place.executed() == 0
    assert stopped.value.manifest["to_pay"] == 50
    assert not place.destination.exists()


async def test_a_job_that_was_refused_tells_as_much_as_one_that_stopped_later(place: Any) -> None:
    place.fill(50)
    with pytest.raises(BudgetExhausted) as before:
        await place.run(budget={"tokens": 500}, filters=[("n", "<", 40)])
    with pytest.raises(BudgetExhausted) as later:
        await place.run(budget={"usd": 0.002, "usd_per_million": CHEAP}, filters=[("n", "<", 40)])
    refused, stopped = before.value.manifest, later.value.manifest
    assert refused.keys() == stopped.keys() | {"to_pay"}
    assert (refused["status"], refused["outcomes"], refused["records_done"]) == ("stopped", {}, 0)
    assert (refused["records"], refused["records_left_out"]) == (40, 10)


@pytest.mark.parametrize("budget", [{"usd": 1.0}, {"tokens": 1_000_000}])
async def test_a_budget_that_lasts_changes_nothing(place: Any, budget: Any) -> None:
    place.fill(30)
    manifest = await place.run(budget=budget)
    assert (manifest["outcomes"], place.executed()) == ({"succeeded": 30}, 30)


async def test_a_price_that_was_too_low_stops_the_job_within_its_budget(place: Any) -> None:
    place.fill(100)
    low = {"usd": 0.002, "usd_per_million": CHEAP}
    with pytest.raises(BudgetExhausted, match="is used up"):
        await place.run(budget=low)
    paid = place.executed()
    assert 5 <= paid < 100
    assert spent(place) <= 0.002
    assert not place.destination.exists()
    manifest = await place.run(budget={"usd": 1.0})
    assert manifest["outcomes"] == {"succeeded": 100}
    assert place.executed() == 100


@pytest.mark.parametrize("budget", [{"usd": 0.002}, {"tokens": 1_500}])
async def test_a_part_is_published_where_the_user_wants_that(place: Any, budget: Any) -> None:
    place.fill(60)
    changes = {"limits": {"batch_rows": 7}}
    manifest = await place.run(budget={**budget, **PARTIAL}, **changes)
    done = manifest["outcomes"]["succeeded"]
    assert 0 < done < 60
    assert manifest["outcomes"] == {"succeeded": done, "skipped": 60 - done}
    assert manifest["reasons"] == {"budget": 60 - done}
    assert len(place.rows()) == 60
    assert (await place.run(**changes))["paid_inferences"] == 60 - done
    assert place.executed() == 60


@pytest.mark.parametrize(
    "budget",
    [{"tokens": 9_000, **PARTIAL}, {"usd": 0.01, "usd_per_million": CHEAP}],
    ids=["partial", "stop"],
)
async def test_a_budget_keeps_back_what_answers_that_do_not_fit_need_to_be_asked_again(
    place: Any, budget: Any
) -> None:
    """Without that a third of the answers that it buys does not fit, and nothing is left to have them mended."""
    place.server.script(Fault("break_schema", probability=0.3, without="assistant"))
    place.fill(300)
    try:
        manifest = await place.run(budget=budget, answers={"output_retries": 1})
    except BudgetExhausted as stopped:
        manifest = stopped.manifest
    outcomes = manifest["outcomes"]
    assert outcomes["succeeded"] > 50
    assert outcomes.get("invalid", 0) <= 0.12 * outcomes["succeeded"]
    bill = place.server.bill()
    assert bill["executed"] < 115
    assert bill["prompt_tokens"] + bill["completion_tokens"] <= budget.get("tokens", 10**9)
    assert bill["cost_usd"] <= budget.get("usd", 1.0)


async def test_a_first_chunk_that_the_budget_cuts_short_ends(place: Any) -> None:
    place.fill(20)
    manifest = await place.run(budget={"tokens": 1_500, **PARTIAL})
    assert 0 < manifest["outcomes"]["succeeded"] < 20
    assert manifest["outcomes"]["skipped"] == 20 - manifest["outcomes"]["succeeded"]


async def test_a_budget_that_pays_for_nothing_leaves_a_dataset_of_skipped_rows(place: Any) -> None:
    place.fill(8)
    manifest = await place.run(budget={"tokens": 1, **PARTIAL}, failures={"most": 0.1})
    assert (manifest["outcomes"], place.executed()) == ({"skipped": 8}, 0)


async def test_rows_that_ask_the_same_are_skipped_together(place: Any) -> None:
    place.fill(["Total: 1.50 EUR"] * 4 + ["Total: 2.50 EUR"] * 4)
    manifest = await place.run(budget={"tokens": 1, **PARTIAL}, limits={"batch_rows": 3})
    assert (manifest["outcomes"], manifest["rows"]) == ({"skipped": 8}, 8)


async def test_tries_of_one_run_share_a_budget_and_another_run_has_its_own(place: Any) -> None:
    place.fill(60)
    budget = {"tokens": 2_500, **PARTIAL}
    first = await place.run(budget=budget, run="monday")
    paid = place.executed()
    assert 0 < paid < 60
    again = await place.run(budget=budget, run="monday")
    assert place.executed() - paid <= 2  # what was kept free as a margin may pay for one more
    assert again["outcomes"]["succeeded"] >= first["outcomes"]["succeeded"]
    paid = place.executed()
    await place.run(budget=budget, run="tuesday")
    assert place.executed() > paid + 2


async def test_what_a_stopped_try_paid_counts_for_the_next_one_of_the_run(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    place.fill(40)
    place.server.script(Fault("refuse_task", after=20, code="insufficientCredits"))
    with pytest.raises(Exception, match=r"refuse|credit|account|insufficient"):
        await place.run(run="monday", budget={"tokens": 100_000})
    place.server.clear_faults()
    planned = place.plan(run="monday", budget={"tokens": 100_000})
    assert planned["budget"]["spent_tokens"] > 20 * 20
    assert place.plan(run="tuesday", budget={"tokens": 100_000})["budget"]["spent_tokens"] == 0


async def test_answers_without_a_reported_cost_count_as_expected(place: Any) -> None:
    place.server.script(Fault("no_cost"))
    place.fill(60)
    manifest = await place.run(budget={"usd": 0.003, **PARTIAL})
    assert 0 < manifest["outcomes"]["succeeded"] < 60
    assert spent(place) <= 0.003


async def test_a_budget_in_money_for_a_model_without_a_price_is_refused(place: Any) -> None:
    place.fill(3)
    with pytest.raises(BadInput, match=r"budget.usd: the API names no price for 'nobody-knows-it'"):
        await place.run(model="nobody-knows-it", budget={"usd": 1.0})
    assert place.executed() == 0


class Busy(httpx.AsyncHTTPTransport):
    """A network on which the API is too busy to list its prices."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/models"):
            return httpx.Response(503)
        return await super().handle_async_request(request)


async def test_a_budget_in_money_is_tried_again_where_the_api_did_not_list_its_prices(place: Any) -> None:
    place.fill(3)
    spec = place.spec(model="nobody-knows-it", budget={"usd": 1.0})
    with pytest.raises(Unreachable, match="did not tell its prices, and without that of 'nobody-knows-it'"):
        await run_job(spec, place.endpoint, transport=Busy())
    assert place.executed() == 0


class Unlisted(httpx.AsyncHTTPTransport):
    """A network on which the API has no price list."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/models"):
            return httpx.Response(404)
        return await super().handle_async_request(request)


@pytest.mark.parametrize("changed", [{}, {"prompt": "Anew: {{ record.body }}"}])
async def test_what_the_ledger_knows_of_a_models_price_is_where_a_budget_starts(
    place: Any, changed: Any
) -> None:
    """Without it one would be sent at a time, until a charge tells the price."""

    async def run(**changes: Any) -> dict[str, Any]:
        spec = place.spec(model="qwen-3.5-plus", **changes)
        return await run_job(spec, place.endpoint, transport=Unlisted())

    place.fill(30)
    await run(limit=10)
    each, to_pay = spent(place) / 10, 30 if changed else 20
    planned = place.plan(model="qwen-3.5-plus", **changed, budget={"usd": 1.0})["estimate"]
    assert planned["priced_by"] == "the answers of this job"
    assert each * to_pay / 2 < planned["cost_usd"] < 2 * each * to_pay
    with pytest.raises(BudgetExhausted, match="nothing was sent"):
        await run(**changed, budget={"usd": each * to_pay / 2})
    assert place.executed() == 10
    manifest = await run(**changed, budget={"usd": 3 * each * to_pay})
    assert (manifest["outcomes"], manifest["paid_inferences"]) == ({"succeeded": 30}, to_pay)


async def test_the_price_of_another_model_is_not_taken_for_this_ones(place: Any) -> None:
    place.fill(10)
    await place.run()
    assert place.plan(model="nobody-knows-it", budget={"usd": 1.0})["estimate"]["cost_usd"] is None


async def test_what_a_try_paid_without_a_reported_cost_counts_for_the_next_one_of_the_run(place: Any) -> None:
    place.server.script(Fault("no_cost"))
    place.fill(40)
    budget = {"usd": 0.003, **PARTIAL}
    await place.run(run="monday", budget=budget)
    paid, before = place.executed(), spent(place)
    assert 5 < paid < 40
    planned = place.plan(run="monday", budget=budget)["budget"]
    assert planned["spent_usd"] == pytest.approx(before, rel=0.3)
    await place.run(run="monday", budget=budget)
    assert place.executed() - paid < 6  # what was kept free as a margin may pay for a few more
    assert place.plan(run="tuesday", budget=budget)["budget"]["spent_usd"] == 0.0


async def test_what_was_lost_counts_as_expected_for_the_next_try_of_the_run(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(faults=(Fault("never_finish", contains="Shop 1 "),))
    place.fill(4)
    limits = {"deadline_s": 0.3, "retry_lost": False}
    assert (await place.run(run="monday", limits=limits))["maybe_billed"] == 1
    seen = place.plan(run="monday", budget={"usd": 1.0, "tokens": 100_000})["budget"]
    told = sum(line["cost_usd"] for line in place.server.bill()["tasks"].values() if line["charged"])
    assert seen["spent_usd"] > told * 1.1
    tokens = sum(
        row["inference"]["prompt_tokens"] + row["inference"]["completion_tokens"]
        for row in place.rows()
        if row["inference"]["outcome"] == "succeeded"
    )
    assert seen["spent_tokens"] > tokens


async def test_what_was_meant_to_be_sent_and_nobody_knows_is_skipped_when_the_budget_is_short(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(faults=(Fault("cut_before_work"),))
    place.fill(12)
    with pytest.raises(Unreachable):
        await place.run(limits={"unreachable_s": 0.5})
    place.server.clear_faults()
    manifest = await place.run(budget={"tokens": 1, **PARTIAL}, failures={"most": 0})
    assert (manifest["outcomes"], manifest["reasons"]) == ({"skipped": 12}, {"budget": 12})
    assert (manifest["maybe_billed"], place.executed()) == (0, 0)
    again = await place.run()
    assert (again["outcomes"], again["maybe_billed"], place.executed()) == ({"succeeded": 12}, 0, 12)


async def test_what_may_have_been_sent_before_counts_in_the_estimate(new_place: Callable[..., Any]) -> None:
    place = new_place(faults=(Fault("cut_before_work"),))
    place.fill(12)
    with pytest.raises(Unreachable):
        await place.run(limits={"unreachable_s": 0.5})
    place.server.clear_faults()
    planned = place.plan()
    unknown, to_pay = planned["fate_unknown"], planned["to_pay"]
    assert unknown + to_pay == 12
    each = (planned["estimate"]["prompt_tokens"] + planned["estimate"]["completion_tokens"]) / to_pay
    budget = {"tokens": round(each * (to_pay + unknown / 2))}
    assert place.plan(budget=budget)["budget"]["exceeded"]
    with pytest.raises(BudgetExhausted, match="nothing was sent") as stopped:
        await place.run(budget=budget)
    # It was looked for before the job was refused; so soon, that nobody knows of it does not mean that it will not come.
    assert (stopped.value.manifest["to_pay"], stopped.value.manifest["still_at_vendor"]) == (to_pay, unknown)
    assert place.executed() == 0


@pytest.mark.parametrize("delivery", ["poll", "sync"])
async def test_runs_at_once_under_one_name_share_its_budget(
    new_place: Callable[..., Any], delivery: str
) -> None:
    place = new_place(latency=0.3)
    place.fill(400)
    budget = {"usd": 0.01, **PARTIAL}
    same = {"run": "z", "budget": budget, "delivery": delivery, "limits": {"max_outstanding": 10}}
    asked = ("Total?\n{{ record.body }}", "How much is it?\n{{ record.body }}")
    ends = await asyncio.gather(*(place.run(prompt=one, **same) for one in asked), return_exceptions=True)
    assert any(isinstance(one, dict) for one in ends)
    assert 0.008 < spent(place) < 0.011, "each of them alone would have spent all of it"


async def test_a_budget_that_ends_within_the_first_chunk_leaves_nobody_waiting_for_the_rest_of_it(
    place: Any,
) -> None:
    place.fill(20)
    place.server.script(Fault("fail_task", code="providerBadRequest", charge=True))
    two = {"usd": 2e-7, "usd_per_million": CHEAP}
    with pytest.raises(RequestRefused, match="all 2 records"):
        await asyncio.wait_for(place.run(budget={**two, **PARTIAL}), 20)
    assert place.executed() == 2
