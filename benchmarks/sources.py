"""What the shape of a source costs: the same records in many small files, and rows that are large only once decoded.

    PYTHONPATH=plugins python benchmarks/sources.py

Runs of the engine, one after the other against the same local API server, which answers at once:

- records in files of 20 rows each, and the same records in one file;
- a record in each of 100 files, and the same records in one file;
- short questions, each beside the same long document, which Parquet stores once and Arrow once a row; and the same
  questions alone. The document is kept in the output; with `--ask-document` it is asked about, too.

Printed are processor and wall time of each and its peak memory, and at the end how many times those of the plain
source they are. Seconds depend on the machine and on who shares it; the ratios are of runs side by side. Small files
should cost little more than one file, and the document's peak should stay far below the bytes that Arrow makes of it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

KEY = "test-key"
DOCUMENT_BYTES = 400_000
ROWS_AT_ONCE = 100
"""Of long documents, when they are written."""
MOST_S = 7200.0
"""After which a run that hangs is killed."""
SCHEMA = {
    "type": "object",
    "properties": {"label": {"type": "string", "enum": ["bug", "praise", "other"]}},
    "required": ["label"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Ran:
    """What one run took."""

    processor: float
    """Seconds."""
    wall: float
    """Seconds."""
    peak_mb: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=5_000, help="of 20 rows")
    parser.add_argument("--questions", type=int, default=5_000)
    parser.add_argument("--ask-document", action="store_true", help="the prompt holds the document")
    parser.add_argument("--write-below", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write_below is not None:
        _write(options.write_below, options.files, options.questions)
        return
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder), options.files, options.questions, ask_document=options.ask_document)


def _measure(folder: Path, files: int, questions: int, *, ask_document: bool) -> None:
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    ready = folder / "ready"
    counts = ["--files", str(files), "--questions", str(questions)]
    # By a process of its own: what this one holds would count as the peak of those that it starts.
    subprocess.run([sys.executable, __file__, "--write-below", str(folder), *counts], check=True)
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "runware_provider.testing", "--latency", "0", "--capacity", "100000"),
            *("--key", KEY, "--ready-file", str(ready)),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        while not ready.exists():
            assert server.poll() is None, "the local API server ended"
            time.sleep(0.05)
        url = ready.read_text().strip()
        asked = "{{ record.document }} {{ record.body }}" if ask_document else "{{ record.body }}"
        singles = _run(folder, "single", url, 100), _run(folder, "hundred", url, 100)
        documents = (
            _run(folder, "documents", url, questions, asked),
            _run(folder, "questions", url, questions),
        )
        small = _run(folder, "small", url, 20 * files), _run(folder, "whole", url, 20 * files)
    finally:
        server.terminate()
        server.wait()
    _compare("files of one row / one file", *singles)
    _compare("a document beside each question / none", *documents)
    _compare("files of 20 rows / one file", *small)


def _write(folder: Path, files: int, questions: int) -> None:
    _write_files(folder / "small", files=files, rows=20)
    _write_files(folder / "whole", files=1, rows=20 * files)
    _write_files(folder / "single", files=100, rows=1)
    _write_files(folder / "hundred", files=1, rows=100)
    _write_documents(folder / "documents", questions)
    _write_files(folder / "questions", files=1, rows=questions)


def _write_files(folder: Path, *, files: int, rows: int) -> None:
    folder.mkdir()
    for file in range(files):
        numbers = range(file * rows, (file + 1) * rows)
        table = pa.table({"id": numbers, "body": [_body(number) for number in numbers]})
        pq.write_table(table, folder / f"{file:06d}.parquet")


def _write_documents(folder: Path, questions: int) -> None:
    """A row group in which Parquet holds the document once, in its dictionary."""
    folder.mkdir()
    schema = pa.schema({"id": pa.int64(), "body": pa.string(), "document": pa.string()})
    document = "All that is known of the printers. " * (DOCUMENT_BYTES // 35)
    with pq.ParquetWriter(folder / "a.parquet", schema) as writer:
        for start in range(0, questions, ROWS_AT_ONCE):
            numbers = range(start, min(start + ROWS_AT_ONCE, questions))
            rows = [list(numbers), [_body(number) for number in numbers], [document] * len(numbers)]
            batch = pa.RecordBatch.from_arrays(list(map(pa.array, rows)), schema=schema)
            writer.write_batch(batch, row_group_size=questions)


def _run(folder: Path, source: str, url: str, records: int, asked: str = "{{ record.body }}") -> Ran:
    """Run a job over a folder, and print what it took."""
    command = [sys.executable, "-m", "runware_provider.engine", "run", "--source", str(folder / source)]
    command += ["--destination", str(folder / f"{source}-out"), "--prompt", f"{source}: {asked}"]
    command += ["--schema", str(folder / "schema.json"), "--max-outstanding", "5000"]
    environment = {**os.environ, "RUNWARE_API_KEY": KEY, "RUNWARE_BASE_URL": url}
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    hung = threading.Timer(MOST_S, os.kill, (process.pid, signal.SIGKILL))
    hung.start()
    assert process.stdout is not None
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    hung.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"the run over {source} ended with {process.returncode}"
    assert json.loads(told)["records"] == records, f"the run over {source} lost records"
    ran = Ran(usage.ru_utime + usage.ru_stime, time.monotonic() - started, usage.ru_maxrss / 1024)
    print(
        f"{source:10} {records:7,} records: {ran.processor:7.2f} s processor, {ran.wall:8.2f} s wall,"
        f" peak {ran.peak_mb:5.0f} MB",
        flush=True,
    )
    return ran


def _compare(name: str, shaped: Ran, plain: Ran) -> None:
    print(
        f"{name}: {shaped.processor / plain.processor:.2f} processor, {shaped.wall / plain.wall:.2f} wall,"
        f" {shaped.peak_mb / plain.peak_mb:.2f} peak"
    )


def _body(number: int) -> str:
    return f"Ticket {number}: the printer on floor {number % 40} is broken again, please send somebody"


if __name__ == "__main__":
    main()
