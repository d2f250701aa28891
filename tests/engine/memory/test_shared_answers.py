"""Partitions that reuse each other's answers: whole jobs against the local API server."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.errors import JobStopped
from runware_provider.engine.identity import Key
from runware_provider.engine.job.plan import plan
from runware_provider.engine.job.run import run_job
from runware_provider.engine.memory.ledger import Ledger
from runware_provider.engine.memory.segments import entries_at
from runware_provider.engine.memory.shared_answers import (
    is_partition,
    newest_first,
    newest_number,
    prefixes,
    share,
)
from runware_provider.engine.memory.state_folder import below
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.engine.storage.stores import Stores
from runware_provider.testing import Fault
from tests.said import said

if TYPE_CHECKING:
    from collections.abc import Sequence

JOB = bytes(range(16))


class OneStore(Stores):
    """Gives the same store for every place."""

    def __init__(self, storage: LocalStorage) -> None:
        super().__init__()
        self.storage = storage

    def open(self, *_: Any, **__: Any) -> LocalStorage:
        return self.storage

    def open_beside(self, *_: Any, **__: Any) -> None:
        return None


class Noting(LocalStorage):
    """Notes what is opened."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)
        self.opened: list[str] = []

    def open(self, path: str) -> Any:
        self.opened.append(path)
        return super().open(path)


class LateListing(LocalStorage):
    """Shows no file of the folder of answers."""

    def list(self, folder: str, **rest: Any) -> Any:
        return [entry for entry in super().list(folder, **rest) if not entry.path.endswith(".keys")]


def fill(place: Any, day: int, numbers: Sequence[int]) -> None:
    table = pa.table({"n": list(numbers), "body": [f"Invoice {n}\nTotal: {n}.50 EUR" for n in numbers]})
    place.put(table, f"{day}/a.parquet")


def words(place: Any, day: int, **changes: Any) -> dict[str, Any]:
    usual = {
        "source": str(place.source / str(day)),
        "partition": {"ds": str(day)},
        "memory": {"reuse": "dataset"},
    }
    return {**usual, **changes}


async def run(place: Any, day: int, *, storage: LocalStorage | None = None, **changes: Any) -> dict[str, Any]:
    stores = OneStore(storage) if storage is not None else None
    stop = changes.pop("stop", None)
    return await run_job(place.spec(**words(place, day, **changes)), place.endpoint, stop=stop, stores=stores)


def rows(place: Any, day: int) -> list[dict[str, Any]]:
    return place.rows(place.destination / f"ds={day}")


def answers(place: Any) -> list[str]:
    return sorted(path.name for path in (place.state / "answers").glob("*.keys"))


def opened_ledgers(storage: Noting) -> set[str]:
    return {path.split("/ledger/")[0].rsplit("/", 1)[-1] for path in storage.opened if "/ledger/" in path}


# whole jobs


async def test_a_second_day_pays_only_for_what_is_new(place: Any) -> None:
    fill(place, 1, range(6))
    fill(place, 2, [*range(3, 9), 3])
    first, second = await run(place, 1), await run(place, 2)
    assert place.executed() == 9
    assert (second["paid_inferences"], second["inferences"], second["reused_inferences"]) == (3, 3, 3)
    assert (first["reused_inferences"], first["reused_usd"]) == (0, 0.0)
    bill = place.server.bill()
    assert first["cost_usd"] + second["cost_usd"] == pytest.approx(bill["cost_usd"], abs=1e-9)
    reused = {row["inference"]["task_uuid"] for row in rows(place, 2)} & {
        row["inference"]["task_uuid"] for row in rows(place, 1)
    }
    assert len(reused) == 3
    assert second["reused_usd"] == pytest.approx(sum(bill["tasks"][name]["cost_usd"] for name in reused))
    assert [(row["n"], row["result"]["total"]) for row in rows(place, 2)] == [
        (n, n + 0.5) for n in [*range(3, 9), 3]
    ]


