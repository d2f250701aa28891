from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runware_provider.engine.attempt import FORGOTTEN, Entry, Kind
from runware_provider.engine.errors import BadInput, StateUnreadable
from runware_provider.engine.identity import Key, task_uuid
from runware_provider.engine.memory.compaction import compact
from runware_provider.engine.memory.forgetting import expire, forget
from runware_provider.engine.memory.ledger import Ledger
from runware_provider.engine.memory.segment_catalogue import remove
from runware_provider.engine.memory.state_folder import open_job
from runware_provider.engine.outcome.standing import standing
from runware_provider.engine.storage.local import LocalStorage
from tests.engine.memory.dying_storage import Dying, Killed

if TYPE_CHECKING:
    from collections.abc import Callable

START = 1_760_000_000.0
ORIGIN = bytes(range(16))
SECRET = "Max Mustermann"
"""In answers, and in nothing else."""


def key(number: int, sample: int = 0, generation: int = 0) -> Key:
    return Key(number.to_bytes(16, "big"), sample, generation)


def entry(number: int, kind: Kind = Kind.ANSWERED, attempt: int = 1, **facts: Any) -> Entry:
    return Entry(key(number), attempt, kind, **facts)


def answer(number: int, text: str = "hello", attempt: int = 1, **facts: Any) -> Entry:
    told = {
        "cost": 0.25,
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "item": json.dumps({"text": text}).encode(),
    }
    return entry(number, attempt=attempt, **{**told, **facts})


def quick() -> LocalStorage:
    return LocalStorage(lambda _: None)


def open_ledger(state: str, storage: Any = None, now: float = START, **rest: Any) -> Ledger:
    return Ledger(storage or quick(), f"{state}/ledger", clock=lambda: now, **rest)


def write(state: str, *groups: list[Entry], now: float = START) -> None:
    async def commit() -> None:
        ledger = open_ledger(state, now=now)
        async with ledger.writing():
            for group in groups:
                await ledger.commit(group, at_once=True)
        ledger.close()

    open_job(quick(), state, "out", "now")
    asyncio.run(commit())


def merge(state: str) -> bool:
    ledger = open_ledger(state)
    try:
        return compact(ledger)
    finally:
        ledger.close()


def uuid_of(state: str, number: int, attempt: int = 1, sample: int = 0, generation: int = 0) -> str:
    job = open_job(quick(), state, "out", "now").job_id
    return task_uuid(job, Key(key(number).fingerprint, sample, generation), attempt)


def held(state: str, of: range = range(10)) -> dict[tuple[int, int], Entry]:
    """By number and attempt the entries of the newest generation of sample 0."""
    ledger = open_ledger(state)
    histories = ledger.histories([(key(n).fingerprint, 0) for n in of], 0)
    attempts = [one for history in histories if history for one in history.attempts]
    entries = ledger.entries(attempts).values()
    ledger.close()
    return {(int.from_bytes(one.key.fingerprint, "big"), one.attempt): one for one in entries}


def totals(state: str) -> Any:
    ledger = open_ledger(state)
    try:
        return ledger.totals("all")
    finally:
        ledger.close()


def everything(state: str) -> bytes:
    """What lies in the state folder; answers this short are not compressed beyond recognition."""
    return b"".join(path.read_bytes() for path in Path(state).rglob("*") if path.is_file())


def files(state: str) -> set[str]:
    return {path.name for path in Path(state, "ledger").iterdir() if not path.name.endswith(".lock")}


@pytest.fixture
def state(tmp_path: Path) -> str:
    return str(tmp_path / "out.state")


# what is forgotten


