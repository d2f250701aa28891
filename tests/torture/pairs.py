"""The same job in two processes: twins, of whom one waits for the other, and a zombie that its retry has overtaken.

Each ends well, but for the zombie, which may have to stop when it wakes; together they leave one dataset, and one bill.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from tests.torture.victim import STOPPED

if TYPE_CHECKING:
    import random
    from multiprocessing.context import ForkServerProcess

    from tests.torture.scene import Scene, Sums

ENDS = {0, STOPPED}
BETWEEN_LOOKS_S = 0.01


@dataclass(frozen=True)
class Pair:
    """When the second process begins.

    Args:
        seconds: after the first one has the lease.
        frozen: whether the first one stands still from then on, until the second one has ended: that one takes
            over when the lease has lapsed. Else it waits until the first one has ended.
    """

    seconds: float
    frozen: bool

    def __str__(self) -> str:
        return f"{'overtaken' if self.frozen else 'joined'} after {self.seconds:.3f} s"


def pairs(count: int, seconds: float, dice: random.Random) -> list[Pair]:
    """So many, half of them frozen, at random moments of a job that takes so long."""
    return [Pair(dice.random() * seconds, frozen=number % 2 == 1) for number in range(count)]


def paired(scene: Scene, pair: Pair) -> Sums:
    """Start a job twice, and compare."""
    with scene:
        try:
            codes = _codes(scene, pair)
            expected = [{0, STOPPED} if pair.frozen else {0}, {0}]
            if any(code not in ends for code, ends in zip(codes, expected, strict=True)):
                scene.sums.violations.append(f"one did not come to its end: {codes}")
            scene.judge_published()
        except Exception as error:  # noqa: BLE001 - whatever went wrong is this scene's finding, and the others go on
            scene.sums.violations.append(f"{type(error).__name__}: {error}")
    where = f"{scene.combination.delivery}, {scene.combination.store}, {pair}"
    scene.sums.violations = [f"{where}: {text}" for text in scene.sums.violations]
    return scene.sums


def _codes(scene: Scene, pair: Pair) -> list[int]:
    first = scene.start()
    try:
        over = ended_before_its_lease(scene, first) or wait([first.sentinel], pair.seconds)
        if pair.frozen and not over:
            send_signal(first, signal.SIGSTOP)
        second = scene.exit_code(scene.start(), None, ENDS)
    finally:
        send_signal(first, signal.SIGCONT)
    codes = [scene.exit_code(first, None, ENDS), second]
    scene.sums.overtaken += codes[0] == STOPPED
    return codes


def ended_before_its_lease(scene: Scene, process: ForkServerProcess, below: str = "") -> bool:
    """Wait until the first process of a place, or of a folder below it, has the lease; whether it has ended by then."""
    while not wait([process.sentinel], BETWEEN_LOOKS_S):
        if scene.has_lease(below):
            return False
    return True


def send_signal(process: ForkServerProcess, number: signal.Signals) -> None:
    """Stop a process or let it go on, if it is still there.

    It has a process to meet for as long as nobody has asked how that ended.
    """
    if process.pid is not None:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return
