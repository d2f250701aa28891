"""One job that is killed again and again, in a place of its own, and what its end is worth against the bill."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
from collections import Counter
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Self

from runware_provider.engine.memory.lease import FOLDER as LEASES
from runware_provider.engine.storage.stores import Stores
from runware_provider.testing import Fault, LocalServer, ServerSettings
from tests.answers import total_of
from tests.engine.conftest import FAST, KEY, Place, body_of
from tests.engine.plain_receiver import PlainReceiver
from tests.forked import FAMILY, nursery
from tests.torture.victim import TOLD, Errand, Orders, obey

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

    from runware_provider.engine.spec import Spec
    from runware_provider.engine.storage.stores import Storage
    from tests.store_servers import StoreServer

RECORDS = 30
OUTPUT_RETRIES = 1
LATENCY_S = 0.05
LIMITS = {
    **FAST,
    "batch_rows": 10,
    "tasks_per_request": 6,
    "requests": 2,
    "deadline_s": 30.0,
    "request_timeout_s": 30.0,
    "sync_timeout_s": 30.0,
    "lease_s": 4.0,
}
"""Three batches and half a dozen requests; patient, so that a busy machine does not look like a lost task. The lease is
the shortest there is, so that one who stands still is soon overtaken."""
OVERDUE = {"overdue_s": 2.0}
"""Calls that a dead process did not need any more, and the next one waits for, are asked for soon."""
MISREAD = "Shop 1"
"""Records with this text get an answer that does not fit, until the model is shown what is wrong with it."""
HARD_STOP_S = 100.0
RUN = Errand()


def executions(records: int) -> int:
    """Inferences that one job needs."""
    return records + sum(MISREAD in body_of(number) for number in range(records))


EXECUTIONS = executions(RECORDS)


@dataclass(frozen=True)
class Combination:
    """How answers come, and where everything is kept."""

    delivery: str
    store: str

    def __str__(self) -> str:
        return f"{self.delivery}-{self.store}"


@dataclass(frozen=True)
class Kill:
    """When a process dies: at a boundary, or so many seconds after its start.

    Args:
        boundary: counted from 1.
        after: whether it dies when that is done, or before.
        of: among the boundaries of this name; among all where there is none.
        seconds: where no boundary is named.
    """

    boundary: int | None = None
    after: bool = False
    of: str = ""
    seconds: float | None = None

    def __str__(self) -> str:
        if self.boundary is None:
            return f"after {self.seconds:.3f} s"
        return f"{'after' if self.after else 'before'} {self.of or 'boundary'} {self.boundary}"


@dataclass
class Sums:
    """What the bill says against the rows, over any number of jobs."""

    jobs: int = 0
    kills: int = 0
    missed: int = 0
    """Kills that a process would have died of, had it not ended before."""
    runs: int = 0
    overtaken: int = 0
    rows_lost: int = 0
    executed_twice: int = 0
    charged_twice: int = 0
    longest_s: float = 0.0
    violations: list[str] = field(default_factory=list)

    def add(self, other: Sums) -> None:
        for name in (
            "jobs",
            "kills",
            "missed",
            "runs",
            "overtaken",
            "rows_lost",
            "executed_twice",
            "charged_twice",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.longest_s = max(self.longest_s, other.longest_s)
        self.violations += other.violations

    def compare(self, place: Any, manifest: dict[str, Any], records: int, *, output_retries: int = 0) -> None:
        """Count what is missing and what is there, or was paid, twice; whatever else disagrees is a violation."""
        found = Counter(row["n"] for row in place.rows())
        self.rows_lost += sum(found[number] != 1 for number in range(records))
        summary, tasks = place.server.bill_summary(), place.server.bill()["tasks"].values()
        self.executed_twice += summary["requests_executed_again"]
        charges: Counter[Any] = Counter()
        for line in tasks:
            charges[line["request"]] += line["charged"]
        self.charged_twice += sum(count - 1 for count in charges.values() if count > 1)
        try:
            place.audit(manifest, records, output_retries=output_retries)
        except AssertionError as error:
            self.violations.append(str(error) or repr(error))
        except KeyError as error:
            self.violations.append(f"the ledger does not know the executed task {error}")

    @property
    def clean(self) -> bool:
        return not (self.violations or self.rows_lost or self.executed_twice or self.charged_twice)


class Scene:
    """A place, a server and perhaps a bucket, from `with` to its end.

    Args:
        root: a folder that is not there yet.
        combination: how answers come, and where everything is kept.
        server: of the bucket.
        records: of the source.
        patience_s: after which a process that has not ended counts as standing still.
        settings: of the local API server.
    """

    def __init__(
        self,
        root: Path,
        combination: Combination,
        server: StoreServer | None = None,
        *,
        records: int = RECORDS,
        patience_s: float = HARD_STOP_S,
        **settings: Any,
    ) -> None:
        root.mkdir(parents=True)
        api = LocalServer(ServerSettings(key=KEY, **{"latency": LATENCY_S, "answers": total_of, **settings}))
        self.place = Place(root, api, dict(LIMITS))
        self.place.fill(records)
        self.records = records
        self.combination = combination
        self.sums = Sums(jobs=1)
        self._receiver = PlainReceiver(root / "inbox") if combination.delivery == "webhook" else None
        self._patience_s = patience_s
        self._options = server.options() if server is not None else None
        self._folder = f"{server.new_place()}/job" if server is not None else ""

    def __enter__(self) -> Self:
        self.place.server.__enter__()
        if self._receiver is not None:
            self._receiver.__enter__()
        self.place.server.script(Fault("break_schema", contains=MISREAD, without="assistant"))
        return self

    def __exit__(self, *_: object) -> None:
        self.place.server.__exit__(None, None, None)
        if self._receiver is not None:
            self._receiver.__exit__()

    def spec(self, run: str | None = None) -> Spec:
        """The job, as a run of that name wishes it."""
        elsewhere = {"destination": f"{self._folder}/out"} if self._folder else {}
        asked_again = {"output_retries": OUTPUT_RETRIES}
        return self.place.spec(
            delivery=self.combination.delivery, webhook=OVERDUE, answers=asked_again, run=run, **elsewhere
        )

    def start(
        self, kill: Kill | None = None, errand: Errand = RUN, *, run: str | None = None
    ) -> ForkServerProcess:
        """A victim on its way."""
        fatal = (kill.boundary, kill.of, kill.after) if kill is not None else ()
        orders = Orders(self.spec(run), self.place.endpoint, self._options, self.place.root, errand, *fatal)
        if self._receiver is not None:
            orders = replace(orders, webhooks=self._receiver.settings)
        process = nursery().Process(target=obey, args=(orders,))
        with FAMILY:
            process.start()
        self.sums.runs += 1
        return process

    def kill(self, kill: Kill) -> bool:
        """Run a victim; whether it was killed, or had come to its end before."""
        killed = self.end(self.start(kill), kill.seconds)
        self.sums.missed += not killed
        self.check_foretold()
        return killed

    def end(self, process: ForkServerProcess, seconds: float | None = None) -> bool:
        """Wait for a victim's end, and bring it about after so many seconds; whether it was killed.

        Raises:
            RuntimeError: it failed, or it stood still.
        """
        code = self.exit_code(process, seconds, {0, -signal.SIGKILL})
        self.sums.kills += code != 0
        return code != 0

    def exit_code(self, process: ForkServerProcess, seconds: float | None, expected: set[int]) -> int:
        """The same; how it ended."""
        ended = wait([process.sentinel], self._patience_s if seconds is None else seconds)
        hangs = seconds is None and not ended
        with FAMILY:
            process.kill()
        wait([process.sentinel])
        with FAMILY:
            process.join()
            code = process.exitcode
            process.close()
        if hangs or code not in expected:
            told = self.place.root / TOLD
            raise RuntimeError(
                f"the victim {'stood still' if hangs else f'ended with {code}'}: {told.read_text()[-2000:]}"
            )
        return int(code)

    def check_foretold(self) -> None:
        """What was executed must stand in the ledger at every moment, since its intent comes before its POST.

        The end alone does not show it: a restart without intents sends the same UUIDs, and the API refuses them.
        """
        executed = self.place.server.bill()["tasks"].keys()
        if not executed:
            return
        self.fetch()
        unknown = executed - self.place.ledger().keys()
        if unknown:
            self.sums.violations.append(f"{len(unknown)} tasks were sent before the ledger knew of them")

    def finish(self) -> dict[str, Any]:
        """Run to the end; the account of it."""
        self.end(self.start())
        return self.account()

    def account(self, errand: Errand = RUN) -> dict[str, Any]:
        """What the last process said that came to the end of this errand."""
        account: dict[str, Any] = json.loads((self.place.root / errand.account).read_text(encoding="utf-8"))
        return account

    def judge(self, account: dict[str, Any]) -> None:
        """Compare the end with the bill."""
        self.judge_published(account["returned"])

    def judge_published(self, manifest: dict[str, Any] | None = None) -> None:
        """The same, with the manifest that was published if no other is given."""
        self.fetch()
        if manifest is None:
            manifest = json.loads((self.place.state / "manifest.json").read_text(encoding="utf-8"))
        self.sums.longest_s = max(self.sums.longest_s, manifest["duration_s"])
        self.sums.compare(self.place, manifest, self.records, output_retries=OUTPUT_RETRIES)
        if self.place.executed() < executions(self.records):
            self.sums.violations.append("not every answer that does not fit was shown to the model")
        held = {path.name for path in self.place.destination.iterdir() if not path.name.startswith(".")}
        if held != {file["path"] for file in manifest["files"]} | {"_SUCCESS"}:
            self.sums.violations.append(f"the dataset's folder holds {sorted(held)}")
        if manifest["outcomes"] != {"succeeded": self.records}:
            self.sums.violations.append(f"outcomes are {manifest['outcomes']}")

    def has_lease(self, below: str = "") -> bool:
        """Whether a process has begun its work, in the state folder of the place or in one below."""
        if not self._folder:
            return (self.place.state / below / LEASES).exists()
        return bool(self._bucket().list(f"{self._folder}/out.state{below and f'/{below}'}/{LEASES}"))

    def remove(self, below: str) -> None:
        """Take a file out of the state folder of the place."""
        if self._folder:
            self._bucket().delete(f"{self._folder}/out.state/{below}")
        else:
            (self.place.state / below).unlink(missing_ok=True)

    def _bucket(self) -> Storage:
        return Stores(lambda _: self._options or {}).open(self._folder)

    def fetch(self) -> None:
        """Bring what is in the bucket to the place's folder, where the audit looks."""
        if self._folder:
            fetch_job(self._bucket(), self._folder, self.place)