def test_an_answer_is_forgotten_by_its_uuid_and_the_bill_stays(state: str) -> None:
    write(state, [answer(1), answer(2)], [answer(3)])
    before = totals(state)
    report = forget(
        quick(), state, task_uuids=[uuid_of(state, 2).upper(), "00000000-0000-4000-8000-000000000000"]
    )
    assert report == {
        "forgotten": 1,
        "answers": 1,
        "task_uuids": [uuid_of(state, 2)],
        "unknown_task_uuids": ["00000000-0000-4000-8000-000000000000"],
        "segments": 1,
        "removed": 1,
        "staged": 0,
        "replaced": 0,
        "reports": 0,
        "examples": 0,
    }
    entries = held(state)
    gone = entry(
        2, Kind.SPENT, family=FORGOTTEN, code="answered", cost=0.25, prompt_tokens=5, completion_tokens=2
    )
    assert entries == {(1, 1): answer(1), (2, 1): gone, (3, 1): answer(3)}
    assert totals(state) == before
    assert "00000001.segment" not in files(state)
    assert "00000002.segment" in files(state)


def test_with_an_attempt_goes_everything_about_the_same_request(state: str) -> None:
    write(
        state,
        [
            entry(1, Kind.REJECTED, message="no: x", item=b"{}"),
            entry(1, Kind.ERROR, attempt=2, family="lost", message="m"),
            answer(1, attempt=3),
        ],
        [
            Entry(key(1, sample=1), 1, Kind.ANSWERED, item=b"{}"),
            Entry(key(1, generation=4), 1, Kind.ERROR, family="provider", code="c", item=b"{}"),
            Entry(key(1, generation=4), 2, Kind.SPENT, family="conflict"),
            Entry(key(1, generation=4), 3, Kind.INTENT),
            answer(2),
        ],
    )
    before = totals(state)
    report = forget(quick(), state, task_uuids=[uuid_of(state, 1, attempt=3)])
    assert (report["forgotten"], report["answers"], len(report["task_uuids"])) == (6, 2, 5)
    assert totals(state) == before
    ledger = open_ledger(state)
    for sample in (0, 1):
        for generation in (0, 4):
            history = ledger.history(key(1).fingerprint, sample, generation)
            for one in ledger.entries(history.attempts if history else ()).values():
                assert (one.item, one.message) == (None, None)
                assert one.kind < Kind.SPENT or one.family == FORGOTTEN
    ledger.close()
    assert held(state)[2, 1] == answer(2)


def test_what_is_forgotten_is_asked_again_under_a_new_number_however_often(state: str) -> None:
    for attempt in range(1, 10):
        write(state, [answer(1, attempt=attempt)])
        forget(quick(), state, task_uuids=[uuid_of(state, 1, attempt)])
        ledger = open_ledger(state)
        known = standing(ledger.history(key(1).fingerprint, 0, 0), 3)
        ledger.close()
        assert (known.shown, known.attempt, known.counted, known.spent) == (None, attempt + 1, 0, 0)
        assert not known.fate_unknown
    assert totals(state).cost == 9 * 0.25


def test_what_may_be_under_way_is_still_found_and_not_paid_twice(state: str) -> None:
    write(state, [entry(1, Kind.ERROR, family="provider", message="x"), entry(1, Kind.INTENT, attempt=2)])
    forget(quick(), state, task_uuids=[uuid_of(state, 1)])
    ledger = open_ledger(state)
    known = standing(ledger.history(key(1).fingerprint, 0, 0), 3)
    ledger.close()
    assert (known.attempt, known.fate_unknown) == (2, True)


@pytest.mark.parametrize("name", ["ledger", "staged", "reports", "runs"])
def test_an_erasure_that_would_stop_before_a_link_is_refused_and_nothing_behind_it_is_touched(
    state: str, tmp_path: Path, name: str
) -> None:
    write(state, [answer(1, SECRET)])
    theirs = tmp_path / "theirs"
    if name == "ledger":
        Path(state, name).rename(theirs)
    else:
        (theirs / "ab").mkdir(parents=True)
        for path in (theirs / "ab" / "part-00000.staged", theirs / "report.md"):
            path.touch()
    Path(state, name).symlink_to(theirs)
    before = sorted(theirs.rglob("*"))
    with pytest.raises(BadInput, match=f"{name} is a symbolic link, and nothing behind a link is removed"):
        forget(quick(), state, containing=[SECRET])
    assert sorted(theirs.rglob("*")) == before


