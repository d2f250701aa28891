"""An Airflow home of its own, and the real task runner without a database."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

HOME = Path(tempfile.mkdtemp(prefix="airflow-home-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
SETTINGS = {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(HOME / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(HOME / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
}
# Airflow reads them once, when it is first imported.
os.environ.update(SETTINGS)

import httpx  # noqa: E402 - the environment comes before whatever may import Airflow
import pytest  # noqa: E402
from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger  # noqa: E402
from airflow.sdk.api.client import Client  # noqa: E402
from airflow.sdk.api.datamodels._generated import TaskInstance  # noqa: E402
from airflow.sdk.execution_time.supervisor import run_task_in_process  # noqa: E402
from airflow.sdk.observability import stats  # noqa: E402
from packaging.version import Version  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import DAG

LOGICAL_DATE = datetime(2026, 1, 2, tzinfo=UTC)
KEY = "key-of-the-tests-0123456789"


@dataclass
class Ran:
    """What came of one try of a task instance."""

    state: str
    error: BaseException | None
    xcom: Any
    outlet_events: list[dict[str, Any]]
    task: Any
    deferred: Any = None
    """How it wants to be resumed, where it gave its worker back."""
    awaiting: Any = None
    """The same, where it waits for a person."""


@dataclass
class ExecutionApi:
    """Answers the task runner as Airflow's API server would, from memory."""

    connections: dict[str, dict[str, Any]] = field(default_factory=dict)
    logical_date: datetime | None = LOGICAL_DATE
    conf: dict[str, Any] = field(default_factory=dict)
    run_id: str = "run-1"
    partition_key: str | None = None
    triggered_by: str | None = None
    """Who triggered the run."""
    retries_left: bool = True
    xcoms: list[Any] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    pushed: dict[tuple[str, ...], Any] = field(default_factory=dict)
    """What tasks returned, by DAG, run, task and key; of mapped tasks the last."""
    resumes: tuple[str, dict[str, Any]] | None = None
    """With which method and arguments the next leg begins, where a task instance was deferred."""
    questions: list[dict[str, Any]] = field(default_factory=list)
    """What persons were asked."""
    shown_question: dict[str, Any] | None = None
    """What a person sees of a question that was asked before, in the place of the next one."""
    labels: list[str] = field(default_factory=list)
    """What a person sees in the place of the number of a mapped task."""

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.strip("/").split("/")
        if path[0] == "task-instances" and path[-1] == "run":
            return httpx.Response(200, json=self._run_context())
        if path[0] == "task-instances" and path[-1] == "state":
            self.states.append(_json(request))
        elif path[0] == "hitlDetails":
            self.questions.append(_json(request))
            return httpx.Response(201, json=self.shown_question or self.questions[-1])
        elif path[0] == "connections":
            return self._connection(path[1])
        elif path[0] == "task-instances" and path[-1] == "rendered-map-index":
            self.labels.append(_json(request))
        elif path[0] == "xcoms" and request.method == "POST":
            self.xcoms.append(_json(request))
            self.pushed[tuple(path[1:])] = self.xcoms[-1]
        elif path[0] == "xcoms" and tuple(path[1:]) in self.pushed:
            return httpx.Response(200, json={"key": path[-1], "value": self.pushed[tuple(path[1:])]})
        return httpx.Response(200, json={"ok": True})

    def _connection(self, conn_id: str) -> httpx.Response:
        if conn_id not in self.connections:
            return httpx.Response(404, json={"detail": {"reason": "not_found"}})
        empty = dict.fromkeys(("host", "schema", "login", "password", "port", "extra"))
        return httpx.Response(
            200, json={**empty, "conn_id": conn_id, "conn_type": "runware", **self.connections[conn_id]}
        )

    def _run_context(self) -> dict[str, Any]:
        method, arguments = self.resumes or (None, None)
        date = None if self.logical_date is None else self.logical_date.isoformat()
        end = None if self.logical_date is None else (self.logical_date + timedelta(days=1)).isoformat()
        return {
            "dag_run": {
                "dag_id": "dag",
                "run_id": self.run_id,
                "logical_date": date,
                "data_interval_start": date,
                "data_interval_end": end,
                "run_after": LOGICAL_DATE.isoformat(),
                "start_date": LOGICAL_DATE.isoformat(),
                "end_date": None,
                "run_type": "manual",
                "state": "running",
                "conf": self.conf,
                "consumed_asset_events": [],
                "partition_key": self.partition_key,
                "triggering_user_name": self.triggered_by,
            },
            "max_tries": 3,
            "next_method": method,
            "next_kwargs": arguments,
            "should_retry": self.retries_left,
        }


def _json(request: httpx.Request) -> Any:
    return json.loads(request.content)


@pytest.fixture
def api() -> ExecutionApi:
    return ExecutionApi(connections={"runware_default": {"password": KEY}})


@pytest.fixture
def run_task(api: ExecutionApi) -> Iterator[Any]:
    """Runs one task of a DAG as a worker would; the only place that touches the runner's private API."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)}

    def run(dag: DAG, task_id: str, *, map_index: int = -1, try_number: int = 1) -> Ran:
        instance = TaskInstance(
            id=uuid.uuid4(),
            task_id=task_id,
            dag_id=dag.dag_id,
            run_id=api.run_id,
            try_number=try_number,
            dag_version_id=uuid.uuid4(),
            map_index=map_index,
        )
        client = Client(base_url=None, dry_run=True, token="", transport=httpx.MockTransport(api.answer))
        client.base_url = "http://test/"
        with client:
            result = run_task_in_process(ti=instance, task=dag.get_task(task_id), client=client)
        return Ran(
            state=result.state.value,
            error=result.error,
            xcom=api.pushed.get(("dag", api.run_id, task_id, "return_value")),
            outlet_events=(api.states[-1].get("outlet_events") or []) if api.states else [],
            task=result.ti.task,
            deferred=result.msg if result.state.value == "deferred" else None,
            awaiting=result.msg if result.state.value == "awaiting_input" else None,
        )

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


class Counters(NoStatsLogger):
    """A backend of Airflow's metrics that adds up what it is told."""

    def __init__(self) -> None:
        self.sums: Counter[str] = Counter()
        self.seen_tags: set[tuple[str, ...]] = set()

    def incr(self, stat: str, count: Any = 1, rate: float = 1, *, tags: Any = None) -> None:  # noqa: ARG002 - Airflow's signature
        if stat.startswith("runware."):
            # As Airflow's OpenTelemetry does.
            if count < 0:
                raise ValueError(f"count must be a positive value, not {count}")
            self.sums[stat] += count
            self.seen_tags.add(tuple(sorted(tags or {})))


@pytest.fixture
def counters() -> Iterator[Counters]:
    """What tasks count from now on."""
    counters = Counters()
    stats.initialize(factory=lambda: counters, export_legacy_names=False)
    yield counters
    stats.initialize(factory=NoStatsLogger, export_legacy_names=False)


@pytest.fixture(scope="module")
def fresh_python(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs code in a process of its own; returns its standard output."""
    folder = tmp_path_factory.mktemp("fresh")

    def run(code: str, *, environment: dict[str, str] | None = None) -> str:
        plugins = str(Path(__file__).parents[2] / "plugins")
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **SETTINGS, "PYTHONPATH": plugins, **(environment or {})},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def policies_of_mapped_tasks() -> None:
    """Skips a test where Airflow knows none."""
    if Version(version("apache-airflow-core")) < Version("3.3.2"):
        pytest.skip("Airflow before 3.3.2 ignores the retry policy of a mapped task")
