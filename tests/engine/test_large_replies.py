"""Replies that are larger than anything is taken: about many tasks they are asked for in smaller ones, about one it is its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.api.reply_bytes import MOST_BYTES
from runware_provider.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

GIANT = "x" * (MOST_BYTES + 1)
CODE = "reply_too_large"


@pytest.mark.parametrize("delivery", ["poll", "sync", "stream"])
@pytest.mark.parametrize("output_retries", [0, 1])
async def test_an_answer_that_is_too_large_is_a_row_that_says_so_and_is_not_paid_for_again(
    new_place: Callable[..., Any], delivery: str, output_retries: int
) -> None:
    wanted = {"delivery": delivery, "output_type": None, "answers": {"output_retries": output_retries}}
    place = new_place(faults=(Fault("reasoning_list", body=GIANT, contains="Shop 3 "),))
    place.fill(8)
    manifest = await place.run(**wanted)
    assert manifest["outcomes"] == {"invalid": 1, "succeeded": 7}
    assert manifest["reasons"] == {CODE: 1}
    assert (manifest["cost_unreported"], manifest["paid_inferences"]) == (1, 8)
    row = place.rows()[3]["inference"]
    assert (row["outcome"], row["error_code"], row["raw"]) == ("invalid", CODE, None)
    what = "stream" if delivery == "stream" else "reply"
    assert (
        row["error_message"]
        == f"its answer came in a {what} of more than 32 MB, and is not taken; it was billed"
    )
    again = await place.run(**wanted)
    assert (again["paid_inferences"], place.executed()) == (0, 8)


async def test_answers_that_are_too_large_together_are_asked_for_in_smaller_questions(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(faults=(Fault("reasoning_list", body="y" * 2_000_000),))
    place.fill(40)
    manifest = await place.run(output_type=None)
    assert manifest["outcomes"] == {"succeeded": 40}
    assert place.server.bill_summary()["uuids_executed_again"] == 0


async def test_what_an_earlier_run_left_is_collected_though_it_is_too_large(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(faults=(Fault("reasoning_list", body=GIANT, contains="Shop 1 "),))
    place.fill(4)
    place.kill_at(Fault("delay_reply", seconds=600.0, task_type="getResponse"), *place.arguments(schema=None))
    manifest = await place.run(output_type=None)
    assert manifest["outcomes"] == {"invalid": 1, "succeeded": 3}
    assert place.executed() == 4


@pytest.mark.parametrize("body", ["<html>" + "z" * MOST_BYTES, "[" + "z" * MOST_BYTES])
async def test_a_page_of_any_size_is_no_answer(new_place: Callable[..., Any], body: str) -> None:
    status = 200 if body.startswith("<") else 502
    page = Fault("fail_after_work", body=body, status=status, task_type="getResponse", times=3)
    place = new_place(faults=(page,))
    place.fill(3)
    assert (await place.run())["outcomes"] == {"succeeded": 3}
