"""What of the benchmarks takes many processes, in its smallest form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarked import measured, needs_a_compiler

if TYPE_CHECKING:
    from pathlib import Path


@needs_a_compiler
def test_growth_is_measured_with_a_kill_and_what_resumes_behind_it(tmp_path: Path) -> None:
    figures, printed = measured(tmp_path / "out", "growth", "--growth", "40")
    rows = figures["parts"]["growth"]
    assert {row["records"] for row in rows if row["what"] == "asked"} == {4, 40}
    assert [row["what"] for row in rows[-2:]] == ["killed when half were executed", "resumed"]
    assert "a record, µs" in printed


@needs_a_compiler
def test_parsing_and_starting_in_airflow_are_measured_beside_a_task_that_does_nothing(tmp_path: Path) -> None:
    figures, _ = measured(tmp_path / "out", "start")
    assert all(value > 0 for name, value in figures["parts"]["start"].items() if name != "loading the plugin")
