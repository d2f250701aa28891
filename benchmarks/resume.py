"""What it costs to go on: resuming a job that was killed half-way, and running a finished one again.

    PYTHONPATH=plugins python benchmarks/resume.py --records 200000

Three runs of one job of the engine, one after the other against the same local API server. The first is killed
(SIGKILL) when half of the records were executed; the second goes on to the end; the third has nothing to pay. Printed
are processor and wall time of each. Of the second run also the wall time until the API executed something new, which
is what the half that was done costs before work goes on: reading the ledger, and rendering, looking up and judging
the batches before.

Seconds depend on the machine and on who shares it; what is to be compared is the ratios at the end, all of processor
time in one run of this script: what a record that was answered before costs, of what a record costs that is asked.
A resumed job should come to well under 1 in all, since what was paid for is neither sent nor collected again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

KEY = "test-key"
LOOK_EVERY_S = 0.1
MOST_S = 3600.0
"""After which a run that hangs is killed."""
SCHEMA = {
    "type": "object",
    "properties": {"label": {"type": "string", "enum": ["bug", "praise", "other"]}},
    "required": ["label"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Ran:
    """What one run took, in seconds."""

    wall: float
    processor: float
    first_new: float | None
    """Until the API executed something new; nothing if it never did."""
    peak_mb: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=200_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder), options.records)


def _measure(folder: Path, records: int) -> None:
    source, ready = folder / "source.parquet", folder / "ready"
    pq.write_table(pa.table({"id": range(records), "body": [_body(one) for one in range(records)]}), source)
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "runware_provider.testing", "--latency", "0.2", "--capacity", "100000"),
            *("--key", KEY, "--ready-file", str(ready)),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        while not ready.exists():
            assert server.poll() is None, "the local API server ended"
            time.sleep(LOOK_EVERY_S)
        url = ready.read_text().strip()
        command = [sys.executable, "-m", "runware_provider.engine", "run", "--source", str(source)]
        command += ["--destination", str(folder / "out"), "--prompt", "Classify: {{ record.body }}"]
        command += ["--schema", str(folder / "schema.json"), "--max-outstanding", "5000"]
        killed = _run(command, url, kill_at=records // 2)
        done = _executed(url)
        _tell("killed half-way", killed, done)
        resumed = _run(command, url)
        _tell("resumed", resumed, records)
        assert _executed(url) == records, "something was paid for twice, or not at all"
        again = _run(command, url)
        _tell("nothing to pay", again, records)
    finally:
        server.terminate()
        server.wait()
    asked = killed.processor / done
    known = again.processor / records
    rest = max(0.0, resumed.processor - asked * (records - done)) / done
    print(f"a record answered before / one that is asked: {known / asked:.2f} in a finished job,", end=" ")
    print(f"{rest / asked:.2f} in a resumed one")


def _run(command: list[str], url: str, *, kill_at: int | None = None) -> Ran:
    environment = {**os.environ, "RUNWARE_API_KEY": KEY, "RUNWARE_BASE_URL": url}
    before, first_new, started = _executed(url), None, time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    status, usage = 0, None
    while usage is None:
        time.sleep(LOOK_EVERY_S)
        executed, passed = _executed(url), time.monotonic() - started
        if first_new is None and executed > before:
            first_new = passed
        if passed > MOST_S or (kill_at is not None and executed >= kill_at):
            os.kill(process.pid, signal.SIGKILL)  # Popen.kill might reap it, and with it the account of it
        number, status, told = os.wait4(process.pid, os.WNOHANG)
        usage = told if number else None
    process.returncode = os.waitstatus_to_exitcode(status)
    assert kill_at is not None or process.returncode == 0, f"a run ended with {process.returncode}"
    return Ran(time.monotonic() - started, usage.ru_utime + usage.ru_stime, first_new, usage.ru_maxrss / 1024)


def _tell(name: str, ran: Ran, records: int) -> None:
    first = "nothing new" if ran.first_new is None else f"first new after {ran.first_new:6.2f} s"
    print(
        f"{name:16} {ran.processor:7.2f} s processor ({1e6 * ran.processor / records:5.0f} us a record),"
        f" {ran.wall:7.2f} s wall, {first}, peak {ran.peak_mb:4.0f} MB",
        flush=True,
    )


def _executed(url: str) -> int:
    told = httpx.get(f"{url.removesuffix('/v1')}/_local/bill?summary=1", timeout=30).json()
    return int(told["executed"])


def _body(number: int) -> str:
    return f"Ticket {number}: the printer on floor {number % 40} is broken again, please send somebody"


if __name__ == "__main__":
    main()
