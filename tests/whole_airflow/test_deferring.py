"""Deferred tasks in a real Airflow whose triggerer is killed with SIGKILL, whose scheduler is, and which has two triggerers then.

Nobody is at work for a task while it waits, so that whatever dies meanwhile is nothing to it: the bill of the local API
server says so.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from runware_provider.triggers import ARGUMENTS
from tests.engine.conftest import KEY, body_of, places_below
from tests.holding_server import held
from tests.real_airflow import RealAirflow, complaints, real_airflow, until
from tests.torture.scene import Sums
from tests.whole_airflow.told_jobs import QUESTION, jobs_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAG_FILE = """
import json
import os

from airflow.sdk import DAG
from runware_provider.deferring_task import DeferringTask
from runware_provider.groups import text_inference_group
from runware_provider.operators import TextInferenceOperator

DeferringTask._worth_s = 0.0  # any wait is worth it

with DAG("deferred", schedule=None):
    for name, arguments in json.loads(os.environ["JOBS"]).items():
        arguments = {"runware_conn_id": f"runware_{name}", "deferrable": True, **arguments}
        if name == "read":
            text_inference_group(group_id=name, shards=2, least_rows=1, retry_delay=0, **arguments)
        else:
            TextInferenceOperator(task_id=name, **arguments)
"""
RECORDS = 30
CANARY = 5
SLOW = "Please take your time."
"""Stands in each record that is no canary: none of their answers is there before all tasks wait."""
QUICK = {
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
}
"""So that a test need not wait for long until a triggerer is missed."""
WAITING = {"ask_0", "ask_1", "ask_2", "read.infer[0]", "read.infer[1]"}
OF_A_KILL = ("signal_name", "SIGKILL", "-9", "killed")


@dataclass
class Story:
    """What became of a run of the DAG."""

    places: dict[str, Any]
    deferred: dict[str, str] = field(default_factory=dict)
    """The state of each task when all had given their worker back."""
    at_work: list[Any] = field(default_factory=list)
    """Processes that had a connection to a server then."""
    triggers: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """What lay in Airflow's database then: class and arguments."""
    killed: dict[str, int] = field(default_factory=dict)
    states: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Of each task, the last state and the number of tries."""
    told: str = ""
    kept: str = ""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("airflow")
    with places_below(folder) as new_place:
        names = ("ask_0", "ask_1", "ask_2", "read")
        places = {name: new_place(name, latency=0.0, faults=(held(SLOW),)) for name in names}
        yield told(Story(places), folder)


def told(story: Story, folder: Path) -> Story:
    for place in story.places.values():
        place.fill([text_of(number) for number in range(RECORDS)])
    (folder / "dags").mkdir()
    (folder / "dags" / "deferred.py").write_text(DAG_FILE, encoding="utf-8")
    with real_airflow(folder, folder / "dags", variables(story)) as airflow:
        until(lambda: airflow.api("dags")["total_entries"], "the DAG is known", every_s=0.2)
        run = airflow.api.trigger("deferred")
        until(lambda: "deferred" in states(airflow, run), "a task waits for answers", every_s=0.2)
        until(lambda: triggerer_of(airflow), "a triggerer has its trigger", every_s=0.05)
        # It says nothing for a while yet. From now on nobody goes on, so that all tasks come to wait.
        story.killed["triggerer"] = kill(airflow, "triggerer")
        until(lambda: states(airflow, run).count("deferred") == len(WAITING), "all tasks wait", every_s=0.2)
        story.deferred = {name: state for name, (state, _) in instances(airflow, run).items()}
        rows = triggers_in(airflow, "classpath, kwargs")
        story.triggers = [(path, json.loads(arguments)) for path, arguments in rows]
        story.at_work = [
            process
            for place in story.places.values()
            for process in airflow.connected_to(place.server.base_url)
        ]
        with contextlib.ExitStack() as stack:
            story.killed["scheduler"] = kill(airflow, "scheduler")
            for component in ("triggerer", "triggerer", "scheduler"):
                stack.enter_context(airflow.one_more(component))
            clear(airflow, run, "ask_1")
            for place in story.places.values():
                place.server.let_go()
            ends = {"success", "failed"}
            until(lambda: airflow.api(run)["state"] in ends, "the run ends", every_s=0.5)
            story.states = instances(airflow, run)
        files = [path for path in airflow.home.rglob("*") if path.is_file()]
        story.kept = "\n".join(path.read_bytes().decode(errors="replace") for path in files)
        story.told = airflow.told()
    return story


def text_of(number: int) -> str:
    """Quick for the canary of each shard, which is what is at the beginning of each half."""
    quick = number % (RECORDS // 2) < CANARY
    return body_of(number) if quick else f"{body_of(number)}\n{SLOW}"


def variables(story: Story) -> dict[str, str]:
    return {**QUICK, **jobs_in(story.places, limits={"poll_interval_s": 0.1, "tasks_per_request": 6})}


def instances(airflow: RealAirflow, run: str) -> dict[str, tuple[str, int]]:
    found = {}
    for instance in airflow.api(f"{run}/taskInstances")["task_instances"]:
        number = f"[{instance['map_index']}]" if instance["map_index"] >= 0 else ""
        found[f"{instance['task_id']}{number}"] = (instance["state"], instance["try_number"])
    return found


def states(airflow: RealAirflow, run: str) -> list[str]:
    return [state for state, _ in instances(airflow, run).values()]


def triggers_in(airflow: RealAirflow, columns: str) -> list[tuple[Any, ...]]:
    """The rows of Airflow's table, as they stand on its disk."""
    database = f"file:{airflow.home / 'airflow.db'}?mode=ro"
    with contextlib.closing(sqlite3.connect(database, uri=True, timeout=60)) as connection:
        return connection.execute(f"select {columns} from trigger").fetchall()  # noqa: S608 - our own words


