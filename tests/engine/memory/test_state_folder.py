from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.memory.state_folder import (
    expected_generation,
    find_job,
    generation_of,
    open_job,
    wish_of,
)
from runware_provider.engine.storage.local import LocalStorage

NOW = "2026-01-01T00:00:00+00:00"
TWINS = 8


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "out.state")


def put(folder: str, name: str, content: str) -> None:
    path = Path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def test_a_job_is_created_once_and_found_again(folder: str) -> None:
    assert find_job(LocalStorage(), folder) is None
    made = open_job(LocalStorage(), folder, "out", NOW)
    again = open_job(LocalStorage(), folder, "out", NOW)
    assert made.job_id == again.job_id
    assert len(made.job_id) == 16


def test_looking_for_a_job_creates_nothing(folder: str) -> None:
    find_job(LocalStorage(), folder)
    assert not Path(folder).exists()


def test_two_folders_have_two_jobs(folder: str) -> None:
    ids = {open_job(LocalStorage(), f"{folder}/{n}", "out", NOW).job_id for n in range(20)}
    assert len(ids) == 20


def test_of_creators_at_once_one_wins_for_all(folder: str) -> None:
    with ThreadPoolExecutor(TWINS) as pool:
        made = list(pool.map(lambda _: open_job(LocalStorage(), folder, "out", NOW), range(TWINS)))
    assert len({one.job_id for one in made}) == 1


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "damaged"),
        ("{", "damaged"),
        ("[]", "damaged"),
        ("null", "damaged"),
        ('{"job_id": "00"}', "damaged"),
        ('{"format": "1", "job_id": "00"}', "damaged"),
        ('{"format": 9, "job_id": "00112233445566778899aabbccddeeff"}', "upgrade runware_provider"),
        ('{"format": 3, "job_id": "00112233445566778899aabbccddeeff"}', "job.json is damaged"),
        ('{"format": 1}', "no valid job_id"),
        ('{"format": 1, "job_id": ""}', "no valid job_id"),
        ('{"format": 1, "job_id": "00"}', "no valid job_id"),
        ('{"format": 1, "job_id": 7}', "no valid job_id"),
        ('{"format": 1, "job_id": "xx112233445566778899aabbccddeeff"}', "no valid job_id"),
    ],
)
def test_a_damaged_or_newer_job_file_is_an_error(folder: str, content: str, complaint: str) -> None:
    put(folder, "job.json", content)
    with pytest.raises(StateUnreadable, match=complaint):
        find_job(LocalStorage(), folder)


def test_a_ledger_without_its_job_file_is_an_error(folder: str) -> None:
    put(folder, "ledger/a.segment", "")
    with pytest.raises(StateUnreadable, match=r"job\.json is missing"):
        find_job(LocalStorage(), folder)


class Twin(LocalStorage):
    """A twin creates the job and writes its first segment between two looks."""

    def list(self, folder: str, **rest: Any) -> Any:
        if not self.exists(f"{Path(folder).parent}/job.json"):
            open_job(LocalStorage(), str(Path(folder).parent), "out", NOW)
            put(folder, "a.segment", "")
        return super().list(folder, **rest)


def test_a_twin_that_creates_the_job_this_moment_is_no_error(folder: str) -> None:
    found = find_job(Twin(), folder)
    assert found is not None
    assert found.job_id == find_job(LocalStorage(), folder).job_id


def test_without_a_wish_the_newest_generation_is_asked_in(folder: str) -> None:
    storage = LocalStorage()
    assert generation_of(storage, folder, None, NOW) == 0
    assert [generation_of(storage, folder, wish, NOW) for wish in ("a", "b", "c")] == [1, 2, 3]
    assert generation_of(storage, folder, None, NOW) == 3


def test_the_same_wish_finds_its_generation_again(folder: str) -> None:
    storage = LocalStorage()
    assert [generation_of(storage, folder, wish, NOW) for wish in ("a", "b", "a", "b", "")] == [1, 2, 1, 2, 3]


def test_what_a_wish_would_get_is_told_without_opening_a_generation(folder: str) -> None:
    storage = LocalStorage()
    assert [expected_generation(storage, folder, wish) for wish in (None, "a")] == [0, 1]
    for wish in ("a", "b"):
        generation_of(storage, folder, wish, NOW)
    for wish in (None, "a", "b", "c"):
        expected = expected_generation(storage, folder, wish)
        assert expected_generation(storage, folder, wish) == expected
        assert generation_of(storage, folder, wish, NOW) == expected


def test_wishes_of_both_kinds_with_one_name_are_two_wishes() -> None:
    assert wish_of(None, None) is None
    assert wish_of("monday", None) != wish_of(None, "monday")


def test_wishes_at_once_get_a_generation_each_and_the_same_wish_one(folder: str) -> None:
    wishes = ["a", "b", "c", "d"] * TWINS
    with ThreadPoolExecutor(TWINS) as pool:
        numbers = list(pool.map(lambda wish: generation_of(LocalStorage(), folder, wish, NOW), wishes))
    by_wish = {
        wish: {number for one, number in zip(wishes, numbers, strict=True) if one == wish} for wish in "abcd"
    }
    assert all(len(found) == 1 for found in by_wish.values())
    assert set.union(*by_wish.values()) == {1, 2, 3, 4}


class Late(LocalStorage):
    """Its listings do not show the newest files, or none at all."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden

    def list(self, folder: str, **rest: Any) -> Any:
        return super().list(folder, **rest)[: -self.hidden]


@pytest.mark.parametrize("hidden", [1, 2, 4, 9])
def test_generations_that_a_late_listing_does_not_show_are_found(folder: str, hidden: int) -> None:
    for wish in ("a", "b", "c", "d"):
        generation_of(LocalStorage(), folder, wish, NOW)
    late = Late(hidden)
    assert generation_of(late, folder, None, NOW) == 4
    assert [generation_of(late, folder, wish, NOW) for wish in ("d", "a", "e", "c", "e")] == [4, 1, 5, 3, 5]


@pytest.mark.parametrize("name", ["00000001.segment", "base.json"])
def test_a_ledger_that_a_late_listing_does_not_show_still_needs_its_job_file(folder: str, name: str) -> None:
    put(folder, f"ledger/{name}", "")
    with pytest.raises(StateUnreadable, match=r"job\.json is missing"):
        open_job(Late(9), folder, "out", NOW)


@pytest.mark.parametrize("name", ["notes.txt", "1.json", "000001.json.bak"])
def test_a_foreign_file_among_the_generations_is_an_error(folder: str, name: str) -> None:
    put(folder, f"generations/{name}", json.dumps({"format": 1, "wish": "a"}))
    with pytest.raises(StateUnreadable, match="no generation of this job"):
        generation_of(LocalStorage(), folder, None, NOW)


def test_a_damaged_generation_is_an_error_for_whoever_wishes(folder: str) -> None:
    put(folder, "generations/000001.json", "{")
    assert generation_of(LocalStorage(), folder, None, NOW) == 1
    with pytest.raises(StateUnreadable, match="damaged"):
        generation_of(LocalStorage(), folder, "a", NOW)
