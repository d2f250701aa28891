"""What each way to have answers delivered takes: requests, processor time, seconds.

    python benchmarks/deliveries.py                       10,000 records whose answers take 5 s, 1,000 of them at once
    python benchmarks/deliveries.py --latency 60          answers that take a minute
    python benchmarks/deliveries.py --deliveries poll webhook

Each job is a command line of its own against a local API server in a process of its own; answers that are brought go to a
receiver in a third, alone, with its inbox on the local disk.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import measured

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DELIVERIES: Final = ("poll", "sync", "stream", "webhook")
AT_ONCE: Final = 1_000


@dataclass(frozen=True)
class Delivered:
    """What one job took.

    Args:
        delivery: how its answers came.
        requests: to the API.
        processor_s: of the job.
        receiver_s: processor time of the receiver.
        wall_s: of the whole job.
    """

    delivery: str
    requests: int
    processor_s: float
    receiver_s: float
    wall_s: float

    def line(self) -> str:
        return (
            f"{self.delivery:<9}{self.requests:>10,}{self.processor_s:>12.1f} s{self.receiver_s:>12.1f} s"
            f"{self.wall_s:>9.1f} s"
        )


@contextlib.contextmanager
def receiver(folder: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """A receiver in a process of its own; its pid, and the variables that lead a job to it."""
    variables = {
        "RUNWARE_WEBHOOK_INBOX": str(folder / "inbox"),
        "RUNWARE_WEBHOOK_SECRETS": secrets.token_hex(32),
    }
    command = [sys.executable, "-m", "runware_provider.web", "--port", "0", "--log-level", "error"]
    environment = {**os.environ, "PYTHONPATH": str(measured.PLUGINS), **variables}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            url = next(word.rstrip(",") for word in said.split() if word.startswith("http://"))
            yield process.pid, {**variables, "RUNWARE_WEBHOOK_URL": url}
        finally:
            process.terminate()


def delivered(delivery: str, source: Path, folder: Path, latency_s: float) -> Delivered:
    """Run a job whose answers come in this way.

    Args:
        delivery: the way.
        source: Parquet with a column `text`.
        folder: for what it writes.
        latency_s: of an answer.
    """
    options = ("--capacity", str(AT_ONCE))
    with (
        measured.local_server(*options, latency_s=latency_s) as server,
        receiver(folder) as (pid, variables),
    ):
        environment = {
            **os.environ,
            "PYTHONPATH": str(measured.PLUGINS),
            "RUNWARE_BASE_URL": server.url,
            "RUNWARE_API_KEY": measured.KEY,
            **variables,
        }
        processes = replace(measured.Processes(server), environment=environment)
        command = measured.engine(
            "run",
            "--source",
            str(source),
            "--destination",
            str(folder / f"out-{delivery}"),
            "--prompt",
            "What is this about?\n{{ record.text }}",
            "--delivery",
            delivery,
        )
        took = processes.run(command)
        return Delivered(
            delivery,
            requests=int(server.bill()["requests"]),
            processor_s=took.processor_s,
            receiver_s=measured.processor_seconds(pid),
            wall_s=took.wall_s,
        )


def fill(folder: Path, records: int) -> Path:
    """A source, written by another process: this one stays small."""
    source = folder / "source.parquet"
    script = (
        "import sys, pyarrow as pa, pyarrow.parquet as pq\n"
        "pq.write_table(pa.table({'text': [f'Message {n} about an invoice' for n in range(int(sys.argv[1]))]}), sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", script, str(records), str(source)], check=True)
    return source


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--latency", type=float, default=5.0, help="seconds that an answer takes")
    parser.add_argument("--deliveries", nargs="+", choices=DELIVERIES, default=DELIVERIES)
    given = parser.parse_args(arguments)
    print(f"{'':<9}{'requests':>10}{'processor':>14}{'receiver':>14}{'wall':>11}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = fill(folder, given.records)
        for delivery in given.deliveries:
            print(delivered(delivery, source, folder, given.latency).line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