def triggerer_of(airflow: RealAirflow) -> bool:
    return any(number is not None for (number,) in triggers_in(airflow, "triggerer_id"))


def kill(airflow: RealAirflow, component: str) -> int:
    """Kill all processes of a component; how many it were."""
    victims = airflow.processes(component)
    family = {child for victim in victims for child in victim.children(recursive=True)}
    for process in (*victims, *family):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs([*victims, *family], timeout=10)
    return len(victims)


def clear(airflow: RealAirflow, run: str, task: str) -> None:
    name = airflow.api(run)["dag_run_id"]
    wish = {"dry_run": False, "dag_run_id": name, "task_ids": [task], "only_failed": False}
    cleared = airflow.api("dags/deferred/clearTaskInstances", "POST", wish)
    assert cleared["total_entries"]


def test_every_task_gave_its_worker_back_while_its_answers_were_awaited(story: Story) -> None:
    assert story.deferred.keys() >= WAITING
    assert {story.deferred[name] for name in WAITING} == {"deferred"}
    assert story.at_work == []


def test_airflows_database_holds_numbers_names_and_uuids_of_what_waits_and_nothing_else(
    story: Story,
) -> None:
    assert len(story.triggers) == len(WAITING)
    for path, arguments in story.triggers:
        assert path == "runware_provider.triggers.AnswersTrigger"
        assert set(arguments) == set(ARGUMENTS)


def test_tasks_outlive_the_triggerer_and_the_scheduler_and_one_is_cleared_while_it_waits(
    story: Story,
) -> None:
    assert min(story.killed.values()) >= 1
    assert {state for state, _ in story.states.values()} == {"success"}
    tries = {name: tries for name, (_, tries) in story.states.items()}
    assert tries.pop("ask_1") == 2
    assert set(tries.values()) == {1}


def test_nothing_is_lost_and_nothing_is_run_or_charged_twice(story: Story) -> None:
    sums = Sums()
    for place in story.places.values():
        manifest = json.loads((place.state / "manifest.json").read_text(encoding="utf-8"))
        assert manifest["outcomes"] == {"succeeded": RECORDS}
        assert manifest["paid_inferences"] == RECORDS == place.executed()
        sums.compare(place, manifest, RECORDS)
    assert sums.violations == []
    assert sums.clean


def test_no_trigger_fired_so_soon_that_airflow_took_its_task_for_failed(story: Story) -> None:
    assert "the task instance's state attribute is" not in story.told
    assert "Trigger failed" not in story.told


def test_airflow_keeps_neither_the_key_nor_a_prompt_of_what_was_deferred(story: Story) -> None:
    assert '"outcomes"' in story.kept
    assert "The worker is free" in story.kept
    for secret in (KEY, QUESTION, *map(body_of, range(RECORDS)), SLOW):
        assert secret not in story.kept + story.told


def test_the_logs_complain_of_nothing_but_the_kills(story: Story) -> None:
    complained = [line for line in complaints(story.told) if not any(word in line for word in OF_A_KILL)]
    assert complained == []