@pytest.mark.parametrize("wish", [{}, {"retry_failed": "monday"}, {"refresh": "monday"}])
async def test_a_plan_counts_what_a_run_then_pays_and_writes_nothing(place: Any, wish: Any) -> None:
    place.server.script(Fault("break_schema", contains="Invoice 4"))
    fill(place, 1, range(6))
    fill(place, 2, [*range(3, 9), 3])
    await run(place, 1)
    planned = place.plan(**words(place, 2, **wish))
    assert not (place.state / "ds=2").exists()
    assert planned["answered_elsewhere"] == (0 if "refresh" in wish else 3)
    assert planned["to_pay"] == {"": 3, "retry_failed": 4, "refresh": 6}["".join(wish)]
    paid = place.executed()
    await run(place, 2, **wish)
    assert place.executed() - paid == planned["to_pay"]
    assert place.plan(**words(place, 2, **wish))["to_pay"] == 0


async def test_a_plan_leaves_answers_of_another_service_out(place: Any) -> None:
    for day in (1, 2):
        fill(place, day, range(3))
    await run(place, 1)
    spec = place.spec(**words(place, 2))
    assert plan(spec, service=place.endpoint.service)["to_pay"] == 0
    assert plan(spec, service="api.elsewhere.example")["to_pay"] == 3


async def test_the_uuid_of_every_row_is_on_the_bill(place: Any) -> None:
    for day in (1, 2, 3):  # what day 3 reuses from day 2 is not what day 2 had copied from day 1
        fill(place, day, range(day, day + 3))
        await run(place, day)
    bill = place.server.bill()["tasks"]
    assert {row["inference"]["task_uuid"] for day in (1, 2, 3) for row in rows(place, day)} == set(bill)
    assert all(line["executed"] == 1 for line in bill.values())
    assert len(bill) == 5


async def test_each_sample_is_reused_for_itself(place: Any) -> None:
    for day in (1, 2):
        fill(place, day, range(3))
        await run(place, day, samples=2, settings={"temperature": 1.0})
    assert place.executed() == 6
    assert [row["inference"]["task_uuid"] for row in rows(place, 1)] == [
        row["inference"]["task_uuid"] for row in rows(place, 2)
    ]


async def test_a_changed_prompt_reuses_nothing(place: Any) -> None:
    for day in (1, 2):
        fill(place, day, range(4))
    await run(place, 1)
    second = await run(place, 2, prompt="And what is the total?\n{{ record.body }}")
    assert (second["paid_inferences"], second["reused_inferences"]) == (4, 0)


async def test_without_the_wish_nothing_is_shared_or_reused(place: Any) -> None:
    for day in (1, 2, 3):
        fill(place, day, range(4))
    await run(place, 1, memory={"reuse": "partition"})
    assert answers(place) == []
    await run(place, 2)
    await run(place, 3, memory={"reuse": "partition"})
    assert place.executed() == 12


async def test_a_limit_bounds_what_is_copied(place: Any) -> None:
    for day in (1, 2):
        fill(place, day, range(6))
    await run(place, 1)
    second = await run(place, 2, filters=[("n", ">", 1)], limit=2)
    assert (second["records"], second["reused_inferences"], second["paid_inferences"]) == (2, 2, 0)


async def test_a_death_between_copy_and_send_pays_nothing_twice(place: Any) -> None:
    fill(place, 1, range(4))
    fill(place, 2, range(2, 6))
    await run(place, 1)
    stop = asyncio.Event()
    stop.set()
    with pytest.raises(JobStopped):
        await run(place, 2, stop=stop)
    assert place.executed() == 4
    shutil.rmtree(place.state / "ds=1")  # the copies are there already
    second = await run(place, 2)
    assert (second["reused_inferences"], second["paid_inferences"]) == (2, 2)
    assert place.executed() == 6