def test_an_erasure_removes_reports_and_parts_of_ours_and_nothing_else(state: str, tmp_path: Path) -> None:
    write(state, [answer(1, SECRET)])
    kept = [Path(state, name) for name in ("reports/notes.txt", "staged/ab/notes.txt", "reports/deep.html/a")]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "theirs.md").touch()
    Path(state, "reports", "linked.md").symlink_to(tmp_path / "theirs.md")
    assert forget(quick(), state, containing=[SECRET])["reports"] == 0
    assert all(path.exists() for path in (*kept, tmp_path / "theirs.md", Path(state, "reports", "linked.md")))


def test_an_erasure_removes_the_misses_beside_the_report_and_no_other_parquet(state: str) -> None:
    write(state, [answer(1, SECRET)])
    folder = Path(state, "reports")
    folder.mkdir()
    for name in ("report.html", "report.md", "misses.parq", "mine.parquet"):
        (folder / name).touch()
    assert forget(quick(), state, containing=[SECRET])["reports"] == 3
    assert [path.name for path in folder.iterdir()] == ["mine.parquet"]


def test_no_segment_is_removed_behind_a_link(state: str, tmp_path: Path) -> None:
    write(state, [answer(1)])
    Path(state, "ledger").rename(tmp_path / "theirs")
    Path(state, "ledger").symlink_to(tmp_path / "theirs")
    with pytest.raises(StateUnreadable, match="nothing behind a link is removed"):
        remove(quick(), f"{state}/ledger", ["00000001.segment"])
    assert len(list((tmp_path / "theirs").glob("*.segment"))) == 1


@pytest.mark.parametrize("text", [SECRET, "max  MUSTERMANN"])
def test_a_person_is_forgotten_and_nothing_of_them_is_left_in_any_file(state: str, text: str) -> None:
    nested = json.dumps({"name": SECRET, "city": "K\u00f6ln"})
    write(
        state,
        [answer(1, f"Dear {SECRET}"), answer(2)],
        [answer(3, nested)],
        [entry(4, Kind.ERROR, family="validation", message=f"{SECRET} is no date")],
        [answer(5)],
    )
    assert merge(state)
    write(state, [answer(6, SECRET), answer(7)])
    beside = {
        "staged/ab/part-00000.staged",  # of an earlier version
        "staged/cd/batches-00000.staged",
        "replaced/part-00000-cd.parquet.replaced",
        "failures/staged/cd/part-00000.part",
        "failures/replaced/part-00000-cd.parquet.replaced",
    }
    for name in beside:
        quick().create_new(f"{state}/{name}", f"{SECRET} in a row".encode())
    quick().create_new(f"{state}/reports/report.md", f"most frequent: {SECRET}".encode())
    assert SECRET.encode() in everything(state)
    before = totals(state)
    report = forget(quick(), state, containing=["nobody at all", text])
    assert (report["forgotten"], report["answers"]) == (4, 3)
    assert (report["staged"], report["replaced"], report["reports"]) == (3, 2, 1)
    assert set(report["task_uuids"]) == {uuid_of(state, n) for n in (1, 3, 4, 6)}
    assert SECRET not in json.dumps(report)
    assert SECRET.encode() not in everything(state)
    assert totals(state) == before
    assert {place for place, one in held(state).items() if one.family != FORGOTTEN} == {
        (2, 1),
        (5, 1),
        (7, 1),
    }
    assert forget(quick(), state, containing=[text])["forgotten"] == 0


def test_what_is_older_than_a_time_is_forgotten_alone(state: str) -> None:
    write(state, [answer(1), entry(2, Kind.ERROR, family="provider", message="m")], now=START)
    write(state, [answer(2, attempt=2), answer(3)], now=START + 10)
    zone = timezone(timedelta(hours=5))
    when = datetime.fromtimestamp(START + 10, zone)
    report = forget(quick(), state, older_than=when, keep=lambda one: one == key(9))
    assert (report["forgotten"], report["answers"]) == (2, 1)
    assert {place for place, one in held(state).items() if one.family == FORGOTTEN} == {(1, 1), (2, 1)}
    assert forget(quick(), state, older_than=when)["forgotten"] == 0
    later = when + timedelta(seconds=1)
    assert forget(quick(), state, older_than=later, keep=lambda one: one == key(3))["forgotten"] == 1
    assert held(state)[3, 1] == answer(3)


