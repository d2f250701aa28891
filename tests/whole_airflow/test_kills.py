"""Five tasks of a real Airflow, each killed with SIGKILL at a moment of its own and tried again by the scheduler.

Of four, the task's own process dies, as when memory runs out: its supervisor tells the scheduler. Of the last one, the
supervisor dies with it, as when a machine is lost: the scheduler misses the heartbeat.
"""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from runware_provider.testing import Fault
from tests.engine.conftest import KEY, SCHEMA, body_of, places_below
from tests.holding_server import HELD_DEADLINE_S, held
from tests.real_airflow import RealAirflow, complaints, real_airflow, until
from tests.torture.scene import LIMITS, RECORDS, Sums

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAG_FILE = """
import json
import os
from datetime import timedelta

from airflow.sdk import DAG
from runware_provider.operators import TextInferenceOperator

with DAG("killed", schedule=None):
    for name, arguments in json.loads(os.environ["JOBS"]).items():
        TextInferenceOperator(
            task_id=name, runware_conn_id=f"runware_{name}", retries=1, retry_delay=timedelta(0), **arguments
        )
"""
LATENCY_S = 0.5
"""Long enough that a kill meets inferences in flight, and that a test sees the moment before it has passed."""
FROZEN_S = 100.0
KILLS = 5
QUESTION = "What is the total?"
HEARTBEATS = {
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
}
"""Quick, so that a test need not wait for minutes until a supervisor is missed; not so quick that a busy one is."""
OF_A_KILL = (
    '"signal_name":"SIGKILL"',  # the supervisor, of its child
    "but the task instance's state attribute is running",  # the scheduler, of a worker whose task just stopped
    "without a heartbeat",  # the scheduler, of a supervisor that is gone
)
"""What Airflow says of such deaths."""


@dataclass(frozen=True)
class Moment:
    """When a task is killed."""

    delivery: str
    executed: int | None
    """As soon as more than so many inferences were executed; before the first if None."""
    with_supervisor: bool = False

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What makes sure that the moment does not pass before it is seen."""
        first = Fault("delay_request", task_type="textInference", nth=1, seconds=FROZEN_S)
        # Or a job may end before a busy machine has killed it.
        last = held(f"Shop {RECORDS - 1} GmbH")
        return (last,) if self.executed is not None else (first,)

    def has_come(self, place: Any) -> bool:
        if self.executed is None:
            return bool(place.server.faults()[0]["fired"])
        return bool(place.executed() > self.executed)


def moments(seed: int) -> list[Moment]:
    dice = random.Random(seed)  # noqa: S311 - moments that can be had again
    counts = [None, *(dice.randrange(RECORDS - LIMITS["tasks_per_request"]) for _ in range(KILLS - 1))]
    return [
        Moment(("poll", "sync")[number % 2], count, with_supervisor=number == KILLS - 1)
        for number, count in enumerate(counts)
    ]


@dataclass
class Job:
    """A task, the files and the server that only this task uses, and when it dies."""

    name: str
    place: Any
    moment: Moment

    def arguments(self) -> dict[str, Any]:
        return {
            "source": str(self.place.source),
            "destination": str(self.place.destination),
            "prompt": f"{QUESTION}\n{{{{ record.body }}}}",
            "output_type": SCHEMA,
            # Or the answer that is held would be given up, and asked for anew, on a machine that is busy enough.
            "limits": LIMITS | {"deadline_s": HELD_DEADLINE_S},
            "delivery": self.moment.delivery,
        }

    def connection(self) -> str:
        return json.dumps({"conn_type": "runware", "host": self.place.server.base_url, "password": KEY})

    def kill(self, airflow: RealAirflow) -> int:
        """Kill the task at its moment; how many processes had a connection to its server."""
        until(lambda: self.moment.has_come(self.place), f"{self.moment}", every_s=0.01)
        victims = airflow.connected_to(self.place.server.base_url)
        family = [one.parent() for one in victims] if self.moment.with_supervisor else []
        for victim in (*filter(None, family), *victims):
            victim.kill()
        psutil.wait_procs(victims, timeout=10)
        # The next try meets neither: what freezes a request, and what holds the last answer.
        self.place.server.clear_faults()
        self.place.server.let_go()
        return len(victims)


@dataclass
class Ran:
    """What the five tasks left."""

    jobs: list[Job]
    killed: list[int]
    states: dict[str, tuple[str, int]]
    """Of each task, the last state and the number of tries."""
    told: str
    kept: str
    """All that Airflow keeps in its home: logs, and the database with DAGs, XComs, rendered fields and events."""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    folder = tmp_path_factory.mktemp("airflow")
    with places_below(folder) as new_place:
        jobs = [
            Job(f"ask_{number}", new_place(f"job-{number}", latency=LATENCY_S), moment)
            for number, moment in enumerate(moments(seed=1))
        ]
        yield killed_and_tried_again(jobs, folder)


def killed_and_tried_again(jobs: list[Job], folder: Path) -> Ran:
    for job in jobs:
        job.place.fill(RECORDS)
        job.place.server.script(*job.moment.faults)
    (folder / "dags").mkdir()
    (folder / "dags" / "killed.py").write_text(DAG_FILE, encoding="utf-8")
    variables = {f"AIRFLOW_CONN_RUNWARE_{job.name.upper()}": job.connection() for job in jobs}
    variables |= HEARTBEATS
    variables["JOBS"] = json.dumps({job.name: job.arguments() for job in jobs})
    with real_airflow(folder, folder / "dags", variables) as airflow:
        until(lambda: airflow.api("dags")["total_entries"], "the DAG is known", every_s=0.2)
        run = airflow.api.trigger("killed")
        with ThreadPoolExecutor(KILLS) as pool:
            killed = list(pool.map(lambda job: job.kill(airflow), jobs))
        until(lambda: airflow.api(run)["state"] in {"success", "failed"}, "the run ends", every_s=0.2)
        instances = airflow.api(f"{run}/taskInstances")["task_instances"]
    states = {one["task_id"]: (one["state"], one["try_number"]) for one in instances}
    files = [path for path in airflow.home.rglob("*") if path.is_file()]
    kept = "\n".join(path.read_bytes().decode(errors="replace") for path in files)
    return Ran(jobs, killed, states, airflow.told(), kept)


def test_each_task_was_killed_once_and_succeeded_when_airflow_tried_it_again(ran: Ran) -> None:
    assert ran.killed == [1] * KILLS
    assert ran.states == {job.name: ("success", 2) for job in ran.jobs}


def test_nothing_is_lost_and_nothing_is_run_or_charged_twice(ran: Ran) -> None:
    sums = Sums()
    for job in ran.jobs:
        manifest = json.loads((job.place.state / "manifest.json").read_text(encoding="utf-8"))
        assert manifest["outcomes"] == {"succeeded": RECORDS}
        assert job.place.executed() == RECORDS
        sums.compare(job.place, manifest, RECORDS)
    assert sums.violations == []
    assert sums.clean


def test_the_logs_complain_of_the_kills_and_of_nothing_else(ran: Ran) -> None:
    complained = complaints(ran.told)
    assert [line for line in complained if not any(words in line for words in OF_A_KILL)] == []
    assert sum(OF_A_KILL[0] in line for line in complained) == KILLS - 1
    assert any(OF_A_KILL[2] in line for line in complained)


def test_airflow_keeps_neither_the_key_nor_a_prompt_of_what_was_killed(ran: Ran) -> None:
    assert '"outcomes"' in ran.kept  # the manifest, in XCom
    for secret in (KEY, QUESTION, *map(body_of, range(RECORDS))):
        assert secret not in ran.kept + ran.told
