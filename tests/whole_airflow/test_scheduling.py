"""What starts runs by itself, in a real Airflow: a schedule that catches up, backfills, and events of assets.

The examples of `dags/` run over days of messages. Between a backfill and the next one, the rows of all days are made
unreadable behind their footers: a run that succeeds all the same has neither read nor rendered one of them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.testing import LocalServer, ServerSettings
from runware_provider.testing.tryout.surroundings import PROJECT
from tests.real_airflow import PATIENCE_S, RealAirflow, complaints, real_airflow, until
from tests.spoiled import spoil_the_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "key-of-the-tests-0123456789"
DAYS = [f"2026-01-{day:02}" for day in range(1, int(os.environ.get("BACKFILL_DAYS", "8")) + 1)]
"""A month takes ten minutes on two cores: `BACKFILL_DAYS=30`."""
MESSAGES = 3
CAUGHT_UP = {"backfill_history": 4, "shared_history": 1}
"""Days that a schedule has."""
SHARED_DAYS = DAYS[:2]
SHARED = """
import os
from datetime import UTC, datetime

from airflow.sdk import DAG, Asset, CronPartitionTimetable
from runware_provider.groups import text_inference_group

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAILY = CronPartitionTimetable("0 0 * * *", timezone="UTC", key_format="%Y-%m-%d")

with DAG("shared_history", schedule=DAILY, start_date=FIRST, end_date=FIRST, catchup=True):
    text_inference_group(
        group_id="read",
        shards=2,
        least_rows=1,
        source=os.environ["TEXTS"] + "/ds={{ partition_key }}",
        destination=os.environ["RUNWARE_OUTPUT"] + "/shared",
        partition={"ds": "{{ partition_key }}"},
        prompt="Praise?\\n{{ record.text }}",
        output_type=["yes", "no"],
        retry_delay=0,
        outlets=[Asset("shared")],
    )
"""
TRIES = 10
ENDS = {"success", "failed"}
AN_EVENT = "2026-01-07"
BY_HAND = "2026-01-08"


@dataclass
class Story:
    """What became of it, step by step."""

    airflow: RealAirflow
    server: LocalServer
    out: Path
    runs: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    """After each step, the runs of each DAG."""
    executed: dict[str, int] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of all jobs, once everything is done, by the folder of their state."""
    told: str = ""

    def note(self, step: str) -> None:
        self.runs[step] = {dag_id: runs_of(self.airflow, dag_id) for dag_id in EVERY_DAG}
        bill = self.server.bill_summary()
        self.executed[step], self.requests[step] = bill["executed"], bill["requests"]

    def new(self, dag_id: str, before: str, after: str) -> list[dict[str, Any]]:
        """The runs of a DAG that came with a step."""
        known = {run["dag_run_id"] for run in self.runs[before][dag_id]}
        return [run for run in self.runs[after][dag_id] if run["dag_run_id"] not in known]


EVERY_DAG = ("backfill_history", "nightly_extraction", "shared_history")


def runs_of(airflow: RealAirflow, dag_id: str) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = airflow.api(f"dags/{dag_id}/dagRuns?limit=100")["dag_runs"]
    return runs


def events_of(airflow: RealAirflow) -> list[dict[str, Any]]:
    """Of all assets, page by page: Airflow gives only so many at once."""
    events: list[dict[str, Any]] = []
    page = airflow.api("assets/events")
    while page["asset_events"]:
        events += page["asset_events"]
        page = airflow.api(f"assets/events?offset={len(events)}")
    return events


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("airflow")
    project, out = folder / "project", folder / "out"
    make_project(project)
    with LocalServer(ServerSettings(key=KEY)) as server:
        connection = {"conn_type": "runware", "host": server.base_url, "password": KEY}
        variables = {
            "AIRFLOW_CONN_RUNWARE_DEFAULT": json.dumps(connection),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "RUNWARE_OUTPUT": str(out),
            "TEXTS": str(project / "include" / "texts"),
        }
        with real_airflow(folder, project / "dags", variables) as airflow:
            until(
                lambda: airflow.api("dags")["total_entries"] == len(EVERY_DAG),
                "the DAGs are known",
                every_s=1,
            )
            story = Story(airflow, server, out)
            story.note("nothing")
            tell(story, project)
            yield story


