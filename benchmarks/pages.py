"""What the pages of jobs cost Airflow's API server: its processor time while a job runs, with and without viewers.

    PYTHONPATH=plugins python benchmarks/pages.py [--seconds 30] [--viewers 20]

A task asks records whose answers take a while. Meanwhile nobody looks at its page, then one viewer, then many; each fetches
it every five seconds, as the page's own script does. Printed are seconds of the processor that the API server's processes took
in each of the stretches, how many pages it served, and how long one took. All of it depends on the machine and on who shares it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from measured import KEY, SCHEMA, local_server

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from runware_provider.pages.run_view import URL_PREFIX, TaskAt
from runware_provider.pages.views import RENEW_S
from runware_provider.testing.tryout import surroundings
from tests.real_airflow import RealAirflow, real_airflow, until

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORDS: Final = 2_000
LATENCY_S: Final = 20.0
DAG_FILE: Final = """
import json
import os

from airflow.sdk import DAG
from runware_provider.operators import TextInferenceOperator

with DAG("measured", schedule=None):
    TextInferenceOperator(task_id="ask", **json.loads(os.environ["JOB"]))
"""
_OPENER: Final = build_opener(ProxyHandler({}))


@dataclass
class Viewers:
    """So many who have the page open."""

    url: str
    token: str
    many: int
    took_s: list[float] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)

    def look_for(self, seconds: float) -> None:
        """Let them look; they begin one after the other."""
        threads = [
            threading.Thread(target=self._look, args=(number * RENEW_S / self.many,))
            for number in range(self.many)
        ]
        for thread in threads:
            thread.start()
        self._end.wait(seconds)
        self._end.set()
        for thread in threads:
            thread.join()

    def _look(self, later_s: float) -> None:
        self._end.wait(later_s)
        while not self._end.is_set():
            began = time.perf_counter()
            asked = Request(self.url, headers={"Authorization": f"Bearer {self.token}"})  # noqa: S310 - loopback
            with _OPENER.open(asked, timeout=60) as reply:
                assert b"<main" in reply.read()
            self.took_s.append(time.perf_counter() - began)
            self._end.wait(RENEW_S)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, metavar="S", help="of each stretch")
    parser.add_argument("--viewers", type=int, default=20, metavar="N", help="in the last one")
    options = parser.parse_args()
    slow = {"kind": "delay_task", "seconds": LATENCY_S}
    with tempfile.TemporaryDirectory() as folder, local_server(faults=[slow]) as server:
        root = Path(folder)
        (root / "dags").mkdir()
        (root / "dags" / "measured.py").write_text(DAG_FILE, encoding="utf-8")
        (root / "in").mkdir()
        bodies = [f"Invoice {number}" for number in range(RECORDS)]
        pq.write_table(pa.table({"body": bodies}), root / "in" / "a.parquet")
        job = {
            "source": str(root / "in"),
            "destination": str(root / "out"),
            "prompt": "What is the total?\n{{ record.body }}",
            "output_type": SCHEMA,
            "limits": {"max_outstanding": 50},
        }
        connection = {"conn_type": "runware", "host": server.url, "password": KEY}
        variables = {
            "AIRFLOW_CONN_RUNWARE_DEFAULT": json.dumps(connection),
            "AIRFLOW__RUNWARE__PAGE_ROOTS": str(root),
            "JOB": json.dumps(job),
        }
        with real_airflow(root, root / "dags", variables) as airflow:
            until(lambda: airflow.api("dags")["total_entries"], "the DAG is known", every_s=0.2)
            run = airflow.api.trigger("measured")
            at = TaskAt("measured", unquote(run.rpartition("/")[2]), "ask")
            state = root / "out.state" / "runs"
            until(lambda: any(state.glob("*.json")), "the job runs", every_s=0.2)
            show(
                airflow, f"{airflow.api.page}{URL_PREFIX}{at.path}", (0, 1, options.viewers), options.seconds
            )


def show(airflow: RealAirflow, url: str, stretches: Sequence[int], seconds: float) -> None:
    """Measure each stretch, and print it."""
    Viewers(url, airflow.api.token, 1).look_for(1.0)  # the first page loads what all others share
    print(f"{'viewers':>8} {'processor, s':>13} {'of a core':>10} {'pages':>6} {'a page, ms':>11}")
    for many in stretches:
        viewers = Viewers(url, airflow.api.token, many)
        before = processor_s(airflow)
        viewers.look_for(seconds)
        used = processor_s(airflow) - before
        page_ms = f"{1000 * statistics.median(viewers.took_s):.0f}" if viewers.took_s else "-"
        print(f"{many:>8} {used:>13.2f} {used / seconds:>10.1%} {len(viewers.took_s):>6} {page_ms:>11}")


def processor_s(airflow: RealAirflow) -> float:
    """Seconds of the processor that the API server's processes have had: those that listen at its port."""
    port = urlsplit(airflow.api.page).port
    servers = [process for process in surroundings.descendants(airflow.pid) if _listens(process, port)]
    assert servers
    return sum(sum(process.cpu_times()[:2]) for process in servers)


def _listens(process: psutil.Process, port: int | None) -> bool:
    try:
        ports = {one.laddr.port for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN}
    except psutil.Error:
        return False
    return port in ports


if __name__ == "__main__":
    main()
