"""Kill the engine's process everywhere, start it again, and compare the end with the bill: `make torture`.

Each job has a folder and an API server of its own. It is killed at every boundary (see `victim`), before and after, and
at random moments up to three times in a row; then it runs to its end, and rows, executions and charges are counted.
Jobs in shards are killed, doubled, frozen and taken over in several of their processes at once (see `ordeals`).
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

PROJECT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "plugins")]

from tests.engine.conftest import places_below  # noqa: E402 - found by the lines above
from tests.store_servers import SERVERS, server_of  # noqa: E402
from tests.torture.exposure import Exposure, exposure  # noqa: E402
from tests.torture.ordeals import Extent, ordeals  # noqa: E402
from tests.torture.pairs import paired, pairs  # noqa: E402
from tests.torture.scene import Combination, Kill, Scene, Sums, tortured  # noqa: E402
from tests.torture.sharded import PATIENCE_S, RECORDS_PER_SHARD, SLOW, suffered, undisturbed  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DELIVERIES = ("poll", "sync", "webhook")
STORES = ("local", "s3")
MORE_STORES = ("google", "azure")
"""Whose clients alone differ from that of S3; on Azure with Azurite, if it is there."""
SIDE_BY_SIDE = 6
MOST_KILLS = 3
MIXTURES_TOGETHER = 100
"""Each has a server of its own for as long as its batch runs."""
EXPOSED_JOBS = 12
CHAPTERS = ("kills", "mixtures", "twins", "shards", "exposure")


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody kills.

    Args:
        boundaries: how many of each name, by their names.
        seconds: of the whole process.
        at_work_s: of these, since the job began.
        sums: its own.
    """

    boundaries: Mapping[str, int]
    seconds: float
    at_work_s: float
    sums: Sums

    @property
    def extent(self) -> Extent:
        return Extent(sum(self.boundaries.values()), self.seconds)


class Torture:
    """Scenes in a folder, one server for all that is kept on one kind of store."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0
        self._lock = threading.Lock()

    def scene(self, combination: Combination, **settings: Any) -> Scene:
        with self._lock:
            self._made += 1
            root = self._folder / f"job-{self._made}"
        server = server_of(combination.store) if combination.store in SERVERS else None
        return Scene(root, combination, server, **settings)

    def undisturbed(self, combination: Combination) -> Undisturbed:
        """What a run comes to that nobody kills."""
        with self.scene(combination) as scene:
            account = scene.finish()
            scene.judge(account)
        return Undisturbed(
            account["boundaries"], account["seconds"], account["returned"]["duration_s"], scene.sums
        )

    def twins(self, combination: Combination, count: int, seconds: float, seed: str) -> Sums:
        """The same job in two processes, so often; some side by side."""
        whole = Sums()
        dice = random.Random(seed)  # noqa: S311 - moments that can be had again
        with ThreadPoolExecutor(SIDE_BY_SIDE // 2) as pool:
            jobs = pool.map(lambda pair: paired(self.scene(combination), pair), pairs(count, seconds, dice))
            for sums in jobs:
                whole.add(sums)
        return whole

    def shards(self, combination: Combination, count: int, shards: int, run: Extent, seed: str) -> Sums:
        """So many jobs in shards, to each of which happens what the dice say; some side by side."""

        def scene() -> Scene:
            records = RECORDS_PER_SHARD * shards
            return self.scene(combination, records=records, patience_s=PATIENCE_S, faults=(SLOW,))

        whole = Sums()
        extents = {"run": run, **undisturbed(scene(), shards)}
        with ThreadPoolExecutor(max(2, SIDE_BY_SIDE // shards)) as pool:
            for sums in pool.map(
                lambda ordeal: suffered(scene(), ordeal), ordeals(count, shards, extents, seed)
            ):
                whole.add(sums)
        return whole

    def carry_out(self, combination: Combination, scripts: Sequence[tuple[Kill, ...]]) -> Sums:
        """Each script is a job, killed so often; some side by side."""
        whole = Sums()
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            jobs = pool.map(lambda kills: tortured(self.scene(combination), kills), scripts)
            for sums in jobs:
                whole.add(sums)
        return whole


def every_boundary(by_name: Mapping[str, int]) -> list[tuple[Kill, ...]]:
    """Before and after each.

    Args:
        by_name: how many there are of each name.
    """
    return [
        (Kill(number, after, name),)
        for name, count in by_name.items()
        for number in range(1, count + 1)
        for after in (False, True)
    ]


def random_moments(count: int, run: Extent, seed: str) -> list[tuple[Kill, ...]]:
    """So many kills, up to three in a row in one job; half of them by the clock."""
    dice = random.Random(seed)  # noqa: S311 - moments that can be had again
    scripts: list[tuple[Kill, ...]] = []
    left = count
    while left:
        row = min(left, dice.randint(1, MOST_KILLS))
        left -= row
        # What comes after a kill has less to do: moments of the first half still meet it at work.
        shares = [dice.random() * (1.0 if nth == 0 else 0.5) for nth in range(row)]
        scripts.append(
            tuple(
                Kill(seconds=share * run.seconds)
                if dice.random() < 0.5
                else Kill(1 + int(share * run.boundaries), dice.random() < 0.5)
                for share in shares
            )
        )
    return scripts


def mixtures(count: int, seed: int, folder: Path) -> Sums:
    """Jobs against an API in which several things go wrong at once."""
    from tests.engine import test_faults as faults  # noqa: PLC0415 - a test module, which pytest wants to load itself

    whole = Sums()
    cases = [faults.mixture(seed + number) for number in range(count)]
    for start in range(0, count, MIXTURES_TOGETHER):
        batch = cases[start : start + MIXTURES_TOGETHER]
        with places_below(_made(folder / f"mixtures-{start}")) as new_place:
            for case, (place, manifest) in zip(
                batch, faults.side_by_side(batch, new_place).values(), strict=True
            ):
                policy = not faults.MAY_COST_ANOTHER.isdisjoint(fault.kind for fault in case.faults)
                whole.add(_mixed(case, place, manifest, faults.RECORDS, by_policy=policy))
    return whole


def _mixed(case: Any, place: Any, manifest: Any, records: int, *, by_policy: bool) -> Sums:
    sums = Sums(jobs=1, runs=1)
    if isinstance(manifest, BaseException):
        sums.violations.append(f"{case.name}: {manifest!r}")
        return sums
    sums.longest_s = manifest["duration_s"]
    sums.compare(place, manifest, records, output_retries=case.again_at_most)
    if by_policy:
        # An answer that is gone, or failed and was charged, is asked for again; the audit knows the cost.
        sums.executed_twice = sums.charged_twice = 0
    sums.violations = [f"{case.name}: {text}" for text in sums.violations]
    return sums


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


HEAD = (
    ("delivery", "store", "what"),
    ("jobs", "kills", "missed", "overtaken", "runs", "rows lost", "executed twice", "charged twice"),
)
WIDTHS = (6, 6, 7, 10, 6, 11, 16, 15)


def line(delivery: str, store: str, what: str, sums: Sums) -> str:
    """A row of the table."""
    figures = (
        sums.jobs,
        sums.kills,
        sums.missed,
        sums.overtaken,
        sums.runs,
        sums.rows_lost,
        sums.executed_twice,
        sums.charged_twice,
    )
    told = "".join(f"{figure:>{width}}" for figure, width in zip(figures, WIDTHS, strict=True))
    return f"{delivery:<9} {store:<6} {what:<12}{told}{sums.longest_s:>9.1f} s"


def head() -> str:
    """The table's first line."""
    (delivery, store, what), figures = HEAD
    names = "".join(f"{name:>{width}}" for name, width in zip(figures, WIDTHS, strict=True))
    return f"{delivery:<9} {store:<6} {what:<12}{names}{'longest':>11}"