def make_project(project: Path) -> None:
    """A copy of the examples, with thirty days of messages."""
    (project / "dags").mkdir(parents=True)
    for name in ("backfill_history", "nightly_extraction"):
        shutil.copy(PROJECT / "dags" / f"{name}.py", project / "dags")
    (project / "dags" / "shared_history.py").write_text(SHARED, encoding="utf-8")
    for name in ("prompts", "schemas"):
        shutil.copytree(PROJECT / "include" / name, project / "include" / name)
    for day in DAYS:
        (project / "include" / "texts" / f"ds={day}").mkdir(parents=True)
        texts = [f"The invoice of {day} is wrong, for the time number {n}." for n in range(MESSAGES)]
        pq.write_table(
            pa.table({"text": texts}), project / "include" / "texts" / f"ds={day}" / "texts.parquet"
        )


def tell(story: Story, project: Path) -> None:
    airflow = story.airflow
    for dag_id in EVERY_DAG:
        airflow.api(f"dags/{dag_id}", "PATCH", {"is_paused": False})
    for dag_id, days in CAUGHT_UP.items():
        ended(airflow, dag_id, days)
    story.note("caught up")

    (asset,) = airflow.api("assets?name_pattern=support_messages")["assets"]
    airflow.api("assets/events", "POST", {"asset_id": asset["id"], "partition_key": AN_EVENT, "extra": {}})
    ended(airflow, "nightly_extraction", 1)
    asked = {"logical_date": None, "conf": {"day": BY_HAND, "limit": 2, "budget": None}}
    airflow.api("dags/nightly_extraction/dagRuns", "POST", asked)
    ended(airflow, "nightly_extraction", 2)
    story.note("told of data")

    for step in ("backfilled", "backfilled again"):
        backfill(airflow, "shared_history", SHARED_DAYS)
        backfill(airflow, "backfill_history", DAYS)
        story.note(step)
        for day in DAYS:
            spoil_the_rows(project / "include" / "texts" / f"ds={day}" / "texts.parquet")
    clear_the_group(airflow, story.runs["backfilled again"]["shared_history"][-1]["dag_run_id"])
    story.note("cleared")
    story.events = events_of(airflow)
    story.manifests = {
        str(path.parent.relative_to(story.out)): json.loads(path.read_text(encoding="utf-8"))
        for path in story.out.glob("*.state/*/manifest.json")
    }
    story.told = airflow.told()


