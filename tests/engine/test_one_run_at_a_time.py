"""One run at a time is at work on a dataset; the others wait, go on where it died, or stop before they pay."""

from __future__ import annotations

import asyncio
import json
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.errors import AtWork, BadInput, Interrupted, Overtaken, StateUnreadable
from runware_provider.engine.job.asking import ask
from runware_provider.engine.job.opening import check_run, open_run
from runware_provider.engine.job.run import run_job
from runware_provider.engine.memory.forgetting import forget
from runware_provider.engine.memory.lease import Lease
from runware_provider.engine.memory.lease_keeping import held, held_meanwhile
from runware_provider.engine.memory.lease_rules import Holder
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.engine.storage.stores import Stores
from runware_provider.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RECORDS = 40
SILENT_S = 4.0
"""The shortest lease that may be asked for."""


def others_lease(place: Any, for_s: float = 60.0) -> Lease:
    """Of a process on another machine, which nobody can see from here."""
    return Lease(LocalStorage(), str(place.state), for_s=for_s, holder=Holder("elsewhere", 7))


async def until(reached: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not reached():  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)


async def test_runs_at_once_are_one_after_the_other_and_pay_once(new_place: Callable[..., Any]) -> None:
    place = new_place(latency=0.1)
    place.fill(RECORDS)
    runs = await asyncio.gather(*(place.run(run=name) for name in "abc"))
    assert sum(run["paid_inferences"] for run in runs) == RECORDS == place.executed()
    assert sorted(run["paid_inferences"] for run in runs) == [0, 0, RECORDS]
    place.audit(runs[-1], RECORDS)
    assert sum(run["paid_usd"] for run in runs) == pytest.approx(runs[0]["cost_usd_ever"])
    assert [run["outcomes"] for run in runs] == [{"succeeded": RECORDS}] * 3


@pytest.mark.parametrize("delivery", ["poll", "sync"])
@pytest.mark.parametrize("pause_s", [0.0, 0.5])
async def test_a_vendor_that_registers_late_is_not_made_to_run_anything_twice(
    new_place: Callable[..., Any], delivery: str, pause_s: float
) -> None:
    place = new_place(latency=0.3, faults=(Fault("slow_registration", seconds=1.0),))
    place.fill(RECORDS)

    async def later(seconds: float) -> Any:
        await asyncio.sleep(seconds)
        return await place.run(delivery=delivery)

    runs = await asyncio.gather(later(0), later(pause_s), later(2 * pause_s))
    assert place.executed() == RECORDS
    assert place.server.bill_summary()["requests_executed_again"] == 0
    place.audit(runs[-1], RECORDS)


@pytest.mark.parametrize("delivery", ["poll", "sync"])
async def test_what_a_killed_process_sent_a_moment_ago_is_not_sent_again_before_the_vendor_knows_it(
    new_shared_place: Callable[..., Any], delivery: str
) -> None:
    place = new_shared_place(f"late-{delivery}", latency=0.3)
    place.server.script(Fault("slow_registration", seconds=1.0))
    place.fill(RECORDS)
    command = place.arguments("run", delivery=delivery)
    with place.start(*command) as process:
        await until(place.executed)
        process.kill()
        process.communicate()
    again = await asyncio.to_thread(place.call, *command)
    assert again.returncode == 0, again.stderr
    assert place.executed() == RECORDS
    assert place.server.bill_summary()["requests_executed_again"] == 0
    place.audit(json.loads(again.stdout), RECORDS)


async def test_a_process_that_stands_still_is_overtaken_and_stops_when_it_wakes(
    new_shared_place: Callable[..., Any],
) -> None:
    place = new_shared_place("frozen", latency=1.0)
    place.fill(RECORDS)
    command = place.arguments("run", lease_s=str(SILENT_S))
    with place.start(*command, "--max-outstanding", "10") as frozen:
        await until(place.executed)
        frozen.send_signal(signal.SIGSTOP)
        try:
            second = await asyncio.to_thread(place.call, *command)
        finally:
            frozen.send_signal(signal.SIGCONT)
        _, told = frozen.communicate(timeout=60)
    assert second.returncode == 0, second.stderr
    assert "another run is at work" in second.stderr
    assert frozen.returncode == 3
    assert "another run took over" in " ".join(told.split())
    assert place.executed() == RECORDS
    place.audit(json.loads(second.stdout), RECORDS)
    assert not list((place.state / "staged").rglob("*.staged"))


