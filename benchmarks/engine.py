"""What the engine costs beside the API: processor time and memory per record, against a bare request loop.

    PYTHONPATH=plugins python benchmarks/engine.py --records 20000

Three processes are measured one after the other against the same local API server, by the operating system's account
of each: the engine (plan, ledger, 50 tasks a POST, polling, schema check, Parquet out), the engine again on the
finished job (nothing to pay), and `bare_loop.py`, 100 at once.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from measured import SCHEMA, Processes, body, engine, local_server

if TYPE_CHECKING:
    from collections.abc import Sequence

AT_ONCE = 100
BARE_LOOP = Path(__file__).with_name("bare_loop.py")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--skip-loop", action="store_true", help="measure the engine only")
    parser.add_argument("--write", metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        _write(options.write, options.records)
        return
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder), options.records, loop=not options.skip_loop)


def _measure(folder: Path, records: int, *, loop: bool) -> None:
    source = folder / "source.parquet"
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    # By a process of its own: what this one holds would count as the peak of those that it starts.
    subprocess.run([sys.executable, __file__, "--records", str(records), "--write", str(source)], check=True)
    with local_server(latency_s=0.2) as server:
        processes = Processes(server)
        run = engine("run", "--source", str(source), "--destination", str(folder / "out"))
        run += ["--prompt", "Classify: {{ record.body }}", "--schema", str(folder / "schema.json")]
        run += ["--max-outstanding", "5000"]
        first = _timed("engine, all to pay", processes, run, records)
        _timed("engine, nothing to pay", processes, run, records)
        if loop:
            asks = [sys.executable, str(BARE_LOOP), "--url", server.url, "--records", str(records)]
            asks += ["--at-once", str(AT_ONCE)]
            bare = _timed("bare aiohttp loop", processes, asks, records)
            print(f"engine / bare loop, processor time: {first / bare:.2f}")


def _timed(name: str, processes: Processes, command: Sequence[str], records: int) -> float:
    """Processor seconds of a command, printed with its peak memory."""
    took = processes.run(command)
    cpu = took.processor_s
    print(
        f"{name:24} {cpu:7.2f} s processor ({1e6 * cpu / records:6.0f} us a record), {took.wall_s:7.2f} s wall,"
        f" peak {took.peak_mb:6.0f} MB"
    )
    return cpu


def _write(source: str, records: int) -> None:
    import pyarrow as pa  # noqa: PLC0415 - the process that measures stays small
    import pyarrow.parquet as pq  # noqa: PLC0415

    pq.write_table(
        pa.table({"id": range(records), "body": [body(number) for number in range(records)]}), source
    )


if __name__ == "__main__":
    main()
