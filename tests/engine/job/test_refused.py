"""Who is refused before a process of the run was at work finds out on its page, too, where there is a place for a record."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.errors import BadInput, NothingToDo, TooManyFailed, note_how_far
from runware_provider.engine.job.inferring import infer_shard
from runware_provider.engine.job.refused import note_refused
from runware_provider.engine.job.run_record import RunRecord
from runware_provider.engine.job.run_records import read_history, read_record, write_record
from runware_provider.engine.job.split_record import shard_folder
from runware_provider.engine.job.splitting import split_shards
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.engine.storage.stores import Stores
from tests.engine.job.test_going_on import OneStore

if TYPE_CHECKING:
    from pathlib import Path

RUN = "dag/task/run/-1"
BEGAN_AT = "2026-01-02T03:04:05.000+00:00"
REFUSAL = BadInput("source", "there is nothing at 'no'", "Check the path")
STORE = LocalStorage()


def record_in(folder: Path | str, run: str = RUN) -> RunRecord | None:
    return read_record(STORE, str(folder), run)


def noted(place: Any, error: BaseException = REFUSAL, **changes: Any) -> RunRecord | None:
    note_refused(place.spec(run=RUN), error, Stores(), began_at=BEGAN_AT, **changes)
    return record_in(place.state)


async def test_a_refused_run_of_a_job_that_is_known_says_why_and_what_to_do(place: Any) -> None:
    place.fill(3)
    await place.run(run="yesterday")
    record = noted(place)
    assert record is not None
    assert (record.state, record.started_at, record.try_started_at) == ("stopped", BEGAN_AT, BEGAN_AT)
    assert record.reason == "source: there is nothing at 'no'"
    assert record.remedy.startswith("Check the path")
    assert [(past.run, past.state) for past in read_history(STORE, str(place.state))] == [
        (RUN, "stopped"),
        ("yesterday", "published"),
    ]


async def test_there_being_nothing_to_do_is_said_too(place: Any) -> None:
    place.fill(3)
    await place.run(run="yesterday")
    record = noted(place, NothingToDo("in holds no record"))
    assert record is not None
    assert (record.reason, record.remedy) == ("there was nothing to do: in holds no record", "")


async def test_what_earlier_tries_came_to_stays(place: Any) -> None:
    place.fill(3)
    await place.run(run=RUN)
    before = record_in(place.state)
    record = noted(place)
    assert before is not None
    assert record is not None
    assert record.state == "stopped"
    assert (record.paid_usd, record.rows, record.rows_done) == (before.paid_usd, 3, 3)
    assert (record.request, record.asks) == (before.request, before.asks)


async def test_rows_of_samples_that_failed_are_none_of_the_run_and_their_money_is(place: Any) -> None:
    place.fill(3)
    await place.run(run="yesterday")
    error = TooManyFailed("2 of 2 rows failed")
    note_how_far(error, {"rows": 2, "outcomes": {"invalid": 2}, "paid_usd": 0.5, "still_at_vendor": 1})
    record = noted(place, error)
    assert record is not None
    assert (record.state, record.reason, record.paid_usd) == ("stopped", "2 of 2 rows failed", 0.5)
    assert (record.rows, record.rows_done, record.outcomes, record.under_way) == (0, 0, {}, 1)


def test_no_state_folder_is_made_for_what_was_refused(place: Any) -> None:
    place.fill(3)
    assert noted(place) is None
    assert not place.state.exists()


async def test_nothing_is_written_into_the_state_of_another_dataset(place: Any) -> None:
    place.fill(3)
    await place.run(run="yesterday")
    other = place.spec(run=RUN, destination=str(place.root / "other"), memory={"state": str(place.state)})
    note_refused(other, REFUSAL, Stores(), began_at=BEGAN_AT)
    assert record_in(place.state) is None


async def test_what_the_run_noted_itself_says_more(place: Any) -> None:
    place.fill(3)
    await place.run(run="yesterday")
    own = RunRecord(RUN, "stopped", BEGAN_AT, BEGAN_AT, "in", "out", "m", 3, 1, reason="the key is wrong")
    write_record(STORE, str(place.state), own)
    assert noted(place) == own


async def test_a_run_without_a_name_notes_nothing(place: Any) -> None:
    place.fill(3)
    await place.run(run="yesterday")
    note_refused(place.spec(), REFUSAL, Stores(), began_at=BEGAN_AT)
    assert record_in(place.state, "") is None


async def test_a_refused_shard_is_noted_beside_its_own_records(place: Any) -> None:
    place.fill(3)
    spec = place.spec(run="yesterday")
    (cut,) = await split_shards(spec, place.endpoint, shards=1)
    await infer_shard(spec, place.endpoint, split=cut["split"], shard=0)
    assert noted(place, shard=0) is None, "the place has another record"
    record = record_in(shard_folder(STORE, str(place.state), 0))
    assert record is not None
    assert record.state == "stopped"
    assert read_history(STORE, str(place.state)) == []


class Harmed(LocalStorage):
    """Fails, or answers nothing, when it is asked whose state folder this is."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__()
        self._error = error
        self.let_go = threading.Event()

    def exists(self, path: str) -> bool:
        if self._error is not None:
            raise self._error
        assert self.let_go.wait(60.0)
        return super().exists(path)


@pytest.mark.parametrize("error", [ConnectionError("the store is away"), KeyError("whatever"), None])
def test_no_store_makes_it_worse(error: Exception | None, place: Any) -> None:
    storage = Harmed(error)
    note_refused(place.spec(run=RUN), REFUSAL, OneStore(storage), began_at=BEGAN_AT, wait_s=0.01)
    storage.let_go.set()