def backfill(airflow: RealAirflow, dag_id: str, days: list[str]) -> None:
    """What a person types; returns when all its runs have ended."""
    options = ["--dag-id", dag_id, "--from-date", days[0], "--to-date", days[-1], "--max-active-runs", "4"]
    command = ["-m", "airflow", "backfill", "create", *options, "--reprocess-behavior", "completed"]
    said = ""
    for _ in range(TRIES):
        ran = subprocess.run(
            [sys.executable, *command],
            env=dict(airflow.environment),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        said = ran.stdout + ran.stderr
        # On SQLite it is refused while the scheduler writes, and nothing is left of it.
        if "database is locked" not in said:
            break
    assert ran.returncode == 0, said
    listed = f"backfills?dag_id={dag_id}"
    until_done(
        airflow, dag_id, lambda: all(each["completed_at"] for each in airflow.api(listed)["backfills"])
    )


def clear_the_group(airflow: RealAirflow, run_id: str) -> None:
    wish = {"dry_run": False, "dag_run_id": run_id, "task_ids": ["read.split"], "only_failed": False}
    wish |= {"include_downstream": True, "reset_dag_runs": True}
    assert airflow.api("dags/shared_history/clearTaskInstances", "POST", wish)["total_entries"]
    ended(airflow, "shared_history", 1)


def ended(airflow: RealAirflow, dag_id: str, least: int) -> None:
    """Returns when so many runs of a DAG are there, and all have ended."""

    def all_have() -> bool:
        states = [run["state"] for run in runs_of(airflow, dag_id)]
        return len(states) >= least and ENDS.issuperset(states)

    until_done(airflow, dag_id, all_have)


def until_done(airflow: RealAirflow, dag_id: str, is_done: Callable[[], bool]) -> None:
    """Wait as long as one run after the other ends: there are many of them, and the machine may be busy."""

    def so_many() -> int:
        return sum(run["state"] in ENDS for run in runs_of(airflow, dag_id))

    def one_more() -> bool:
        return is_done() or so_many() != seen

    while not is_done():
        seen = so_many()
        until(one_more, f"a run of {dag_id} ends", every_s=1)


def test_no_run_fails(story: Story) -> None:
    last = story.runs["cleared"]
    assert {run["state"] for runs in last.values() for run in runs} == {"success"}
    assert [line for line in complaints(story.told) if "runware" in line] == []


def test_a_schedule_catches_up_on_the_days_that_it_has(story: Story) -> None:
    for dag_id, days in CAUGHT_UP.items():
        runs = story.runs["caught up"][dag_id]
        assert sorted(run["partition_key"] for run in runs) == DAYS[:days]
    assert story.executed["caught up"] == sum(CAUGHT_UP.values()) * MESSAGES


def test_a_backfill_pays_for_the_days_that_are_not_there_yet(story: Story) -> None:
    runs = story.new("backfill_history", "caught up", "backfilled")
    assert sorted(run["partition_key"] for run in runs) == DAYS
    paid = story.executed["backfilled"] - story.executed["told of data"]
    assert paid == (len(DAYS) + len(SHARED_DAYS) - sum(CAUGHT_UP.values())) * MESSAGES


def test_the_second_backfill_is_free_and_reads_no_row(story: Story) -> None:
    runs = story.new("backfill_history", "backfilled", "backfilled again")
    assert sorted(run["partition_key"] for run in runs) == DAYS
    assert {run["state"] for run in runs} == {"success"}
    assert story.requests["backfilled again"] == story.requests["backfilled"]
    for day in DAYS:
        told = story.manifests[f"history.state/ds={day}"]
        assert (told["rows"], told["unchanged"], told["paid_usd"]) == (MESSAGES, True, 0)


def test_the_second_backfill_of_a_group_is_free_and_reads_no_row_and_so_is_a_cleared_one(
    story: Story,
) -> None:
    runs = story.new("shared_history", "backfilled", "backfilled again")
    assert [run["state"] for run in runs] == ["success"] * len(SHARED_DAYS)
    assert story.requests["cleared"] == story.requests["backfilled"]
    for day in SHARED_DAYS:
        told = story.manifests[f"shared.state/ds={day}"]
        assert (told["rows"], told["unchanged"], told["paid_usd"]) == (MESSAGES, True, 0)


def test_every_run_of_a_backfill_is_an_event_of_its_partition(story: Story) -> None:
    events = [event for event in story.events if event["name"] == "history"]
    keys = [event["partition_key"] for event in events]
    assert {key: keys.count(key) for key in DAYS} == {
        day: 3 if day in DAYS[: CAUGHT_UP["backfill_history"]] else 2 for day in DAYS
    }
    unchanged = [event["extra"]["unchanged"] for event in events]
    assert unchanged.count(False) == len(DAYS)


def test_an_event_of_a_partition_starts_a_run_of_it_that_ends_with_an_event_of_the_same(story: Story) -> None:
    (run,) = [run for run in story.runs["told of data"]["nightly_extraction"] if run["partition_key"]]
    assert (run["partition_key"], run["logical_date"], run["state"]) == (AN_EVENT, None, "success")
    (event,) = [
        event
        for event in story.events
        if (event["source_run_id"], event["name"]) == (run["dag_run_id"], "tickets")
    ]
    assert event["partition_key"] == AN_EVENT
    assert event["extra"]["outcomes"] == {"succeeded": MESSAGES}
    assert event["extra"]["paid_inferences"] == MESSAGES
    assert event["extra"]["cost_usd"] > 0


def test_a_run_by_hand_takes_its_day_and_its_wishes_from_the_form(story: Story) -> None:
    (run,) = [run for run in story.runs["told of data"]["nightly_extraction"] if not run["partition_key"]]
    assert (run["logical_date"], run["state"]) == (None, "success")
    assert story.manifests[f"tickets.state/ds={BY_HAND}"]["rows"] == 2
