"""What is read for a page, and what is done when a store is slow, silent or broken; over a real socket."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.inbox.bounded_threads import BoundedThreads
from runware_provider.engine.job.run_record import Waited
from runware_provider.pages.airflow_view import MOST_LISTS
from runware_provider.pages.beneath import RECORD_BYTES, LocalBeneath
from runware_provider.pages.reads import Reads
from runware_provider.pages.run_view import MOST_SHARDS
from runware_provider.pages.views import MOST_GROUPS
from tests.pages.stand_in import (
    AT,
    EDITOR,
    Served,
    a_record,
    path_of,
    places_in,
    run_name,
    served,
    write,
)

if TYPE_CHECKING:
    from pathlib import Path

    from runware_provider.pages.run_view import TaskAt

MILLION = 1_000_000
SLOW_S = 0.6
HURRY_S = 5.0
TEXT_THREADS = 2
"""Of `served`."""


class Watched:
    """Counts what is read of this machine, and may hang."""

    def __init__(self) -> None:
        self.read_paths: Counter[str] = Counter()
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.hangs_in = ""
        self.threads: set[str] = set()

    def local(self, root: str) -> LocalBeneath:
        watched = self

        class Files(LocalBeneath):
            def _descriptor(self, path: str) -> int:
                watched.note(path)
                return super()._descriptor(path)

        return Files(root)

    def note(self, path: str) -> None:
        self.read_paths[path] += 1
        if self.hangs_in and self.hangs_in in path:
            self.threads.add(str(threading.get_ident()))
            self.goes_on.wait(60)


def test_a_job_of_a_million_rows_opens_at_once_and_reads_no_part(tmp_path: Path) -> None:
    write(tmp_path, a_record(rows=MILLION, rows_done=999_317))
    storage = Watched()
    with served(tmp_path, local=storage.local) as pages:
        pages.airflow.add(places_in(tmp_path))
        pages.get()
        begun = time.perf_counter()
        reply = pages.get()
        took_s = time.perf_counter() - begun
    assert "999,317" in reply.text
    assert took_s < 1
    names = {path.removeprefix(str(tmp_path)) for path in storage.read_paths}
    assert len(names) == 3
    assert {name.rpartition("/")[0] for name in names} == {
        "/out.state",
        "/out.state/runs",
        "/out.state/reports",
    }


def test_what_was_read_a_moment_ago_is_not_read_again(tmp_path: Path) -> None:
    write(tmp_path)
    storage, now = Watched(), [100.0]
    reads = Reads(lambda: BoundedThreads(4, "test"), clock=lambda: now[0])
    with served(tmp_path, local=storage.local, reads=reads) as pages:
        pages.airflow.add(places_in(tmp_path))
        for _ in range(5):
            assert "317" in pages.get().text
            assert "317" in pages.get(token=EDITOR).text
        assert set(storage.read_paths.values()) == {1}
        assert pages.airflow.asked == {"xcom": 1, "task": 1}
        write(tmp_path, a_record(rows_done=318))
        now[0] += 3.0
        assert "318" in pages.get().text
        assert set(storage.read_paths.values()) == {2}


def test_a_group_shows_its_shards_side_by_side(tmp_path: Path, split_of: Any) -> None:
    at = replace(AT, task_id="read.infer", map_index=1)
    run = f"{at.dag_id}/read/{at.run_id}/-1"
    write(tmp_path, a_record(run))
    split_of(tmp_path / "out.state", 3)
    for shard in (0, 1):
        write(
            tmp_path / "out.state" / "shards" / f"{shard:04d}", a_record(run, rows_done=40 + shard, rows=77)
        )
    storage = Watched()
    with served(tmp_path, local=storage.local) as pages:
        pages.airflow.add(places_in(tmp_path, at, run=run, shard=1), at)
        told = pages.get(at.path).text
    assert "41" in told
    shards = [path for path in storage.read_paths if "/shards/" in path]
    assert len(shards) == 3


def test_of_a_big_group_a_hundred_shards_are_read(tmp_path: Path, split_of: Any) -> None:
    at = replace(AT, task_id="read.publish")
    run = f"{at.dag_id}/read/{at.run_id}/-1"
    write(tmp_path, a_record(run))
    split_of(tmp_path / "out.state", 1000)
    storage = Watched()
    with served(tmp_path, local=storage.local) as pages:
        pages.airflow.add(places_in(tmp_path, at, run=run), at)
        assert pages.get(at.path).status_code == 200
    records = [path for path in storage.read_paths if "/shards/" in path and "/runs/" in path]
    assert len(records) == MOST_SHARDS


def test_a_store_that_hangs_is_told_within_five_seconds_and_viewers_pile_up_no_threads(
    tmp_path: Path,
) -> None:
    write(tmp_path)
    storage = Watched()
    storage.hangs_in = "/runs/"
    storage.goes_on.clear()
    reads = Reads(lambda: BoundedThreads(4, "test"), within_s=SLOW_S)
    try:
        with served(tmp_path, local=storage.local, reads=reads) as pages:
            pages.airflow.add(places_in(tmp_path))
            begun = time.perf_counter()
            told = pages.get().text
            assert time.perf_counter() - begun < HURRY_S
            assert "does not answer" in told
            for _ in range(20):
                begun = time.perf_counter()
                assert "does not answer" in pages.get().text
                # The read that hangs is too old already to be waited for once more.
                assert time.perf_counter() - begun < SLOW_S
            assert len(storage.threads) == 1
            # Others are served meanwhile.
            other = replace(AT, task_id="other")
            elsewhere = tmp_path / "elsewhere"
            write(elsewhere, a_record(run_name(other), rows_done=444))
            storage.hangs_in = str(tmp_path / "out.state" / "runs")
            pages.airflow.add(places_in(elsewhere, other), other)
            assert "444" in pages.get(other.path).text
            storage.goes_on.set()
            assert _at_last(lambda: "317" in pages.get().text)
    finally:
        storage.goes_on.set()


def test_hanging_texts_hold_up_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from runware_provider.pages import texts  # noqa: PLC0415 - what is patched

    hanging, goes_on = threading.Semaphore(0), threading.Event()

    def hang(_: Any) -> list[Any]:
        hanging.release()
        goes_on.wait(60)
        return []

    monkeypatch.setattr(texts, "asked_parts", hang)
    write(tmp_path)
    # As many threads for pages as for texts: whatever hangs in the wrong ones leaves none.
    reads = Reads(lambda: BoundedThreads(TEXT_THREADS, "test-pages"), kept_s=0.0)
    with served(tmp_path, reads=reads) as pages:
        pages.airflow.add(places_in(tmp_path))
        viewers = [
            threading.Thread(target=pages.get, args=(path_of(AT, "asked"), EDITOR))
            for _ in range(TEXT_THREADS)
        ]
        try:
            for viewer in viewers:
                viewer.start()
            for _ in viewers:
                assert hanging.acquire(timeout=30)
            assert "317" in pages.get().text
            assert all(viewer.is_alive() for viewer in viewers)
        finally:
            goes_on.set()
            for viewer in viewers:
                viewer.join()


@pytest.mark.parametrize(
    ("roots", "told"),
    [
        ("", "[runware] page_roots is empty"),
        ("/somewhere/else", "[runware] page_roots"),
        ("relative", "cannot be read"),
        ("{tmp}x", "lies below none"),
        ("{tmp}/out.stat", "lies below none"),
        ("s3://bucket", "lies below none"),
    ],
)
def test_outside_of_the_roots_nothing_is_read(roots: str, told: str, tmp_path: Path) -> None:
    write(tmp_path)
    storage = Watched()
    with served(roots.replace("{tmp}", str(tmp_path)), local=storage.local) as pages:
        pages.airflow.add(places_in(tmp_path))
        for path, token in (
            (AT.path, "reader"),
            (path_of(AT, "failed"), EDITOR),
            (path_of(AT, "report"), EDITOR),
        ):
            reply = pages.get(path, token)
            assert told in reply.text
            assert "317" not in reply.text
    assert not storage.read_paths


def test_a_link_leads_out_of_no_root(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    write(outside, a_record(rows_done=555))
    inside.mkdir()
    (inside / "out.state").symlink_to(outside / "out.state")
    with served(inside) as pages:
        pages.airflow.add(places_in(inside))
        assert "A link lies on the way" in pages.get().text
    # Where the root itself is a link, what lies in it lies in it.
    (tmp_path / "root").symlink_to(outside)
    with served(tmp_path / "root") as pages:
        pages.airflow.add(places_in(tmp_path / "root"))
        assert "555" in pages.get().text


def test_a_report_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "secret").write_text("a secret of the server's")
    (tmp_path / "out.state" / "reports").mkdir()
    (tmp_path / "out.state" / "reports" / "report.html").symlink_to(tmp_path / "secret")
    with served(tmp_path) as pages:
        pages.airflow.add(places_in(tmp_path))
        assert "a secret" not in pages.get(path_of(AT, "report"), EDITOR).text


@pytest.mark.parametrize(
    "damage", [b"", b"{", b'{"format": 99}', b"[" * 100_000, b'{"format": 1, "runs": 5}']
)
def test_a_damaged_record_costs_only_what_it_tells(damage: bytes, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "out.state" / "history.json").write_bytes(damage)
    with served(tmp_path) as pages:
        pages.airflow.add(places_in(tmp_path))
        told = pages.get().text
    assert "317" in told
    assert "damaged" in told


def test_the_list_has_each_dataset_once_the_newest_first(tmp_path: Path) -> None:
    with served(tmp_path) as pages:
        for number in range(3):
            at = replace(AT, dag_id=f"dag{number}")
            write(tmp_path / f"d{number}", a_record(run_name(at), rows_done=700 + number))
            pages.airflow.add(places_in(tmp_path / f"d{number}", at), at)
        group = replace(AT, dag_id="grouped", task_id="read.split")
        run = f"{group.dag_id}/read/{group.run_id}/-1"
        write(tmp_path / "g", a_record(run))
        for name, index in (("split", -1), ("infer", 0), ("infer", 1), ("publish", -1)):
            at = replace(group, task_id=f"read.{name}", map_index=index)
            pages.airflow.add(places_in(tmp_path / "g", at, run=run), at)
        reply = pages.get("/")
    assert reply.status_code == 200
    outputs = [f"/d{number}/" for number in (2, 1, 0)]
    seen = [reply.text.find(output) for output in outputs]
    assert -1 not in seen
    assert seen == sorted(seen)
    assert reply.text.count("grouped/") == reply.text.count("dag0/")


def test_airflow_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from runware_provider.pages import airflow_view  # noqa: PLC0415 - what is patched

    monkeypatch.setattr(airflow_view, "MOST_BYTES", 5)
    with served(tmp_path) as pages:
        pages.airflow.add(places_in(tmp_path))
        assert pages.get().status_code == 503


def test_the_page_of_a_shard_shows_its_own_record_and_no_other(tmp_path: Path, split_of: Any) -> None:
    """Also beyond those that are shown side by side, and where it has none."""
    at = replace(AT, task_id="read.infer", map_index=150)
    run = f"{at.dag_id}/read/{at.run_id}/-1"
    write(tmp_path, a_record(run, rows=99_999, rows_done=88_888))
    split_of(tmp_path / "out.state", 200)
    write(tmp_path / "out.state" / "shards" / "0150", a_record(run, rows=777, rows_done=741, state="running"))
    with served(tmp_path) as pages:
        for shard in (150, 7, 151):
            pages.airflow.add(
                places_in(tmp_path, at, run=run, shard=shard), replace(at, map_index=shard), state="running"
            )
        told = pages.get(at.path).text
        assert "741" in told
        assert "88,888" not in told
        for without in (7, 151):
            told = pages.get(replace(at, map_index=without).path).text
            assert "88,888" not in told
            assert "741" not in told
            assert "shard" in told


def test_a_record_of_any_length_makes_no_long_page(tmp_path: Path) -> None:
    codes = {f"code{number}": 1 for number in range(20_000)}
    long = "x" * 300_000
    with served(tmp_path) as pages:
        pages.airflow.add(places_in(tmp_path))
        write(tmp_path)
        usual = len(pages.get().content)
        for changes in (
            {"reasons": codes},
            {"outcomes": codes},
            {"waits": [Waited("room", 1, 1.0)] * 9_000},
            {"reason": long, "remedy": long, "state": "stopped"},
        ):
            write(tmp_path, a_record(**changes))
            reply = pages.get()
            assert reply.status_code == 200
            assert "317" in reply.text
            assert len(reply.content) < usual + 60_000
        write(tmp_path, a_record(trouble="x" * RECORD_BYTES))
        assert "damaged" in pages.get().text


def test_a_root_that_is_dead_holds_up_nobody_whose_data_lie_in_another(tmp_path: Path) -> None:
    dead, alive = tmp_path / "dead", tmp_path / "alive"
    alive.mkdir()
    write(alive)
    storage = Watched()
    storage.hangs_in = "/dead/"
    storage.goes_on.clear()
    reads = Reads(lambda: BoundedThreads(4, "test-root"), within_s=SLOW_S, kept_s=0.0)
    try:
        with served(f"{dead}, {alive}", local=storage.local, reads=reads) as pages:
            pages.airflow.add(places_in(alive))
            for number in range(20):
                at = replace(AT, dag_id=f"dead{number}")
                pages.airflow.add(places_in(dead / str(number), at), at)
            assert pages.get("/").status_code == 200
            begun = time.perf_counter()
            assert "317" in pages.get().text
            # Nor is anybody else kept waiting for what is dead.
            assert "does not answer" in pages.get(replace(AT, dag_id="dead1").path).text
            assert time.perf_counter() - begun < SLOW_S
            assert [thread.name for thread in threading.enumerate()].count("test-root") == 4
    finally:
        storage.goes_on.set()


def test_a_strange_xcom_takes_the_list_from_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from runware_provider.pages import airflow_view  # noqa: PLC0415 - what is patched

    monkeypatch.setattr(airflow_view, "MOST_BYTES", 20_000)
    write(tmp_path)
    with served(tmp_path) as pages:
        pages.airflow.add(places_in(tmp_path))
        pages.airflow.add({"output": "x" * 30_000}, replace(AT, dag_id="somebody"))
        for _ in range(3):
            reply = pages.get("/")
            assert reply.status_code == 200
            assert "invoices" in reply.text
        # Nor is it asked for again and again.
        assert pages.airflow.asked["xcom"] == 2


@pytest.mark.parametrize("most_listed", [100, 40], ids=lambda most: f"lists_of_{most}")
def test_a_dataset_is_in_the_list_however_often_others_ran_since(tmp_path: Path, most_listed: int) -> None:
    write(tmp_path)
    with served(tmp_path) as pages:
        pages.airflow.most_listed = most_listed
        pages.airflow.add(places_in(tmp_path))
        for number in range(150):
            at = replace(AT, dag_id="every_minute", run_id=f"r{number}")
            pages.airflow.add(places_in(tmp_path / "other", at), at)
        told = pages.get("/").text
    assert "invoices" in told
    assert "Only the last runs" not in told


def list_of_73_runs_by_ten(pages: Served, folder: Path) -> str:
    pages.airflow.most_listed = 10
    for number in range(73):
        at = replace(AT, run_id=f"r{number}")
        pages.airflow.add(places_in(folder, at), at)
    return pages.get("/").text


def test_a_list_that_does_not_look_at_all_runs_says_so(tmp_path: Path) -> None:
    with served(tmp_path) as pages:
        told = list_of_73_runs_by_ten(pages, tmp_path)
        assert pages.airflow.asked["xcoms"] == 2 * MOST_LISTS
    assert "Only the last runs were looked through: 23 older ones" in told


def test_a_list_goes_on_for_a_bounded_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from runware_provider.pages import airflow_view  # noqa: PLC0415 - what is patched

    monkeypatch.setattr(airflow_view, "LISTS_WITHIN_S", 0.0)
    with served(tmp_path) as pages:
        told = list_of_73_runs_by_ten(pages, tmp_path)
        assert pages.airflow.asked["xcoms"] == 2
    assert "63 older ones" in told


def test_what_airflow_cannot_say_is_counted_as_left_out(tmp_path: Path) -> None:
    write(tmp_path)
    with served(tmp_path) as pages:
        other = replace(AT, dag_id="other")
        pages.airflow.add(places_in(tmp_path / "other", other), other)
        pages.airflow.fails.add(other)
        # That there are none is nothing that anybody knows.
        assert pages.get("/").status_code == 503
        pages.airflow.add(places_in(tmp_path))
        told = pages.get("/").text
        assert "invoices" in told
        assert "1 more" in told
        pages.airflow.fails.clear()
        told = pages.get("/").text
        assert "other" in told
        assert "1 more" not in told


def test_the_list_shows_nobody_what_another_viewer_was_shown(tmp_path: Path) -> None:
    write(tmp_path)
    with served(tmp_path) as pages:
        pages.airflow.add(places_in(tmp_path))
        # Whose list names the DAG, and who may not read its XComs.
        pages.airflow.reads_xcoms = {EDITOR}
        for token, sees in (("reader", False), (EDITOR, True), ("reader", False)):
            reply = pages.get("/", token)
            assert reply.status_code == 200
            assert ("invoices" in reply.text) == sees
        assert "317" in pages.get(token=EDITOR).text
        assert "invoices" not in pages.get("/", "reader").text


def _at_last(so: Any) -> bool:
    pause = threading.Event()
    return any(so() or pause.wait(0.05) for _ in range(200))


def _group(tmp_path: Path, split_of: Any, name: str = "read", shards: int = 2) -> tuple[TaskAt, str]:
    """A group at work, of which the record of the whole says nothing of its rows."""
    at = replace(AT, task_id=f"{name}.split")
    run = f"{at.dag_id}/{name}/{at.run_id}/-1"
    write(tmp_path, a_record(run, rows=2000, rows_done=0, outcomes={}, reasons={}))
    split_of(tmp_path / "out.state", shards)
    for shard in range(shards):
        write(tmp_path / "out.state" / "shards" / f"{shard:04d}", a_record(run, paid_usd=0.5))
    return at, run


def test_the_list_shows_a_group_at_work_as_the_sum_of_its_shards(tmp_path: Path, split_of: Any) -> None:
    at, run = _group(tmp_path, split_of)
    with served(tmp_path) as pages:
        pages.airflow.add(places_in(tmp_path, at, run=run), at)
        told = pages.get("/").text
    assert "30 %" in told
    assert "1.00 USD" in told


def test_the_list_reads_the_shards_of_the_newest_ten_groups_and_says_of_others_that_they_are_in_shards(
    tmp_path: Path, split_of: Any
) -> None:
    with served(tmp_path) as pages:
        for number in range(MOST_GROUPS + 2):
            at, run = _group(tmp_path / str(number), split_of, f"read{number}")
            pages.airflow.add(places_in(tmp_path / str(number), at, run=run), at)
        told = pages.get("/").text
    assert told.count("30 %") == MOST_GROUPS
    assert told.count("in shards") == 2


def test_a_group_knows_which_of_its_tasks_airflow_gave_up(tmp_path: Path, split_of: Any) -> None:
    at, run = _group(tmp_path, split_of)
    now = datetime.now(UTC).isoformat()
    for shard in (0, 1):
        write(tmp_path / "out.state" / "shards" / f"{shard:04d}", a_record(run, at=now))
    infer = replace(at, task_id="read.infer")
    with served(tmp_path) as pages:
        pages.airflow.add(places_in(tmp_path, at, run=run), at)
        pages.airflow.add(None, replace(infer, map_index=0))
        pages.airflow.add(None, replace(infer, map_index=1), state="failed")
        told = pages.get(at.path).text
    assert "1 running, 1 silent" in told


def test_a_page_of_texts_leads_back_at_its_top_and_at_its_end(tmp_path: Path) -> None:
    write(tmp_path)
    with served(tmp_path) as pages:
        pages.airflow.add(places_in(tmp_path))
        for leaf in ("failed", "missed", "asked", "samples"):
            told = pages.get(path_of(AT, leaf), token=EDITOR).text
            assert told.count("Back to the run") == 2
            assert "All datasets" in told


@pytest.mark.parametrize(("state", "said"), [("running", "1 running"), ("up_for_retry", "1 silent")])
def test_the_list_asks_airflow_whether_a_run_at_work_is_still_there(
    tmp_path: Path, state: str, said: str
) -> None:
    write(tmp_path, a_record(at=datetime.now(UTC).isoformat()))
    with served(tmp_path) as pages:
        pages.airflow.add(places_in(tmp_path), state=state)
        assert f"1 dataset, {said}" in pages.get("/").text
