"""Too many failures stop a job: nothing is published, what was paid is kept, and little was paid."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.attempt import Kind
from runware_provider.engine.errors import TooManyFailed
from runware_provider.engine.job.run import run_job
from runware_provider.engine.spec import Spec
from runware_provider.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

MANY = 2_000
A_FEW_DOZEN = 150
"""Answers: what was under way when it became clear is among them."""


def broken(contains: str | None = None) -> Fault:
    return Fault("break_schema", contains=contains) if contains else Fault("break_schema")


def marked(records: int, bad: int) -> list[str]:
    """Documents of which so many hold the word that the server breaks answers to, spread evenly."""
    every = records // bad if bad else records + 1
    words = ["poison" if n % every == every - 1 and n // every < bad else "plain" for n in range(records)]
    return [f"{word} invoice {n}\nTotal: {n}.50 EUR" for n, word in enumerate(words)]


def test_one_row_in_ten_may_fail_by_default() -> None:
    assert Spec(source="in", destination="out", prompt="{{ record.body }}").failures.most == 0.1


@pytest.mark.parametrize(
    ("most", "bad", "stands"),
    [
        (0.1, 4, True),
        (0.1, 5, False),
        (4, 4, True),
        (4, 5, False),
        (0, 0, True),
        (0, 1, False),
        (0.0, 1, False),
    ],
)
async def test_a_count_and_a_share_are_kept_to_the_row(
    place: Any,
    most: float,
    bad: int,
    stands: bool,  # noqa: FBT001 - pytest's own way to hand over a parameter
) -> None:
    place.server.script(broken("poison"))
    place.fill(marked(40, bad))
    if stands:
        assert (await place.run(failures={"most": most}))["outcomes"].get("invalid", 0) == bad
        return
    with pytest.raises(TooManyFailed, match=r"rows failed"):
        await place.run(failures={"most": most})
    assert not place.destination.exists() or not list(place.destination.glob("*.parquet"))


async def test_skipped_rows_are_neither_failures_nor_asked(place: Any) -> None:
    place.server.script(broken("poison"))
    place.fill([*marked(10, 1), *[None] * 30])
    manifest = await place.run(failures={"most": 0.1})
    assert manifest["outcomes"] == {"succeeded": 9, "invalid": 1, "skipped": 30}
    with pytest.raises(TooManyFailed):  # one of ten asked, not one of forty
        await place.run(failures={"most": 0.09})


async def test_a_dataset_of_skipped_rows_only_is_published(place: Any) -> None:
    place.fill([None, None, None])
    assert (await place.run(failures={"most": 0}))["outcomes"] == {"skipped": 3}


async def test_beyond_it_the_old_dataset_stands_and_what_was_paid_is_kept(place: Any) -> None:
    place.fill(10)
    await place.run()
    before = place.rows()
    place.server.script(broken("poison"))
    place.fill(marked(20, 5))
    with pytest.raises(TooManyFailed) as stopped:
        await place.run(failures={"most": 0.1})
    assert place.rows() == before
    assert not list(place.state.glob("staged/*/*"))
    bill = place.server.bill()["tasks"]
    known = place.ledger()
    assert all(known[name]["kind"] == Kind.ANSWERED for name, line in bill.items() if line["executed"])
    paid = place.executed()
    manifest = await place.run(failures={"most": None})
    # What the stopped run had not asked yet is asked now; nothing is asked twice.
    assert manifest["paid_inferences"] == place.executed() - paid
    assert all(line["executed"] == 1 for line in place.server.bill()["tasks"].values())
    assert place.executed() == 10 + 20
    assert stopped.value.manifest["status"] == "stopped"
    assert manifest["outcomes"] == {"succeeded": 15, "invalid": 5}


async def test_a_job_that_was_wholly_asked_pays_nothing_once_more_may_fail(place: Any) -> None:
    place.server.script(broken("poison"))
    place.fill(marked(40, 6))
    with pytest.raises(TooManyFailed):
        await place.run(failures={"most": 0.1})
    paid = place.executed()
    assert paid == 40
    manifest = await place.run(failures={"most": None})
    assert (manifest["paid_inferences"], place.executed()) == (0, paid)


@pytest.mark.parametrize("delivery", ["poll", "sync"])
async def test_a_prompt_that_always_fails_costs_a_few_dozen_answers(
    new_place: Callable[..., Any], delivery: str
) -> None:
    place = new_place(latency=0.05, faults=(broken(),))
    place.fill(MANY)
    with pytest.raises(TooManyFailed, match=r"of the last \d+ answers failed, where 10 % may"):
        await place.run(failures={"most": 0.1}, delivery=delivery)
    paid = place.executed()
    assert 20 <= paid <= A_FEW_DOZEN
    with pytest.raises(TooManyFailed):
        await place.run(failures={"most": 0.1}, delivery=delivery)
    assert place.executed() - paid <= A_FEW_DOZEN // 10


async def test_the_stop_says_how_far_it_came_why_and_what_to_do(place: Any) -> None:
    place.server.script(broken())
    place.fill(400)
    with pytest.raises(TooManyFailed) as stopped:
        await place.run(failures={"most": 0.1})
    told = stopped.value.manifest
    assert told["reason"] == stopped.value.reason
    assert "retry_failed" in told["remedy"]
    assert told["reasons"]["schema"] == told["outcomes"]["invalid"] >= 20
    assert told["still_at_vendor"] == 0
    assert told["records"] == 400
    assert told["records_done"] == told["rows"] == place.executed() == told["paid_inferences"]
    assert json.dumps(told)


async def test_a_preview_is_not_watched(place: Any) -> None:
    place.server.script(broken())
    place.fill(100)
    shown = await run_job(place.spec(failures={"most": 0}), place.endpoint, preview=30)
    assert shown["outcomes"] == {"invalid": 30}


async def test_every_sample_counts_as_a_row(place: Any) -> None:
    place.server.script(broken("poison"))
    place.fill(marked(10, 1))
    with pytest.raises(TooManyFailed, match=r"3 of 30 rows failed"):
        await place.run(failures={"most": 2}, samples=3)
    assert (await place.run(failures={"most": 3}, samples=3))["outcomes"] == {"succeeded": 27, "invalid": 3}


async def test_rows_that_ask_the_same_fail_together(place: Any) -> None:
    place.server.script(broken("poison"))
    place.fill(["poison\nTotal: 1.50 EUR"] * 5 + [f"Total: {n}.50 EUR" for n in range(45)])
    assert (await place.run(failures={"most": 0.1}))["outcomes"] == {"succeeded": 45, "invalid": 5}
    with pytest.raises(TooManyFailed, match=r"5 of 50 rows failed"):
        await place.run(failures={"most": 4})


async def test_the_command_line_ends_with_the_status_of_a_job_that_can_go_on(place: Any) -> None:
    place.server.script(broken())
    place.fill(30)
    ended = place.call(*place.arguments(max_failed="0.1", output_retries="0"))
    assert ended.returncode == 3
    told = json.loads(ended.stdout)
    assert (told["status"], told["reasons"]) == ("stopped", {"schema": told["rows"]})
    assert ended.stderr.count("Stopped:") == 1
    assert place.call(*place.arguments(max_failed="none", output_retries="0")).returncode == 0
    assert place.executed() == 30


async def test_rows_that_cannot_be_rendered_count_before_more_is_paid_in_a_run_that_is_half_done(
    place: Any,
) -> None:
    changes = {
        "prompt": "{{ record.body }}{% if 'broken' in record.body %}{{ record.body.nope.nope }}{% endif %}",
        "limits": {"batch_rows": 10},
    }
    bodies = [f"Total: {n}.50 EUR" for n in range(60)]
    place.fill(bodies[:30])
    await place.run(**changes)
    place.fill([*bodies[:20], *(f"broken {n}" for n in range(10)), *bodies[30:]])
    with pytest.raises(TooManyFailed):
        await place.run(failures={"most": 5}, **changes)
    assert place.executed() == 30
