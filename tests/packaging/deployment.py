"""An Airflow of its own for a test of what is installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sysconfig
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runware_provider.testing import LocalServer

PROJECT = Path(__file__).resolve().parents[2]
KEY = "key-of-the-tests-0123456789"
PATIENCE_S = 300
COMMANDS = """
import sys
from airflow.__main__ import main
for command in sys.argv[1:]:
    sys.argv = ["airflow", *command.split()]
    main()
"""
NOT_OURS = ("GitWildMatchPattern", "starlette.testclient", "Could not import graphviz")
"""What Airflow warns about in itself."""


@dataclass
class Deployment:
    """An Airflow with a home of its own.

    Args:
        folder: the project: its `dags` and `plugins` are Airflow's.
        python: the interpreter that runs it.
        server: whom the connection `runware_default` points to.
        settings: further environment variables.
    """

    folder: Path
    python: Path
    server: LocalServer
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        connection = {"conn_type": "runware", "password": KEY, "host": self.server.base_url}
        return {
            **kept,
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__API_AUTH__JWT_SECRET": "a-secret-of-the-tests-that-is-long-enough-for-its-algorithm-0123456789",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW_CONN_RUNWARE_DEFAULT": json.dumps(connection),
            "PYTHONWARNINGS": "default",
            "no_proxy": "127.0.0.1",
            **self.settings,
        }

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command of this interpreter, elsewhere than in the project; it has to succeed."""
        ran = subprocess.run(
            [str(self.python), *command],
            cwd=self.folder.parent,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert ran.returncode == 0, f"{command}\n{ran.stdout[-6000:]}\n{ran.stderr[-6000:]}"
        return ran

    def airflow(self, *commands: str) -> subprocess.CompletedProcess[str]:
        """Airflow's commands in turn, in one process, since its start takes longer than they do."""
        return self.run("-c", COMMANDS, *commands)

    def told(self, code: str) -> Any:
        """What a piece of Python prints as JSON in its last line."""
        return json.loads(self.run("-c", code).stdout.splitlines()[-1])


def complaints(ran: subprocess.CompletedProcess[str]) -> list[str]:
    """Lines of a run about something deprecated or wrong, but for Airflow's about itself."""
    return [
        line
        for line in (ran.stdout + ran.stderr).splitlines()
        if re.search(r"deprecat|traceback|\[error|\[warning", line, re.IGNORECASE)
        and not any(known in line for known in NOT_OURS)
    ]


def environment_beside(folder: Path, *, with_pip: bool = False) -> Path:
    """A virtual environment that sees the packages of this one; returns its interpreter."""
    venv.create(folder, with_pip=with_pip)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "bin" / "python"
