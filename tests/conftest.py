"""What tests of the project as a whole stand on."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = Path(__file__).resolve().parents[1]
COPIED = (
    "dags",
    "include",
    "plugins",
    "LICENSE",
    "MANIFEST.in",
    "Makefile",
    "README.md",
    "pyproject.toml",
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-docs.txt",
    "setup.cfg",
)

FIRST = (
    "tests/torture/",
    "tests/whole_airflow/",
    "tests/docs/test_page",
    "tests/test_readme.py",
    "tests/engine/test_faults.py",
    "tests/engine/test_shards.py",
    "tests/engine/test_one_run_at_a_time.py",
    "tests/engine/test_histories_of_a_place.py",
    "tests/engine/test_output_retries.py",
    "tests/engine/job/test_run.py",
    "tests/test_real_receipts.py",
    "tests/airflow/test_operators_end_to_end.py",
    "tests/airflow/test_groups.py",
    "tests/airflow/test_secrets.py",
    "tests/engine/test_job_on_object_stores.py",
    "tests/engine/memory/test_compaction.py",
    "tests/engine/test_budget_of_a_job.py",
    "tests/engine/memory/test_forgetting.py",
    "tests/airflow/test_decorators.py",
    "tests/engine/memory/",
    "tests/engine/test_resume.py",
    "tests/engine/storage/",
    "tests/engine/test_retry_failed.py",
)
"""Modules that take long, those that mostly wait in turn with those that mostly compute."""
WORKERS_PER_CORE = 3.5
"""Of pytest's processes, because tests wait for most of their time: for the API, for locks, for a process to end."""


# Collecting the tests makes objects that all stay; to look through them again and again takes a third of its time.
gc.set_threshold(100_000, 50, 50)


def pytest_xdist_auto_num_workers() -> int:
    """Tell what `-n auto` means."""
    return int(WORKERS_PER_CORE * len(os.sched_getaffinity(0)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that take long, or one process works on them when all others are done."""
    items.sort(key=lambda item: next((n for n, name in enumerate(FIRST) if item.nodeid.startswith(name)), 99))


def pytest_collection_finish() -> None:
    """Let what the tests make be looked through, and not the tests."""
    gc.freeze()


# No test asserts a time, and a machine that is busy is slow. The matrix takes its time, and draws more.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("usual", _PATIENT, max_examples=40)
settings.register_profile("thorough", _PATIENT, max_examples=400)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Makes a folder that all of pytest's processes share: the first to ask fills it, the others wait for that.

    What is in it is there to be read or copied; its path while it is made is its path for ever.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder, made = root / f"shared-{name}", root / f"shared-{name}.made"
        with (root / f"shared-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of one that failed half way
                folder.mkdir()
                fill(folder)
                made.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def database(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """Airflow's database, new; to be copied into an Airflow home as `airflow.db`."""
    return made_once("database", _migrate) / "airflow.db"


def _migrate(home: Path) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    migrated = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env={**kept, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert migrated.returncode == 0, migrated.stderr


@pytest.fixture(scope="session")
def copy_project() -> Callable[[Path], Path]:
    """Copies the project without what it left behind, with this environment as its `.venv`."""

    def copy(folder: Path) -> Path:
        for name in COPIED:
            source = PROJECT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, folder / name)
        (folder / ".venv").symlink_to(sys.prefix, target_is_directory=True)
        return folder

    return copy
