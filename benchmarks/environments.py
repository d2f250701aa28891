"""An environment of its own for each contender, made on the first run with uv (or pip), and kept in build/peers."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BUILT = Path(__file__).resolve().parents[1] / "build" / "peers"
MOST_S = 600.0
VERSIONS = """
import importlib.metadata, json
print(json.dumps({found.name: found.version for found in importlib.metadata.distributions()}))
"""
ALONE = {
    "TELEMETRY_ENABLED": "false",
    "NEMO_TELEMETRY_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}
"""Keeps products from speaking to anybody but the server: no reports of use, no lists of prices or models."""
TAKEN_OVER = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE")


class NotInstalledError(Exception):
    """A contender cannot be had here; the message says why."""


def python_of(name: str, needs: Sequence[str], built: Path = BUILT) -> Path:
    """The Python that has what a contender needs; its environment is made where it is not there yet.

    Args:
        name: of the contender.
        needs: requirements, as pip takes them.
        built: the folder of the environments.

    Raises:
        NotInstalledError: it could not be made.
    """
    wanted = json.dumps([sys.version, *needs])
    digest = hashlib.blake2b(wanted.encode(), digest_size=6).hexdigest()
    folder = built / f"{name.replace(' ', '-').replace(',', '')}-{digest}"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        try:
            _install(folder, needs)
        except (OSError, subprocess.SubprocessError) as error:
            raise NotInstalledError(f"cannot be installed here: {_last_words(error)}") from error
        (folder / "ready").touch()
    return folder / "bin" / "python"


def versions_in(python: Path) -> dict[str, str]:
    """What is installed beside a Python, by name."""
    listed = subprocess.run([str(python), "-c", VERSIONS], capture_output=True, text=True, check=True)
    versions: dict[str, str] = json.loads(listed.stdout)
    return versions


def environment_of(home: Path) -> dict[str, str]:
    """The variables of a contender's process, which has a home of its own and speaks to nobody else."""
    taken_over = {name: os.environ[name] for name in TAKEN_OVER if name in os.environ}
    return {**taken_over, **ALONE, "HOME": str(home), "NO_PROXY": "127.0.0.1"}


def _install(folder: Path, needs: Sequence[str]) -> None:
    python = str(folder / "bin" / "python")
    if find_spec("uv"):
        uv = [sys.executable, "-m", "uv"]
        _run(*uv, "venv", "--quiet", "--python", sys.executable, str(folder))
        _run(*uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *needs)
    else:
        _run(sys.executable, "-m", "venv", str(folder))
        _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *needs)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=MOST_S)


def _last_words(error: Exception) -> str:
    said = getattr(error, "stderr", None) or str(error)
    return str(said).strip().splitlines()[-1]
