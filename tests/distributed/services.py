"""Postgres and Redis of a test's own: Debian's programs, on free ports, in a folder that the test removes."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from runware_provider.testing.tryout.surroundings import free_port
from tests.real_airflow import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DEBIAN_POSTGRES = Path("/usr/lib/postgresql")
NOT_THERE = "Celery, Postgres or Redis is not here; make test-distributed says what is missing"
UNPRIVILEGED = ("postgres", "nobody")
"""Whom root lets run Postgres, which refuses to be run by root: the first of them that the machine knows."""
START_S = 120.0
END_S = 30.0
"""Seconds that a service may take to end before it is killed."""


@dataclass(frozen=True)
class Programs:
    """Where the machine has them."""

    initdb: Path
    postgres: Path
    pg_isready: Path
    redis: Path


def programs() -> Programs | None:
    """The newest Postgres that Debian's packages have laid down, and Redis; None where either is missing."""
    versions = [path for path in DEBIAN_POSTGRES.glob("*") if (path / "bin" / "postgres").exists()]
    redis = shutil.which("redis-server")
    if not versions or redis is None:
        return None
    binaries = max(versions, key=lambda path: float(path.name)) / "bin"
    return Programs(binaries / "initdb", binaries / "postgres", binaries / "pg_isready", Path(redis))


def has_celery() -> bool:
    """Whether this environment can run Airflow's tasks by Celery."""
    try:
        version("apache-airflow-providers-celery")
    except PackageNotFoundError:
        return False
    return True


@contextlib.contextmanager
def postgres(folder: Path, programs: Programs) -> Iterator[str]:
    """Run it; gives `user:password@address/database` of a database for Airflow.

    Args:
        folder: gets its data and its log. Whoever runs Postgres has to be able to walk there.
        programs: of this machine.
    """
    runs_it, password, port = _who_runs_postgres(), secrets.token_hex(16), free_port()
    folder.mkdir()
    _make_data(folder, programs, password, runs_it)
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        # What a crash of the machine would cost is the test's own data.
        "fsync": "off",
        "max_connections": 200,
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    command = [str(programs.postgres), "-D", str(folder / "data"), *options]
    with _service(command, folder / "postgres.log", runs_it=runs_it):
        asks = [programs.pg_isready, "--quiet", "--host", "127.0.0.1", "--port", str(port)]
        until(lambda: subprocess.run(asks, check=False).returncode == 0, "Postgres answers", every_s=0.2)
        yield f"airflow:{password}@127.0.0.1:{port}/postgres"


@contextlib.contextmanager
def redis(folder: Path, programs: Programs) -> Iterator[str]:
    """Run it, in memory alone; gives its URL.

    Args:
        folder: gets its log.
        programs: of this machine.
    """
    password, port = secrets.token_hex(16), free_port()
    folder.mkdir()
    # By its standard input: a command line can be read by everybody on the machine.
    settings = f"""
        bind 127.0.0.1
        port {port}
        requirepass {password}
        dir {folder}
        save ""
        appendonly no
    """
    log = folder / "redis.log"
    with _service([str(programs.redis), "-"], log, told=settings):
        until(lambda: "Ready to accept connections" in log.read_text(encoding="utf-8"), "Redis answers")
        yield f"redis://:{password}@127.0.0.1:{port}/0"


def processes_of(folder: Path) -> list[str]:
    """The command lines of those that work in a folder, or whose Airflow lives there."""
    command_lines = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            places = (process.cwd(), process.environ().get("AIRFLOW_HOME", ""))
            if any(Path(place).is_relative_to(folder) for place in places):
                command_lines.append(" ".join(process.cmdline()))
    return command_lines


def _who_runs_postgres() -> pwd.struct_passwd | None:
    """Another user than the one who runs the test; None if that one may."""
    if os.geteuid() != 0:
        return None
    users = {user.pw_name: user for user in pwd.getpwall()}
    return next(users[name] for name in UNPRIVILEGED if name in users)


def _make_data(folder: Path, programs: Programs, password: str, runs_it: pwd.struct_passwd | None) -> None:
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(password, encoding="utf-8")
    if runs_it is not None:
        for path in (folder, secret):
            os.chown(path, runs_it.pw_uid, runs_it.pw_gid)
    made = subprocess.run(
        [
            *(programs.initdb, "--pgdata", folder / "data", "--username", "airflow", "--pwfile", secret),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
        ],
        **_as_user(runs_it),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    assert made.returncode == 0, made.stderr


def _as_user(user: pwd.struct_passwd | None) -> dict[str, Any]:
    """What starts a process as somebody else, with none of the starter's groups."""
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def _service(
    command: Sequence[str], log: Path, *, runs_it: pwd.struct_passwd | None = None, told: str = ""
) -> Iterator[None]:
    """A program that runs until the end of the block, and is told something at its start."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            **_as_user(runs_it),
            cwd=log.parent,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for the test, which then ends the program in order.
            start_new_session=True,
        ) as process,
    ):
        assert process.stdin is not None
        process.stdin.write(told.encode())
        process.stdin.close()
        try:
            yield
        finally:
            # Of Postgres this is the end that waits for nobody who is still connected.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
