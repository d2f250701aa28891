"""The commands `report` and `compare`, as a shell starts them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider import command_line
from runware_provider.engine import cli as engine


@pytest.fixture
def right(lake, tmp_path):
    """Two datasets of three rows, and expected values that are a thousand off."""
    for name in "ab":
        lake.put([lake.row(n, {"vendor": "A", "total": float(n)}) for n in range(3)], name)
    path = tmp_path / "right.parquet"
    pq.write_table(pa.table({"key": [0, 1, 2], "total": [1000.0, 1001.0, 1002.0]}), path)
    return str(path)


@pytest.fixture
def call(capsys):
    def call(*arguments):
        try:
            code = command_line.main(arguments)
        except SystemExit as left:
            code = left.code
        told = capsys.readouterr()
        return code, json.loads(told.out) if told.out else None, told.err

    return call


def test_a_report_goes_to_the_terminal_and_to_a_page(lake, call, right):
    words = ["report", "--destination", lake.folder(), "--expected", right, "--key", "key"]
    code, printed, told = call(*words)
    assert (code, printed["hits"]) == (0, {"total": {"hits": 0, "of": 3}})
    assert told == Path(printed["markdown"]).read_text(encoding="utf-8") + "\n"
    assert Path(printed["html"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    code, _, short = call(*words, "--short")
    assert code == 0
    assert "| `total` | 0 % |" in short
    assert "## Fields" not in short


def test_a_comparison_tells_the_hits_of_both_within_the_tolerance(lake, call, right):
    words = [
        "compare",
        "--destination",
        lake.folder("a"),
        "--with",
        lake.folder("b"),
        "--key",
        "key",
        "--expected",
        right,
    ]
    for tolerance, hits in (("0", 0), ("1000", 3)):
        code, printed, told = call(*words, "--tolerance", tolerance)
        assert (code, printed["hits"]) == (0, {"total": {"a": hits, "b": hits, "of": 3}})
        assert told.startswith("# Side by side")
    for tolerance in ("-1", "nan", "much"):
        code, _, told = call(*words, f"--tolerance={tolerance}")
        assert code == 1
        assert f"--tolerance: '{tolerance}' is no distance" in told


def test_what_cannot_be_looked_at_is_said_with_a_remedy(lake, call):
    code, printed, told = call("report", "--destination", lake.folder("nowhere"))
    assert (code, printed) == (1, None)
    assert told.startswith("Error: --destination: nothing is published in")
    assert "Run the job first" in told
    lake.put([lake.row(1, {"vendor": "A", "total": 1.0})])
    (Path(lake.folder() + ".state") / "reports").write_text("no folder", encoding="utf-8")
    code, printed, told = call("report", "--destination", lake.folder())
    assert (code, printed) == (3, None)
    assert told.startswith("Stopped: the store failed")


def test_errors_name_the_options_of_the_command_line(lake, call, right):
    a, b = ["--destination", lake.folder("a")], ["--with", lake.folder("b")]
    for words, option in (
        (["report", *a, "--expected", right], "--key"),
        (["report", *a, "--expected", right, "--key", "none"], "--key"),
        (["report", *a, "--expected", right, "--key", "total"], "--key"),
        (["report", *a, "--key", "key"], "--expected"),
        (["compare", *a, *b, "--expected", right], "--key"),
        (["compare", *a, *b, "--key", "none"], "--key"),
    ):
        code, printed, told = call(*words)
        assert (code, printed) == (1, None)
        assert told.startswith(f"Error: {option}: ")


def test_one_command_line_has_all_commands_and_the_engines_own_has_its_own(capsys):
    for main, commands in (
        (command_line.main, "{run|plan|preview|shards|forget|check|report|compare}"),
        (engine.main, "{run|plan|preview|shards|forget|check}"),
    ):
        with pytest.raises(SystemExit):
            main(["--help"])
        assert commands.strip("{}") in capsys.readouterr().out


def test_the_engine_runs_without_what_looks_at_its_datasets():
    looked = (
        "import sys, runware_provider.engine.cli\nprint([name for name in sys.modules if 'quality' in name])"
    )
    folder = str(Path(command_line.__file__).parents[1])
    ran = subprocess.run(
        [sys.executable, "-c", looked], capture_output=True, text=True, check=True, env={"PYTHONPATH": folder}
    )
    assert ran.stdout.strip() == "[]"
