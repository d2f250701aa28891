"""What the benchmarks share: a local API server in a process of its own, and what other processes took.

Processor time is the operating system's account of a process and of all that it started and waited for, peak memory that of
the process, or of it and its descendants where that is more, looked at every so often. Seconds of the wall depend on the
machine and on who shares it, processor time much less so: what is to be compared is the ratios within one run of a script.
The process that starts others stays small (it imports no pyarrow): what it holds would count as the peak of those that it starts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from process_tree import memory_mb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# Each of the many processes would compile the project anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

PLUGINS = Path(__file__).resolve().parents[1] / "plugins"
KEY = "test-key"
LOOK_EVERY_S = 0.05
MOST_S = 7200.0
"""After which a process that hangs is killed."""
SCHEMA = {
    "type": "object",
    "properties": {
        "label": {"type": "string", "enum": ["bug", "praise", "other"]},
        "floor": {"type": ["integer", "null"]},
    },
    "required": ["label", "floor"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Took:
    """What one process took."""

    processor_s: float
    wall_s: float
    peak_mb: float
    first_new_s: float | None = None
    """Of the wall, until the API executed something new; None where nobody looked, or it never did."""
    server_s: float = 0.0
    """Processor time of the local API server meanwhile."""
    ended: bool = True
    """Whether it came to its end; else it was killed, as it was to be or because it took too long."""
    told: Any = field(default=None, repr=False)
    """What it printed, of JSON."""


@dataclass(frozen=True)
class LocalServer:
    """A local API server that runs."""

    url: str
    pid: int

    def bill(self) -> dict[str, Any]:
        """What it executed and charged so far, in sum."""
        bill = f"{self.url.removesuffix('/v1')}/_local/bill?summary=1"
        told: dict[str, Any] = httpx.get(bill, timeout=60, trust_env=False).json()
        return told

    def executed(self) -> int:
        """Inferences that it executed so far."""
        return int(self.bill()["executed"])


@contextlib.contextmanager
def local_server(
    *options: str, latency_s: float = 0.0, faults: Sequence[dict[str, Any]] = ()
) -> Iterator[LocalServer]:
    """Start a local API server of this project on a free port.

    Args:
        options: further ones of its command line.
        latency_s: of each inference.
        faults: that are active from the start.
    """
    with tempfile.TemporaryDirectory() as folder:
        ready, script = Path(folder) / "url", Path(folder) / "faults.json"
        script.write_text(json.dumps(list(faults)))
        command = [sys.executable, "-m", "runware_provider.testing", "--ready-file", str(ready), "--key", KEY]
        command += ["--latency", str(latency_s), "--capacity", "100000", "--balance", "1000000000"]
        command += ["--faults", str(script), *options]
        environment = {**os.environ, "PYTHONPATH": str(PLUGINS)}
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            try:
                while not ready.exists():
                    assert process.poll() is None, "the local API server did not start"
                    time.sleep(0.02)
                yield LocalServer(ready.read_text(encoding="utf-8").strip(), process.pid)
            finally:
                process.terminate()


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def engine(*arguments: str) -> list[str]:
    """A command line of the engine."""
    return [sys.executable, "-m", "runware_provider.engine", *arguments]


@dataclass
class _Running:
    process: subprocess.Popen[bytes]
    started: float
    killed: bool = False


@dataclass(frozen=True)
class Processes:
    """Runs processes against a local API server, and says what they took.

    Args:
        server: the server.
        plugins: the folder of the engine that is measured, this project's by default.
        most_s: a process that takes longer is killed.
        environment: of the processes; None for what the engine needs.
    """

    server: LocalServer
    plugins: Path = PLUGINS
    most_s: float = MOST_S
    environment: Mapping[str, str] | None = None

    def run(self, command: Sequence[str], *, kill_at: int | None = None, looks: bool = False) -> Took:
        """Run one process.

        Args:
            command: that prints JSON, or nothing.
            kill_at: it is killed (SIGKILL) when the server has executed so many inferences; None for never.
            looks: whether it is noted when the server executes something new.

        Raises:
            RuntimeError: it failed; the last of what it said is in the message.
        """
        server = self.server
        server_before = processor_seconds(server.pid)
        executed_before = server.executed() if looks else 0
        first_new_s, killed, peak_mb = None, False, 0.0
        with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as said:
            process, started = self._start(command, told, said), time.monotonic()
            while (account := os.wait4(process.pid, os.WNOHANG))[0] == 0:
                time.sleep(LOOK_EVERY_S)
                passed = time.monotonic() - started
                peak_mb = max(peak_mb, memory_mb(process.pid))
                executed = server.executed() if looks or kill_at is not None else 0
                if looks and first_new_s is None and executed > executed_before:
                    first_new_s = passed
                if passed > self.most_s or (kill_at is not None and executed >= kill_at):
                    killed = True
                    os.kill(
                        process.pid, signal.SIGKILL
                    )  # Popen.kill might reap it, and with it the account of it
            wall_s = time.monotonic() - started
            _, status, usage = account
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode and not killed:
                raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {_tail(said)}")
            told.seek(0)
            output = told.read()
        return Took(
            processor_s=usage.ru_utime + usage.ru_stime,
            wall_s=wall_s,
            peak_mb=max(peak_mb, usage.ru_maxrss / 1024),
            first_new_s=first_new_s,
            server_s=processor_seconds(server.pid) - server_before,
            ended=not killed,
            told=json.loads(output) if output and not killed else None,
        )

    def run_all(self, commands: Sequence[Sequence[str]], *, at_once: int) -> Took:
        """Run many processes, some at a time.

        Returns:
            Processor time in sum, the wall from the first start to the last end, the highest peak of one process; killed
            if one of them took too long.

        Raises:
            RuntimeError: one of them failed.
        """
        server_before, began = processor_seconds(self.server.pid), time.monotonic()
        waiting, ended = list(commands)[::-1], []
        running: dict[int, _Running] = {}
        with tempfile.TemporaryFile() as said:
            while waiting or running:
                while waiting and len(running) < at_once:
                    process = self._start(waiting.pop(), subprocess.DEVNULL, said)
                    running[process.pid] = _Running(process, time.monotonic())
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if pid not in running:
                    time.sleep(LOOK_EVERY_S)
                    self._kill_late(running.values())
                    continue
                process, killed = running[pid].process, running.pop(pid).killed
                process.returncode = os.waitstatus_to_exitcode(status)
                if process.returncode and not killed:
                    raise RuntimeError(f"a process ended with {process.returncode}: {_tail(said)}")
                ended.append((usage, killed))
        return Took(
            processor_s=sum(usage.ru_utime + usage.ru_stime for usage, _ in ended),
            wall_s=time.monotonic() - began,
            peak_mb=max(usage.ru_maxrss for usage, _ in ended) / 1024,
            server_s=processor_seconds(self.server.pid) - server_before,
            ended=not any(killed for _, killed in ended),
        )

    def _kill_late(self, running: Iterable[_Running]) -> None:
        for late in running:
            if not late.killed and time.monotonic() - late.started > self.most_s:
                late.killed = True
                os.kill(late.process.pid, signal.SIGKILL)

    def _start(self, command: Sequence[str], told: Any, said: Any) -> subprocess.Popen[bytes]:
        environment = self.environment or {
            **os.environ,
            "PYTHONPATH": str(self.plugins),
            "RUNWARE_API_KEY": KEY,
            "RUNWARE_BASE_URL": self.server.url,
        }
        return subprocess.Popen(command, env=environment, stdout=told, stderr=said)


def _tail(said: Any) -> str:
    said.seek(0)
    return bytes(said.read()[-2000:]).decode(errors="replace")


def body(number: int, characters: int = 0) -> str:
    """A question of about 90 characters, or of so many, half of which no compression makes shorter."""
    question = f"Ticket {number}: the printer on floor {number % 40} is broken again, please send somebody"
    while len(question) < characters:
        question += f" {hashlib.blake2b(question.encode(), digest_size=32).hexdigest()}"
    return question[:characters] if characters else question
