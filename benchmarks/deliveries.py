"""What each way in which answers come takes, side by side: requests, processor time, memory, seconds.

    python benchmarks/deliveries.py --records 10000 --latency 0.2 --characters 400

A job of plain text is run once with each delivery, each time into a dataset of its own and against a local API server of its own,
whose answers have so many characters. The requests are those that the server counted. Seconds depend on the machine and on who
shares it, and where the server is busy it is what bounds them: the local server takes more for a stream than the engine does.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from asked_records import write_records
from measured import Processes, engine, local_server

if TYPE_CHECKING:
    from asked_records import Records

DELIVERIES = ("poll", "sync", "stream")
HEAD = f"{'delivery':<10}{'requests':>10}{'processor':>12}{'server':>10}{'seconds':>10}{'memory':>10}"


def measured(delivery: str, records: Records, latency_s: float, characters: int) -> str:
    """A line of the table."""
    answer = {"kind": "say", "body": ("It is the printer. " * (1 + characters // 19))[:characters]}
    with (
        local_server(latency_s=latency_s, faults=[answer]) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        job = [
            "run",
            "--delivery",
            delivery,
            "--source",
            str(records.table),
            "--prompt",
            "{{ record.prompt }}",
        ]
        took = Processes(server).run(engine(*job, "--destination", str(Path(folder) / "out")))
        bill = server.bill()
    assert bill["executed"] == bill["distinct_uuids"] == records.number, bill
    return (
        f"{delivery:<10}{bill['requests']:>10,}{took.processor_s:>10.2f} s{took.server_s:>8.2f} s"
        f"{took.wall_s:>8.1f} s{took.peak_mb:>7.0f} MB"
    )


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000, metavar="N")
    parser.add_argument("--latency", type=float, default=0.2, metavar="SECONDS")
    parser.add_argument("--characters", type=int, default=400, metavar="N")
    options = parser.parse_args()
    print(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        records = write_records(Path(folder), options.records)
        for delivery in DELIVERIES:
            print(measured(delivery, records, options.latency, options.characters), flush=True)


if __name__ == "__main__":
    main()
