"""What was under way at a kill, and is asked by no question of the next run, is on the bill all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runware_provider.testing import Fault

SENT = Fault("delay_reply", task_type="textInference", seconds=100.0)
"""The first request is served, and nobody learns of it."""
OTHER = "Total, please:\n{{ record.body }}"


async def killed(place: Any, **options: Any) -> int:
    """How many inferences a process had paid for when it was killed."""
    await asyncio.to_thread(place.kill_at, SENT, *place.arguments("run", **options))
    assert place.executed() > 0
    return int(place.executed())


def billed(place: Any) -> float:
    return float(place.server.bill()["cost_usd"])


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, {"prompt": OTHER}), ({"samples": 3}, {"limit": 2}), ({"refresh": "r1"}, {})],
)
async def test_answers_to_what_is_not_asked_any_more_are_kept_and_on_the_bill(
    place: Any, before: dict[str, Any], after: dict[str, Any]
) -> None:
    place.fill(8)
    if "refresh" in before:
        await place.run()
    await killed(place, **before)
    manifest = await place.run(**after)
    assert manifest["cost_usd_ever"] == pytest.approx(billed(place), abs=1e-9)
    assert manifest["cost_usd"] < manifest["cost_usd_ever"]
    paid = place.executed()
    # Whoever asks the same again does not pay for it again.
    again = {"limit": 2} if "samples" in before else {}
    await place.run(**again, **before)
    lines = place.server.bill()["tasks"].values()
    assert all(line["executed"] == 1 for line in lines)
    assert place.executed() - paid <= {"refresh": 3, "samples": 6}.get(next(iter(before), ""), 3)


async def test_what_does_not_come_is_listed_as_maybe_billed(place: Any) -> None:
    place.fill(8)
    place.server.script(Fault("never_finish"))
    paid = await killed(place)
    manifest = await place.run(prompt=OTHER)
    assert manifest["outcomes"] == {"succeeded": 8}
    assert manifest["maybe_billed"] == len(manifest["unpriced_tasks"]) >= paid
    sent_before = {name for name in place.server.bill()["tasks"] if name in manifest["unpriced_tasks"]}
    assert len(sent_before) == paid
    assert (await place.run(prompt=OTHER))["maybe_billed"] == manifest["maybe_billed"]


async def test_a_run_without_leftovers_asks_for_none(place: Any) -> None:
    place.fill(8)
    manifest = await place.run()
    assert (manifest["maybe_billed"], manifest["unpriced_tasks"], manifest["unpriced_file"]) == (0, [], None)


async def test_what_the_same_run_left_under_another_prompt_counts_in_its_budget(place: Any) -> None:
    place.fill(60)
    await place.run(run="z", limit=5)
    paid = await killed(place, run="z")
    assert paid > 20
    manifest = await place.run(run="z", prompt=OTHER, budget={"usd": 0.002, "when_short": "partial"})
    assert (manifest["outcomes"], place.executed()) == ({"skipped": 60}, paid)
    assert manifest["paid_usd"] == pytest.approx(billed(place), abs=1e-9)
