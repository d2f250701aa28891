"""Jobs against the local API server, over a real socket, with real Parquet in a temporary folder."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.engine.attempt import Kind
from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.identity import Key, task_uuid
from runware_provider.engine.job.leg import WHOLE, Leg
from runware_provider.engine.job.plan import plan
from runware_provider.engine.job.run import run_job
from runware_provider.engine.spec import Spec
from runware_provider.testing import Fault, ServerSettings
from tests.answers import total_of
from tests.engine.cloud import Cloud, a_cloud
from tests.forked import PLUGINS, CommandLine
from tests.holding_server import HoldingServer
from tests.store_servers import SERVERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

KEY = "key-of-the-tests-0123456789"
FAST = {"poll_interval_s": 0.02, "deadline_s": 60.0, "request_timeout_s": 60.0, "unreachable_s": 60.0}
SCHEMA = {
    "type": "object",
    "title": "Invoice",
    "properties": {"total": {"type": "number"}},
    "required": ["total"],
}
STOPPED_TOGETHER = 32
LOOKS = 30_000
BETWEEN_LOOKS_S = 0.01
HARD_STOP_S = 300
"""After which a command line that hangs is killed, so that a test fails and does not stand still."""


def body_of(number: int) -> str:
    return f"Invoice {number} from Shop {number} GmbH\nTotal: {number}.50 EUR"


def merged(usual: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Arguments of which some are others: of a value object that is given as a dict, the fields that it names."""
    parts = {
        name: {**usual[name], **changes[name]}
        for name in ("answers", "failures", "limits")
        if isinstance(changes.get(name), dict)
    }
    return usual | changes | parts