def told(found: Exposure) -> str:
    """What was measured of the exposure that nobody can close."""
    return (
        f"exposure: sync, {found.what}: {found.again} of {found.in_flight} inferences in flight at {found.kills}"
        f" kills (at most {found.most} at one of them) were executed again, {found.lost} ended as maybe billed"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=200, help="random kills per delivery and store")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--delivery", choices=(*DELIVERIES, "both"), default="both")
    parser.add_argument("--store", choices=(*STORES, *MORE_STORES, "both"), default="both")
    parser.add_argument("--only", choices=CHAPTERS, action="append", help="may be given several times")
    parser.add_argument("--mixtures", type=int, default=1000, help="seeded mixtures of faults")
    parser.add_argument("--twins", type=int, default=100, help="pairs of processes of the same job, in all")
    parser.add_argument("--ordeals", type=int, default=25, help="jobs in shards per delivery and store")
    parser.add_argument("--shards", type=int, default=16, help="shards, and processes, of each of those")
    return parser.parse_args()


def _chosen(word: str, all_of: tuple[str, ...]) -> tuple[str, ...]:
    return all_of if word == "both" else (word,)


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _tell(delivery: str, store: str, what: str, sums: Sums) -> None:
    _print(line(delivery, store, what, sums))
    for text in sums.violations:
        _print(f"violation: {text}")


def _processes(torture: Torture, given: argparse.Namespace, chapters: Sequence[str]) -> list[Sums]:
    """Jobs that are killed, jobs that are started twice, and jobs in shards."""
    found = []
    combinations = [
        Combination(delivery, store)
        for delivery in _chosen(given.delivery, DELIVERIES)
        for store in _chosen(given.store, STORES)
    ]
    for number, combination in enumerate(combinations):

        def add(what: str, sums: Sums, combination: Combination = combination) -> None:
            found.append(sums)
            _tell(combination.delivery, combination.store, what, sums)

        alone = torture.undisturbed(combination)
        seed = f"{given.seed} {combination.delivery} {combination.store}"
        add("undisturbed", alone.sums)
        if "kills" in chapters:
            add("boundaries", torture.carry_out(combination, every_boundary(alone.boundaries)))
            moments = random_moments(given.moments, alone.extent, seed)
            add("moments", torture.carry_out(combination, moments))
        if "twins" in chapters:
            share = len(range(number, given.twins, len(combinations)))
            add("twins", torture.twins(combination, share, alone.at_work_s, seed))
        if "shards" in chapters:
            add(
                "shards",
                torture.shards(combination, given.ordeals, given.shards, alone.extent, seed),
            )
    return found


def main() -> int:
    """Print the table; 1 when anything was lost or paid twice."""
    given = _arguments()
    chapters = given.only or CHAPTERS
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="torture-")))
        torture = Torture(folder)
        _print(head())
        found = (
            _processes(torture, given, chapters)
            if {"kills", "twins", "shards"}.intersection(chapters)
            else []
        )
        if "mixtures" in chapters and given.mixtures:
            found.append(mixtures(given.mixtures, given.seed, folder))
            _tell("both", "local", "mixtures", found[-1])
        if "exposure" in chapters and given.delivery != "poll":
            dice = random.Random(given.seed)  # noqa: S311 - moments that can be had again
            for forgotten in (False, True):
                _print(told(exposure(torture.scene, EXPOSED_JOBS, dice, forgotten=forgotten)))
    return 0 if all(sums.clean for sums in found) else 1


if __name__ == "__main__":
    sys.exit(main())
