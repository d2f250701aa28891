"""Where the records of runs lie, and what becomes of the history when several write it, or somebody harms it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.job.run_record import Approval, PastRun, RunRecord, Waited
from runware_provider.engine.job.run_records import (
    MOST_PAST,
    MOST_RECORDS,
    MOST_REMOVED,
    TRIES,
    note_hits,
    note_in_history,
    read_history,
    read_record,
    record_path,
    remove_old_records,
    write_record,
)
from runware_provider.engine.storage.local import LocalStorage

HITS = {"total": {"hits": 9, "of": 10}}


def past(run: str, started_at: str = "2026-01-02T03:04:05.000+00:00", **fields: Any) -> PastRun:
    usual: dict[str, Any] = {
        "state": "published",
        "finished_at": started_at,
        "model": "m",
        "rows": 3,
        "outcomes": {"succeeded": 3},
        "paid_usd": 0.1,
    }
    return PastRun(run=run, started_at=started_at, **{**usual, **fields})


def record(run: str, **fields: Any) -> RunRecord:
    usual: dict[str, Any] = {
        "state": "running",
        "started_at": "then",
        "at": "now",
        "source": "in",
        "destination": "out",
        "model": "m",
        "rows": 3,
        "rows_done": 1,
    }
    return RunRecord(run=run, **{**usual, **fields})


class Contested(LocalStorage):
    """Somebody else is faster, so many times."""

    def __init__(self, times: int, folder: str) -> None:
        super().__init__()
        self.times = times
        self.folder = folder

    def replace_if(self, path: str, data: Any, version: Any) -> bool:
        if self.times > 0:
            self.times -= 1
            note_in_history(LocalStorage(), self.folder, past(f"other {self.times}"))
        return super().replace_if(path, data, version)


def test_a_record_is_read_as_it_was_written_and_the_next_one_replaces_it(tmp_path: Path) -> None:
    storage, folder = LocalStorage(), str(tmp_path)
    approval = Approval(3, 1.0, 0.5, 0.0, "approved", by="someone", at="now")
    whole = record("a/b", waits=[Waited("answers", 3, 61.5)], approval=approval, budget_usd=2.5)
    write_record(storage, folder, whole)
    write_record(storage, folder, record("another"))
    assert read_record(storage, folder, "a/b") == whole
    write_record(storage, folder, replace(whole, rows_done=2))
    assert read_record(storage, folder, "a/b") == replace(whole, rows_done=2)
    assert read_record(storage, folder, "nobody's") is None


def test_the_newest_end_of_a_run_is_the_one_that_the_history_keeps(tmp_path: Path) -> None:
    storage, folder = LocalStorage(), str(tmp_path)
    for told in (past("a", state="stopped"), past("b"), past("a", "later"), past(""), past("", "later")):
        note_in_history(storage, folder, told)
    note_in_history(storage, folder, past("", "later", rows=4))
    history = read_history(storage, folder)
    assert [(told.run, told.started_at[:5], told.rows) for told in history] == [
        ("", "later", 4),
        ("", "2026-", 3),
        ("a", "later", 3),
        ("b", "2026-", 3),
    ]


def test_the_history_is_bounded_and_says_when_a_run_drops_out(tmp_path: Path) -> None:
    storage, folder = LocalStorage(), str(tmp_path)
    dropped = [note_in_history(storage, folder, past(f"run {number}")) for number in range(MOST_PAST + 2)]
    assert dropped == [False] * MOST_PAST + [True] * 2
    assert [told.run for told in read_history(storage, folder)][-1] == "run 2"
    assert len(read_history(storage, folder)) == MOST_PAST


def test_who_is_overtaken_adds_to_what_the_other_wrote(tmp_path: Path) -> None:
    storage = Contested(TRIES - 1, str(tmp_path))
    note_in_history(storage, str(tmp_path), past("mine"))
    told = [each.run for each in read_history(storage, str(tmp_path))]
    assert told == ["mine", *(f"other {number}" for number in range(TRIES - 1))]


def test_who_is_overtaken_again_and_again_gives_up(tmp_path: Path) -> None:
    storage = Contested(TRIES, str(tmp_path))
    with pytest.raises(OSError, match="others kept writing"):
        note_in_history(storage, str(tmp_path), past("mine"))
    assert len(read_history(storage, str(tmp_path))) == TRIES


@given(harm=st.binary(max_size=60))
def test_a_damaged_history_begins_anew(harm: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("state")
    (folder / "history.json").write_bytes(harm)
    with pytest.raises(StateUnreadable, match="damaged"):
        read_history(LocalStorage(), str(folder))
    note_in_history(LocalStorage(), str(folder), past("mine"))
    assert [told.run for told in read_history(LocalStorage(), str(folder))] == ["mine"]


@pytest.mark.parametrize("runs", [[{"run": "a"}], "none", None, [3]])
def test_a_history_of_other_things_is_damaged_too(runs: Any, tmp_path: Path) -> None:
    (tmp_path / "history.json").write_text(json.dumps({"format": 1, "runs": runs}), encoding="utf-8")
    note_in_history(LocalStorage(), str(tmp_path), past("mine"))
    assert len(read_history(LocalStorage(), str(tmp_path))) == 1


def test_what_a_newer_version_wrote_stays(tmp_path: Path) -> None:
    written = json.dumps({"format": 2, "lines": []})
    (tmp_path / "history.json").write_text(written, encoding="utf-8")
    with pytest.raises(StateUnreadable, match="upgrade"):
        note_in_history(LocalStorage(), str(tmp_path), past("mine"))
    assert (tmp_path / "history.json").read_text(encoding="utf-8") == written


def test_hits_are_put_beside_the_newest_run_of_the_dataset(tmp_path: Path) -> None:
    storage, folder = LocalStorage(), str(tmp_path)
    for told in (past("old", publish_id="p"), past("new", publish_id="p"), past("other", publish_id="q")):
        note_in_history(storage, folder, told)
    note_hits(storage, folder, "p", HITS)
    note_hits(storage, folder, "nobody's", HITS)
    assert {told.run: told.hits for told in read_history(storage, folder)} == {
        "old": {},
        "new": HITS,
        "other": {},
    }


def test_only_the_records_of_the_newest_runs_are_kept_with_what_lies_beside_them(tmp_path: Path) -> None:
    storage, folder = LocalStorage(), str(tmp_path)
    runs = [f"run {number}" for number in range(MOST_RECORDS + MOST_REMOVED)]
    for number, run in enumerate(runs):
        write_record(storage, folder, record(run))
        path = Path(record_path(storage, folder, run))
        beside = path.with_name(f"{path.stem}-failed.parq")
        beside.write_bytes(b"rows")
        for written in (path, beside):
            os.utime(written, (number, number))
    # The rows of the oldest were written just now.
    oldest = Path(record_path(storage, folder, runs[0]))
    os.utime(oldest.with_name(f"{oldest.stem}-failed.parq"))
    for _ in range(3):
        remove_old_records(storage, folder)
    kept = [run for run in runs if read_record(storage, folder, run) is not None]
    assert kept == [runs[0], *runs[MOST_REMOVED + 1 :]]
    assert len(list((tmp_path / "runs").glob("*.parq"))) == MOST_RECORDS


def test_one_look_removes_so_many_files_and_no_more(tmp_path: Path) -> None:
    storage, folder = LocalStorage(), str(tmp_path)
    for number in range(MOST_RECORDS + 2 * MOST_REMOVED):
        write_record(storage, folder, record(f"run {number}"))
    remove_old_records(storage, folder)
    assert len(list((tmp_path / "runs").glob("*.json"))) == MOST_RECORDS + MOST_REMOVED