async def test_only_partitions_with_hits_are_opened(place: Any) -> None:
    for day in range(1, 5):
        fill(place, day, range(10 * day, 10 * day + 3))
        await run(place, day)
    fill(place, 5, [20, 21, 50])
    storage = Noting()
    assert (await run(place, 5, storage=storage))["reused_inferences"] == 2
    assert opened_ledgers(storage) <= {"ds=2", "ds=5"}
    assert "ds=2" in opened_ledgers(storage)
    again = Noting()
    await run(place, 5, storage=again)
    assert opened_ledgers(again) == {"ds=5"}


async def test_a_deleted_partition_is_a_warning_and_an_older_one_serves(
    place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    fill(place, 1, range(4))
    await run(place, 1)
    fill(place, 2, range(4))
    await run(place, 2, refresh="anew")  # so both have answered the same
    fill(place, 3, range(4))
    shutil.rmtree(place.state / "ds=2")
    with caplog.at_level(logging.WARNING):
        third = await run(place, 3)
    assert third["reused_inferences"] == 4
    assert "answers in ds=2 are not reused" in said(caplog.messages)


async def test_damage_elsewhere_is_a_warning_and_is_paid_for(
    place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for day in (1, 2, 3):
        fill(place, day, range(day, day + 2))
        await run(place, day)
    fill(place, 4, [1, 2, 3, 4])
    (place.state / "answers" / "00000001.keys").write_bytes(b"PAR1 not really")
    (place.state / "ds=3" / "ledger" / "00000001.segment").write_bytes(b"nor this")
    before = place.executed()
    with caplog.at_level(logging.WARNING):
        fourth = await run(place, 4)
    assert fourth["reused_inferences"] + fourth["paid_inferences"] == 4
    assert place.executed() - before == fourth["paid_inferences"] > 0
    assert "00000001.keys is passed over" in said(caplog.messages)
    assert "answers in ds=3 are not reused" in said(caplog.messages)


async def test_answers_of_another_service_are_not_reused(
    place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for day in (1, 2):
        fill(place, day, range(3))
    await run(place, 1)
    path = place.state / "ds=1" / "job.json"
    record = {**json.loads(path.read_text()), "format": 2, "service": "api.elsewhere.example"}
    del record["sha256"]  # as files of versions without it
    path.write_text(json.dumps(record))
    with caplog.at_level(logging.WARNING):
        second = await run(place, 2)
    assert (second["reused_inferences"], second["paid_inferences"]) == (0, 3)
    assert "api.elsewhere.example" in said(caplog.messages)


async def test_a_wish_to_ask_anew_asks_anew_also_what_was_copied(place: Any) -> None:
    for day in (1, 2):
        fill(place, day, range(3))
    await run(place, 1)
    await run(place, 2)
    assert place.executed() == 3
    second = await run(place, 2, refresh="anew")
    assert (second["paid_inferences"], second["reused_inferences"]) == (3, 0)
    assert place.executed() == 6


async def test_what_a_partition_asked_anew_does_not_pass_for_a_later_wish_elsewhere(place: Any) -> None:
    for day in (1, 2):
        fill(place, day, range(3))
    await run(place, 1, refresh="anew")
    assert (await run(place, 2))["paid_inferences"] == 3  # of a generation that day 2 has not reached
    assert (await run(place, 2, refresh="anew"))["paid_inferences"] == 3
    fill(place, 2, range(4))
    fill(place, 1, range(4))
    await run(place, 1)  # in generation 1, which day 2 has reached by now
    assert (await run(place, 2))["reused_inferences"] == 1


async def test_asking_anew_is_not_served_by_who_asked_anew_elsewhere(place: Any) -> None:
    for day in (1, 2):
        fill(place, day, range(3))
        assert (await run(place, day, refresh="anew"))["paid_inferences"] == 3


async def test_a_copy_is_not_passed_on_under_the_name_of_who_copied_it(place: Any) -> None:
    for day in (1, 2, 3):
        fill(place, day, range(3))
    await run(place, 1)
    await run(place, 2, samples=2)  # sample 0 is copied, sample 1 of the same fingerprint is its own
    shutil.rmtree(place.state / "ds=1")
    third = await run(place, 3, samples=2)
    assert (third["reused_inferences"], third["paid_inferences"]) == (3, 3)
    bill = place.server.bill()["tasks"]
    assert {row["inference"]["task_uuid"] for row in rows(place, 3)} <= set(bill)


async def test_a_wish_to_retry_what_failed_reuses_what_is_older(place: Any) -> None:
    for day in (1, 2, 3):
        fill(place, day, range(day, day + 3))
    await run(place, 1)
    second = await run(place, 2, retry_failed="again")
    assert (second["reused_inferences"], second["paid_inferences"]) == (2, 1)
    third = await run(
        place, 3, retry_failed="again"
    )  # day 2 asked its new one in the generation of that wish
    assert (third["reused_inferences"], third["paid_inferences"]) == (1, 2)


async def test_what_a_short_budget_left_unsent_is_taken_over_from_a_day_that_answered_it(place: Any) -> None:
    fill(place, 1, range(40))
    short = await run(place, 1, budget={"usd": 0.002, "when_short": "partial"})
    done = short["outcomes"]["succeeded"]
    assert 0 < done < 40
    fill(place, 2, range(40))
    await run(place, 2)
    assert place.executed() == 40
    again = await run(place, 1)
    assert (again["outcomes"], again["reused_inferences"]) == ({"succeeded": 40}, 40 - done)
    assert place.executed() == 40


# a twin of the same partition, which asks what this run copies


async def copies(place: Any, day: int, entries: list[Entry]) -> None:
    ledger = Ledger(LocalStorage(lambda _: None), str(place.state / f"ds={day}" / "ledger"))
    async with ledger.writing():
        await ledger.commit([replace(one, origin=JOB) for one in entries], at_once=True)
    ledger.close()


def entries(place: Any, day: int) -> list[Entry]:
    folder = place.state / f"ds={day}" / "ledger"
    found = []
    for path in sorted(folder.glob("*.segment")):
        rows = pq.ParquetFile(path).metadata.num_rows
        found += entries_at(LocalStorage(lambda _: None), str(path), range(rows))
    return found


async def test_what_was_paid_for_here_goes_before_what_was_copied(place: Any) -> None:
    fill(place, 1, range(4))
    before = await run(place, 1)
    own = [row["inference"]["task_uuid"] for row in rows(place, 1)]
    answered = [one for one in entries(place, 1) if one.kind is Kind.ANSWERED]
    dear = [replace(one, cost=9.0) for one in answered]
    await copies(place, 1, dear)
    manifest = await run(place, 1)
    assert [row["inference"]["task_uuid"] for row in rows(place, 1)] == own
    assert (
        manifest["cost_usd"] == before["cost_usd"] == pytest.approx(place.server.bill()["cost_usd"], abs=1e-9)
    )
    assert (manifest["inferences"], manifest["reused_inferences"], manifest["reused_usd"]) == (4, 0, 0.0)
    assert (manifest["maybe_billed"], manifest["paid_inferences"]) == (0, 0)


@pytest.mark.parametrize(("known", "reported"), [(True, (4, 0, 0)), (False, (0, 4, 4))])
async def test_what_a_killed_twin_sent_is_found_or_listed_although_its_answer_was_copied(
    place: Any,
    known: bool,  # noqa: FBT001 - a parameter of the test
    reported: tuple[int, int, int],
) -> None:
    fill(place, 1, range(4))
    await run(place, 1)
    own = {row["inference"]["task_uuid"] for row in rows(place, 1)}
    held = entries(place, 1)
    job = (place.state / "ds=1" / "job.json").read_bytes()
    shutil.rmtree(place.state / "ds=1")
    shutil.rmtree(place.destination / "ds=1")
    (place.state / "ds=1").mkdir()
    (place.state / "ds=1" / "job.json").write_bytes(job)
    (await written(str(place.state / "ds=1"), [one for one in held if one.kind is Kind.INTENT])).close()
    await copies(place, 1, [one for one in held if one.kind is Kind.ANSWERED])
    if not known:
        place.server.script(Fault("refuse_request", status=500, task_type="getResponse"))
    manifest = await run(place, 1)
    assert (manifest["inferences"], manifest["reused_inferences"], manifest["maybe_billed"]) == reported
    assert set(manifest["unpriced_tasks"]) == (own if manifest["maybe_billed"] else set())
    assert place.executed() == 4


async def test_a_late_listing_hides_nothing(place: Any) -> None:
    for day in (1, 2, 3):
        fill(place, day, range(day, day + 3))
        await run(place, day, storage=LateListing(lambda _: None))
    assert place.executed() == 5
    assert answers(place) == ["00000001.keys", "00000002.keys", "00000003.keys"]


async def test_a_publish_shares_only_what_its_partition_has_not_shared(place: Any) -> None:
    fill(place, 1, range(3))
    await run(place, 1)
    await run(place, 1)
    assert answers(place) == ["00000001.keys"]
    fill(place, 1, range(5))
    await run(place, 1)
    assert [pq.ParquetFile(place.state / "answers" / name).metadata.num_rows for name in answers(place)] == [
        3,
        2,
    ]


# the files


def ledger_of(folder: str, held: list[Entry]) -> Ledger:
    return asyncio.run(written(folder, held))


async def written(folder: str, held: list[Entry]) -> Ledger:
    ledger = Ledger(LocalStorage(lambda _: None), f"{folder}/ledger")
    async with ledger.writing():
        await ledger.commit(held, at_once=True)
    return ledger


def answer(fingerprint: bytes, **facts: Any) -> Entry:
    return Entry(Key(fingerprint, 0, 0), 1, **{"kind": Kind.ANSWERED, **facts})


def test_a_file_holds_own_answers_only_sorted_and_small(tmp_path: Any) -> None:
    root = str(tmp_path / "out.state")
    own = [os.urandom(16) for _ in range(5_000)]
    others = [answer(os.urandom(16), origin=JOB), answer(os.urandom(16), kind=Kind.INTENT)]
    ledger = ledger_of(f"{root}/ds=1", [*map(answer, own), *others])
    storage = ledger.storage
    assert share(storage, root, "ds=1", JOB, ledger) == 5_000
    assert share(storage, root, "ds=1", JOB, ledger) == 0
    ledger.close()
    (keys,) = newest_first(storage, root, newest_number(storage, root))
    assert (keys.partition, keys.job_id) == ("ds=1", JOB)
    assert keys.prefixes.to_pylist() == sorted(int.from_bytes(one[:8], "little") for one in own)
    assert (tmp_path / "out.state" / "answers" / "00000001.keys").stat().st_size < 9 * 5_000


def test_a_lost_note_of_what_was_shared_makes_it_shared_once_more(tmp_path: Any) -> None:
    root = str(tmp_path)
    ledger = ledger_of(f"{root}/ds=1", [answer(JOB)])
    for number in (1, 2):
        assert share(ledger.storage, root, "ds=1", JOB, ledger) == 1
        assert newest_number(ledger.storage, root) == number
        (tmp_path / "ds=1" / "shared.json").unlink()
    ledger.close()


def test_prefixes_of_nothing_are_none() -> None:
    assert len(prefixes(bytearray())) == 0
    assert prefixes(bytes(range(32))).to_pylist() == [0x0706050403020100, 0x1716151413121110]


@pytest.mark.parametrize("folder", ["", "..", "ds=1/..", "/ds=1", "ds=1/", "answers", "ds="])
def test_a_file_cannot_lead_out_of_the_state_folder(folder: str) -> None:
    assert not is_partition(folder)


def test_a_partition_is_named_below_the_state_root() -> None:
    assert below("s3://lake/out.state/", "s3://lake/out.state/ds=1/hour=2") == "ds=1/hour=2"
    assert is_partition("ds=1/hour=2")
    assert is_partition("ds=1/shards/0007")
