"""What an earlier version wrote is gone on with, and nothing in it is paid for again (see `earlier_state/README.md`)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runware_provider.engine.attempt import Kind
from runware_provider.testing import Fault
from tests.engine.conftest import KEY
from tests.engine.test_shards import all_three

if TYPE_CHECKING:
    from collections.abc import Callable

EARLIER = Path(__file__).with_name("earlier_state")
RECORDS = 20
ANSWERED, REFUSED, IN_DOUBT = 11, 1, 4
"""Of the records; the first four were answered twice, the second time in a new generation."""
NEVER_SENT = RECORDS - ANSWERED - REFUSED - IN_DOUBT


@pytest.fixture
def earlier(new_place: Callable[..., Any]) -> Any:
    """A place with the state and the dataset of the earlier version, and a server that has the same tasks on its bill."""
    refusal = Fault("fail_task", contains="Shop 7 ", code="contentPolicyViolation", charge=True)
    place = new_place(faults=(refusal,))
    shutil.copytree(EARLIER, place.root, dirs_exist_ok=True)
    place.fill(RECORDS)
    send(place, sent())
    return place


def sent() -> list[dict[str, Any]]:
    """The tasks that the earlier version sent and the API took, as they were sent."""
    tasks: list[dict[str, Any]] = json.loads((EARLIER / "sent.json").read_text(encoding="utf-8"))
    return tasks


def send(place: Any, tasks: list[dict[str, Any]]) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    httpx.post(place.server.base_url, json=tasks, headers=headers, timeout=60).raise_for_status()


def test_it_is_what_it_says(earlier: Any) -> None:
    kinds = [row["kind"] for row in earlier.ledger().values()]
    assert kinds.count(Kind.ANSWERED) == ANSWERED + 4
    assert kinds.count(Kind.ERROR) == REFUSED
    assert kinds.count(Kind.INTENT) == IN_DOUBT
    assert {row["generation"] for row in earlier.ledger().values()} == {0, 1}
    assert json.loads((earlier.state / "job.json").read_text(encoding="utf-8"))["format"] == 1
    assert not (earlier.state / "leases").exists()
    assert earlier.executed() == len(sent()) == len(earlier.ledger())


def test_the_plan_says_what_is_answered_in_doubt_and_to_be_paid(earlier: Any) -> None:
    told = earlier.plan()
    assert (told["answered_before"], told["failed_before"]) == (ANSWERED, REFUSED)
    assert (told["fate_unknown"], told["to_pay"]) == (IN_DOUBT, NEVER_SENT)
    assert earlier.plan(limit=ANSWERED + REFUSED)["to_pay"] == 0


async def test_its_prompt_written_as_one_message_is_the_same_question(earlier: Any) -> None:
    messages = [{"role": "user", "content": earlier.spec().prompt}]
    told = earlier.plan(prompt=None, messages=messages)
    assert (told["answered_before"], told["failed_before"], told["fate_unknown"]) == (
        ANSWERED,
        REFUSED,
        IN_DOUBT,
    )
    assert told["changed"] == []
    manifest = await earlier.run(prompt=None, messages=messages)
    assert manifest["paid_inferences"] == NEVER_SENT
    assert earlier.server.bill_summary()["uuids_executed_again"] == 0


@pytest.mark.parametrize("shards", [0, 3])
async def test_a_run_pays_what_was_never_sent_and_collects_what_was_in_doubt(
    earlier: Any, shards: int
) -> None:
    manifest = await (all_three(earlier, shards, run="new") if shards else earlier.run(run="new"))
    assert manifest["outcomes"] == {"refused": REFUSED, "succeeded": RECORDS - REFUSED}
    assert manifest["paid_inferences"] == NEVER_SENT, "what was in doubt is paid by the run that sent it"
    assert earlier.executed() == len(sent()) + NEVER_SENT
    assert earlier.server.bill_summary()["uuids_executed_again"] == 0
    shown = [earlier.ledger()[row["inference"]["task_uuid"]]["generation"] for row in earlier.rows()[:4]]
    assert shown == [1, 1, 1, 1], "the rows show the newest answers"
    assert (await earlier.run(refresh="anew", limit=4))["paid_inferences"] == 0, "that wish was fulfilled"


async def test_what_was_meant_to_be_sent_and_never_arrived_is_sent_once_under_its_uuid(earlier: Any) -> None:
    in_doubt = {name for name, row in earlier.ledger().items() if row["kind"] == Kind.INTENT}
    lost = min(in_doubt)
    earlier.server.reset()
    send(earlier, [task for task in sent() if task["taskUUID"] != lost])
    assert (await earlier.run())["outcomes"]["succeeded"] == RECORDS - REFUSED
    assert earlier.server.bill()["tasks"][lost]["executed"] == 1
    assert earlier.executed() == len(sent()) + NEVER_SENT
    assert earlier.server.bill_summary()["uuids_executed_again"] == 0
