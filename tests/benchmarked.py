"""Runs the benchmarks in their smallest form."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[1] / "benchmarks" / "bench.py"
needs_a_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="the fast server is built with cc")


def measured(out: Path, *words: str) -> tuple[dict[str, Any], str]:
    """The figures of a run of the benchmarks, and what it printed."""
    ran = subprocess.run(
        [sys.executable, BENCH, "--quick", "--records", "20", "--rounds", "1", "--out", out, *words],
        cwd=out.parent,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads((out / "figures.json").read_text(encoding="utf-8")), ran.stdout
