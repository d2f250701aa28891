"""`dag.test()`: with a deferral inside it runs the trigger in line, knows no timeout, and drops what `defer` was given.

For a person's answer it would wait without an end, so a task that asks one says at once what to do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.testing import LocalServer, ServerSettings
from tests.answers import total_of

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "key-of-the-tests-0123456789"
RECORDS = 30
SLOW_S = 3.0
PLUGINS = Path(__file__).parents[2] / "plugins"
SCRIPT = """
import json, os
from airflow.sdk import DAG
from runware_provider import legs
from runware_provider.deferring_task import DeferringTask
from runware_provider.groups import text_inference_group
from runware_provider.operators import TextInferenceOperator

DeferringTask._worth_s = DeferringTask._quiet_s = 0.0
legs.SOONEST_LOOK_S = 0.1
asked = json.loads(os.environ["ASKED"])
with DAG("deferred", schedule=None) as dag:
    one = TextInferenceOperator(task_id="one", destination=os.environ["OUT"] + "/one", retries=0, **asked)
    group = text_inference_group(
        group_id="read", shards=1, destination=os.environ["OUT"] + "/shards", **asked
    )
    one >> group
if __name__ == "__main__":
    ended = dag.test()
    print("ENDED", ended.state)
"""

APPROVED = """
import json, os
from airflow.sdk import DAG
from runware_provider.operators import TextInferenceOperator

asked = json.loads(os.environ["ASKED"])
with DAG("approved", schedule=None, params={"unasked": 0}) as dag:
    TextInferenceOperator(
        task_id="one",
        destination=os.environ["OUT"] + "/approved",
        approve={"above_usd": "{{ params.unasked }}"},
        **asked,
    )
if __name__ == "__main__":
    print("ASKS", dag.test().state)
    print("UNASKED", dag.test(run_conf={"unasked": 50}).state)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(ServerSettings(key=KEY, latency=SLOW_S, answers=total_of)) as running:
        yield running


@pytest.fixture(scope="module")
def ran(server: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the run came to, and the log."""
    folder = tmp_path_factory.mktemp("dag-test")
    bodies = [f"Invoice from Shop {n} GmbH\nTotal: {n}.50 EUR" for n in range(RECORDS)]
    pq.write_table(pa.table({"body": bodies}), folder / "in.parquet")
    (folder / "dags").mkdir()
    script = folder / "dags" / "deferred.py"
    script.write_text(SCRIPT, encoding="utf-8")
    approved = folder / "dags" / "approved.py"
    approved.write_text(APPROVED, encoding="utf-8")
    asked = {
        "source": str(folder / "in.parquet"),
        "prompt": "What is the total?\n{{ record.body }}",
        "output_type": {"properties": {"total": {"type": "number"}}},
        "limits": {"poll_interval_s": 0.05},
        "deferrable": True,
    }
    connection = {"conn_type": "runware", "host": server.base_url, "password": KEY}
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(folder / "home"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW_CONN_RUNWARE_DEFAULT": json.dumps(connection),
        "PYTHONPATH": str(PLUGINS),
        "ASKED": json.dumps(asked),
        "OUT": str(folder),
    }
    logs = []
    for command in (["-m", "airflow", "db", "migrate"], [str(script)], [str(approved)]):
        done = subprocess.run(
            [sys.executable, *command],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        logs.append(done.stdout + done.stderr)
        assert done.returncode == 0, logs[-1][-5_000:]
    _, log, of_approved = logs
    state = log.partition("ENDED ")[2].splitlines()[0]
    return {"state": state, "log": log, "approved": of_approved, "folder": folder}


def test_a_deferred_task_and_deferred_shards_run_to_their_end(ran: dict[str, Any]) -> None:
    assert ran["state"] == "success"
    assert ran["log"].count("[DAG TEST] Trigger completed") >= 2


def test_each_went_on_where_its_first_leg_had_left_and_nothing_was_paid_twice(
    ran: dict[str, Any], server: LocalServer
) -> None:
    assert ran["log"].count("The worker is free") == ran["log"].count("the task goes on") >= 2
    for name in ("one", "shards"):
        manifest = json.loads((ran["folder"] / f"{name}.state/manifest.json").read_text(encoding="utf-8"))
        assert manifest["outcomes"] == {"succeeded": RECORDS}
        assert manifest["paid_inferences"] == RECORDS
    # The third is that of the run that asked nobody.
    assert server.bill_summary()["executed"] == 3 * RECORDS
    assert KEY not in ran["log"]


def test_a_task_that_asks_a_person_does_not_wait_for_one_and_says_what_to_do(ran: dict[str, Any]) -> None:
    told = " ".join(ran["approved"].split())
    assert "ASKS failed" in told
    assert "dag.test() would wait for one without an end" in told
    assert "Waiting for Human-in-the-loop input" not in told
    assert "UNASKED success" in told
