"""What a kill costs with sync delivery, when the API does not keep the answers that nobody received.

A sync request's answers are in its reply only. When the process dies before it has them, they can be had from
getResponse or the archive, as long as these keep them. The vendor promises neither for sync tasks; where both have
forgotten, what was in flight at the kill is lost, asked and paid again, and listed as maybe billed. No client can close
that: exposed are the inferences of the requests whose answers are not durable yet, at most `requests` times
`tasks_per_request` of them (8 at most with sync delivery).
"""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from runware_provider.engine.attempt import Kind
from tests.torture.scene import EXECUTIONS, Combination, Scene

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from runware_provider.testing import LocalServer

LATENCY_S = 0.3
"""Long enough that a kill meets inferences in flight."""
LOOKS = 3_000
BETWEEN_LOOKS_S = 0.005


@dataclass
class Exposure:
    """Inferences in flight at the kills, and what became of them."""

    what: str
    kills: int = 0
    in_flight: int = 0
    most: int = 0
    """In flight at one of the kills."""
    again: int = 0
    """Executed a second time."""
    lost: int = 0
    """Listed as maybe billed."""


def exposure(new_scene: Callable[..., Scene], jobs: int, dice: random.Random, *, forgotten: bool) -> Exposure:
    """Kill so many sync jobs while the API works for them.

    Args:
        new_scene: makes a place for a job.
        jobs: how many.
        dice: choose the moments.
        forgotten: whether the API then knows no answer any more, neither for getResponse nor in its archive.
    """
    found = Exposure("answers forgotten" if forgotten else "answers kept")
    for _ in range(jobs):
        with new_scene(Combination("sync", "local"), latency=LATENCY_S) as scene:
            # Lower than elsewhere: what nobody knows is given up after this.
            scene.place.limits |= {"deadline_s": 1.0}
            _kill_at_work(scene, dice.randrange(EXECUTIONS))
            executed = scene.place.executed()
            answered = _answered(scene.place)
            if forgotten:
                _forget(scene.place.server)
            manifest = scene.finish()["returned"]
            found.kills += scene.sums.kills
            found.in_flight += executed - answered
            found.most = max(found.most, executed - answered)
            found.again += scene.place.executed() - EXECUTIONS
            found.lost += manifest["maybe_billed"]
    return found


def _kill_at_work(scene: Scene, executed: int) -> None:
    """Kill it as soon as more than so many were executed."""
    process = scene.start()
    for _ in range(LOOKS):
        if scene.place.executed() > executed or wait([process.sentinel], BETWEEN_LOOKS_S):
            break
    scene.end(process, seconds=0.0)


def _answered(place: Any) -> int:
    return sum(row["kind"] == Kind.ANSWERED for row in place.ledger().values())


def _forget(server: LocalServer) -> None:
    """As a service does that keeps no answers of sync tasks."""

    def forget() -> None:
        for task in server._state.tasks:
            task.lost, task.archived, task.request, task.items = True, None, None, ()

    server._call(forget)
