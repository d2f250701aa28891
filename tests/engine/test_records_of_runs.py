"""What is to be seen of a run in its state folder, while it goes and afterwards: jobs over a real socket."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.errors import AtWork, BadInput, Interrupted, KeyRefused, TooManyFailed
from runware_provider.engine.job.inferring import infer_shard
from runware_provider.engine.job.leg import AllSent, Leg
from runware_provider.engine.job.publishing_shards import publish_shards
from runware_provider.engine.job.run import run_job
from runware_provider.engine.job.run_records import read_history, read_record, record_path
from runware_provider.engine.job.run_request import read_request
from runware_provider.engine.job.split_record import shard_folder
from runware_provider.engine.job.splitting import split_shards
from runware_provider.engine.memory.lease import Lease
from runware_provider.engine.spec import Budget
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.testing import Fault
from tests.engine.job.test_going_on import OneStore
from tests.holding_server import HELD_DEADLINE_S, held

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.job.run_record import RunRecord

RUN = "dag/task/run/-1"
RECORDS = 12
STORE = LocalStorage()
LOOKS, BETWEEN_LOOKS_S = 6_000, 0.01


def record_in(folder: Path | str, run: str = RUN) -> RunRecord:
    record = read_record(STORE, str(folder), run)
    assert record is not None
    return record


def ends(place: Any) -> list[tuple[str, str]]:
    """Of the history, the newest first."""
    return [(past.run, past.state) for past in read_history(STORE, str(place.state))]


async def test_a_run_that_published_is_recorded_as_its_manifest_has_it(place: Any) -> None:
    place.fill(RECORDS)
    manifest = await place.run(run=RUN, budget=Budget(usd=3.0))
    record = record_in(place.state)
    assert (record.state, record.run) == ("published", RUN)
    assert read_request(STORE, str(place.state), record.request) is not None
    assert (record.rows, record.rows_done, record.reused) == (RECORDS, RECORDS, 0)
    assert (record.outcomes, record.reasons) == ({"succeeded": RECORDS}, {})
    assert (record.source, record.destination) == (manifest["source"], manifest["destination"])
    assert (record.paid_usd, record.publish_id) == (manifest["paid_usd"], manifest["publish_id"])
    assert (record.budget_usd, record.under_way, record.waits, record.reason) == (3.0, 0, [], "")
    assert record.started_at == record.try_started_at == manifest["started_at"] <= record.at
    assert record.latency_median_s is not None
    assert record.latency_slow_s is not None
    assert 0 < record.latency_median_s <= record.latency_slow_s
    (past,) = read_history(STORE, str(place.state))
    assert (past.run, past.state, past.rows) == (RUN, "published", RECORDS)
    assert (past.paid_usd, past.cost_usd) == (manifest["paid_usd"], manifest["cost_usd"])


async def test_a_run_with_nothing_to_do_says_so_and_what_the_rows_are(place: Any) -> None:
    place.fill(RECORDS)
    first = await place.run(run="one")
    await place.run(run="two")
    record = record_in(place.state, "two")
    assert (record.state, record.paid_usd) == ("unchanged", 0.0)
    assert (record.rows_done, record.reused, record.outcomes) == (RECORDS, RECORDS, {"succeeded": RECORDS})
    assert ends(place) == [("two", "unchanged"), ("one", "published")]
    costs = [past.cost_usd for past in read_history(STORE, str(place.state))]
    assert costs == [pytest.approx(first["cost_usd"])] * 2


async def test_a_run_that_stops_says_why_and_its_next_try_takes_its_place(place: Any) -> None:
    place.fill(RECORDS)
    place.server.script(Fault("break_schema"))
    with pytest.raises(TooManyFailed) as stopped:
        await place.run(run=RUN, failures={"most": 2})
    record = record_in(place.state)
    assert (record.state, record.reason) == ("stopped", stopped.value.reason)
    assert record.remedy == stopped.value.remedy
    assert record.outcomes.keys() == {"invalid"}
    assert sum(record.reasons.values()) == record.rows_done > 2
    assert record.paid_usd == pytest.approx(stopped.value.manifest["paid_usd"])
    assert ends(place) == [(RUN, "stopped")]
    place.server.clear_faults()
    await place.run(run=RUN, retry_failed="a wish")
    assert record_in(place.state).reason == ""
    assert ends(place) == [(RUN, "published")]


async def test_a_refused_key_is_recorded_and_no_text_of_a_record_is(place: Any) -> None:
    place.fill(["a secret document"])
    with pytest.raises(KeyRefused):
        await place.run(run=RUN, key="another-key-0123456789")
    await place.run(run="again")
    assert record_in(place.state).state == "stopped"
    for path in (*(place.state / "runs").iterdir(), place.state / "history.json"):
        assert "secret" not in path.read_text(encoding="utf-8")


async def test_a_run_that_waited_in_vain_for_another_one_says_who_was_in_the_way(place: Any) -> None:
    place.fill(3)
    await place.run(run="one")
    lease = Lease(STORE, str(place.state))
    assert lease.try_to_take() is None
    with pytest.raises(AtWork):
        await place.run(run="two", limits={"lease_wait_s": 0.01})
    lease.release()
    record = record_in(place.state, "two")
    assert (record.state, record.rows_done) == ("stopped", 0)
    assert record.reason.startswith("another run is at work")
    assert ends(place) == [("two", "stopped"), ("one", "published")]


async def test_a_try_that_fails_early_takes_nothing_from_what_its_run_had_come_to(place: Any) -> None:
    place.fill(RECORDS)
    manifest = await place.run(run=RUN, budget=Budget(usd=3.0))
    lease = Lease(STORE, str(place.state))
    assert lease.try_to_take() is None
    with pytest.raises(AtWork):
        await place.run(run=RUN, budget=Budget(usd=3.0), limits={"lease_wait_s": 0.01})
    lease.release()
    record = record_in(place.state)
    assert (record.state, record.rows_done, record.outcomes) == ("stopped", RECORDS, {"succeeded": RECORDS})
    assert (record.paid_usd, record.earlier_tries) == (manifest["paid_usd"], RECORDS)
    (past,) = read_history(STORE, str(place.state))
    assert (past.state, past.paid_usd) == ("published", manifest["paid_usd"]), "the dataset stands"
    assert past.publish_id == manifest["publish_id"]


async def test_a_publish_of_a_group_that_fails_says_what_its_shards_have_paid(place: Any) -> None:
    place.fill(RECORDS)
    spec = place.spec(run=RUN)
    cut = await split_shards(spec, place.endpoint, shards=2, least_rows=1)
    told = await infer_shard(spec, place.endpoint, split=cut[0]["split"], shard=0)
    with pytest.raises(BadInput, match="1 of 2 shards are not done"):
        await publish_shards(spec, place.endpoint, split=cut[0]["split"])
    assert told["paid_usd"] > 0
    assert (record_in(place.state).state, record_in(place.state).paid_usd) == ("stopped", told["paid_usd"])
    (past,) = read_history(STORE, str(place.state))
    assert (past.state, past.paid_usd) == ("stopped", told["paid_usd"])


@pytest.mark.parametrize("fault", [None, "break_schema"])
async def test_a_preview_is_not_taken_for_the_run_whose_name_it_has(fault: str | None, place: Any) -> None:
    place.fill(RECORDS)
    if fault is not None:
        place.server.script(Fault(fault))
    await run_job(place.spec(run=RUN), place.endpoint, preview=3)
    assert not (place.state / "runs").exists()
    assert ends(place) == []
    place.server.clear_faults()
    manifest = await place.run(run=RUN)
    record = record_in(place.state)
    assert (record.paid_usd, record.earlier_tries) == (manifest["paid_usd"], 3), (
        "what it paid is on the run's bill"
    )


async def test_a_preview_that_fails_leaves_the_record_of_the_run_as_it_was(place: Any) -> None:
    place.fill(RECORDS)
    await place.run(run=RUN)
    before = record_in(place.state)
    with pytest.raises(KeyRefused):
        await run_job(place.spec(run=RUN, prompt="Another? {{ record.body }}"), wrong_key(place), preview=3)
    assert (record_in(place.state), ends(place)) == (before, [(RUN, "published")])


def wrong_key(place: Any) -> Endpoint:
    return Endpoint(place.server.base_url, "another-key-0123456789")


async def test_a_run_that_leaves_waits_and_the_next_leg_ends_what_the_first_began(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(latency=1.0)
    place.fill(RECORDS)
    with pytest.raises(AllSent) as left:
        await place.run(run=RUN, leg=Leg(worth_s=0.0))
    waiting = record_in(place.state)
    assert (waiting.state, waiting.left_s) == ("waiting", None)
    assert waiting.under_way + waiting.rows_done == RECORDS
    assert sum(wait.inferences for wait in waiting.waits) == waiting.under_way
    assert ends(place) == []
    await place.run(run=RUN, leg=Leg(goes_on=True, published=left.value.published))
    ended = record_in(place.state)
    assert (ended.state, ended.started_at) == ("published", waiting.started_at)
    assert ends(place) == [(RUN, "published")]


async def test_a_process_that_is_killed_leaves_a_running_record_and_its_next_try_goes_on(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    place.fill(RECORDS)
    place.server.script(held("Shop 7 "))
    path = Path(record_path(STORE, str(place.state), RUN))
    await asyncio.to_thread(_kill_once_there_is, path, place, "--run", RUN)
    killed = record_in(place.state)
    assert (killed.state, killed.rows, killed.rows_done) == ("running", RECORDS, RECORDS - 1)
    assert (killed.under_way, killed.outcomes) == (1, {"succeeded": RECORDS - 1})
    assert ends(place) == []
    assert [(wait.what, wait.inferences) for wait in killed.waits] == [("answers", 1)]
    # The next try waits for the lease of the one that was killed, and does not say that nothing is paid or done.
    limits = {"lease_s": 4.0, "deadline_s": HELD_DEADLINE_S}
    told = asyncio.create_task(
        run_job(place.spec(run=RUN, limits=limits), place.endpoint, recorded_every_s=0.05)
    )
    begun = await asyncio.to_thread(_once_it_differs, killed, place)
    assert (begun.state, begun.rows_done, begun.paid_usd) == ("running", RECORDS - 1, killed.paid_usd)
    place.server.let_go()
    manifest = await told
    ended = record_in(place.state)
    assert (ended.state, ended.rows_done, ended.paid_usd) == ("published", RECORDS, manifest["paid_usd"])
    assert (ended.reused, ended.earlier_tries) == (0, RECORDS - 1), "this run paid for them"
    assert ended.at > killed.at
    assert ended.started_at == killed.started_at
    assert ended.try_started_at > killed.try_started_at, "another try"


def _once_it_differs(before: RunRecord, place: Any) -> RunRecord:
    pause = threading.Event()
    for _ in range(LOOKS):
        if record_in(place.state) != before:
            break
        pause.wait(BETWEEN_LOOKS_S)
    return record_in(place.state)


async def test_answers_of_earlier_runs_cost_this_one_nothing_and_those_of_its_earlier_tries_did(
    place: Any,
) -> None:
    place.fill(RECORDS)
    await place.run(run="yesterday", limit=5)
    place.server.script(Fault("break_schema", contains="Shop 11 "))
    with pytest.raises(TooManyFailed):
        await place.run(run=RUN, failures={"most": 0})
    place.server.clear_faults()
    await place.run(run=RUN, publish={"keep_raw": True})
    record = record_in(place.state)
    assert (record.state, record.rows_done) == ("published", RECORDS)
    assert (record.reused, record.earlier_tries) == (5, RECORDS - 5)
    await place.run(run=RUN, publish={"keep_raw": True})
    again = record_in(place.state)
    assert (again.state, again.reused, again.earlier_tries) == ("unchanged", 5, RECORDS - 5)
    assert again.paid_usd == record.paid_usd
    await place.run(run="tomorrow", publish={"keep_raw": True})
    tomorrow = record_in(place.state, "tomorrow")
    assert (tomorrow.state, tomorrow.reused, tomorrow.earlier_tries) == ("unchanged", RECORDS, 0)


async def test_who_asks_again_what_was_approved_has_the_budget_of_its_author(place: Any) -> None:
    place.fill(RECORDS)
    author = place.spec(run=RUN, limit=6)
    await run_job(author.bounded_by(Budget(usd=3.0)), place.endpoint)
    noted = read_request(STORE, str(place.state), record_in(place.state).request)
    assert noted is not None
    assert (noted["spec"]["budget"], noted["spec"]["limit"]) == (None, 6)
    assert record_in(place.state).budget_usd == 3.0


async def test_a_shard_notes_what_the_whole_run_asks(place: Any) -> None:
    place.fill(RECORDS)
    spec = place.spec(run=RUN, budget=Budget(usd=3.0), limit=6)
    cut = await split_shards(spec, place.endpoint, shards=2, least_rows=1)
    for each in cut:
        await infer_shard(spec, place.endpoint, split=each["split"], shard=each["shard"])
    (path,) = (place.state / "requests").iterdir()
    noted = read_request(STORE, str(place.state), path.stem)
    assert noted is not None
    assert (noted["spec"]["budget"]["usd"], noted["spec"]["limit"]) == (3.0, 6)


def _kill_once_there_is(path: Path, place: Any, *options: str) -> None:
    pause = threading.Event()
    with place.start(*place.arguments("run"), *options) as process:
        for _ in range(LOOKS):
            if path.exists() or process.poll() is not None:
                break
            pause.wait(BETWEEN_LOOKS_S)
        process.kill()
        process.communicate()


async def test_each_shard_is_recorded_in_its_own_folder_and_the_publish_has_the_sums(place: Any) -> None:
    place.fill(RECORDS)
    spec = place.spec(run=RUN)
    cut = await split_shards(spec, place.endpoint, shards=3, least_rows=1)
    begun = record_in(place.state)
    assert (begun.state, begun.rows, begun.rows_done) == ("running", RECORDS, 0)
    told = [await infer_shard(spec, place.endpoint, split=each["split"], shard=each["shard"]) for each in cut]
    for each in told:
        record = record_in(shard_folder(STORE, str(place.state), each["shard"]))
        assert (record.state, record.rows, record.rows_done) == ("staged", each["rows"], each["rows"])
        assert (record.outcomes, record.paid_usd) == (each["outcomes"], each["paid_usd"])
    assert ends(place) == []
    manifest = await publish_shards(spec, place.endpoint, split=cut[0]["split"])
    record = record_in(place.state)
    assert (record.state, record.started_at) == ("published", begun.started_at)
    assert (record.rows_done, record.outcomes) == (RECORDS, {"succeeded": RECORDS})
    assert record.paid_usd == pytest.approx(manifest["paid_usd"])
    assert record.paid_usd == pytest.approx(sum(each["paid_usd"] for each in told))
    assert ends(place) == [(RUN, "published")]


async def test_a_run_that_goes_on_without_its_shards_says_what_it_paid_in_them_all_the_time(
    place: Any,
) -> None:
    place.fill(RECORDS)
    spec, told = place.spec(run=RUN), []
    cut = await split_shards(spec, place.endpoint, shards=2, least_rows=1)
    shard = await infer_shard(spec, place.endpoint, split=cut[0]["split"], shard=0)
    manifest = await run_job(spec, place.endpoint, report=told.append)
    assert [progress.cost >= shard["paid_usd"] for progress in told] == [True] * len(told)
    assert told[-1].cost == pytest.approx(manifest["paid_usd"])
    assert record_in(place.state).paid_usd == pytest.approx(manifest["paid_usd"])


async def test_a_shard_that_was_done_before_is_recorded_for_the_next_run_too(place: Any) -> None:
    place.fill(RECORDS)
    for run in ("one", "two"):
        spec = place.spec(run=run)
        cut = await split_shards(spec, place.endpoint, shards=2, least_rows=1)
        for each in cut * 2:
            await infer_shard(spec, place.endpoint, split=each["split"], shard=each["shard"])
    folder = shard_folder(STORE, str(place.state), 1)
    assert record_in(folder, "one").paid_usd > 0, "as it was before it was called again"
    two = record_in(folder, "two")
    assert (two.state, two.paid_usd, two.reused) == ("staged", 0.0, two.rows_done)


async def test_a_shard_that_stops_says_why_in_its_own_folder(place: Any) -> None:
    place.fill(RECORDS)
    spec, stop = place.spec(run=RUN), asyncio.Event()
    (cut,) = await split_shards(spec, place.endpoint, shards=1)
    stop.set()
    with pytest.raises(Interrupted):
        await infer_shard(spec, place.endpoint, split=cut["split"], shard=0, stop=stop)
    record = record_in(shard_folder(STORE, str(place.state), 0))
    assert (record.state, record.reason) == ("stopped", "it was asked to stop")
    assert record_in(place.state).state == "running", "the group may yet go on"


@pytest.mark.parametrize("harm", [b"", b"\x00{", b'{"format": 1, "runs": 7}', b'{"format": 99}'])
async def test_no_damaged_record_and_no_damaged_history_stops_a_run(harm: bytes, place: Any) -> None:
    place.fill(3)
    await place.run(run=RUN)
    for path in (place.state / "history.json", Path(record_path(STORE, str(place.state), RUN))):
        path.write_bytes(harm)
    manifest = await place.run(run=RUN)
    assert manifest["outcomes"] == {"succeeded": 3}
    assert record_in(place.state).state == "unchanged"


class Counted(LocalStorage):
    """Counts what is asked of the store about records and history, as an object store would be asked.

    A file that is written again counts once: a run that takes two seconds, as on a busy machine, has a record of how far it is, too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        self._written: set[str] = set()

    def _note(self, kind: str, path: str) -> None:
        if "/runs" in path or "/requests" in path or path.endswith("/history.json"):
            self.asked[kind] += 1

    def read_versioned(self, path: str) -> Any:
        self._note("read", path)
        return super().read_versioned(path)

    def exists(self, path: str) -> bool:
        self._note("look", path)
        return super().exists(path)

    def writing(self, path: str) -> Any:
        if path not in self._written:
            self._note("write", path)
        self._written.add(path)
        return super().writing(path)

    def create_new(self, path: str, data: Any) -> bool:
        self._note("write", path)
        return super().create_new(path, data)

    def list(self, folder: str, *, recursive: bool = True, links: bool = True) -> Any:
        self._note("list", folder)
        return super().list(folder, recursive=recursive, links=links)

    def delete(self, path: str) -> None:
        self._note("delete", path)
        super().delete(path)


