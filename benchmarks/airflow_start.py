"""What Airflow has to do for an operator of this project, beside a task that does nothing: parse its DAG, start it.

    PYTHONPATH=plugins python benchmarks/airflow_start.py [--rounds 7] [--json start.json]

Every figure is the median over fresh processes that had imported what Airflow's own processes have, in milliseconds of the
processor: all of it is work and not waiting, and seconds of the wall depend on who else is at work.

- parsing: each example DAG of this project, and a DAG with one `@task`, by Airflow's DAG processor. That of "example" is the
  one that takes longest.
- starting: from when Airflow's task runner takes a task to the connection for the first question, for the operator; and to
  the first line of its function, for a `@task`. Airflow's API server is answered for from memory.
- libraries: to import what reads Parquet and what speaks HTTP, in such a process: no start takes less.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fast_server import fast_server
from measured import KEY, PLUGINS, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((PROJECT / "dags").glob("*.py"))
PLAIN_DAG = """
from airflow.sdk import DAG, task

with DAG("plain"):

    @task
    def nothing():
        return 1

    nothing()
"""
PARSING = """
import gc, sys, time
import airflow.dag_processing.processor
from airflow.dag_processing.dagbag import DagBag

gc.freeze()  # as Airflow's DAG processor does, or what it had imported is looked through in the middle of a parse
began = time.process_time()
bag = DagBag(dag_folder=sys.argv[1])
took = time.process_time() - began
assert bag.dags and not bag.import_errors, bag.import_errors
print(1000 * took)
"""
STARTING = """
import json, sys, time, uuid
import httpx
import airflow.sdk.execution_time.task_runner
from airflow.sdk import DAG, task
from airflow.sdk.api.client import Client
from airflow.sdk.api.datamodels._generated import TaskInstance
from airflow.sdk.execution_time.supervisor import run_task_in_process

kind, url, key, folder, schema = sys.argv[1:]
reached = []
API = (httpx.URL(url).host, httpx.URL(url).port)

def note_connection(event, given):
    if event == "socket.connect" and given[1][:2] == API:
        reached.append(time.process_time())

DATE = "2026-01-02T00:00:00+00:00"
RUN = {
    "dag_id": "dag", "run_id": "run", "logical_date": DATE, "data_interval_start": DATE, "data_interval_end": DATE,
    "run_after": DATE, "start_date": DATE, "end_date": None, "run_type": "manual", "state": "running", "conf": {},
    "consumed_asset_events": [], "partition_key": None,
}

def answer(request):
    path = request.url.path.strip("/").split("/")
    if path[0] == "task-instances" and path[-1] == "run":
        return httpx.Response(200, json={"dag_run": RUN, "max_tries": 0, "should_retry": False})
    if path[0] == "connections":
        empty = dict.fromkeys(("schema", "login", "port", "extra"))
        told = {"conn_id": path[1], "conn_type": "runware", "host": url, "password": key}
        return httpx.Response(200, json={**empty, **told})
    return httpx.Response(200, json={"ok": True})

with DAG("dag") as dag:
    if kind == "plain":
        @task(task_id="asked")
        def nothing():
            reached.append(time.process_time())
        nothing()
    else:
        from runware_provider.operators import TextInferenceOperator
        TextInferenceOperator(
            task_id="asked", source=f"{folder}/source.parquet", destination=f"{folder}/out",
            prompt="Classify: {{ record.body }}", output_type=json.loads(schema),
        )
instance = TaskInstance(
    id=uuid.uuid4(), task_id="asked", dag_id="dag", run_id="run", try_number=1, dag_version_id=uuid.uuid4(), map_index=-1,
)
client = Client(base_url=None, dry_run=True, token="", transport=httpx.MockTransport(answer))
client.base_url = "http://airflow/"
sys.addaudithook(note_connection)
began = time.process_time()
with client:
    result = run_task_in_process(ti=instance, task=dag.get_task("asked"), client=client)
assert result.error is None, result.error
print(1000 * (reached[0] - began))
"""
LIBRARIES = """
import time
import airflow.sdk.execution_time.task_runner
import httpx

began = time.process_time()
import aiohttp, pyarrow.parquet
print(1000 * (time.process_time() - began))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, help="processes per figure")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(Path(folder), given.rounds)
    for name, value in figures.items():
        print(f"{name:28} {value:8.1f} ms")
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def measured(folder: Path, rounds: int) -> dict[str, float]:
    """The figures, in milliseconds, by name."""
    plain_dag = folder / "plain.py"
    plain_dag.write_text(PLAIN_DAG, encoding="utf-8")
    measure: dict[str, Callable[[], float]] = {
        "parsing, @task": lambda: _parsing(folder, plain_dag),
        "starting, operator": lambda: _starting(folder, "operator"),
        "starting, @task": lambda: _starting(folder, "plain"),
        "libraries": lambda: _milliseconds(folder, LIBRARIES),
    }
    examples = {f"parsing, {example.stem}": partial(_parsing, folder, example) for example in EXAMPLES}
    measure |= examples
    for once in measure.values():
        once()  # for the bytecode
    taken: dict[str, list[float]] = {name: [] for name in measure}
    for _ in range(rounds):
        for name, once in measure.items():
            taken[name].append(once())
    figures = {name: statistics.median(values) for name, values in taken.items()}
    return figures | {"parsing, example": max(figures[name] for name in examples)}


def _parsing(folder: Path, dag: Path) -> float:
    return _milliseconds(folder, PARSING, str(dag))


def _starting(folder: Path, kind: str) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as job:
        write = "import pyarrow as pa, pyarrow.parquet as pq, sys; pq.write_table(pa.table({'body': ['a']}), sys.argv[1])"
        subprocess.run([sys.executable, "-c", write, f"{job}/source.parquet"], check=True)
        with fast_server() as server:
            return _milliseconds(folder, STARTING, kind, server.url, KEY, job, json.dumps(SCHEMA))


def _milliseconds(home: Path, code: str, *words: str) -> float:
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "PYTHONPATH": str(PLUGINS),
    }
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
