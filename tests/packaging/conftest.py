"""What is built and installed as users do it: from artefacts whose source is gone, in projects of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from runware_provider.testing import LocalServer, ServerSettings
from tests.packaging.deployment import KEY, PATIENCE_S, PROJECT, Deployment, environment_beside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEFT_BEHIND = shutil.ignore_patterns(
    ".git",
    ".venv*",
    ".demo",
    ".airflow",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    "build",
    "dist",
    "*.egg-info",
)


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel, made from the source distribution, and that itself; the source is gone."""
    folder = tmp_path_factory.mktemp("artefacts")
    source = folder / "source"
    shutil.copytree(PROJECT, source, ignore=LEFT_BEHIND)
    built = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist"), str(source)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    shutil.rmtree(source)
    return folder / "dist"


@pytest.fixture(scope="session")
def wheel(artefacts: Path) -> Path:
    (built,) = artefacts.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with what the provider needs, and without the provider."""
    return environment_beside(tmp_path_factory.mktemp("bare") / "venv")


@pytest.fixture(scope="session")
def wheel_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, installed as pip does it; no index is asked."""
    python = environment_beside(tmp_path_factory.mktemp("installed") / "venv", with_pip=True)
    install = [str(python), "-m", "pip", "install", "--no-deps", "--no-index", str(wheel)]
    installed = subprocess.run(install, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert installed.returncode == 0, installed.stderr
    return python


@pytest.fixture(scope="session")
def server() -> Iterator[LocalServer]:
    with LocalServer(ServerSettings(key=KEY, latency=0, latency_sigma=0)) as running:
        yield running


@pytest.fixture(scope="session")
def database(bare_python: Path, server: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Airflow's database, new; to be copied into an Airflow home."""
    made = Deployment(tmp_path_factory.mktemp("database") / "airflow", bare_python, server)
    made.folder.mkdir()
    made.run("-m", "airflow", "db", "migrate")
    return made.folder / "airflow.db"
