"""The examples that are not demonstrated run as `airflow dags test` runs them, over the samples and against the local API server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.dataset as ds
import pytest

from runware_provider.testing import LocalServer, ServerSettings
from runware_provider.testing.__main__ import read_answers
from runware_provider.testing.answer_table import first_known
from runware_provider.testing.tryout import surroundings
from runware_provider.testing.tryout.surroundings import ANSWERS, PROJECT
from tests.real_airflow import complaints

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = """
import json, sys
from datetime import UTC, datetime
from airflow.dag_processing.dagbag import DagBag

dags = DagBag(dag_folder=sys.argv[1]).dags
told = {}
for name, dag_id, asked in json.load(sys.stdin):
    ended = dags[dag_id].test(logical_date=datetime(2026, 1, 2, tzinfo=UTC), run_conf=asked)
    states = {task.task_id: task.state for task in ended.get_task_instances()}
    told[name] = {"state": ended.state, "tasks": states}
print("ENDED " + json.dumps(told))
"""
RUNS = [
    ("history", "backfill_history", {}),
    ("history again", "backfill_history", {}),
    ("tickets", "nightly_extraction", {"day": "2026-01-03", "limit": 4, "budget": 0.5}),
    ("all tickets", "nightly_extraction", {"day": "2026-01-03", "limit": None, "budget": None}),
    ("gate open", "gate_on_quality", {"least": 0.9}),
    ("gate closed", "gate_on_quality", {"least": 0.999}),
]
"""Of each its name here, its DAG, and what the trigger form would give."""
A_DAY = 45


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("examples")
    answers = first_known([read_answers(str(table)) for table in sorted(ANSWERS.glob("*.parquet"))])
    with LocalServer(ServerSettings(key=surroundings.LOCAL_KEY, answers=answers)) as server:
        asked = surroundings.Service(server.base_url, surroundings.LOCAL_KEY, local=True)
        environment = surroundings.environment_of_airflow({}, folder / "home", asked, folder / "out")
        surroundings.migrate(environment, folder / "home")
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(PROJECT / "dags")],
            input=json.dumps(RUNS),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        log = done.stdout + done.stderr
        assert done.returncode == 0, log[-5_000:]
        yield {
            "runs": json.loads(log.partition("ENDED ")[2].splitlines()[0]),
            "log": log,
            "out": folder / "out",
        }


def manifest(out: Path, job: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((out / f"{job}/manifest.json").read_text(encoding="utf-8"))
    return told


def test_every_example_runs_to_its_end(ran: dict[str, Any]) -> None:
    assert {name: run["state"] for name, run in ran["runs"].items()} == {name: "success" for name, *_ in RUNS}


def test_a_day_that_is_run_again_is_free(ran: dict[str, Any]) -> None:
    told = manifest(ran["out"], "history.state/ds=2026-01-02")
    assert (told["rows"], told["unchanged"], told["paid_usd"]) == (A_DAY, True, 0)


def test_an_empty_wish_is_no_wish_and_a_limit_is_undone_by_the_next_run(ran: dict[str, Any]) -> None:
    told = manifest(ran["out"], "tickets.state/ds=2026-01-03")
    assert (told["rows"], told["outcomes"]) == (A_DAY, {"succeeded": A_DAY})
    assert told["inferences"] - told["paid_inferences"] == 4
    assert re.search(r"the budget is 0\.50* USD", ran["log"])


def test_tickets_are_typed(ran: dict[str, Any]) -> None:
    tickets = ds.dataset(ran["out"] / "tickets", partitioning="hive").to_table()
    assert set(tickets["result"].type.names) == {"queue", "urgent", "summary", "order"}
    assert tickets["ds"].unique().to_pylist() == ["2026-01-03"]


def test_the_gate_lets_a_table_pass_that_is_right_often_enough(ran: dict[str, Any]) -> None:
    assert ran["runs"]["gate open"]["tasks"]["load"] == "success"
    assert ran["runs"]["gate open"]["tasks"]["tell_somebody"] == "skipped"


def test_the_closed_gate_says_which_fields_are_wrong_how_often_and_where_to_look(ran: dict[str, Any]) -> None:
    assert ran["runs"]["gate closed"]["tasks"]["load"] == "skipped"
    assert ran["runs"]["gate closed"]["tasks"]["tell_somebody"] == "success"
    told = [line for line in ran["log"].splitlines() if "gate_on_quality.py" in line]
    assert any("a field has to be right in 99.9 of 100 documents" in line for line in told)
    assert any(re.search(r"due_date is right in \d+ of \d+", line) for line in told)
    report = re.search(r"Which ones: (\S+report\.html)", "\n".join(told))
    assert report is not None
    assert Path(report[1]).is_file()


def test_nothing_is_said_in_the_log_that_would_worry_anybody(ran: dict[str, Any]) -> None:
    assert complaints(ran["log"]) == []
