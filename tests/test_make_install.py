"""How `make` installs the requirements, with programs in the place of Python that only note what they are told to do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).resolve().parents[1] / "Makefile"
PYTHON = """#!/bin/sh
echo "$*" >>"$(dirname "$0")/../calls"
case "$*" in
"-m pip install"*" uv") exit {had} ;;
"-m uv --version") exit {had} ;;
"-m uv pip install"*) exit {installs} ;;
esac
"""


def install(
    folder: Path, *, had: int, installs: int, resolution: str = "highest"
) -> tuple[int, str, list[str]]:
    """Exit code, what was said, and what the environment's Python was called for."""
    python = folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON.format(had=had, installs=installs), encoding="utf-8")
    python.chmod(0o755)
    (folder / "requirements.txt").write_text("something\n", encoding="utf-8")
    ran = subprocess.run(
        [
            "make",
            "--no-print-directory",
            "-f",
            MAKEFILE,
            "VENV=venv",
            f"RESOLUTION={resolution}",
            "venv/.installed",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    calls = (folder / "venv" / "calls").read_text(encoding="utf-8").splitlines()
    assert (folder / "venv" / ".installed").exists() is (ran.returncode == 0)
    return ran.returncode, ran.stdout + ran.stderr, [call for call in calls if "-r requirements.txt" in call]


def test_uv_installs_where_it_can(tmp_path: Path) -> None:
    code, said, (call,) = install(tmp_path, had=0, installs=0)
    assert (code, said) == (0, "")
    assert call.startswith("-m uv pip install ")


@pytest.mark.parametrize("had", [0, 1])
def test_pip_installs_where_uv_cannot_reach_the_index_or_cannot_be_had(tmp_path: Path, had: int) -> None:
    code, said, calls = install(tmp_path, had=had, installs=2)
    assert code == 0
    assert calls[-1] == "-m pip install --quiet --disable-pip-version-check -r requirements.txt"
    assert "pip does it, which takes longer" in said


def test_the_oldest_versions_cannot_be_had_from_pip(tmp_path: Path) -> None:
    code, said, calls = install(tmp_path, had=0, installs=2, resolution="lowest-direct")
    assert code != 0
    assert "Only uv can install the lowest-direct versions" in said
    assert [call for call in calls if call.startswith("-m pip")] == []
