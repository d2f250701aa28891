"""A job in shards, each asked by a process of its own, to which an ordeal happens, and what its end is worth.

Whoever dies or is overtaken is started again, as Airflow or any other scheduler would. In the end the source is split, inferred and
published once more, so that one run can say what all of its tries paid; a plain run beside it is a run of its own.
"""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from runware_provider.testing import Fault
from tests.torture.ordeals import Extent
from tests.torture.pairs import ended_before_its_lease, send_signal
from tests.torture.victim import REFUSED, STOPPED, Errand

if TYPE_CHECKING:
    from tests.torture.ordeals import Fate, Interruption, Ordeal
    from tests.torture.scene import Kill, Scene, Sums

SHARDED, PLAIN = "sharded", "plain"
"""The names of the runs."""
KILLED = -signal.SIGKILL
RECORDS_PER_SHARD = 5
SLOW = Fault("slow_registration", seconds=1.0)
"""For so long the API does not know a task that it took, and runs it again if it is sent again."""
PATIENCE_S = 300.0
A_MOMENT_S = 0.2
CENT_OF_A_CENT = 1e-4 * 1e-4


def suffered(scene: Scene, ordeal: Ordeal) -> Sums:
    """Let an ordeal happen to a job, let it come to its end, and compare."""
    with scene:
        job = _Sharded(scene, ordeal)
        try:
            job.suffer()
        except Exception as error:  # noqa: BLE001 - whatever went wrong is this scene's finding, and the others go on
            scene.sums.violations.append(f"{type(error).__name__}: {error}")
    where = f"{scene.combination.delivery}, {scene.combination.store}, {ordeal}"
    scene.sums.violations = [f"{where}: {text}" for text in scene.sums.violations]
    return scene.sums


def undisturbed(scene: Scene, shards: int) -> dict[str, Extent]:
    """How long each verb of a job in shards is where nobody disturbs it."""
    extents: dict[str, Extent] = {}

    def carry_out(errand: Errand) -> Any:
        scene.exit_code(scene.start(errand=errand, run=SHARDED), None, {0})
        account = scene.account(errand)
        extents[errand.verb] = Extent(sum(account["boundaries"].values()), account["seconds"])
        return account["returned"]

    with scene:
        cut = carry_out(Errand("split", shards))
        for shard in cut:
            carry_out(Errand("infer", split=shard["split"], shard=shard["shard"]))
        carry_out(Errand("publish", split=cut[0]["split"]))
        scene.judge_published()
    return extents


