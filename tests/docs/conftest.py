"""A copy of the project with a local API server, in which the pages' blocks run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.testing import LocalServer, ServerSettings
from tests.answers import committed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S = 240


class Reader:
    """Somebody who follows the pages: one folder, one server, one Airflow.

    Args:
        folder: a copy of the project.
        server: the local API server, which the pages believe at its usual address.
        database: Airflow's, new.
    """

    def __init__(self, folder: Path, server: LocalServer, database: Path) -> None:
        self.folder = folder
        self.database = database
        self.server = server
        self.environment = self._environment()
        self._airflow: subprocess.Popen[str] | None = None

    def bash(self, text: str) -> str:
        """What commands print to standard output; they have to succeed."""
        if "dag.test" in text:
            self._with_database()
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._here(text)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert ran.returncode == 0, f"{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
        return ran.stdout

    def python(self, code: str) -> str:
        """What a block prints; its DAGs are run, too."""
        if self._airflow is None:
            self._airflow = self._started()
        assert self._airflow.stdin is not None
        assert self._airflow.stdout is not None
        self._airflow.stdin.write(json.dumps({"code": self._here(code)}) + "\n")
        self._airflow.stdin.flush()
        answer: dict[str, Any] = json.loads(self._airflow.stdout.readline())
        assert "failed" not in answer, f"{answer['failed']}\n{self._log.read_text(encoding='utf-8')[-3000:]}"
        return str(answer["printed"])

    def close(self) -> None:
        """Stop Airflow."""
        if self._airflow is not None:
            self._airflow.kill()
            self._airflow.communicate(timeout=PATIENCE_S)

    @property
    def _log(self) -> Path:
        return self.folder / "airflow.log"

    def _here(self, text: str) -> str:
        for port in ("8765", "8788"):
            text = text.replace(f"http://127.0.0.1:{port}", self.server.base_url.removesuffix("/v1"))
            text = text.replace(f"127.0.0.1:{port}", self.server.base_url.split("/")[2])
        return text

    def _environment(self) -> dict[str, str]:
        own = ("AIRFLOW", "RUNWARE", "PYTHON", "MAKE", "AWS")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        connection = {"conn_type": "runware", "password": self.server.key, "host": self.server.base_url}
        return {
            **kept,
            "PATH": f"{self.folder / '.venv' / 'bin'}:{kept['PATH']}",
            "PYTHONPATH": "plugins",
            "RUNWARE_API_KEY": self.server.key,
            "RUNWARE_BASE_URL": self.server.base_url,
            "AIRFLOW_HOME": str(self.folder / ".airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.folder / "own_dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.folder / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_RUNWARE_DEFAULT": json.dumps(connection),
        }

    def _with_database(self) -> None:
        folder = Path(self.environment["AIRFLOW__CORE__DAGS_FOLDER"])
        if not folder.exists():
            folder.mkdir()
            home = Path(self.environment["AIRFLOW_HOME"])
            home.mkdir(exist_ok=True)
            shutil.copy(self.database, home / "airflow.db")

    def _started(self) -> subprocess.Popen[str]:
        self._with_database()
        script = str(Path(__file__).with_name("run_blocks.py"))
        with self._log.open("w", encoding="utf-8") as log:
            return subprocess.Popen(
                [sys.executable, script],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )


@pytest.fixture(scope="module")
def reader(
    tmp_path_factory: pytest.TempPathFactory, copy_project: Callable[[Path], Path], database: Path
) -> Iterator[Reader]:
    with LocalServer(ServerSettings(latency=0, answers=committed())) as server:
        reading = Reader(copy_project(tmp_path_factory.mktemp("project")), server, database)
        yield reading
        reading.close()


@pytest.fixture
def project() -> Path:
    """The project's root."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture
def docs(project: Path) -> Path:
    """The folder of the pages."""
    return project / "docs"
