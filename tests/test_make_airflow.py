"""`make airflow` as a newcomer types it: it starts, shows the project without an error, runs a DAG, and leaves nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE_S = 150


@pytest.fixture
def copy(tmp_path: Path, copy_project: Callable[[Path], Path]) -> Path:
    return copy_project(tmp_path)


class Api:
    """Airflow's REST API, for the administrator that everybody is here."""

    def __init__(self, page: str) -> None:
        self.page = page
        self.token = self("auth/token", prefix="")["access_token"]

    def __call__(self, path: str, method: str = "GET", body: Any = None, *, prefix: str = "api/v2/") -> Any:
        headers = {"Content-Type": "application/json"}
        if prefix:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        asked = Request(f"{self.page}/{prefix}{path}", data=data, headers=headers, method=method)  # noqa: S310 - loopback
        with urlopen(asked, timeout=30) as reply:  # noqa: S310 - loopback
            return json.load(reply)


def page_of(process: subprocess.Popen[str]) -> str:
    """Where Airflow answers, once the last line of the greeting is there."""
    said = ""
    for line in process.stdout or ():
        said += line
        if "Ctrl-C stops everything" in line:
            return str(re.search(r"Airflow: +(http://[^ ]+)", said)[1])  # type: ignore[index] # it is there
    raise AssertionError(said)


def test_airflow_starts_runs_the_example_without_a_complaint_and_leaves_nothing(copy: Path) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    process = subprocess.Popen(
        ["make", "airflow"],
        cwd=copy,
        env=kept,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        api = Api(page_of(process))
        assert api("importErrors")["total_entries"] == 0
        assert [plugin["name"] for plugin in api("plugins")["plugins"]] == ["runware"]
        names = {dag["dag_id"] for dag in api("dags")["dags"]}
        assert names == {"extract_invoices", "classify_text", "call_a_tool"}
        api("dags/extract_invoices", "PATCH", {"is_paused": False})
        run = api("dags/extract_invoices/dagRuns", "POST", {"logical_date": None, "conf": {"limit": 12}})
        state, deadline = "queued", time.monotonic() + PATIENCE_S
        while state in {"queued", "running"} and time.monotonic() < deadline:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=1)
            state = api(f"dags/extract_invoices/dagRuns/{run['dag_run_id'].replace('+', '%2B')}")["state"]
        assert state == "success"
        assert api("assets/events")["asset_events"][0]["extra"]["outcomes"] == {"skipped": 1, "succeeded": 11}
    finally:
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert "nothing is left running" in said
    logs = [*(copy / ".airflow").rglob("*.log")]
    told = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in logs)
    complaints = [
        line
        for line in told.splitlines()
        if re.search(r"deprecat|traceback|\[error|level.{2,4}(error|critical)", line, re.IGNORECASE)
    ]
    assert complaints == []
