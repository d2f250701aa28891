"""An Airflow as it is deployed: each component a process of its own, tasks by Celery, on this machine only."""

from __future__ import annotations

import contextlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Self

import psutil

from runware_provider.testing.tryout import standalone, surroundings
from tests.distributed.services import Programs, postgres, redis
from tests.real_airflow import PATIENCE_S, Api, answers, until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping
    from pathlib import Path

WORKERS: Final = ("worker-1", "worker-2")
SLOTS_OF_A_WORKER: Final = 4
_COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "api-server": ("api-server",),
    "dag-processor": ("dag-processor",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "triggerer": ("triggerer", "--skip-serve-logs"),
    **{
        name: ("celery", "worker", "--skip-serve-logs", "--celery-hostname", f"{name}@%h") for name in WORKERS
    },
}
"""What runs, and by which of Airflow's commands."""
_MISSED_SOON: Final = {
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
}
"""So that a test need not wait for minutes until who was killed is missed; not so soon that a starved one is."""


class Cluster:
    """Runs from `with` to its end, with all that it has started.

    Args:
        folder: gets everything. Other users have to be able to walk there.
        dags: the folder of DAGs.
        programs: of this machine.
        variables: of the environment, beside those that Airflow needs.
    """

    def __init__(self, folder: Path, dags: Path, programs: Programs, variables: Mapping[str, str]) -> None:
        self.home = folder / "home"
        self.logs = folder / "logs"
        self._folder = folder
        self._dags = dags
        self._programs = programs
        self._variables = variables
        self._stack = ExitStack()
        self._components: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self.logs.mkdir()
        with ExitStack() as started:
            database = started.enter_context(postgres(self._folder / "postgres", self._programs))
            broker = started.enter_context(redis(self._folder / "redis", self._programs))
            port = surroundings.free_port()
            self._environment = self._environment_of(database, broker, port)
            surroundings.migrate(self._environment, self.home)
            self._stack = started.pop_all()
        try:
            for name in _COMMANDS:
                self.start(name)
            page = f"http://127.0.0.1:{port}"
            self.until(lambda: answers(page), "Airflow answers")
            self.api = Api(page)
            self.until(lambda: self.api("dags")["total_entries"], "the DAG is known", every_s=0.2)
            self.until(self._workers_are_ready, "the workers are ready", every_s=0.2)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # All at once: each takes its time to end.
        for process in self._components.values():
            process.terminate()
        self._stack.close()

    def start(self, name: str) -> None:
        """Start a component, for the first time or again."""
        output = self._stack.enter_context((self.logs / f"{name}.log").open("ab"))
        command = ["-m", "airflow", *_COMMANDS[name]]
        running = surroundings.running(command, self._environment, output)
        self._components[name] = self._stack.enter_context(running)

    def kill(self, name: str) -> set[int]:
        """Kill a component with all that it has started, as if a machine were lost; the ids of these processes."""
        return _kill(surroundings.descendants(self._components[name].pid))

    def restart(self, name: str) -> None:
        """End a component in order, and start it again."""
        surroundings.stop(self._components[name])
        self.start(name)

    def family(self, name: str) -> set[int]:
        """The process ids of a component and of all that it has started."""
        return {process.pid for process in surroundings.descendants(self._components[name].pid)}

    def until(
        self,
        reached: Callable[[], Any],
        what: str,
        every_s: float = 0.05,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Return when it is so.

        Raises:
            AssertionError: it never came to that, or a component has ended by itself.
        """

        def reached_while_all_run() -> Any:
            ended = [name for name, process in self._components.items() if process.poll() is not None]
            assert not ended, f"ended by itself while a test waited: {ended}"
            return reached()

        until(reached_while_all_run, what, every_s, patience_s)

    def instances(self, run: str) -> list[dict[str, Any]]:
        """The task instances of a run, as Airflow's API tells them."""
        return list(self.api(f"{run}/taskInstances?limit=100")["task_instances"])

    def told(self) -> str:
        """What all its logs say, and that of each task."""
        logs = [*sorted(self.logs.glob("*.log")), *sorted((self.home / "logs").rglob("*.log"))]
        return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in logs)

    def _workers_are_ready(self) -> bool:
        logs = [(self.logs / f"{name}.log").read_text(encoding="utf-8", errors="replace") for name in WORKERS]
        return all(" ready." in log for log in logs)

    def _environment_of(self, database: str, broker: str, port: int) -> dict[str, str]:
        nobody = surroundings.Service("http://127.0.0.1:9/v1", "no-key", local=True)
        return {
            **surroundings.environment_of_airflow({}, self.home, nobody, self._folder / "out"),
            **standalone.settings(port),
            **_MISSED_SOON,
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self._dags),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__PARALLELISM": "32",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
            "AIRFLOW__CELERY__BROKER_URL": broker,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{database}",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(SLOTS_OF_A_WORKER),
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",
            # Airflow fails a task whose API server takes 5 s for an answer, as it may on a busy machine.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": str(PATIENCE_S),
            **self._variables,
        }


def _kill(victims: list[psutil.Process]) -> set[int]:
    for victim in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
    psutil.wait_procs(victims, timeout=10)
    return {victim.pid for victim in victims}