async def test_who_waits_gives_up_in_time_before_anything_is_sent(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    place.fill(2)
    await place.run()
    with held_meanwhile(others_lease(place), most_s=1):
        with pytest.raises(
            AtWork, match=r"process 7 on elsewhere, last sign . s ago.*did not end within 0 s"
        ) as stopped:
            await place.run(limits={"lease_wait_s": 0.3})
        with pytest.raises(AtWork):
            await asyncio.to_thread(forget, LocalStorage(), str(place.state), containing=["x"], wait_s=0.1)
        with pytest.raises(AtWork):
            await run_job(place.spec(limits={"lease_wait_s": 0.1}), place.endpoint, preview=1)
        assert place.plan()["to_pay"] == 0
    assert "lease_wait_s" in stopped.value.remedy
    assert place.executed() == 2
    assert (await place.run())["paid_inferences"] == 0


async def test_who_waits_can_be_asked_to_stop(new_place: Callable[..., Any]) -> None:
    place = new_place()
    place.fill(2)
    await place.run()
    stop = asyncio.Event()
    with held_meanwhile(others_lease(place), most_s=1):
        waiting = asyncio.create_task(run_job(place.spec(), place.endpoint, stop=stop))
        await asyncio.sleep(0)
        stop.set()
        with pytest.raises(Interrupted, match="while it waited"):
            await waiting


@pytest.mark.parametrize("if_exists", ["overwrite", "error"])
async def test_of_runs_at_once_with_other_sources_one_has_its_rows_and_the_others_stop_before_they_pay(
    new_place: Callable[..., Any], if_exists: str
) -> None:
    place = new_place(latency=0.2)
    sources = []
    for number in range(3):
        place.fill([f"Shop {number}{row} GmbH\nTotal: 3.50 EUR" for row in range(5)])
        sources.append(place.source.rename(place.source.with_name(f"{number}.parquet")))
    ends = await asyncio.gather(
        *(place.run(source=str(source), publish={"if_exists": if_exists}) for source in sources),
        return_exceptions=True,
    )
    (stands,) = [end for end in ends if isinstance(end, dict)]
    refused = [end for end in ends if isinstance(end, BadInput)]
    assert len(refused) == 2
    assert place.executed() == 5 == len(place.rows())
    if if_exists == "overwrite":
        assert all("Give each source a destination or a partition of its own" in str(end) for end in refused)
    assert stands["rows"] == 5


async def test_one_after_the_other_another_source_replaces_the_rows(new_place: Callable[..., Any]) -> None:
    place = new_place()
    place.fill(2)
    await place.run()
    other = place.source.rename(place.source.with_name("other.parquet"))
    assert (await place.run(source=str(other)))["paid_inferences"] == 0


async def test_a_state_folder_from_before_there_were_leases_is_gone_on_with_and_shut_to_older_versions(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    place.fill(3)
    await place.run()
    job = place.state / "job.json"
    written = json.loads(job.read_text(encoding="utf-8"))
    record = {
        name: value for name, value in written.items() if name != "sha256"
    }  # which older versions lacked, too
    job.write_text(json.dumps({**record, "format": 1}), encoding="utf-8")
    assert (await place.run())["paid_inferences"] == 0
    assert json.loads(job.read_text(encoding="utf-8")) == written
    job.write_text(json.dumps({**record, "format": 9}), encoding="utf-8")
    with pytest.raises(StateUnreadable, match="upgrade"):
        await place.run()


class Lapsing(Lease):
    """For three looks it has lapsed."""

    looks = 0

    def left_s(self) -> float:
        self.looks += 1
        return 0.0 if 8 < self.looks <= 11 else super().left_s()


async def test_a_run_that_cannot_renew_its_lease_sends_nothing_more_and_goes_on_when_it_can(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(latency=0.05)
    place.fill(RECORDS)
    where = check_run(place.spec(limits={"tasks_per_request": 4}), place.endpoint, preview=None, stores=None)
    lease, stop = Lapsing(LocalStorage(), str(place.state)), asyncio.Event()
    async with held(lease, most_s=1, stop=stop):
        job = open_run(replace(where, lease=lease), waited=False)
        try:
            staged = await ask(job, place.endpoint, report=None, stop=stop, transport=None)
        finally:
            job.close()
    assert lease.looks > 11
    assert staged.counts.outcomes == {"succeeded": RECORDS}
    assert place.executed() == RECORDS
    place.audit(await place.run(), RECORDS)


async def test_an_output_retry_that_this_run_does_not_want_is_not_taken_back_before_the_vendor_knows_it(
    new_shared_place: Callable[..., Any],
) -> None:
    place = new_shared_place("unwanted", latency=0.3)
    place.server.script(Fault("break_schema", without="assistant"), Fault("slow_registration", seconds=1.5))
    place.fill(10)
    with place.start(*place.arguments("run", output_retries=1, poll_interval_s="0.02")) as process:
        await until(lambda: place.executed() > 10)
        process.kill()
        process.communicate()
    again = await asyncio.to_thread(place.call, *place.arguments("run", output_retries=0))
    assert again.returncode == 0, again.stderr
    place.audit(json.loads(again.stdout), 10, output_retries=1)


class Interleaved(LocalStorage):
    """Before a folder is listed for the first time, something else happens."""

    def __init__(self, folder: str, meanwhile: Callable[[], Any]) -> None:
        super().__init__()
        self._folder = folder
        self._meanwhile: Callable[[], Any] | None = meanwhile

    def list(self, folder: str, *, recursive: bool = True, links: bool = True) -> Any:
        if folder == self._folder and self._meanwhile is not None:
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        return super().list(folder, recursive=recursive, links=links)


class OneStore(Stores):
    def __init__(self, storage: LocalStorage) -> None:
        super().__init__()
        self._storage = storage

    def open(self, url: str, *, field: str = "destination") -> Any:  # noqa: ARG002 - the real one's
        return self._storage


@pytest.mark.parametrize("published_before", [False, True])
async def test_what_another_run_publishes_while_this_one_looks_is_not_taken_for_somebody_elses(
    new_place: Callable[..., Any],
    published_before: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    place = new_place()
    if published_before:
        place.fill(10)
        await place.run()
    place.fill(RECORDS)
    spec = place.spec()
    storage = Interleaved(
        str(place.destination), lambda: asyncio.run(run_job(spec, place.endpoint, stores=None))
    )
    looked = await asyncio.to_thread(check_run, spec, place.endpoint, preview=None, stores=OneStore(storage))
    assert looked.published is not None
    assert looked.published[0]["outcomes"] == {"succeeded": RECORDS}
    (place.destination / "part-00000-0123456789ab.parquet").touch()
    with pytest.raises(BadInput, match="did not write"):
        await place.run()


def test_a_lapsed_lease_is_looked_at_before_something_is_published(tmp_path: Path) -> None:
    storage, now = LocalStorage(), [0.0]
    mine = Lease(storage, str(tmp_path), clock=lambda: now[0], holder=Holder("here", 1))
    other = Lease(storage, str(tmp_path), clock=lambda: now[0], holder=Holder("there", 2))
    assert mine.try_to_take() is None
    now[0] = 70.0
    mine.check_still_mine()
    assert other.try_to_take() is not None
    now[0] = 140.0
    assert other.try_to_take() is None
    with pytest.raises(Overtaken, match="silent for so long"):
        mine.check_still_mine()
