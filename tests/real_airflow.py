"""A real Airflow of a test's own: scheduler, executor, DAG processor and API server, on this machine only."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import quote, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import psutil

from runware_provider.testing.tryout import standalone, surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

PATIENCE_S = 150
"""Seconds until whatever a test waits for has to be there."""
_BETWEEN_LOOKS_S = 0.05
_OPENER = build_opener(ProxyHandler({}))
"""Never by a proxy: it is this machine."""


class Api:
    """Airflow's REST API, for the administrator that everybody is here.

    Args:
        page: the address of Airflow.
        login: a user and a password, where not everybody is one.
    """

    def __init__(self, page: str, login: tuple[str, str] | None = None) -> None:
        self.page = page
        asked = (
            ("GET", None)
            if login is None
            else ("POST", dict(zip(("username", "password"), login, strict=True)))
        )
        self.token = self("auth/token", *asked, prefix="")["access_token"]

    def __call__(self, path: str, method: str = "GET", body: Any = None, *, prefix: str = "api/v2/") -> Any:
        headers = {"Content-Type": "application/json"}
        if prefix:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        asked = Request(f"{self.page}/{prefix}{path}", data=data, headers=headers, method=method)  # noqa: S310 - loopback
        with _OPENER.open(asked, timeout=PATIENCE_S) as reply:
            return json.load(reply)

    def trigger(self, dag_id: str, **conf: Any) -> str:
        """Start a run of a DAG; returns the path of the run."""
        run = self(f"dags/{dag_id}/dagRuns", "POST", {"logical_date": None, "conf": conf})
        return f"dags/{dag_id}/dagRuns/{quote(run['dag_run_id'])}"


@dataclass(frozen=True)
class RealAirflow:
    """One that runs.

    Args:
        api: how to talk to it.
        home: its folder.
        log: what its processes say.
        pid: of the process that started all others; of the API server where they were started one by one.
        environment: of all its processes.
    """

    api: Api
    home: Path
    log: Path
    pid: int
    environment: Mapping[str, str] = field(repr=False)

    def processes(self, component: str) -> list[psutil.Process]:
        """Those of a component, such as `triggerer`."""
        found = []
        for process in surroundings.descendants(self.pid):
            with contextlib.suppress(psutil.Error):
                if component in process.cmdline() or f"airflow {component}" in " ".join(process.cmdline()):
                    found.append(process)
        return found

    @contextlib.contextmanager
    def one_more(self, component: str) -> Iterator[None]:
        """Run another process of a component, on this machine too; it ends with the block."""
        log = self.log.with_name(f"{component}-{secrets.token_hex(4)}.log")
        command = ["-m", "airflow", component, "--skip-serve-logs"]
        with log.open("wb") as output, surroundings.running(command, self.environment, output):
            yield

    def connected_to(self, url: str) -> list[psutil.Process]:
        """Those of its processes that have a connection to the server at this URL open."""
        found, port = [], urlsplit(url).port
        for process in surroundings.descendants(self.pid):
            with contextlib.suppress(psutil.Error):
                if any(getattr(one.raddr, "port", None) == port for one in process.net_connections("tcp")):
                    found.append(process)
        return found

    def told(self) -> str:
        """What all its logs say, and that of each task."""
        logs = [*sorted(self.log.parent.glob("*.log")), *sorted((self.home / "logs").rglob("*.log"))]
        return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in logs)


@contextlib.contextmanager
def real_airflow(
    folder: Path,
    dags: Path,
    variables: Mapping[str, str],
    *,
    login: tuple[str, str] | None = None,
    path: str = "",
    commands: Sequence[Sequence[str]] = (),
) -> Iterator[RealAirflow]:
    """Start it and wait until it answers; it ends with the block, with all its tasks.

    Args:
        folder: gets its home and its log.
        dags: the folder of DAGs.
        variables: of the environment, beside those that it needs; `{page}` in one is the address of its pages.
        login: as of `Api`.
        path: below which it is served, such as `/airflow`.
        commands: of Airflow, that are carried out first. With some, its parts are started one by one, since
            `airflow standalone` has no auth manager but its own.
    """
    home, log, port = folder / "home", folder / "standalone.log", surroundings.free_port()
    nobody = surroundings.Service("http://127.0.0.1:9/v1", "no-key", local=True)
    environment = {
        **surroundings.environment_of_airflow({}, home, nobody, folder / "out"),
        **standalone.settings(port),
        # Not the usual ones: another Airflow that starts at this moment would take them for free, too.
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(surroundings.free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(surroundings.free_port()),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__PARALLELISM": "6",
        # Airflow fails a task whose API server takes 5 s for an answer, as it may on a busy machine.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": str(PATIENCE_S),
        # A scheduler that finds SQLite locked for longer than it waits for it dies.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout={PATIENCE_S}",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}{path}",
        **{name: value.replace("{page}", f"http://127.0.0.1:{port}") for name, value in variables.items()},
    }
    home.mkdir(parents=True)
    with log.open("wb") as output, contextlib.ExitStack() as stack:
        for command in commands:
            with surroundings.running(["-m", "airflow", *command], environment, output) as process:
                assert process.wait(PATIENCE_S) == 0, f"airflow {' '.join(command)} failed; see {log}"
        processes = []
        for part in ("api-server", "dag-processor", "scheduler") if commands else ("standalone",):
            started = surroundings.running(["-m", "airflow", part], environment, output)
            processes.append(stack.enter_context(started))
        page = f"http://127.0.0.1:{port}{path}"

        def has_ended() -> bool:
            return any(process.poll() is not None for process in processes)

        until(lambda: has_ended() or answers(page), "Airflow answers")
        assert not has_ended(), f"a part of Airflow ended at once; see {log}"
        yield RealAirflow(Api(page, login), home, log, processes[0].pid, environment)


def answers(page: str) -> bool:
    """Whether Airflow's API server is there."""
    with contextlib.suppress(URLError, OSError):
        _OPENER.open(f"{page}/api/v2/version", timeout=5).close()
        return True
    return False


def until(
    reached: Callable[[], Any],
    what: str,
    every_s: float = _BETWEEN_LOOKS_S,
    patience_s: float = PATIENCE_S,
) -> None:
    """Return when it is so.

    Raises:
        AssertionError: it never came to that.
    """
    pause = threading.Event()
    for _ in range(int(patience_s / every_s)):
        if reached():
            return
        pause.wait(every_s)
    raise AssertionError(f"never seen: {what}")


def complaints(told: str) -> list[str]:
    """The lines of a log that a newcomer would worry about."""
    words = r"deprecat|traceback|\[error|level.{2,4}(error|critical)"
    return [line for line in told.splitlines() if re.search(words, line, re.IGNORECASE)]