@dataclass
class Place:
    """A source, a destination and a server."""

    root: Path
    server: HoldingServer
    limits: dict[str, Any] = field(default_factory=lambda: dict(FAST))

    @property
    def source(self) -> Path:
        return self.root / "in"

    @property
    def destination(self) -> Path:
        return self.root / "out"

    @property
    def state(self) -> Path:
        return self.root / "out.state"

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.server.base_url, KEY)

    def fill(self, records: int | Sequence[Any], name: str = "a.parquet", **columns: Any) -> None:
        """Write a file with `n` and `body`; a number stands for so many different documents."""
        bodies = [body_of(n) for n in range(records)] if isinstance(records, int) else list(records)
        self.put(pa.table({"n": range(len(bodies)), "body": pa.array(bodies, pa.string()), **columns}), name)

    def put(self, table: pa.Table, name: str = "a.parquet") -> None:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)

    def spec(self, **changes: Any) -> Spec:
        usual = {
            "source": str(self.source),
            "destination": str(self.destination),
            "prompt": "What is the total?\n{{ record.body }}",
            "output_type": SCHEMA,
            # Where a test is about something else, its few failures do not matter, and each answer is asked for once.
            "failures": {"most": None},
            "answers": {"output_retries": 0},
            "limits": self.limits,
        }
        return Spec(**merged(usual, changes))

    async def run(
        self,
        *,
        key: str = KEY,
        base_url: str | None = None,
        stop: Any = None,
        webhooks: Any = None,
        leg: Leg = WHOLE,
        **changes: Any,
    ) -> dict[str, Any]:
        endpoint = Endpoint(base_url or self.server.base_url, key)
        return await run_job(self.spec(**changes), endpoint, stop=stop, webhooks=webhooks, leg=leg)

    def plan(self, *, prices: Any = None, **changes: Any) -> dict[str, Any]:
        return plan(self.spec(**changes), prices)

    def rows(self, folder: Path | None = None) -> list[dict[str, Any]]:
        """The dataset that the manifest names, in order."""
        parts = sorted((folder or self.destination).glob("*.parquet"))
        return [row for part in parts for row in pq.ParquetFile(part).read().to_pylist()]

    def outcomes(self) -> list[str]:
        return [row["inference"]["outcome"] for row in self.rows()]

    def executed(self) -> int:
        return int(self.server.bill_summary()["executed"])

    def asked_nothing(self) -> bool:
        bill = self.server.bill_summary()
        return bill["executed"] == 0 and not bill["refused"] and bill["requests"] == 0

    def ledger(self) -> dict[str, dict[str, Any]]:
        """By task UUID what the segments of the place and of its shards say, merged by rank as the format's page has it."""
        merged: dict[str, dict[str, Any]] = {}
        for path in sorted(self.state.rglob("*.segment")):
            job = json.loads((path.parents[1] / "job.json").read_text(encoding="utf-8"))
            for row in pq.ParquetFile(path).read().drop_columns(["at"]).to_pylist():
                key = Key(row["fingerprint"], row["sample"], row["generation"])
                # What was copied keeps the UUID under which another ledger sent it.
                sent_by = row.get("origin") or bytes.fromhex(job["job_id"])
                known = merged.setdefault(task_uuid(sent_by, key, row["attempt"]), row)
                if row["kind"] > known["kind"]:
                    known.update(row)
        return merged

    def audit(self, manifest: dict[str, Any], records: int, *, output_retries: int = 0) -> None:
        """Compare rows, ledger and manifest with the server's bill, task by task."""
        rows, ledger, bill = self.rows(), self.ledger(), self.server.bill()
        assert [row["n"] for row in rows] == list(range(records))
        assert manifest["records"] == manifest["rows"] == sum(manifest["outcomes"].values()) == records
        assert Counter(row["inference"]["outcome"] for row in rows) == manifest["outcomes"]
        for name, line in bill["tasks"].items():
            assert line["executed"] == 1, f"{name} was executed {line['executed']} times"
            assert ledger[name]["kind"] >= Kind.SPENT, f"{name} was executed, and nothing is known of it"
        answered = Counter(row["fingerprint"] for row in ledger.values() if row["kind"] == Kind.ANSWERED)
        assert set(answered.values()) <= set(range(1, 2 + output_retries))
        unreported = [name for name, line in bill["tasks"].items() if ledger[name]["cost_pico_usd"] is None]
        told = bill["cost_usd"] - sum(bill["tasks"][name]["cost_usd"] for name in unreported)
        # What another ledger of the place had paid before is reused by this one.
        assert manifest["cost_usd"] + manifest["reused_usd"] == pytest.approx(told, abs=1e-9)
        charged = [name for name in unreported if bill["tasks"][name]["charged"]]
        assert len(charged) <= manifest["cost_unreported"] + manifest["maybe_billed"]
        for row in rows:
            said = row["inference"]
            if said["outcome"] == "succeeded":
                assert ledger[said["task_uuid"]]["kind"] == Kind.ANSWERED
                # A text is whatever the model says.
                assert isinstance(row["result"], str) or row["result"]["total"] == row["n"] + 0.5

    # the command line, as a process

    def arguments(self, command: str = "run", **options: Any) -> list[str]:
        usual = {
            "source": str(self.source),
            "destination": str(self.destination),
            "prompt": "What is the total?\n{{ record.body }}",
            "schema": str(self._schema_file()),
            "max_failed": "none",
            "output_retries": 0,
        }
        given = {name: value for name, value in {**usual, **options}.items() if value is not None}
        words = [
            [f"--{name.replace('_', '-')}", str(value)] for name, value in given.items() if value is not True
        ]
        flags = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is True]
        return [command, *(word for pair in words for word in pair), *flags]

    def environment(self, **changes: str) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        ours = {"PYTHONPATH": str(PLUGINS), "RUNWARE_BASE_URL": self.server.base_url, "RUNWARE_API_KEY": KEY}
        return {**inherited, **ours, **changes}

    def start(self, *arguments: str, **changes: str) -> CommandLine:
        return CommandLine(arguments, self.environment(**changes), self.root)

    def kill_at(self, fault: Fault, *arguments: str, **changes: str) -> None:
        """Start a process that stands still at a fault, kill it there, and take the fault away."""
        self.server.script(fault)
        pause = threading.Event()
        with self.start(*arguments, **changes) as process:
            for _ in range(LOOKS):
                if self.server.faults()[-1]["fired"] or process.poll() is not None:
                    break
                pause.wait(BETWEEN_LOOKS_S)
            process.kill()
            process.communicate()
        self.server.clear_faults()

    def call(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments, **changes) as process:
            out, told = process.communicate(timeout=HARD_STOP_S)
            return subprocess.CompletedProcess(arguments, process.wait(), out, told)

    def call_python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The same as users start it, by the interpreter, which takes a second longer."""
        return subprocess.run(
            [sys.executable, "-m", "runware_provider.engine", *arguments],
            env=self.environment(),
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=HARD_STOP_S,
            check=False,
        )

    def _schema_file(self) -> Path:
        path = self.root / "schema.json"
        path.write_text(json.dumps(SCHEMA), encoding="utf-8")
        return path


@contextlib.contextmanager
def places_below(folder: Path) -> Iterator[Callable[..., Place]]:
    servers: list[HoldingServer] = []

    def make(name: str = "job", **settings: Any) -> Place:
        root = folder / name
        root.mkdir()
        server = HoldingServer(ServerSettings(key=KEY, **{"latency": 0.0, "answers": total_of, **settings}))
        server.__enter__()
        servers.append(server)
        return Place(root, server)

    try:
        yield make
    finally:
        with ThreadPoolExecutor(STOPPED_TOGETHER) as pool:  # each takes a moment to stop
            list(pool.map(lambda server: server.__exit__(None, None, None), servers))


@pytest.fixture
def new_place(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """Makes places, each with a server of its own that has the given settings."""
    with places_below(tmp_path) as make:
        yield make


@pytest.fixture(scope="module")
def new_shared_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Place]]:
    """The same, for jobs that run side by side and are looked at by many tests."""
    with places_below(tmp_path_factory.mktemp("places")) as make:
        yield make


@pytest.fixture(scope="session")
def plain_server() -> Iterator[HoldingServer]:
    with HoldingServer(ServerSettings(key=KEY, latency=0.0, answers=total_of)) as server:
        yield server


@pytest.fixture
def place(plain_server: HoldingServer, tmp_path: Path) -> Place:
    """A place with a server that answers at once and has forgotten the test before."""
    plain_server.clear_faults()
    plain_server.reset()
    root = tmp_path / "job"
    root.mkdir()
    return Place(root, plain_server)


@pytest.fixture(params=SERVERS)
def cloud(request: pytest.FixtureRequest, place: Any) -> Iterator[Cloud]:
    yield from a_cloud(request.param, place)


@pytest.fixture
def s3_cloud(place: Any) -> Iterator[Cloud]:
    """For what the stores do alike, or the proxy can do in S3's words alone."""
    yield from a_cloud("s3", place)