def fetch_job(bucket: Storage, folder: str, place: Place) -> None:
    """Bring the `out` and `out.state` of a folder in a bucket to a place's own folder."""
    for local in (place.destination, place.state):
        shutil.rmtree(local, ignore_errors=True)
    for entry in bucket.list(folder):
        path = place.root / entry.path.removeprefix(f"{folder}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        # Other processes may be at work, and remove what they are done with.
        with contextlib.suppress(FileNotFoundError):
            path.write_bytes(bucket.read(entry.path))


def tortured(scene: Scene, kills: tuple[Kill, ...]) -> Sums:
    """Kill a job so often, let it finish, and compare."""
    with scene:
        try:
            for kill in kills:
                killed = scene.kill(kill)
                # Those after it may be missed: the more a run does at once, the fewer there are of a name.
                is_always_there = bool(kill.of) and kill.boundary == 1 and kill is kills[0]
                if is_always_there and not killed:
                    scene.sums.violations.append("it never came there")
            scene.judge(scene.finish())
        except Exception as error:  # noqa: BLE001 - whatever went wrong is this scene's finding, and the others go on
            scene.sums.violations.append(f"{type(error).__name__}: {error}")
    where = f"{scene.combination.delivery}, {scene.combination.store}, killed {', '.join(map(str, kills))}"
    scene.sums.violations = [f"{where}: {text}" for text in scene.sums.violations]
    return scene.sums