class _Sharded:
    def __init__(self, scene: Scene, ordeal: Ordeal) -> None:
        self._scene = scene
        self._ordeal = ordeal
        self._shards = len(ordeal.fates)
        self._checking = threading.Lock()
        self._checked = False
        disturbed = ordeal.beside.what != "nothing"
        self._may_end = {0, REFUSED, STOPPED} if disturbed else {0}
        """How a shard may end that nobody kills or overtakes: where somebody takes the place over, it has to stop."""

    def suffer(self) -> None:
        scene, ordeal = self._scene, self._ordeal
        errand = Errand("split", self._shards)
        self._until_done(errand, ordeal.split)
        split = self._split_of(errand)
        with ThreadPoolExecutor(self._shards + 1) as pool:
            beside = pool.submit(self._interrupt, ordeal.beside)
            shards = [
                pool.submit(self._shard, split, number, fate) for number, fate in enumerate(ordeal.fates)
            ]
            for ended in (beside, *shards):
                ended.result()
        if ordeal.beside.what != "nothing":
            self._until_done(errand)
            split = self._split_of(errand)
            self._infer_all(split)
        self._publish(split)
        scene.judge_published()
        self._compare_what_was_paid(split)

    def _compare_what_was_paid(self, split: str) -> None:
        """Each run says what all of its tries paid, and nobody else's."""
        scene = self._scene
        said = scene.account(Errand("publish", split=split))["returned"]["paid_usd"]
        if self._ordeal.beside.what == "plain":
            said += scene.account()["returned"]["paid_usd"]
        bill = scene.place.server.bill_summary()["cost_usd"]
        if abs(said - bill) > CENT_OF_A_CENT:
            scene.sums.violations.append(f"the runs say that they paid {said}, and the bill is {bill}")

    # the verbs

    def _until_done(self, errand: Errand, kill: Kill | None = None, run: str = SHARDED) -> None:
        if kill is not None and self._end(errand, kill, {0, KILLED}, run) == 0:
            return
        self._end(errand, None, {0}, run)

    def _split_of(self, errand: Errand) -> str:
        split: str = self._scene.account(errand)["returned"][0]["split"]
        return split

    def _end(self, errand: Errand, kill: Kill | None, expected: set[int], run: str = SHARDED) -> int:
        """Start a process and wait for its end, which may be a kill; how it ended."""
        process = self._scene.start(kill, errand, run=run)
        code = self._scene.exit_code(process, kill.seconds if kill is not None else None, expected)
        self._scene.sums.missed += kill is not None and code != KILLED
        if code == KILLED:
            self._scene.sums.kills += 1
            self._check_foretold()
        return code

    def _check_foretold(self) -> None:
        """Once in a job: to fetch it all takes a while."""
        with self._checking:
            if not self._checked:
                self._checked = True
                self._scene.check_foretold()

    def _interrupt(self, interruption: Interruption) -> None:
        if interruption.what == "nothing":
            return
        threading.Event().wait(interruption.seconds)
        if interruption.what == "plain":
            self._until_done(Errand(), interruption.kill, PLAIN)
        else:
            self._until_done(Errand("split", interruption.shards), interruption.kill)

    def _infer_all(self, split: str) -> None:
        with ThreadPoolExecutor(self._shards) as pool:
            errands = [Errand("infer", split=split, shard=number) for number in range(self._shards)]
            list(pool.map(self._until_done, errands))

    def _publish(self, split: str) -> None:
        """Once beside a shard that is cleared, and once more."""
        publish, ordeal = Errand("publish", split=split), self._ordeal
        cleared = Errand("infer", split=split, shard=ordeal.cleared)
        if ordeal.emptied:
            self._scene.remove(f"shards/{ordeal.cleared:04d}/done-{split}.json")
        again = self._scene.start(errand=cleared, run=SHARDED)
        # It names the shard that is not done, until that is done.
        self._end(publish, ordeal.publish, {0, KILLED, REFUSED} if ordeal.emptied else {0, KILLED})
        self._scene.exit_code(again, None, {0})
        self._until_done(publish)

    # what becomes of a shard

    def _shard(self, split: str, number: int, fate: Fate) -> None:
        errand = Errand("infer", split=split, shard=number)
        match fate.mishap:
            case "none":
                self._end(errand, None, self._may_end)
            case "killed":
                self._killed(errand, fate)
            case _:
                self._doubled(errand, fate)

    def _killed(self, errand: Errand, fate: Fate) -> None:
        for _ in range(1 + fate.again):
            if self._end(errand, fate.kill, {*self._may_end, KILLED}) != KILLED:
                return
        self._end(errand, None, self._may_end)

    def _doubled(self, errand: Errand, fate: Fate) -> None:
        scene = self._scene
        first = scene.start(errand=errand, run=SHARDED)
        second = None
        may_end = self._may_end
        try:
            is_over = ended_before_its_lease(scene, first, f"shards/{errand.shard:04d}")
            if (
                not is_over
                and not wait([first.sentinel], fate.seconds)
                and fate.mishap in {"frozen", "woken"}
            ):
                send_signal(first, signal.SIGSTOP)
                may_end = {*may_end, STOPPED}
            second = scene.start(errand=errand, run=SHARDED)
            if fate.mishap == "woken":
                wait([second.sentinel], fate.sleep_s)
            elif fate.mishap == "cleared":
                wait([first.sentinel], A_MOMENT_S)
                send_signal(first, signal.SIGKILL)
                may_end = {*may_end, KILLED}
            else:
                wait([second.sentinel], PATIENCE_S if fate.mishap == "frozen" else 0.0)
        finally:
            send_signal(first, signal.SIGCONT)
        code = scene.exit_code(first, None, may_end)
        scene.sums.kills += code == KILLED
        scene.sums.overtaken += code == STOPPED
        # It finds the shard done, does it, or takes it over.
        scene.exit_code(second, None, self._may_end)
