"""What a try-out needs around the DAGs: an Airflow of its own, a service to ask, and an end to all of it.

Nothing of the user's own Airflow is touched: the environment variables that point to it are left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

PROJECT: Final = Path(__file__).resolve().parents[4]
LOCAL_KEY: Final = "local-key"
ANSWERS: Final = PROJECT / "include" / "answers"
"""The tables of what the local API server says about the samples."""
START_S: Final = 60.0
"""Seconds that the local API server may take until it listens."""
STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_S: Final = 20.0
"""Seconds that a process may take to stop before it is killed."""


class TryOutFailed(Exception):  # noqa: N818 - it is caught and shown, not programmed against
    """The try-out cannot go on; the message is for the person in front of it."""


@dataclass(frozen=True)
class Service:
    """Whom the DAGs ask.

    Args:
        base_url: where it answers; empty for the vendor's own address.
        key: the API key.
        local: whether it is the local API server, which costs nothing.
    """

    base_url: str
    key: str
    local: bool

    def __repr__(self) -> str:
        return f"Service(base_url={self.base_url!r}, local={self.local})"

    def connection(self) -> str:
        """The Airflow connection, as JSON."""
        return json.dumps({"conn_type": "runware", "host": self.base_url, "password": self.key})


NOT_OURS: Final = (
    "ignore:GitWildMatchPattern:DeprecationWarning",
    "ignore:Could not import graphviz:UserWarning",
    "ignore:Using `httpx` with `starlette.testclient` is deprecated:UserWarning",
)
"""What Airflow 3.3 warns about in itself and in its dependencies, at every start: noise in front of a newcomer."""


@contextlib.contextmanager
def service(environment: Mapping[str, str], folder: Path) -> Iterator[Service]:
    """The real service if the environment holds a key, the local API server for the duration otherwise.

    Args:
        environment: `RUNWARE_API_KEY` and `RUNWARE_BASE_URL` are looked at.
        folder: gets the local server's log.

    Raises:
        TryOutFailed: the local server did not start.
    """
    key = environment.get("RUNWARE_API_KEY", "").strip()
    if key:
        yield Service(environment.get("RUNWARE_BASE_URL", "").strip(), key, local=False)
        return
    ready, log = folder / "local-server.url", folder / "local-server.log"
    ready.unlink(missing_ok=True)
    command = [
        "-m",
        "runware_provider.testing",
        "--port",
        "0",
        "--key",
        LOCAL_KEY,
        "--ready-file",
        str(ready),
    ]
    command += ["--answers", *map(str, sorted(ANSWERS.glob("*.parquet")))]
    with log.open("wb") as output, running(command, environment_of_python(environment), output) as process:
        yield Service(_wait_for_url(process, ready, log), LOCAL_KEY, local=True)


def _wait_for_url(process: subprocess.Popen[bytes], ready: Path, log: Path) -> str:
    deadline = time.monotonic() + START_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise TryOutFailed(f"The local API server did not start. Its log, {log}, ends with:\n{tail(log)}")
        time.sleep(0.05)
    return ready.read_text(encoding="utf-8").strip()


def environment_of_python(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the user's own Airflow and without the key, with this package importable.

    Proxies are told to leave this machine's own addresses alone.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if not name.startswith("AIRFLOW") and name != "RUNWARE_API_KEY"
    }
    path = [str(PROJECT / "plugins"), kept.get("PYTHONPATH", "")]
    unproxied = [kept.get("no_proxy") or kept.get("NO_PROXY", ""), "127.0.0.1", "localhost"]
    programs = [str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(part for part in path if part),
        "PYTHONUNBUFFERED": "1",
        "PATH": os.pathsep.join(programs),
        "no_proxy": ",".join(part for part in unproxied if part),
        "NO_PROXY": ",".join(part for part in unproxied if part),
    }


def environment_of_airflow(
    environment: Mapping[str, str], home: Path, asked: Service, output: Path
) -> dict[str, str]:
    """The environment of an Airflow that lives in `home` and knows this project's DAGs and plugin.

    Args:
        environment: what to start from, usually the process's own.
        home: the Airflow home.
        asked: what the connection `runware_default` points to.
        output: the folder that the example DAGs write into.
    """
    return {
        **environment_of_python(environment),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW_CONN_RUNWARE_DEFAULT": asked.connection(),
        "PYTHONWARNINGS": ",".join([*NOT_OURS, *filter(None, [environment.get("PYTHONWARNINGS")])]),
        "RUNWARE_OUTPUT": environment.get("RUNWARE_OUTPUT") or str(output),
    }


def migrate(environment: Mapping[str, str], home: Path) -> None:
    """Make Airflow's database where there is none of this Airflow version yet.

    Raises:
        TryOutFailed: Airflow could not.
    """
    done = home / f".database-{version('apache-airflow-core')}"
    if done.exists():
        return
    home.mkdir(parents=True, exist_ok=True)
    log = home / "migrate.log"
    with (
        log.open("wb") as output,
        running(["-m", "airflow", "db", "migrate"], environment, output) as process,
    ):
        if process.wait() != 0:
            raise TryOutFailed(f"Airflow could not make its database. {log} ends with:\n{tail(log)}")
    done.touch()


@contextlib.contextmanager
def running(
    arguments: list[str], environment: Mapping[str, str], output: Any, errors: Any = subprocess.STDOUT
) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process that ends with the block, together with everything that it started.

    It gets a session of its own, so that Ctrl-C reaches only this process, which then stops it in order.

    Args:
        arguments: what follows the interpreter.
        environment: its whole environment.
        output: where its standard output goes, as for `subprocess.Popen`.
        errors: where its standard error goes; to its standard output by default.
    """
    with subprocess.Popen(  # noqa: S603 - our own interpreter and modules
        [sys.executable, *arguments],
        env=dict(environment),
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with undisturbed():
                stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to stop, then kill what is left of it and of its descendants."""
    family = descendants(process.pid)
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
    left = [member for member in {*family, *descendants(process.pid)} if alive(member)]
    for member in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.terminate()
    _, stubborn = psutil.wait_procs(left, timeout=STOP_S / 4)
    for member in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(stubborn, timeout=STOP_S / 4)


def descendants(pid: int) -> list[psutil.Process]:
    """The process and everything that it started, as far as it is still alive."""
    try:
        leader = psutil.Process(pid)
        return [*leader.children(recursive=True), leader]
    except psutil.NoSuchProcess:
        return []


def alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that ended and that nobody has waited for does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does, so that every block is left in order.

    Ctrl-C itself is set as well: a shell starts its background jobs with it ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature is given
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let no further Ctrl-C interrupt the cleaning up."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def free_port(wanted: int = 0) -> int:
    """The wanted port of this machine, or another one if somebody listens there."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise TryOutFailed("This machine has no free port.")


def tail(log: Path, lines: int = 30) -> str:
    """The last lines of a log."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])
