"""What size and shape of a source cost: many files, stragglers, large rows, many rows, many processes.

    python benchmarks/scale.py files tail document many shards plan --json scale.json

Each case runs jobs of the engine one after the other against a local API server of its own, and prints for each process
its processor time, the seconds of the wall and its peak memory, and the processor time that the server took meanwhile:

- `files`: a record in each of 100 files, and records in files of 20 rows; beside each the same records in one file.
- `tail`: an inference takes 0.1 s, and one in 1,000 takes 100 times as long, the last one among them; beside it the same
  without those, which has to take 10 s less.
- `document`: short questions, each beside the same document of 400 KB, which Parquet stores once and Arrow once a row;
  beside it the questions alone.
- `many`: records of 250 bytes, a tenth of them and all of them: asked; gone over again; and, in another job, killed
  (SIGKILL) when half were executed, and resumed.
- `shards`: the same records by one process, by 16 shards of which two processes are at work at a time, and by 16 at once;
  the same processes again, which find all done, so that one sees what starting takes; then cut into 8 shards, which take
  over what the 16 know.
- `plan`: `plan` of a tenth, three tenths and all of the records, of which nothing was asked yet.

Seconds depend on the machine and on who shares it; what is to be compared is the ratios within one run of this script. With
`--plugins` another version of the engine is measured, against the same server. With `--fast` the server of `many` is one that
checks nothing, and costs next to nothing (`fast_server.py`). A run that takes longer than `--most-s` is
killed and printed as such. `--json` writes the figures to a file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fast_server import fast_server
from measured import MOST_S, PLUGINS, SCHEMA, Processes, Took, body, engine, local_server

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from measured import LocalServer

ROWS_A_FILE = 20
SHARDS = 16
DOCUMENT_BYTES = 400_000
DOCUMENTS_AT_ONCE = 100
"""When they are written."""
RECORD_CHARACTERS = 250
LATENCY_S = 0.1
TAIL_S = 100 * LATENCY_S
TAIL = {"kind": "delay_task", "every": 1_000, "seconds": TAIL_S}
"""The last task is one of them, so that no run takes less than that longer."""


@dataclass
class Bench:
    """One run of this script."""

    folder: Path
    options: argparse.Namespace
    rows: list[dict[str, Any]] = field(default_factory=list)
    """What was measured: a dict for each line of the table."""

    def on(self, server: Any) -> Processes:
        return Processes(server, self.options.plugins, self.options.most_s)

    def server(self) -> AbstractContextManager[LocalServer]:
        """A server for a case that is about the engine alone."""
        return fast_server() if self.options.fast else local_server()

    def write(self, shape: str, *numbers: int) -> Path:
        """Have a source written, by a process of its own: what this one holds would count as the peak of the others."""
        path = self.folder / "-".join([shape, *map(str, numbers)])
        if not path.exists():
            command = [sys.executable, __file__, "--write", shape, str(path), *map(str, numbers)]
            subprocess.run(command, check=True)
        return path

    def job(self, *verb: str, source: Path, out: str, asked: str = "record.body") -> list[str]:
        """A command of the engine about a job."""
        schema = self.folder / "schema.json"
        schema.write_text(json.dumps(SCHEMA))
        prompt = f"Of {out}: {{{{ {asked} }}}}"
        command = engine(*verb, "--source", str(source), "--destination", str(self.folder / out))
        return [*command, "--prompt", prompt, "--schema", str(schema), "--max-outstanding", "5000"]

    def tell(self, case: str, what: str, records: int, took: Took, **more: Any) -> Took:
        """Print a line of the table, and keep it."""
        row = {key: value for key, value in asdict(took).items() if key != "told"}
        self.rows.append({"case": case, "what": what, "records": records, **row, **more})
        first_new = "" if took.first_new_s is None else f", first new after {took.first_new_s:.1f} s"
        ended = "" if took.ended else ", KILLED"
        besides = "".join(f", {name} {value}" for name, value in more.items())
        print(
            f"{case:9} {what:34} {records:9,}  {took.processor_s:8.2f} s processor"
            f" ({1e6 * took.processor_s / max(1, records):5.0f} us each) {took.wall_s:8.1f} s wall"
            f" {took.peak_mb:5.0f} MB; server {took.server_s:6.1f} s{first_new}{besides}{ended}",
            flush=True,
        )
        return took

    def compare(self, case: str, what: str, took: Took, plain: Took) -> None:
        """Print how many times that of another one a process took."""
        ratios = {
            "processor": took.processor_s / plain.processor_s,
            "wall": took.wall_s / plain.wall_s,
            "peak": took.peak_mb / plain.peak_mb,
        }
        self.rows.append({"case": case, "what": what, **ratios})
        print(
            f"{case:9} {what}: " + ", ".join(f"{value:.2f} {name}" for name, value in ratios.items()),
            flush=True,
        )


# the cases


def files(bench: Bench) -> None:
    """Many small files."""
    pairs = [(100, 1), (bench.options.files, ROWS_A_FILE)]
    with local_server() as server:
        for count, rows in pairs:
            records, took = count * rows, []
            for some, each in ((1, records), (count, rows)):
                source = bench.write("files", some, each)
                run = bench.on(server).run(bench.job("run", source=source, out=f"out-{some}-{each}"))
                _check_rows(run, records)
                took.append(bench.tell("files", f"{some} files of {each} rows", records, run))
            bench.compare("files", f"{count} files of {rows} rows / one file", took[1], took[0])


def tail(bench: Bench) -> None:
    """One inference in a thousand takes a hundred times as long."""
    records = bench.options.tail_records
    source = bench.write("files", 1, records)
    took = []
    for what, faults in (("no stragglers", []), ("1 in 1,000 takes 100 times", [TAIL])):
        with local_server(latency_s=LATENCY_S, faults=faults) as server:
            run = bench.on(server).run(bench.job("run", source=source, out=f"out-tail-{len(faults)}"))
            _check_rows(run, records)
            took.append(bench.tell("tail", what, records, run))
    bench.compare("tail", "with stragglers / without", took[1], took[0])
    without_the_last = replace(took[1], wall_s=took[1].wall_s - TAIL_S)
    bench.compare("tail", "the same, less what the last takes", without_the_last, took[0])


def document(bench: Bench) -> None:
    """The same long document beside each short question."""
    questions = bench.options.questions
    took = []
    with local_server() as server:
        for shape in ("questions", "documents"):
            source = bench.write(shape, questions)
            run = bench.on(server).run(bench.job("run", source=source, out=f"out-{shape}"))
            _check_rows(run, questions)
            took.append(bench.tell("document", shape, questions, run))
    bench.compare("document", "with the document / without", took[1], took[0])


def many(bench: Bench) -> None:
    """Many records: asked, gone over again, killed and resumed."""
    asked: dict[int, Took] = {}
    for records in (bench.options.records // 10, bench.options.records):
        source = bench.write("records", records)
        with bench.server() as server:
            processes, command = bench.on(server), bench.job("run", source=source, out=f"out-many-{records}")
            asked[records] = bench.tell("many", "asked", records, processes.run(command))
            _check_rows(asked[records], records)
            again = bench.tell("many", "again", records, processes.run(command))
            bench.compare("many", "again / asked", again, asked[records])
        with bench.server() as server:
            processes, command = (
                bench.on(server),
                bench.job("run", source=source, out=f"out-killed-{records}"),
            )
            killed = processes.run(command, kill_at=records // 2)
            bench.tell("many", "killed when half were executed", server.executed(), killed)
            bench.tell("many", "resumed", records, processes.run(command, looks=True))
            _check_bill(server, records)
    few, all_of_them = sorted(asked)
    bench.compare("many", f"{all_of_them:,} / {few:,}", asked[all_of_them], asked[few])


def shards(bench: Bench) -> None:
    """One process, and many."""
    records = bench.options.shard_records
    source = bench.write("records", records)
    with local_server() as server:
        plain = bench.on(server).run(bench.job("run", source=source, out="out-plain"))
        _check_rows(plain, records)
        bench.tell("shards", "one process", records, plain)
    for at_once in (2, SHARDS):
        with local_server() as server:
            _InShards(bench, bench.on(server), source, at_once).compare(plain)
            _check_bill(server, records)


@dataclass(frozen=True)
class _InShards:
    """A job in shards, of which some processes are at work at a time."""

    bench: Bench
    processes: Processes
    source: Path
    at_once: int

    def compare(self, plain: Took) -> None:
        """Ask in 16 shards, publish, look what the start of a process takes alone, and cut it anew."""
        split = self._split(SHARDS)
        what = f"{SHARDS} shards, {self.at_once} at a time"
        asked = self._infer_all(split, SHARDS, what)
        self._publish(split)
        # Each finds its shard done, and has nothing to do but to find that.
        started = self._infer_all(split, SHARDS, "the same again, all done")
        self.bench.compare("shards", f"{what} / one process", asked, plain)
        beyond = (asked.processor_s - started.processor_s) / (
            plain.processor_s - started.processor_s / SHARDS
        )
        self.bench.rows.append({"case": "shards", "what": what, "beyond_starting": beyond})
        print(
            f"shards    {what} / one process, beyond what starting takes: {beyond:.2f} processor", flush=True
        )
        split = self._split(SHARDS // 2)
        self._infer_all(split, SHARDS // 2, f"{SHARDS // 2} shards take over from {SHARDS}")
        self._publish(split)

    def _split(self, number: int) -> str:
        command = [*self._verb("split"), "--shards", str(number), "--least-rows", "1"]
        cut = self._tell(f"split into {number}", self.processes.run(command))
        assert len(cut.told) == number, "the source was cut otherwise"
        return str(cut.told[0]["split"])

    def _infer_all(self, split: str, number: int, what: str) -> Took:
        infer = [*self._verb("infer"), "--split", split]
        commands = [[*infer, "--shard", str(shard)] for shard in range(number)]
        return self._tell(what, self.processes.run_all(commands, at_once=self.at_once))

    def _publish(self, split: str) -> None:
        published = self._tell("publish", self.processes.run([*self._verb("publish"), "--split", split]))
        _check_rows(published, self.bench.options.shard_records)

    def _verb(self, verb: str) -> list[str]:
        return self.bench.job("shards", verb, source=self.source, out=f"out-shards-{self.at_once}")

    def _tell(self, what: str, took: Took) -> Took:
        return self.bench.tell("shards", what, self.bench.options.shard_records, took)


def plan(bench: Bench) -> None:
    """What a plan takes, as a run with a budget does before it begins."""
    whole = bench.options.records
    took: dict[int, Took] = {}
    with local_server() as server:
        for records in (whole // 10, 3 * whole // 10, whole):
            source = bench.write("records", records)
            run = bench.on(server).run(bench.job("plan", source=source, out=f"out-plan-{records}"))
            if run.ended:
                assert run.told["to_pay"] == records
            took[records] = bench.tell("plan", "nothing asked yet", records, run)
    bench.compare("plan", f"{whole:,} / {whole // 10:,}", took[whole], took[whole // 10])


CASES: dict[str, Callable[[Bench], None]] = {
    case.__name__: case for case in (files, tail, document, many, shards, plan)
}


def _check_rows(took: Took, records: int) -> None:
    assert not took.ended or took.told["rows"] == records, "rows were lost"


def _check_bill(server: Any, records: int) -> None:
    bill = server.bill()
    # The fast server looks at UUIDs alone.
    distinct = bill.get("distinct_requests", bill["distinct_uuids"])
    assert bill["executed"] == distinct == records, f"paid for twice, or not at all: {bill}"


# the sources


def write(shape: str, path: Path, numbers: Sequence[int]) -> None:
    """Write a source: `files` (number, rows of each), `records`, `questions` or `documents` (rows)."""
    import pyarrow as pa  # noqa: PLC0415 - the process that measures stays small
    import pyarrow.parquet as pq  # noqa: PLC0415

    path.mkdir()
    if shape == "files":
        count, rows = numbers
        for file in range(count):
            ids = range(file * rows, (file + 1) * rows)
            table = pa.table({"id": ids, "body": [body(number) for number in ids]})
            pq.write_table(table, path / f"{file:06d}.parquet")
        return
    columns: dict[str, Any] = {"id": pa.int64(), "body": pa.string()}
    if shape == "documents":
        columns["document"] = pa.string()
    text = "All that is known of the printers. " * (DOCUMENT_BYTES // 35)
    at_once = DOCUMENTS_AT_ONCE if shape == "documents" else 20_000
    schema = pa.schema(columns)
    with pq.ParquetWriter(path / "a.parquet", schema) as writer:
        for start in range(0, numbers[0], at_once):
            ids = range(start, min(start + at_once, numbers[0]))
            bodies = [body(number, RECORD_CHARACTERS if shape == "records" else 0) for number in ids]
            rows_of = [list(ids), bodies, [text] * len(ids)][: len(columns)]
            batch = pa.RecordBatch.from_arrays([pa.array(values) for values in rows_of], schema=schema)
            writer.write_batch(batch, row_group_size=1 << 20)  # as pyarrow writes a whole table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all, if none is named"
    )
    parser.add_argument("--records", type=int, default=1_000_000, help="of `many` and `plan`")
    parser.add_argument("--files", type=int, default=5_000, help=f"of {ROWS_A_FILE} rows")
    parser.add_argument("--tail-records", type=int, default=20_000)
    parser.add_argument("--questions", type=int, default=5_000, help="of `document`")
    parser.add_argument("--shard-records", type=int, default=100_000)
    parser.add_argument("--plugins", type=Path, default=PLUGINS, help="of the engine to measure")
    parser.add_argument("--most-s", type=float, default=MOST_S, help="after which a process is killed")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--fast", action="store_true", help="`many` against a server that checks nothing")
    parser.add_argument("--write", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = set(options.cases) - set(CASES)
    if unknown:
        parser.error(f"there is no case {min(unknown)!r}; there are {', '.join(CASES)}")
    if options.write:
        shape, path, *numbers = options.write
        write(shape, Path(path), list(map(int, numbers)))
        return
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options)
        try:
            for case in options.cases or CASES:
                CASES[case](bench)
        finally:
            if options.json is not None:
                machine = {"python": sys.version.split()[0], "processors": os.cpu_count()}
                options.json.write_text(json.dumps({"machine": machine, "figures": bench.rows}, indent=1))


if __name__ == "__main__":
    main()
