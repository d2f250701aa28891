from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.testing.tryout.demo import why

if TYPE_CHECKING:
    from pathlib import Path


def test_a_failed_demo_ends_with_the_operators_own_words_and_no_traceback(tmp_path: Path) -> None:
    log = tmp_path / "airflow.log"
    log.write_text(
        "Traceback (most recent call last):\n  File ...\n"
        "runware_provider.engine.errors.KeyRefused: the API answered invalidApiKey. Check the key.\n"
        "DagRun failed\n",
        encoding="utf-8",
    )
    assert why(log).startswith("The DAG failed: the API answered invalidApiKey. Check the key.")
    assert str(log) in why(log)
    assert "Traceback" not in why(log)


def test_a_demo_that_failed_without_a_word_of_ours_shows_how_the_log_ends(tmp_path: Path) -> None:
    log = tmp_path / "airflow.log"
    log.write_text("sqlite3.OperationalError: disk I/O error\n", encoding="utf-8")
    assert "disk I/O error" in why(log)
