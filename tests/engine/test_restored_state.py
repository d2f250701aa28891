"""A state folder that does not know what was sent: restored from a backup, or copied, so that two have one job id."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOON = {"deadline_s": 0.2}
"""Nobody waits longer than this for an answer that nobody has."""


def restore_without_ledger(state: Path) -> None:
    shutil.rmtree(state / "ledger")


async def test_what_a_lost_ledger_knew_is_collected_where_the_vendor_has_it_and_else_failed_and_paid_once(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(keep=14)
    place.fill(20)
    await place.run(limit=6)
    await place.run()
    restore_without_ledger(place.state)
    manifest = await place.run(limits=SOON)
    assert (manifest["outcomes"], manifest["reasons"]) == ({"failed": 6, "succeeded": 14}, {"lost": 6})
    assert manifest["maybe_billed"] == len(manifest["unpriced_tasks"]) == 6
    lost = [row for row in place.rows() if row["inference"]["outcome"] == "failed"]
    assert [row["n"] for row in lost] == list(range(6)), "the oldest, which the vendor has forgotten"
    assert "restored from a backup" in lost[0]["inference"]["error_message"]
    assert (await place.run())["outcomes"] == manifest["outcomes"]
    assert place.executed() == 20, "nothing is paid for again unasked"
    asked_again = await place.run(retry_failed="a wish")
    assert (asked_again["outcomes"], place.executed()) == ({"succeeded": 20}, 26)


async def test_two_state_folders_with_one_job_id_pay_once_for_what_both_ask(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    place.fill(30)
    await place.run(limit=20)
    other = place.root / "other"
    (place.root / "other.state").mkdir()
    shutil.copy(place.state / "job.json", place.root / "other.state" / "job.json")
    manifest = await place.run(destination=str(other))
    assert (manifest["outcomes"], place.executed()) == ({"succeeded": 30}, 30)
    assert manifest["paid_usd"] == pytest.approx(place.server.bill()["cost_usd"], abs=1e-9)
    latencies = [row["inference"]["latency_s"] for row in place.rows(other)]
    assert [one is None for one in latencies] == [True] * 20 + [False] * 10, (
        "nobody knows when those were sent"
    )
