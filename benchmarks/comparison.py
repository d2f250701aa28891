"""The engine beside other products: processor time, rows a second and memory for the same records.

Each contender runs three times a round, one after the other, so that what disturbs the machine for a while disturbs all of
them: with a few records, which is what starting takes; with all of them and an API that answers at once, for the processor
time beyond starting; with all of them and an API of so many slots and 200 ms, for the rows a second, from when the first
question reaches the server until the process has ended. The median over the rounds counts. One that takes long runs in the
first round only, which the table says.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asked_records import write_records
from contenders import Contender, Job
from environments import NotInstalledError, environment_of, python_of, versions_in
from fast_server import fast_server
from measured import KEY, Processes, Took

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FEW = 16
"""Records of a run that shows what starting takes."""
AT_ONCE = 64
SLOTS = 256
LATENCY_S = 0.2
MOST_S = 300.0


@dataclass(frozen=True)
class _Ran:
    """What one run took."""

    took: Took
    active_s: float
    """Of the wall, from the first question to the end."""


@dataclass
class _Entrant:
    """A contender that takes part."""

    contender: Contender
    python: str
    versions: dict[str, str]
    starts: list[_Ran] = field(default_factory=list)
    busy: list[_Ran] = field(default_factory=list)
    paced: list[_Ran] = field(default_factory=list)
    left_out: str = ""
    """Why there are no figures of it; empty where there are."""

    def takes_longer_than(self, processor_s: float) -> bool:
        return any(ran.took.processor_s > processor_s for ran in [*self.busy, *self.paced])


class Comparison:
    """Measures contenders.

    Args:
        folder: for what they read and write.
        records: of each run.
        rounds: of the measurement.
        long_s: of the processor; who takes longer for a run is not asked to run in the next round.
    """

    def __init__(self, folder: Path, records: int, rounds: int, long_s: float) -> None:
        self._folder = folder
        self._records = records
        self._rounds = rounds
        self._long_s = long_s
        self._runs = 0

    def measure(self, contenders: Sequence[Contender]) -> list[dict[str, Any]]:
        """The figures of each contender, or why there are none."""
        entrants = [_entrant(contender) for contender in contenders]
        for number in range(self._rounds):
            for entrant in _rotated(entrants, number):
                if not entrant.left_out and not entrant.takes_longer_than(self._long_s):
                    self._run_all(entrant)
        return [self._figures(entrant) for entrant in entrants]

    def _run_all(self, entrant: _Entrant) -> None:
        try:
            if not entrant.starts and not entrant.contender.needs:
                self._run(
                    entrant, FEW, AT_ONCE
                )  # counts for nothing: it writes bytecode, as an installation does
            entrant.starts.append(self._run(entrant, FEW, AT_ONCE))
            entrant.busy.append(self._run(entrant, self._records, AT_ONCE))
            entrant.paced.append(self._run(entrant, self._records, SLOTS, latency_s=LATENCY_S, slots=SLOTS))
        except (RuntimeError, AssertionError) as error:
            entrant.left_out = f"failed: {str(error).strip().splitlines()[-1]}"
        _print_progress(entrant)

    def _run(self, entrant: _Entrant, records: int, at_once: int, **server_options: float) -> _Ran:
        self._runs += 1
        asked = write_records(self._folder, records)
        with fast_server(**server_options) as server:
            out = self._folder / f"out-{self._runs}"
            at_once = min(at_once, entrant.contender.most_at_once or at_once)
            job = Job(url=server.url, key=KEY, records=asked, at_once=at_once, out=out)
            environment = environment_of(self._folder) if entrant.contender.needs else None
            processes = Processes(server, environment=environment, most_s=MOST_S)
            took = processes.run([entrant.python, *entrant.contender.words(job)])
            ended_s = time.monotonic()
            assert took.ended, f"it took more than {MOST_S:.0f} s"
            bill = server.bill()
            # Some ask a question or two of their own first.
            assert bill["executed"] >= records, "not every record was asked about"
        answered = (took.told or {}).get("answered", (took.told or {}).get("rows", records))
        assert answered == records, f"{answered} answers to {records} records"
        return _Ran(took, ended_s - bill["first_s"])

    def _figures(self, entrant: _Entrant) -> dict[str, Any]:
        contender = entrant.contender
        about = {
            "name": contender.name,
            "versions": entrant.versions,
            "checks": contender.checks,
            "keeps": contender.keeps,
            "settings": contender.settings,
            "left_out": entrant.left_out,
        }
        if entrant.left_out:
            return about
        start_s = statistics.median(ran.took.processor_s for ran in entrant.starts)
        busy_s = statistics.median(ran.took.processor_s for ran in entrant.busy)
        return {
            **about,
            "records": self._records,
            "rounds": len(entrant.busy),
            "start_processor_s": start_s,
            "processor_s": busy_s - start_s,
            "rows_per_s": self._records / statistics.median(ran.active_s for ran in entrant.paced),
            "peak_mb": statistics.median(ran.took.peak_mb for ran in entrant.busy),
        }


def _entrant(contender: Contender) -> _Entrant:
    if not contender.needs:
        return _Entrant(contender, sys.executable, {})
    try:
        python = python_of(contender.name, contender.needs)
    except NotInstalledError as error:
        return _Entrant(contender, "", {}, left_out=str(error))
    installed = versions_in(python)
    pinned = [need.partition("==")[0].partition("[")[0] for need in contender.needs if "==" in need]
    return _Entrant(contender, str(python), {name: installed[name] for name in pinned})


def _rotated(entrants: Sequence[_Entrant], number: int) -> Iterator[_Entrant]:
    """All of them, another one first in each round."""
    for place in range(len(entrants)):
        yield entrants[(place + number) % len(entrants)]


def _print_progress(entrant: _Entrant) -> None:
    if entrant.left_out:
        print(f"  {entrant.contender.name:18} {entrant.left_out}", flush=True)
        return
    start, busy, paced = entrant.starts[-1].took, entrant.busy[-1].took, entrant.paced[-1]
    print(
        f"  {entrant.contender.name:18} start {start.processor_s:5.1f} s; answered at once: {busy.processor_s:6.1f} s of the"
        f" processor, {busy.peak_mb:5.0f} MB; after {LATENCY_S:g} s: {paced.active_s:6.1f} s of the wall",
        flush=True,
    )
