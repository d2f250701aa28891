"""What is built and installed as users do it: from artefacts whose source is gone, in projects of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from runware_provider.testing import LocalServer, ServerSettings
from tests.packaging.deployment import KEY, PATIENCE_S, PROJECT, environment_beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LEFT_BEHIND = shutil.ignore_patterns(
    ".git",
    ".venv*",
    ".azurite",
    ".fab",
    ".nox",
    ".watching",
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
def artefacts(made_once: Callable[..., Path]) -> Path:
    """A folder with the wheel, made from the source distribution, and that itself; the source is gone."""
    return made_once("artefacts", _build)


def _build(folder: Path) -> None:
    source = folder / "source"
    shutil.copytree(PROJECT, source, ignore=LEFT_BEHIND)
    built = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    shutil.rmtree(source)


@pytest.fixture(scope="session")
def wheel(artefacts: Path) -> Path:
    (built,) = artefacts.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with what the provider needs, and without the provider."""
    return environment_beside(tmp_path_factory.mktemp("bare") / "venv")


@pytest.fixture(scope="session")
def wheel_python(wheel: Path, made_once: Callable[..., Path]) -> Path:
    """An environment with the wheel, installed as pip does it; no index is asked."""

    def install(folder: Path) -> None:
        python = environment_beside(folder, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--no-deps", "--no-index", str(wheel)]
        installed = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert installed.returncode == 0, installed.stderr

    return made_once("installed", install) / "bin" / "python"


@pytest.fixture(scope="session")
def server() -> Iterator[LocalServer]:
    with LocalServer(ServerSettings(key=KEY, latency=0, latency_sigma=0)) as running:
        yield running
