from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from runware_provider.testing.samples.__main__ import main, write
from runware_provider.testing.samples.support_texts import DAYS

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"


def test_the_same_seed_gives_the_same_files(tmp_path):
    first, second = (
        [path.read_bytes() for path in write(tmp_path / name, count=40)] for name in ("first", "second")
    )
    assert first == second


def test_the_command_line_names_the_files_that_it_wrote(tmp_path, capsys):
    main([str(tmp_path), "--count", "3", "--seed", "1"])
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [path.relative_to(tmp_path).parts[0] for path in paths][:2] == [
        "documents",
        "documents-expected.parquet",
    ]
    assert pq.ParquetFile(paths[0]).metadata.num_rows == 3


def test_the_command_line_refuses_a_count_of_zero(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--count", "0"])
    assert "--count is 0" in capsys.readouterr().err


def test_the_documented_command_runs_as_a_module(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "runware_provider.testing.samples", str(tmp_path), "--count", "2"],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(PLUGINS)},
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(ran.stdout.splitlines()) == 2 + len(DAYS)


def test_making_samples_loads_no_web_server():
    look = "import sys, runware_provider.testing.samples.__main__; print('uvicorn' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", look],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(PLUGINS)},
    )
    assert ran.stdout == "False\n"
