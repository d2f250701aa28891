"""The window moves in a real job, not in simulations alone: the answers that it sees are of its own cohorts."""

from __future__ import annotations

import json
from typing import Any

import pytest


@pytest.mark.parametrize("delivery", ["poll", "sync"])
async def test_a_job_leaves_to_the_next_what_it_learnt_of_the_vendor(place: Any, delivery: str) -> None:
    place.fill(100)
    manifest = await place.run(delivery=delivery)
    assert manifest["outcomes"] == {"succeeded": 100}
    learnt = json.loads((place.state / "pace.json").read_text(encoding="utf-8"))
    assert learnt["window"] >= 1
    assert 0 < learnt["latency_s"] < 60