async def test_a_run_with_nothing_to_do_asks_the_store_for_little(place: Any) -> None:
    """How many requests that is of an object store holds `test_job_on_object_stores`. Its record is read once, for what an earlier try noted, and written once; the history is read and swapped.

    What it asks was noted before, which one look tells.
    """
    place.fill(3)
    await place.run(run="one")
    (place.state / "history.json").unlink()
    storage = Counted()
    await run_job(place.spec(run="two"), place.endpoint, stores=OneStore(storage))
    # The local store looks once more when it swaps.
    assert storage.asked == {"read": 3, "write": 2, "look": 1}


async def test_a_run_without_a_name_reads_no_record_of_another(place: Any) -> None:
    place.fill(3)
    storage = Counted()
    await run_job(place.spec(), place.endpoint, stores=OneStore(storage))
    # Rows of an earlier run without a name that failed are shown no more; what it asks is new, and may be one file too many.
    assert storage.asked == {"read": 2, "write": 3, "look": 1, "delete": 1, "list": 1}
    await run_job(place.spec(), place.endpoint)
    assert ends(place) == [("", "unchanged"), ("", "published")]
    assert record_in(place.state, "").state == "unchanged"


class HangingRecords(LocalStorage):
    """Keeps what is written of records for itself until it is told to let go, and serves all else."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()
        self.asked = threading.Event()

    def writing(self, path: str) -> Any:
        if "/runs/" in path:
            self.asked.set()
            assert self.let_go.wait(60)
        return super().writing(path)


async def test_a_store_that_hangs_over_the_record_hurts_no_job(
    place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    place.fill(RECORDS)
    storage = HangingRecords()
    manifest = await run_job(place.spec(run=RUN), place.endpoint, stores=OneStore(storage))
    assert storage.asked.is_set()
    storage.let_go.set()
    place.audit(manifest, RECORDS)
    assert "does not answer" in " ".join(" ".join(caplog.messages).split())
    assert ends(place) == [], "no request was begun after that"