def test_copies_from_another_partition_are_known_by_its_uuids(state: str) -> None:
    write(state, [answer(1, origin=ORIGIN), answer(2)])
    name = task_uuid(ORIGIN, key(1), 1)
    before = totals(state)
    report = forget(quick(), state, task_uuids=[name])
    assert (report["task_uuids"], report["unknown_task_uuids"]) == ([name], [])
    assert held(state)[1, 1].origin == ORIGIN
    assert held(state)[1, 1].item is None
    assert totals(state) == before


def test_where_nothing_matches_nothing_is_rewritten(state: str) -> None:
    write(state, [answer(1)], [answer(2)])
    before = files(state)
    assert forget(quick(), state, containing=["nobody"])["segments"] == 0
    assert files(state) == before


def test_a_folder_without_a_job_is_refused_and_not_made(state: str) -> None:
    with pytest.raises(BadInput, match="no job has its state in"):
        forget(quick(), state, task_uuids=["00000000-0000-4000-8000-000000000000"])
    assert not Path(state).exists()


@pytest.mark.parametrize(
    ("wish", "complaint"),
    [
        ({}, "nothing is named"),
        ({"task_uuids": ["x"]}, "no UUID"),
        ({"containing": [" "]}, "occurs everywhere"),
        ({"older_than": datetime(2026, 1, 1)}, "no time zone"),  # noqa: DTZ001 - that is the point
    ],
)
def test_a_wish_that_says_nothing_definite_is_refused(
    state: str, wish: dict[str, Any], complaint: str
) -> None:
    write(state, [answer(1)])
    with pytest.raises(BadInput, match=complaint):
        forget(quick(), state, **wish)


# retention


def test_what_is_old_and_not_used_expires(state: str) -> None:
    write(state, [answer(1), answer(2)], [answer(3)], now=START)
    write(state, [answer(4)], now=START + 10)
    before = totals(state)
    ledger = open_ledger(state)
    ledger.mark_used([key(1)])
    report = expire(ledger, datetime.fromtimestamp(START + 5, UTC))
    ledger.close()
    assert (report["forgotten"], report["answers"], report["task_uuids"]) == (2, 2, [])
    assert {place for place, one in held(state).items() if one.family != FORGOTTEN} == {(1, 1), (4, 1)}
    assert totals(state) == before


def test_after_expiry_the_same_process_can_merge(state: str) -> None:
    write(state, [answer(1)], [answer(2)], [answer(3)])
    ledger = open_ledger(state)
    assert expire(ledger, datetime.fromtimestamp(START + 5, UTC))["forgotten"] == 3
    assert compact(ledger)
    ledger.close()
    assert all(one.family == FORGOTTEN for one in held(state).values())


def test_expiry_after_somebody_else_merged_is_left_to_the_next_run(state: str) -> None:
    write(state, [answer(1)], [answer(2)])
    ledger = open_ledger(state)
    assert merge(state)
    with pytest.raises(StateUnreadable, match="run again"):
        expire(ledger, datetime.fromtimestamp(START + 5, UTC))
    ledger.close()
    assert held(state) == {(1, 1): answer(1), (2, 1): answer(2)}


# races and deaths


class Between(LocalStorage):
    """Does something before `base.json` is swapped for the first time."""

    def __init__(self, act: Callable[[], Any]) -> None:
        super().__init__(lambda _: None)
        self.acts = [act]

    def replace_if(self, path: str, data: Any, version: Any) -> bool:
        while self.acts:
            self.acts.pop()()
        return super().replace_if(path, data, version)


