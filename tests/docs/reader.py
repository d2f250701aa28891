"""Somebody who follows the pages: runs their blocks, and compares what is printed with what they say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from runware_provider.testing.api.server import listen
from tests.docs.blocks import OUTPUT, Block, blocks

if TYPE_CHECKING:
    from runware_provider.testing import LocalServer

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
        with listen("127.0.0.1", 0) as free:
            self._receiver_port = free.getsockname()[1]
        self._airflow: subprocess.Popen[str] | None = None

    def follow(self, page: str) -> None:
        """Run the blocks of a page from top to bottom; they have to print what the page says that they print."""
        self.server.clear_faults()
        printed = ""
        for block in blocks(page):
            try:
                printed = self._read(block, printed)
            except Exception as error:
                error.add_note(f"in {block.place}")
                raise

    def _read(self, block: Block, printed: str) -> str:
        """Do what a block says; returns what the last block that ran has printed."""
        if block.not_run:
            return printed
        match block.language:
            case "python":
                return self.python(block.text)
            case "bash":
                return self.bash(block.text)
            case "json":
                json.loads(block.text)
            case "jinja":
                jinja2.Environment(autoescape=True).parse(block.text)
            case language:
                assert language == OUTPUT, f"nobody knows what to do with {language!r}"
                assert_printed(block.text, printed)
        return printed

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
        assert "failed" not in answer, "\n".join(
            [answer["failed"], answer["printed"][-3000:], self._log.read_text(encoding="utf-8")[-3000:]]
        )
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
        return text.replace("8790", str(self._receiver_port))

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


def assert_printed(shown: str, printed: str) -> None:
    """Fail unless the output is as shown, where `...` stands for whatever."""
    pattern = ".*?".join(re.escape(part.strip("\n ")) for part in shown.strip().split("..."))
    assert re.fullmatch(f"\\s*{pattern}\\s*", printed, re.DOTALL), (
        f"it printed:\n{printed}\nand not:\n{shown}"
    )
