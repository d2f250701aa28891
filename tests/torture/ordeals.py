"""What happens to a job in shards: which of its processes die, meet a second one or stand still, and when. Pure.

Every job has something happen to its shards and, by turns, nothing else, a new split, or a plain run beside them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from tests.torture.scene import Kill

Mishap = Literal["none", "killed", "doubled", "frozen", "woken", "cleared"]
MISHAPS: tuple[Mishap, ...] = (*3 * ("none",), *2 * ("killed",), "doubled", "frozen", "woken", "cleared")
"""Of which one is drawn for each shard."""
STANDSTILLS = ("frozen", "woken")
MOST_STANDSTILLS = 3
"""In one job: who takes over from all shards waits for one after the other."""
LONGEST_SLEEP_S = 16.0
"""Past the lease, and past the moment in which the one who took over sends again what may have been sent."""
Beside = Literal["nothing", "split", "plain"]
BESIDE: tuple[Beside, ...] = ("nothing", "split", "plain")


@dataclass(frozen=True)
class Extent:
    """Of one verb that nobody disturbs."""

    boundaries: int
    seconds: float


@dataclass(frozen=True)
class Fate:
    """What becomes of the first process of a shard.

    `killed`: it is started again. `doubled`: a second one joins it. `cleared`: a second one joins it, and the first one
    is killed a moment later. `frozen`: it stands still until a second one has taken over and ended. `woken`: it
    stands still, a second one takes over, and it goes on in the middle of that.

    Args:
        mishap: what.
        seconds: after the process has the lease of the shard.
        kill: of `killed`.
        sleep_s: of `woken`.
        again: of `killed`: whether the next process is killed in the same way.
    """

    mishap: Mishap
    seconds: float = 0.0
    kill: Kill | None = None
    sleep_s: float = 0.0
    again: bool = False

    def __str__(self) -> str:
        if self.mishap == "killed":
            return f"killed {self.kill}{' twice' if self.again else ''}"
        told = f"{self.mishap} after {self.seconds:.3f} s"
        return told if self.mishap != "woken" else f"{told} for {self.sleep_s:.1f} s"


@dataclass(frozen=True)
class Interruption:
    """A process that takes the whole place over while shards are at work.

    Args:
        what: a new split, with other cuts, or a plain run.
        seconds: after the shards were started.
        kill: when it dies; it is started again.
        shards: of the new split.
    """

    what: Beside
    seconds: float
    kill: Kill | None
    shards: int

    def __str__(self) -> str:
        killed = f", killed {self.kill}" if self.kill is not None else ""
        into = f" into {self.shards}" if self.what == "split" else ""
        return f"{self.what}{into} beside after {self.seconds:.3f} s{killed}"


@dataclass(frozen=True)
class Ordeal:
    """Of one job.

    Args:
        split: when the first split dies.
        fates: of the shards.
        beside: who takes the place over.
        publish: when the first publish dies.
        cleared: the shard that is inferred again while the publish is at work.
        emptied: whether that shard no longer says that it is done.
    """

    split: Kill | None
    fates: tuple[Fate, ...]
    beside: Interruption
    publish: Kill | None
    cleared: int
    emptied: bool

    def __str__(self) -> str:
        shards = [f"{number} {fate}" for number, fate in enumerate(self.fates) if fate.mishap != "none"]
        kills = [
            f"{verb} killed {kill}"
            for verb, kill in (("split", self.split), ("publish", self.publish))
            if kill
        ]
        cleared = f"publish beside {self.cleared} {'emptied' if self.emptied else 'cleared'}"
        return "; ".join([*kills, *shards, str(self.beside), cleared])


def ordeals(count: int, shards: int, extents: dict[str, Extent], seed: str) -> list[Ordeal]:
    """So many, the same for the same seed.

    Args:
        count: how many.
        shards: of each job.
        extents: of the verbs.
        seed: of the dice.
    """
    dice = random.Random(seed)  # noqa: S311 - moments that can be had again
    return [_ordeal(BESIDE[number % len(BESIDE)], shards, extents, dice) for number in range(count)]


def _ordeal(beside: Beside, shards: int, extents: dict[str, Extent], dice: random.Random) -> Ordeal:
    return Ordeal(
        split=_perhaps(extents["split"], dice),
        fates=_fates(shards, extents["infer"], dice),
        beside=_interruption(beside, shards, extents, dice),
        publish=_perhaps(extents["publish"], dice),
        cleared=dice.randrange(shards),
        emptied=dice.random() < 0.5,
    )


def _fates(shards: int, extent: Extent, dice: random.Random) -> tuple[Fate, ...]:
    fates: list[Fate] = []
    for _ in range(shards):
        mishap = dice.choice(MISHAPS)
        standstills = sum(fate.mishap in STANDSTILLS for fate in fates)
        if mishap in STANDSTILLS and standstills == MOST_STANDSTILLS:
            mishap = "none"
        fates.append(
            Fate(
                mishap,
                seconds=dice.random() * extent.seconds,
                kill=_kill(extent, dice) if mishap == "killed" else None,
                sleep_s=dice.random() * LONGEST_SLEEP_S,
                again=dice.random() < 0.5,
            )
        )
    return tuple(fates)


def _interruption(
    beside: Beside, shards: int, extents: dict[str, Extent], dice: random.Random
) -> Interruption:
    # Shards that all start at once take several times as long as one of them.
    seconds = dice.random() * 2 * extents["infer"].seconds
    # A split, too, collects what others have under way, as a run does.
    kill = _perhaps(extents["run"], dice)
    return Interruption(beside, seconds, kill, dice.choice((shards // 2 + 1, shards + 1)))


def _perhaps(extent: Extent, dice: random.Random) -> Kill | None:
    return _kill(extent, dice) if dice.random() < 0.5 else None


def _kill(extent: Extent, dice: random.Random) -> Kill:
    """At a boundary, or by the clock."""
    if dice.random() < 0.5:
        return Kill(1 + int(dice.random() * extent.boundaries), dice.random() < 0.5)
    return Kill(seconds=dice.random() * extent.seconds)
