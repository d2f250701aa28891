"""What a deferred shard takes of its worker, beside one that blocks it, in a real Airflow.

    python benchmarks/deferral.py --latency 300 --records 200

A DAG has three groups of one shard, over sources alike. Its first run asks 100 records each, which are answered at once, so
that the second run has no canary to wait for and knows whether too many fail. Then `--records` records come to each source
whose answers take `--latency` seconds, and the DAG runs again. `blocking` is not deferrable. `knows` is, and finds in
`pace.json` how long answers take, as after a run of yesterday. `guesses` is, and finds the latency of the first run, which
says nothing of the new records, so that it waits for a minute before it leaves.

Printed is for each `infer` task of the second run: legs, seconds on a worker (from the first line of a leg's log to its
last), and seconds from the first leg's beginning to the last one's end. They depend on the machine and on who shares it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from measured import KEY, SCHEMA, local_server

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.real_airflow import RealAirflow, real_airflow, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GROUPS = ("blocking", "knows", "guesses")
QUICK_RECORDS = 100
SLOW = "Please take your time."
DAG_FILE = """
import json
import os

from airflow.sdk import DAG
from runware_provider.groups import text_inference_group

with DAG("measured", schedule=None):
    for name, arguments in json.loads(os.environ["JOBS"]).items():
        text_inference_group(group_id=name, shards=1, **arguments)
"""
BEGIN = "::group::Pre Execute"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=300.0, metavar="SECONDS")
    parser.add_argument("--records", type=int, default=200, metavar="N")
    options = parser.parse_args()
    slow = {"kind": "delay_task", "contains": SLOW, "seconds": options.latency}
    with tempfile.TemporaryDirectory() as folder, local_server(faults=[slow]) as server:
        root = Path(folder)
        (root / "dags").mkdir()
        (root / "dags" / "measured.py").write_text(DAG_FILE, encoding="utf-8")
        for name in GROUPS:
            fill(root / name, QUICK_RECORDS, "")
        connection = {"conn_type": "runware", "host": server.url, "password": KEY}
        variables = {
            "AIRFLOW_CONN_RUNWARE_DEFAULT": json.dumps(connection),
            "JOBS": json.dumps({name: arguments(root, name) for name in GROUPS}),
        }
        with real_airflow(root, root / "dags", variables) as airflow:
            until(lambda: airflow.api("dags")["total_entries"], "the DAG is known", every_s=0.2)
            to_the_end(airflow, 600)
            for name in GROUPS:
                fill(root / name, options.records, f"\n{SLOW}")
            learn(root / "knows.out.state" / "pace.json", options.latency)
            run = to_the_end(airflow, 600 + 3 * options.latency)
            show(airflow, run)
        bill = server.bill()
        wanted = len(GROUPS) * (QUICK_RECORDS + options.records)
        print(
            f"\n{bill['executed']} inferences executed, {wanted} wanted; {bill['uuids_executed_again']} again"
        )


def arguments(root: Path, name: str) -> dict[str, Any]:
    """What a group is called with."""
    return {
        "source": str(root / name),
        "destination": str(root / f"{name}.out"),
        "prompt": "Read: {{ record.body }}",
        "output_type": SCHEMA,
        "deferrable": name != "blocking",
    }


def fill(folder: Path, records: int, end: str) -> None:
    """One more file of records."""
    folder.mkdir(exist_ok=True)
    number = len(list(folder.iterdir()))
    bodies = [f"Message {number}-{n}: the lift is broken.{end}" for n in range(records)]
    pq.write_table(pa.table({"body": bodies}), folder / f"{number}.parquet")


def learn(path: Path, latency_s: float) -> None:
    """Say how long answers take, as a run would have that had met such answers."""
    learnt = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**learnt, "latency_s": latency_s, "window": 1_000}), encoding="utf-8")


def to_the_end(airflow: RealAirflow, most_s: float) -> str:
    """Run the DAG; returns the run's id."""
    run = airflow.api.trigger("measured")
    until_s = time.monotonic() + most_s
    while airflow.api(run)["state"] not in {"success", "failed"}:
        assert time.monotonic() < until_s, "the run does not end"
        time.sleep(1.0)
    told = airflow.api(run)
    assert told["state"] == "success", told
    return str(told["dag_run_id"])


def show(airflow: RealAirflow, run: str) -> None:
    """Print the table."""
    print(f"{'shard':10} {'legs':>5} {'on a worker':>12} {'in all':>8}   seconds")
    for name in GROUPS:
        (log,) = [
            path
            for path in (airflow.home / "logs").rglob("attempt=1.log")
            if f"run_id={run}" in str(path) and f"task_id={name}.infer" in str(path)
        ]
        legs = list(legs_of(log))
        worked_s = sum(ended - began for began, ended in legs)
        print(f"{name:10} {len(legs):5} {worked_s:12.0f} {legs[-1][1] - legs[0][0]:8.0f}")


def legs_of(log: Path) -> Iterator[tuple[float, float]]:
    """When each leg began and ended, in seconds since 1970."""
    lines: list[Mapping[str, Any]] = [
        json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()
    ]
    begins = [number for number, line in enumerate(lines) if line["event"] == BEGIN]
    for first, after in zip(begins, [*begins[1:], len(lines)], strict=True):
        yield _moment(lines[first]), _moment(lines[after - 1])


def _moment(line: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(line["timestamp"]).timestamp()


if __name__ == "__main__":
    main()
