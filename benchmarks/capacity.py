"""How well jobs find out by themselves how much an API can do: slots kept busy, refusals, the time to get there.

    python benchmarks/capacity.py --json capacity.json
    python benchmarks/capacity.py "40 slots" fast      # those whose names begin so

Each case is one job of the engine, with default options and an empty state folder, against a local API server of its own
that has so many slots, perhaps with a queue before them, and tells nobody. All is over a socket. What is printed comes from
the server's own bill, which says when each task was accepted and done:

- `busy`: slots that worked, of all slots, from 3 latencies after the first task was accepted until there were too few left
  for all of them: the throughput as a share of slots / latency, which no fixed setting exceeds. Behind a change of the slots,
  from 5 latencies after it.
- `reached`: latencies until 97 % of the slots had work.
- `refused`: tasks refused for want of room, of all that were executed.
- `most`: tasks under way at once, at most; `later`: on average, from 10 latencies on.
- `rows/s`: rows of the whole job a second, from the first task accepted to the last one done, and beside it slots / latency.

A latency is how long a task holds its slot on average.

The latencies are long enough, and the slots few enough, that the processor is no bound; a case takes less than a minute or
so. Names choose among the cases, and so do parts of names. `--told` runs each case once more with `max_outstanding` set to what
somebody would set who knows the vendor, and prints that beside it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import tempfile
import threading
import time
from bisect import bisect_left
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from measured import Processes, body, engine, local_server

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from measured import LocalServer, Took

FILLED = 0.97
FOUND_AFTER = 3.0
"""Latencies after which the capacity should be found."""
FOLLOWED_AFTER = 5.0
"""The same after a change of it."""
SETTLED_AFTER = 10.0
STRAGGLERS = {"probability": 0.001, "times": 100.0}
NO_ROOM = "inferenceRateLimitExceeded"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One job and its vendor. Times are seconds."""

    name: str
    slots: int | None
    """None for as many as anybody wants."""
    latency_s: float
    """Median."""
    rows: int
    queue: int | None = None
    sigma: float = 0.0
    """Of the logarithms of the latencies."""
    stragglers: bool = False
    """Whether one in 1,000 takes 100 times as long."""
    changes: tuple[tuple[float, int], ...] = ()
    """Seconds after the start, and slots from then on, with a queue of twice as many."""
    most_s: float = 100.0
    """After which the job is killed; the rest of it would show nothing new."""

    @property
    def mean_s(self) -> float:
        """How long a task holds its slot, on average."""
        mean_s = self.latency_s * math.exp(self.sigma**2 / 2)
        if self.stragglers:
            mean_s += STRAGGLERS["probability"] * STRAGGLERS["times"] * self.latency_s
        return mean_s

    @property
    def told(self) -> int | None:
        """The bound that somebody would set who knows the vendor: room for what is done and was not seen yet."""
        if self.slots is None:
            return None
        return math.ceil(self.slots * (1.0 if self.queue == 0 else 1.25))


CASES = (
    Case(name="64 slots", slots=64, latency_s=2, rows=1_000),
    Case(name="500 slots", slots=500, latency_s=2, rows=6_000),
    Case(name="500 slots, log-normal", slots=500, latency_s=2, sigma=0.5, rows=6_000),
    Case(name="500 slots, stragglers", slots=500, latency_s=1, stragglers=True, rows=12_000, most_s=40),
    Case(name="1,000 slots", slots=1_000, latency_s=5, rows=8_000),
    Case(name="5,000 slots", slots=5_000, latency_s=10, rows=22_000),
    Case(name="10,000 slots", slots=10_000, latency_s=15, rows=24_000, most_s=75),
    Case(name="4 slots, queue", slots=4, queue=8, latency_s=0.25, rows=700),
    Case(name="40 slots, queue", slots=40, queue=80, latency_s=1, rows=1_600),
    Case(name="40 slots, queue, log-normal", slots=40, queue=80, latency_s=1, sigma=0.5, rows=1_600),
    Case(name="400 slots, queue", slots=400, queue=800, latency_s=2, rows=8_000),
    Case(name="40 slots, no queue", slots=40, queue=0, latency_s=1, rows=1_600),
    Case(name="40 slots, no queue, log-normal", slots=40, queue=0, latency_s=1, sigma=0.5, rows=1_600),
    Case(name="40 slots, slows down", slots=40, latency_s=1, rows=1_600),
    Case(name="40 slots, slows down, log-normal", slots=40, latency_s=1, sigma=0.5, rows=1_600),
    Case(
        name="40, 10, 80 slots",
        slots=40,
        queue=80,
        latency_s=1,
        rows=100_000,
        changes=((20.0, 10), (45.0, 80)),
        most_s=70,
    ),
    Case(name="fast model", slots=None, latency_s=0.02, rows=20_000),
)


