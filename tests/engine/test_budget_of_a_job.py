"""A budget is kept: nothing is begun that it does not pay for, and what it paid for is never paid again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.errors import BadInput, BudgetExhausted
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
        await place.run(budget={"tokens": 500}, where="record.n < 40")
    with pytest.raises(BudgetExhausted) as later:
        await place.run(budget={"usd": 0.002, "usd_per_million": CHEAP}, where="record.n < 40")
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
    changes = {"limits": {"shard_rows": 7}}
    manifest = await place.run(budget={**budget, **PARTIAL}, **changes)
    done = manifest["outcomes"]["succeeded"]
    assert 0 < done < 60
    assert manifest["outcomes"] == {"succeeded": done, "skipped": 60 - done}
    assert manifest["reasons"] == {"budget": 60 - done}
    assert len(place.rows()) == 60
    assert (await place.run(**changes))["paid_inferences"] == 60 - done
    assert place.executed() == 60


async def test_a_first_chunk_that_the_budget_cuts_short_ends(place: Any) -> None:
    place.fill(20)
    manifest = await place.run(budget={"tokens": 1_500, **PARTIAL})
    assert 0 < manifest["outcomes"]["succeeded"] < 20
    assert manifest["outcomes"]["skipped"] == 20 - manifest["outcomes"]["succeeded"]


async def test_a_budget_that_pays_for_nothing_leaves_a_dataset_of_skipped_rows(place: Any) -> None:
    place.fill(8)
    manifest = await place.run(budget={"tokens": 1, **PARTIAL}, max_failed=0.1)
    assert (manifest["outcomes"], place.executed()) == ({"skipped": 8}, 0)


async def test_rows_that_ask_the_same_are_skipped_together(place: Any) -> None:
    place.fill(["Total: 1.50 EUR"] * 4 + ["Total: 2.50 EUR"] * 4)
    manifest = await place.run(budget={"tokens": 1, **PARTIAL}, limits={"shard_rows": 3})
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


async def test_the_shares_of_a_plan_add_up_to_the_budget(place: Any) -> None:
    place.fill(23)
    planned = place.plan(budget={"usd": 0.07, "tokens": 1_003}, limits={"shard_rows": 4})
    shares = planned["budget"]["shares"]
    assert len(shares) == planned["shards"] == 6
    assert sum(one["tokens"] for one in shares) == 1_003
    assert sum(one["usd"] for one in shares) == pytest.approx(0.07, abs=1e-12)
