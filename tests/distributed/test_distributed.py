"""A job in shards as it is deployed: Celery with two workers, Postgres, Redis, a triggerer, and everything on S3.

In the middle a worker is killed with SIGKILL, with all its tasks, the scheduler is restarted, and the triggerer is killed.
The bill of the local API server says what that cost. `make test-distributed` runs it; `SHARDS` and `RECORDS` of the
environment make it smaller or larger.
"""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.engine.storage.stores import Stores
from runware_provider.testing.tryout.surroundings import PROJECT, interruptible
from tests.distributed.cluster import WORKERS, Cluster
from tests.distributed.figures import ShardFigures, figures_of, table
from tests.distributed.services import NOT_THERE, has_celery, processes_of, programs
from tests.engine.conftest import KEY, SCHEMA, body_of, places_below
from tests.holding_server import held
from tests.real_airflow import complaints
from tests.s3.server import S3Server
from tests.torture.scene import Sums, fetch_job

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runware_provider.engine.storage.stores import Storage

DAG_FILE = """
import json
import os

from airflow.sdk import DAG
from runware_provider.groups import text_inference_group

with DAG("distributed", schedule=None, max_active_runs=1):
    text_inference_group(group_id="read", **json.loads(os.environ["ASKED"]))
"""
SHARDS = int(os.environ.get("SHARDS", "20"))
RECORDS = int(os.environ.get("RECORDS", "20000"))
FILES = 5
ROWS_OF_A_SHARD = RECORDS // SHARDS
AT_ONCE = 8
"""As many as the two workers have slots."""
LATENCY_S = 1.0
"""Long enough that a kill meets inferences in flight."""
SLOW = "Please take your time."
SLOW_SHARDS = SHARDS // FILES
"""Those of the first file."""
SLOW_ROWS = ROWS_OF_A_SHARD // 20
"""At the end of each of them, so that they are no canaries."""
QUESTION = "What is the total?"
DEFERS_S = 300.0
"""Seconds that it may take until a task has given its worker back, which it does after a minute of nothing but waiting."""
END_S = 900.0
"""Seconds that the run may take."""
OF_A_KILL = (
    "Detected a task instance without a heartbeat",
    "finished with state failed, but the task instance's state attribute is running",
)
"""What the scheduler says of each task whose worker was killed."""
KEPT = PROJECT / "build" / "distributed"
"""Where the logs stay after a failure."""

log = logging.getLogger("distributed")


@dataclass
class Story:
    """What became of the run."""

    place: Any
    seconds: dict[str, float] = field(default_factory=dict)
    """When each stage was reached, from the beginning."""
    killed: dict[str, int] = field(default_factory=dict)
    """Of each component that was, how many processes."""
    executed_then: dict[str, int] = field(default_factory=dict)
    """Inferences that had been executed when it was."""
    at_work_on_victim: set[int] = field(default_factory=set)
    """Shards whose task was killed."""
    deferred_then: set[int] = field(default_factory=set)
    """Shards that waited in the triggerer when it was killed."""
    state: str = ""
    """That the run ended in."""
    instances: list[dict[str, Any]] = field(default_factory=list)
    shards: list[ShardFigures] = field(default_factory=list)
    bill: dict[str, Any] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)
    sums: Sums = field(default_factory=Sums)
    told: str = ""
    """What all logs said."""
    left: list[str] = field(default_factory=list)
    """Processes that outlived the end."""
    _begun: float = field(default_factory=time.monotonic)

    def reached(self, stage: str) -> None:
        self.seconds[stage] = time.monotonic() - self._begun
        log.info("%5.0f s  %s", self.seconds[stage], stage)


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    installed = programs()
    if installed is None or not has_celery():
        pytest.skip(NOT_THERE)
    for name in ("httpx", "uvicorn.error"):  # so that the stages are all that is shown meanwhile
        logging.getLogger(name).setLevel(logging.WARNING)
    folder = Path(tempfile.mkdtemp(prefix="distributed-"))
    folder.chmod(0o711)  # the user that runs Postgres walks through
    shutil.rmtree(KEPT, ignore_errors=True)  # of the run before
    try:
        with interruptible(), places_below(folder) as new_place, S3Server() as s3:
            story = Story(new_place("job", latency=LATENCY_S, capacity=2 * RECORDS, faults=(held(SLOW),)))
            bucket = s3.new_bucket()
            store = Stores(lambda _: s3.options()).open(f"s3://{bucket}")
            fill(store, bucket)
            dags = folder / "dags"
            dags.mkdir()
            (dags / "distributed.py").write_text(DAG_FILE, encoding="utf-8")
            with Cluster(folder, dags, installed, variables(story, bucket, s3)) as cluster:
                told(story, cluster, store, f"s3://{bucket}/job")
            story.left = processes_of(folder)
        yield story
    finally:
        keep_logs(folder)
        shutil.rmtree(folder)


