"""All that is measured, by one command: tables on the screen, figures as JSON, charts as SVG.

    make bench                      in half an hour; fills docs/performance.md
    make bench QUICK=1              in three minutes; writes to build/bench alone
    make bench RECORDS=1000000      with growth up to a million records, which takes longer

Parts, of which some can be named: `peers` is the engine beside other products and a bare loop, each in an environment of its
own, which the first run makes; `capacity` how much of an API's hidden capacity a job uses by default; `growth` the same work
for ten times as many records, gone over again, killed and resumed; `shares` where the engine's time goes, the ledger's part
of it; `start` what Airflow needs to parse a DAG and to start a task.

All run one after the other. What is to be believed is the ratios within one run of this script, on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import figure_tables
import performance_page
from asked_records import Records, write_records
from comparison import Comparison
from contenders import OURS, PEERS
from fast_server import fast_server
from measured import PLUGINS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from contenders import Contender

HERE = Path(__file__).parent
PROJECT = HERE.parent
BUILT = PROJECT / "build" / "bench"
FORMAT = 1
CAPACITY = (
    "64 slots",
    "500 slots",
    "500 slots, stragglers",
    "5,000 slots",
    "10,000 slots",
    "4 slots, queue",
    "40 slots, queue",
    "400 slots, queue",
    "40 slots, no queue",
    "40 slots, slows down",
    "40, 10, 80 slots",
    "fast model",
)
CAPACITY_QUICKLY = ("500 slots", "fast model")


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    records: int
    """Of the peers and of the shares."""
    growth: int
    """Records of the larger job; the smaller one has a tenth of them."""
    rounds: int
    long_s: float
    """Of the processor: a contender that takes longer is measured in the first round only."""
    capacity: tuple[str, ...]
    """The cases."""
    processes: int
    """For each figure of a start."""


FULL = Size(records=10_000, growth=200_000, rounds=3, long_s=25, capacity=CAPACITY, processes=7)
QUICK = Size(records=1_000, growth=10_000, rounds=3, long_s=2.3, capacity=CAPACITY_QUICKLY, processes=1)


class Bench:
    """Measures one part after the other.

    Args:
        folder: for what is read and written meanwhile.
        size: how much is measured.
        contenders: who takes part in the comparison.
    """

    def __init__(self, folder: Path, size: Size, contenders: Sequence[Contender]) -> None:
        self._folder = folder
        self._size = size
        self._contenders = contenders

    def peers(self) -> list[dict[str, Any]]:
        """The engine beside other products and a bare loop."""
        folder = self._folder / "peers"
        folder.mkdir()
        size = self._size
        return Comparison(folder, size.records, size.rounds, size.long_s).measure(self._contenders)

    def capacity(self) -> list[dict[str, Any]]:
        """How much of what an API can do a job uses by default."""
        cases: list[dict[str, Any]] = self._script("capacity.py", *self._size.capacity)
        return cases

    def growth(self) -> list[dict[str, Any]]:
        """What a job takes for records and for ten times as many."""
        figures = self._script("scale.py", "many", "--fast", "--records", str(self._size.growth))
        return [row for row in figures["figures"] if "records" in row]

    def shares(self) -> dict[str, Any]:
        """Where the engine's processor time and its wall go."""
        folder = self._folder / "shares"
        folder.mkdir()
        records = write_records(folder, self._size.records)
        told = [self._shares_once(records, folder / f"out-{number}") for number in range(self._size.rounds)]
        return {
            measure: {
                place: statistics.median(once[measure].get(place, 0.0) for once in told)
                for place in sorted({place for once in told for place in once[measure]})
            }
            for measure in ("processor_s", "wall_s")
        }

    def start(self) -> dict[str, float]:
        """What Airflow needs to parse a DAG and to start a task, in milliseconds."""
        rounds = ["--rounds", str(self._size.processes)]
        return {**self._script("airflow_start.py", *rounds), **self._script("start_up.py", *rounds)}

    def _shares_once(self, records: Records, out: Path) -> dict[str, Any]:
        with fast_server() as server:
            command = [sys.executable, str(HERE / "shares.py"), "--url", server.url]
            command += ["--source", str(records.table), "--schema", str(records.schema)]
            done = subprocess.run(
                [*command, "--destination", str(out)],
                env={**os.environ, "PYTHONPATH": str(PLUGINS)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert server.executed() == records.number, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def _script(self, name: str, *words: str) -> Any:
        """The figures of another script, by a process of its own, so that this one stays small."""
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".json") as figures:
            command = [sys.executable, str(HERE / name), *words, "--json", figures.name]
            subprocess.run(command, env={**os.environ, "PYTHONPATH": str(PLUGINS)}, check=True)
            return json.loads(Path(figures.name).read_text(encoding="utf-8"))


PARTS: dict[str, Callable[[Bench], Any]] = {
    "peers": Bench.peers,
    "capacity": Bench.capacity,
    "growth": Bench.growth,
    "shares": Bench.shares,
    "start": Bench.start,
}


def main() -> None:
    """Measure, print and write."""
    options = _options()
    now = about(quick=options.quick)
    parts = performance_page.parts_of_the_same_day(now) if options.page and options.parts else {}
    figures: dict[str, Any] = {"format": FORMAT, "about": now, "parts": parts}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), _size(options), _contenders(options.only))
        for name in options.parts or PARTS:
            print(f"{name} ...", flush=True)
            figures["parts"][name] = PARTS[name](bench)
            performance_page.write(options.out, figures)
    for made in figure_tables.all_of(figures).values():
        print(f"\n{made}")
    print(f"\nFigures and charts are in {options.out}.")
    if options.page:
        performance_page.publish(figures)
        print("docs/performance.md shows them.")


def about(*, quick: bool) -> dict[str, Any]:
    """When and on what machine it was measured, and how many processes wanted a processor when it began."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "quick": quick,
        "load": os.getloadavg()[0],
        "processors": os.cpu_count(),
        "memory_gb": round(pages / (1 << 30)),
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all, if none is named"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, in three minutes")
    parser.add_argument(
        "--page",
        action="store_true",
        help="fill docs/performance.md with what was measured; parts that were not, stay if they are of the same day",
    )
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="who takes part in `peers`; all, if none is named"
    )
    parser.add_argument("--records", type=int, help="of the peers and of the shares")
    parser.add_argument("--growth", type=int, metavar="RECORDS", help="of the larger job of `growth`")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--out", type=Path, default=BUILT, help="the folder for figures and charts")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {min(unknown)!r}; there are {', '.join(PARTS)}")
    return options


def _contenders(names: Sequence[str] | None) -> list[Contender]:
    """Those of these names.

    Raises:
        KeyError: there is none of such a name.
    """
    by_name = {contender.name: contender for contender in (*OURS, *PEERS)}
    return [by_name[name] for name in names or by_name]


def _size(options: argparse.Namespace) -> Size:
    size = QUICK if options.quick else FULL
    wished = {name: getattr(options, name) for name in ("records", "growth", "rounds")}
    return replace(size, **{name: value for name, value in wished.items() if value is not None})


if __name__ == "__main__":
    main()