MANY = 100_000
"""Slots of a server that has as many as anybody wants."""


class Timeline:
    """What was under way at the server, and when: seconds since the first task was accepted.

    Args:
        entries: of the tasks of a bill.
        slots: from when on there were so many, by the clock of the bill; the first one counts from the beginning.
    """

    def __init__(self, entries: Iterable[dict[str, Any]], slots: Sequence[tuple[float, int]]) -> None:
        spans: list[tuple[float, float]] = [
            (entry["accepted_s"], entry["finished_s"] or math.inf) for entry in entries
        ]
        began = min(accepted for accepted, _ in spans)
        self._accepted = sorted(accepted - began for accepted, _ in spans)
        self._finished = sorted(finished - began for _, finished in spans)
        self.changes = [(0.0, slots[0][1]), *((at - began, number) for at, number in slots[1:])]
        self.all_done = max(at for at in self._finished if at < math.inf)
        self.last_full = self._accepted[-1]
        """When there was work for all slots for the last time, or something was sent."""
        for start, end, under_way in self.spans(self.last_full, self.all_done):
            if under_way >= self.slots(start):
                self.last_full = end

    def slots(self, at: float) -> int:
        """How many there were then."""
        return next(number for since, number in reversed(self.changes) if at >= since)

    def spans(self, since: float, until: float) -> Iterator[tuple[float, float, int]]:
        """From when to when so many were under way."""
        moments = {since, until, *(at for at, _ in self.changes if since < at < until)}
        moments.update(at for at in self._accepted if since < at < until)
        moments.update(at for at in self._finished if since < at < until)
        in_order = sorted(moments)
        for start, end in itertools.pairwise(in_order):
            middle = (start + end) / 2
            yield start, end, bisect_left(self._accepted, middle) - bisect_left(self._finished, middle)

    def busy(self, since: float, until: float) -> float | None:
        """Slots that had work, of all; None where nothing of the job lies there."""
        if until <= since:
            return None
        worked = possible = 0.0
        for start, end, under_way in self.spans(since, until):
            slots = self.slots(start)
            worked += (end - start) * min(slots, under_way)
            possible += (end - start) * slots
        return worked / possible

    def reached(self) -> float | None:
        """When nearly all slots had work for the first time; None if never."""
        for start, _, under_way in self.spans(0.0, self.all_done):
            if under_way >= FILLED * self.slots(start):
                return start
        return None

    def most(self) -> int:
        """At once."""
        return max(under_way for _, _, under_way in self.spans(0.0, self.all_done))

    def mean(self, since: float, until: float) -> float | None:
        """Of what was under way."""
        if until <= since:
            return None
        total = sum((end - start) * under_way for start, end, under_way in self.spans(since, until))
        return total / (until - since)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", help="names, or parts of them, of those to run; all by default")
    parser.add_argument(
        "--told", action="store_true", help="beside each, a job with the best max_outstanding"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="gets the figures")
    options = parser.parse_args()
    rows = []
    print(f"{'':34} {'busy':>7} {'reached':>8} {'refused':>8} {'most':>7} {'later':>7} {'rows/s':>8}")
    for case in CASES:
        if not _is_chosen(case, options.cases):
            continue
        for told in (None, case.told) if options.told and case.told else (None,):
            rows.append(measure(case, told))
            print(_line(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


def _is_chosen(case: Case, names: Sequence[str]) -> bool:
    whole_names = {known.name for known in CASES}
    return not names or any(name == case.name if name in whole_names else name in case.name for name in names)


def measure(case: Case, told: int | None = None) -> dict[str, Any]:
    """Run the job of a case once.

    Args:
        case: the job and its vendor.
        told: `max_outstanding`; None for the default.
    """
    server_options = ["--capacity", str(case.slots or MANY), "--latency-sigma", str(case.sigma)]
    if case.queue is not None:
        server_options += ["--queue", str(case.queue)]
    faults = []
    if case.stragglers:
        longer_s = (STRAGGLERS["times"] - 1) * case.latency_s
        faults.append({"kind": "delay_task", "probability": STRAGGLERS["probability"], "seconds": longer_s})
    with tempfile.TemporaryDirectory() as folder:
        command = _job(Path(folder), case, told)
        with local_server(*server_options, latency_s=case.latency_s, faults=faults) as server:
            slots = [(0.0, case.slots or MANY)]
            timers = _change_the_slots(case, server, slots)
            took = Processes(server, most_s=case.most_s).run(command)
            for timer in timers:
                timer.cancel()
            bill = httpx.get(f"{_local(server)}/bill", timeout=60, trust_env=False).json()
    return _figures(case, told, took, bill, Timeline(bill["tasks"].values(), slots))


def _job(folder: Path, case: Case, told: int | None) -> list[str]:
    import pyarrow as pa  # noqa: PLC0415 - `--help` is quick
    import pyarrow.parquet as pq  # noqa: PLC0415

    source = folder / "source.parquet"
    pq.write_table(pa.table({"body": [body(number) for number in range(case.rows)]}), source)
    command = engine("run", "--source", str(source), "--destination", str(folder / "out"))
    command += ["--prompt", "Say what this is about: {{ record.body }}"]
    return command if told is None else [*command, "--max-outstanding", str(told)]


def _change_the_slots(
    case: Case, server: LocalServer, changed: list[tuple[float, int]]
) -> list[threading.Timer]:
    """Have the slots change in time; each change is noted when it was made."""

    def change(slots: int) -> None:
        wanted = {"capacity": slots, "queue": 2 * slots}
        httpx.post(f"{_local(server)}/capacity", json=wanted, trust_env=False)
        changed.append((time.monotonic(), slots))

    timers = [threading.Timer(at, change, (slots,)) for at, slots in case.changes]
    for timer in timers:
        timer.start()
    return timers


def _local(server: LocalServer) -> str:
    return f"{server.url.removesuffix('/v1')}/_local"


def _figures(
    case: Case, told: int | None, took: Took, bill: dict[str, Any], timeline: Timeline
) -> dict[str, Any]:
    latency_s, until = case.mean_s, timeline.last_full
    reached = timeline.reached()
    later = timeline.changes[1:]
    ends = [at for at, _ in later] + [until]
    after_changes = []
    for (at, slots), end in zip(later, ends[1:], strict=True):
        after_changes.append((slots, timeline.busy(at + FOLLOWED_AFTER * latency_s, end)))
    return {
        "case": asdict(case),
        "told": told,
        "busy": None if case.slots is None else timeline.busy(FOUND_AFTER * latency_s, ends[0]),
        "busy_after_changes": after_changes,
        "reached_latencies": None if reached is None else reached / latency_s,
        "refused": bill["refused"].get(NO_ROOM, 0) / bill["executed"],
        "most": timeline.most(),
        "later": timeline.mean(SETTLED_AFTER * latency_s, until),
        "rows_per_second": bill["executed"] / timeline.all_done,
        "slots_per_latency": None if case.slots is None else case.slots / case.mean_s,
        "wall_s": took.wall_s,
        "processor_s": took.processor_s,
        "server_s": took.server_s,
        "ended": took.ended,
    }


def _line(row: dict[str, Any]) -> str:
    name = row["case"]["name"] if row["told"] is None else f"  told {row['told']:,}"
    reached, at_best = row["reached_latencies"], row["slots_per_latency"]
    changes = "".join(f"; then {slots} slots: {_share(busy)}" for slots, busy in row["busy_after_changes"])
    return (
        f"{name:34} {_share(row['busy']):>7} {'-' if reached is None else f'{reached:.2f} L':>8}"
        f" {_share(row['refused']):>8} {row['most']:7,} {row['later'] or 0:7,.0f} {row['rows_per_second']:8,.1f}"
        f"{'' if at_best is None else f' of {at_best:,.0f}'}{changes}"
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


if __name__ == "__main__":
    main()