def fill(store: Storage, bucket: str) -> None:
    """The source: files of some shards each."""
    rows = RECORDS // FILES
    for number in range(FILES):
        numbers = range(number * rows, (number + 1) * rows)
        table = pa.table({"n": numbers, "body": [text_of(n) for n in numbers]})
        written = io.BytesIO()
        pq.write_table(table, written, row_group_size=ROWS_OF_A_SHARD)
        store.create_new(f"s3://{bucket}/in/{number}.parquet", written.getvalue())


def text_of(number: int) -> str:
    """Slow at the end of each of the first shards."""
    shard, row = divmod(number, ROWS_OF_A_SHARD)
    is_slow = shard < SLOW_SHARDS and row >= ROWS_OF_A_SHARD - SLOW_ROWS
    return f"{body_of(number)}\n{SLOW}" if is_slow else body_of(number)


def variables(story: Story, bucket: str, s3: S3Server) -> dict[str, str]:
    runware = {"conn_type": "runware", "host": story.place.server.base_url, "password": KEY}
    said = s3.options()
    lake = {
        "conn_type": "aws",
        "login": said["key"],
        "password": said["secret"],
        "extra": {"region_name": said["region"], "endpoint_url": said["endpoint"]},
    }
    asked = {
        "source": f"s3://lake@{bucket}/in",
        "destination": f"s3://lake@{bucket}/job/out",
        "prompt": f"{QUESTION}\n{{{{ record.body }}}}",
        "output_type": SCHEMA,
        "shards": SHARDS,
        "shards_at_once": AT_ONCE,
        "least_rows": ROWS_OF_A_SHARD,
        "deferrable": True,
    }
    return {
        "AIRFLOW_CONN_RUNWARE_DEFAULT": json.dumps(runware),
        "AIRFLOW_CONN_LAKE": json.dumps(lake),
        "ASKED": json.dumps(asked),
    }


def told(story: Story, cluster: Cluster, store: Storage, folder: str) -> None:
    """The stages, one after the other."""
    story.reached("everything runs")
    run = cluster.api.trigger("distributed")

    killed = kill(story, cluster, worker_to_kill(story, cluster, run))
    # Nobody says of them any more that they run or have ended, until the scheduler misses their heartbeat.
    story.at_work_on_victim = running_in(killed, cluster.instances(run))

    cluster.restart("scheduler")
    story.reached("the scheduler is restarted")

    cluster.until(lambda: waiting(cluster, run), "a shard waits in the triggerer", 0.2, DEFERS_S)
    story.deferred_then = waiting(cluster, run)
    kill(story, cluster, "triggerer")
    story.place.server.let_go()

    cluster.until(lambda: cluster.api(run)["state"] in {"success", "failed"}, "the run ends", 0.5, END_S)
    story.reached("the run has ended")
    story.state = cluster.api(run)["state"]
    story.instances = cluster.instances(run)
    story.shards = figures_of(cluster, run)
    story.told = cluster.told()

    fetch_job(store, folder, story.place)
    story.manifest = json.loads((story.place.state / "manifest.json").read_text(encoding="utf-8"))
    story.sums.compare(story.place, story.manifest, RECORDS)
    story.bill = story.place.server.bill_summary()
    story.reached("rows, manifest and bill are compared")
    for line in table(story.shards, story.manifest, story.bill):
        log.info("%s", line)


