"""A few records that take long do not hold up the others, and cost neither memory nor money."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from runware_provider.engine.errors import BadInput
from runware_provider.engine.job.run import run_job
from runware_provider.testing import Fault

if TYPE_CHECKING:
    from runware_provider.engine.job.progress import Progress

ROWS = 40
LIMITS = {"batch_rows": 4}
"""Ten batches, of which three are held in memory."""


def with_stragglers(place: Any, seconds: float) -> list[str]:
    """One slow record in each of the first five batches."""
    bodies = [f"Total: {n}.50 EUR" for n in range(ROWS)]
    bodies[:20:4] = [f"slow {n}: Total: {4 * n}.50 EUR" for n in range(5)]
    place.fill(bodies)
    place.server.script(Fault("delay_task", contains="slow", seconds=seconds))
    return bodies


async def test_stragglers_do_not_stall_the_stream_and_every_row_is_in_its_place(place: Any) -> None:
    bodies = with_stragglers(place, seconds=3.0)
    seen: list[Progress] = []
    manifest = await run_job(place.spec(limits=LIMITS), place.endpoint, report=seen.append)
    assert any(progress.done == ROWS - 5 and progress.outstanding == 5 for progress in seen)
    assert all(before.done <= after.done for before, after in itertools.pairwise(seen))
    assert [row["body"] for row in place.rows()] == bodies
    assert place.executed() == manifest["inferences"] == ROWS
    place.audit(manifest, ROWS)


async def test_a_straggler_that_does_not_fit_is_asked_further_and_one_that_fails_keeps_its_error(
    place: Any,
) -> None:
    with_stragglers(place, seconds=1.0)
    place.server.script(
        Fault("delay_task", contains="slow", seconds=1.0),
        Fault("break_schema", contains="slow 1", times=1),
        Fault("fail_task", contains="slow 2", code="invalidMessages"),
    )
    manifest = await place.run(limits=LIMITS, answers={"output_retries": 1})
    assert manifest["outcomes"] == {"failed": 1, "succeeded": ROWS - 1}
    assert (manifest["reasks"], manifest["reasons"]) == (1, {"invalidMessages": 1})
    assert place.executed() == ROWS + 1
    assert place.outcomes()[8] == "failed"


async def test_a_budget_that_ends_while_stragglers_are_waited_for_skips_the_rest(place: Any) -> None:
    with_stragglers(place, seconds=2.0)
    manifest = await place.run(limits=LIMITS, budget={"tokens": 3_000, "when_short": "partial"})
    assert manifest["rows"] == ROWS
    assert manifest["outcomes"]["skipped"] + manifest["outcomes"]["succeeded"] == ROWS
    assert manifest["outcomes"]["succeeded"] == place.executed() > 0


async def test_rows_that_change_while_their_batch_is_let_go_stop_the_job_and_are_not_paid_for(
    place: Any,
) -> None:
    bodies = with_stragglers(place, seconds=3.0)
    path = place.source / "a.parquet"

    def change(progress: Progress) -> None:
        if progress.done == ROWS - 5:
            table = pq.read_table(path)
            changed = [f"new {body}" for body in bodies]
            pq.write_table(table.set_column(1, "body", [changed]), path)

    with pytest.raises(BadInput, match="changed"):
        await run_job(place.spec(limits=LIMITS), place.endpoint, report=change)
    assert place.executed() == ROWS
    assert not json.dumps(place.server.bill()).count("new Total")
