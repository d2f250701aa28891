"""A task that is refused before its job has begun says so in the record of its run, for its page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG

from runware_provider.engine.job.run_records import read_record
from runware_provider.engine.spec import Limits
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.operators import TextInferenceOperator
from runware_provider.testing import LocalServer, ServerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runware_provider.engine.job.run_record import RunRecord

KEY = "key-of-the-tests-0123456789"


@pytest.fixture
def ask(
    run_task: Callable[..., Any], api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    """Runs a task that asks about a file of two records."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "empty").mkdir()
    for folder, bodies in (("in", ["one", "two"]), ("empty", [])):
        pq.write_table(pa.table({"body": pa.array(bodies, pa.string())}), f"{folder}/a.parquet")

    def asked(run_id: str, **changes: Any) -> Any:
        api.run_id = run_id
        usual = {"task_id": "ask", "source": "in", "destination": "out", "prompt": "{{ record.body }}"}
        with DAG("dag", schedule=None) as dag:
            TextInferenceOperator(**{**usual, "limits": Limits(poll_interval_s=0.05), **changes})
        return run_task(dag, "ask")

    with LocalServer(ServerSettings(key=KEY, latency=0)) as server:
        api.connections["runware_default"] = {"host": server.base_url, "password": KEY}
        yield asked


def record_of(run_id: str, task: str = "ask") -> RunRecord | None:
    return read_record(LocalStorage(), "out.state", f"dag/{task}/{run_id}/-1")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": "no"}, "source: there is nothing at 'no'"),
        ({"prompt": "{{ record.nothing }}"}, "nothing"),
        (
            {"source": "empty", "publish": {"on_empty": "skip"}},
            "there was nothing to do: empty holds no record",
        ),
        ({"source": "empty", "publish": {"on_empty": "fail"}}, "empty holds no record"),
    ],
)
def test_a_task_that_is_refused_notes_why(
    ask: Callable[..., Any], changes: dict[str, Any], reason: str
) -> None:
    assert ask("yesterday").state == "success"
    assert ask("today", **changes).state in {"failed", "skipped"}
    record = record_of("today")
    assert record is not None
    assert record.state == "stopped"
    assert reason in record.reason
    yesterday = record_of("yesterday")
    assert yesterday is not None
    assert yesterday.state == "published"


def test_the_first_task_of_a_dataset_that_is_refused_makes_no_state_folder(
    ask: Callable[..., Any], tmp_path: Path
) -> None:
    assert ask("today", source="no").state == "failed"
    assert not (tmp_path / "out.state").exists()


def test_a_task_whose_job_noted_its_end_itself_leaves_it_so(ask: Callable[..., Any], api: Any) -> None:
    assert ask("yesterday").state == "success"
    api.connections["runware_default"]["password"] = "another"
    assert ask("today", refresh=True).state == "failed"
    record = record_of("today")
    assert record is not None
    assert (record.state, record.rows) == ("stopped", 2), "the engine knew how many rows there are"