def worker_to_kill(story: Story, cluster: Cluster, run: str) -> str:
    """The one with fewer slow shards at work, in the middle of the run, so that another one comes to wait."""
    at_work: dict[str, set[int]] = {}

    def in_the_middle() -> bool:
        instances = cluster.instances(run)
        at_work.update({worker: running_in(cluster.family(worker), instances) for worker in WORKERS})
        # A task that a worker has taken and not begun would be missed only after task_queued_timeout.
        none_is_queued = all(instance["state"] != "queued" for instance in instances)
        return story.place.executed() > RECORDS // 20 and all(at_work.values()) and none_is_queued

    cluster.until(in_the_middle, "both workers are at work, and some records are answered", 0.1)
    return min(WORKERS, key=lambda worker: len(at_work[worker] & set(range(SLOW_SHARDS))))


def kill(story: Story, cluster: Cluster, component: str) -> set[int]:
    """Kill a component, and start it anew at once, as who looks after it would; the ids of the processes that died."""
    story.executed_then[component] = story.place.executed()
    killed = cluster.kill(component)
    story.killed[component] = len(killed)
    cluster.start(component)
    story.reached(
        f"{component} is killed with all its {len(killed)} processes when {story.executed_then[component]:,}"
        f" inferences are executed, and started anew"
    )
    return killed


def running_in(processes: set[int], instances: list[dict[str, Any]]) -> set[int]:
    """The shards that these processes are at work on."""
    return {
        instance["map_index"]
        for instance in instances
        if instance["state"] == "running" and instance["pid"] in processes and instance["map_index"] >= 0
    }


def waiting(cluster: Cluster, run: str) -> set[int]:
    """The shards whose trigger a triggerer has."""
    return {
        instance["map_index"]
        for instance in cluster.instances(run)
        if instance["state"] == "deferred" and instance["triggerer_job"]
    }


def keep_logs(folder: Path) -> None:
    """Where they can be read when the folder is gone."""
    for path in folder.rglob("*.log"):
        kept = KEPT / path.relative_to(folder)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, kept)


def test_the_run_succeeds_though_a_worker_and_the_triggerer_are_killed(story: Story) -> None:
    assert story.state == "success"
    assert all(count >= 1 for count in story.killed.values())
    assert {instance["state"] for instance in story.instances} == {"success"}
    assert len(story.shards) == SHARDS


def test_the_kills_were_in_the_middle(story: Story) -> None:
    assert min(story.executed_then.values()) > 0
    assert min(story.executed_then.values()) < RECORDS
    assert story.at_work_on_victim
    assert story.deferred_then


def test_the_shards_of_the_killed_worker_alone_are_tried_again(story: Story) -> None:
    again = {shard.number for shard in story.shards if shard.tries > 1}
    assert again == story.at_work_on_victim


def test_a_shard_that_waited_goes_on_in_another_leg_of_the_same_try(story: Story) -> None:
    legs = {shard.number: shard.legs for shard in story.shards}
    assert all(legs[number] > 1 for number in story.deferred_then)


def test_every_record_has_its_row_and_is_paid_once(story: Story) -> None:
    assert story.manifest["outcomes"] == {"succeeded": RECORDS}
    assert story.bill["executed"] == story.bill["charged"] == story.manifest["paid_inferences"] == RECORDS
    assert story.bill["requests_executed_again"] == 0
    assert story.sums.violations == []
    assert story.sums.clean


def test_what_the_shards_paid_is_what_the_manifest_says_and_the_bill(story: Story) -> None:
    assert sum(shard.paid for shard in story.shards) == RECORDS
    billed = pytest.approx(story.bill["cost_usd"], abs=1e-9)
    assert sum(shard.usd for shard in story.shards) == billed
    assert story.manifest["paid_usd"] == billed


def test_the_logs_complain_of_the_kills_and_of_nothing_else(story: Story) -> None:
    complained = complaints(story.told)
    assert [line for line in complained if not any(words in line for words in OF_A_KILL)] == []
    for words in OF_A_KILL:
        assert sum(words in line for line in complained) == len(story.at_work_on_victim)


def test_the_logs_hold_neither_the_key_nor_a_prompt(story: Story) -> None:
    assert "The worker is free" in story.told
    for secret in (KEY, QUESTION, SLOW, *map(body_of, range(0, RECORDS, ROWS_OF_A_SHARD))):
        assert secret not in story.told


def test_nothing_is_left_running(story: Story) -> None:
    assert story.left == []
