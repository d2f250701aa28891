"""`make airflow` as a newcomer types it: it starts, shows the project without an error, runs a DAG, and leaves nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.real_airflow import PATIENCE_S, Api, complaints
from tests.test_dags import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def copy(tmp_path: Path, copy_project: Callable[[Path], Path]) -> Path:
    return copy_project(tmp_path)


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
        assert names == EXAMPLES
        api("dags/extract_invoices", "PATCH", {"is_paused": False})
        run = api.trigger("extract_invoices", limit=12)
        state, deadline = "queued", time.monotonic() + PATIENCE_S
        while state in {"queued", "running"} and time.monotonic() < deadline:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=1)
            state = api(run)["state"]
        assert state == "success"
        assert api("assets/events")["asset_events"][0]["extra"]["outcomes"] == {"skipped": 1, "succeeded": 11}
    finally:
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert "nothing is left running" in said
    logs = [*(copy / ".airflow").rglob("*.log")]
    told = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in logs)
    assert complaints(told) == []
