"""Records that share a request: what happens to one of them leaves the others alone, over a real socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS = 20
SHARE = 1_000
"""Bytes of a task in these tests, about."""


def one(number: int) -> str:
    return f"Shop {number} "


@pytest.mark.parametrize("delivery", ["poll", "sync"])
async def test_a_reply_of_all_sorts_gives_each_record_its_own_outcome(
    new_place: Callable[..., Any], delivery: str
) -> None:
    place = new_place(
        faults=(
            Fault("refuse_task", contains=one(11), code="invalidMessages"),
            Fault("refuse_task", contains=one(12), code="contentPolicyViolation"),
            Fault("refuse_task", contains=one(13), code="providerError", times=1),
            Fault("refuse_task", contains=one(14), code="somethingNobodyKnows", times=1),
            Fault("refuse_task", contains=one(15), code="rateLimitExceeded", times=1),
            Fault("refuse_without_uuid", contains=one(16), code="internalServerError", times=1),
            Fault("no_acknowledgement", contains=one(17)),
        )
    )
    place.fill(RECORDS)
    manifest = await place.run(delivery=delivery)
    assert manifest["outcomes"] == {"succeeded": RECORDS - 2, "failed": 1, "refused": 1}
    said = [row["inference"] for row in place.rows()]
    assert [n for n, row in enumerate(said) if row["outcome"] != "succeeded"] == [11, 12]
    assert (said[11]["error_code"], said[12]["error_code"]) == ("invalidMessages", "contentPolicyViolation")
    assert [said[n]["attempts"] for n in (10, 11, 12, 15)] == [1, 1, 1, 1]
    assert [said[n]["attempts"] for n in (13, 14)] == [2, 2]
    assert place.executed() == RECORDS - 2
    assert place.server.bill_summary()["http_statuses"].keys() & {"400", 400}
    place.audit(manifest, RECORDS)


@pytest.mark.parametrize("delivery", ["poll", "sync"])
@pytest.mark.parametrize("culprit", [0, 7, RECORDS - 1])
async def test_a_record_that_is_too_large_for_the_api_fails_alone(
    new_place: Callable[..., Any], culprit: int, delivery: str
) -> None:
    place = new_place(max_bytes=8 * SHARE)
    bodies = [f"Invoice {n} from Shop {n} GmbH\nTotal: {n}.50 EUR" for n in range(RECORDS)]
    bodies[culprit] += " and so on" * SHARE
    place.fill(bodies)
    manifest = await place.run(delivery=delivery)
    assert manifest["outcomes"] == {"succeeded": RECORDS - 1, "failed": 1}
    said = [row["inference"] for row in place.rows()]
    assert [n for n, row in enumerate(said) if row["outcome"] == "failed"] == [culprit]
    assert {row["attempts"] for row in said} == {1}
    assert place.executed() == RECORDS - 1
    place.audit(manifest, RECORDS)
    assert (await place.run(delivery=delivery))["paid_inferences"] == 0