def test_when_somebody_merges_meanwhile_nothing_is_half_forgotten(state: str) -> None:
    write(state, [answer(1, SECRET)], [answer(2)])
    with pytest.raises(StateUnreadable, match="nothing is forgotten"):
        forget(Between(lambda: merge(state)), state, containing=[SECRET])
    assert held(state) == {(1, 1): answer(1, SECRET), (2, 1): answer(2)}
    assert len([name for name in files(state) if name.startswith("merged")]) == 1
    forget(quick(), state, containing=[SECRET])
    assert SECRET.encode() not in everything(state)


def test_what_a_run_writes_meanwhile_is_not_lost(state: str) -> None:
    write(state, *([answer(n, SECRET)] for n in range(5)))
    early = open_ledger(state)
    forget(Between(lambda: write(state, [answer(7)])), state, containing=[SECRET])

    async def go_on() -> None:
        async with early.writing():
            await early.commit([answer(8)], at_once=True)
        with pytest.raises(StateUnreadable, match="is gone"):
            early.entries(early.history(key(3).fingerprint, 0, 0).attempts)

    asyncio.run(go_on())
    early.close()
    assert {place for place, one in held(state).items() if one.family != FORGOTTEN} == {(7, 1), (8, 1)}


def test_killed_at_any_operation_all_or_nothing_is_forgotten_and_the_next_writer_removes_the_rest(
    state: str, tmp_path: Path
) -> None:
    write(state, [answer(1, SECRET), answer(2)], [answer(3)])
    assert merge(state)
    write(state, [answer(4, SECRET)], [answer(5)], [answer(6, SECRET, cost=None)])
    before, bill = held(state), totals(state)
    complete = str(tmp_path / "complete")
    shutil.copytree(state, complete)
    forget(quick(), complete, containing=[SECRET])
    then = held(complete)
    seen = set()
    for dies_at in itertools.count(1):
        copy = str(tmp_path / f"{dies_at}")
        shutil.copytree(state, copy)
        survived = False
        with contextlib.suppress(Killed):
            survived = forget(Dying(dies_at), copy, containing=[SECRET])["forgotten"] == 3
        told = held(copy)
        assert told in (before, then)
        seen.add(told == then)
        assert totals(copy) == bill
        if told == then:
            write(copy, [answer(7)])
            assert SECRET.encode() not in everything(copy)
        forget(quick(), copy, containing=[SECRET])
        assert {place: one for place, one in held(copy).items() if place[0] != 7} == then
        assert SECRET.encode() not in everything(copy)
        shutil.rmtree(copy)
        if survived:
            break
    assert seen == {False, True}


GROUPS = st.lists(
    st.lists(
        st.builds(
            lambda number, attempt, kind, family, cost, text: Entry(
                key(number), attempt, kind, family=family, cost=cost, item=text.encode()
            ),
            st.integers(0, 4),
            st.integers(1, 3),
            st.sampled_from([one for one in Kind if one is not Kind.INTENT]),
            st.sampled_from([None, "lost", "provider", "conflict"]),
            st.sampled_from([None, 0.5]),
            st.sampled_from(["a", "b"]),
        ),
        min_size=1,
        max_size=5,
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=30, deadline=None)
@given(GROUPS, st.integers(0, 4), st.integers(0, 4))
def test_whatever_is_forgotten_the_rest_and_the_bill_stay(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[Entry]], number: int, merged_after: int
) -> None:
    state = str(tmp_path_factory.mktemp("job") / "out.state")
    for place, group in enumerate(groups):
        write(state, group)
        if place == merged_after:
            merge(state)
    before, bill = held(state), totals(state)
    forget(quick(), state, task_uuids=[uuid_of(state, number, attempt) for attempt in (1, 2, 3)])
    then = held(state)
    assert totals(state) == bill
    assert then.keys() == before.keys()
    for place, one in then.items():
        if place[0] == number:
            assert one.item is None
            assert (one.family == FORGOTTEN) == (one.kind is Kind.SPENT)
            assert one.kind <= Kind.SPENT
        else:
            assert one.kind == before[place].kind
            assert one.item is not None
