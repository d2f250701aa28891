from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from runware_provider.testing.tryout.demo import say, show_markdown, why

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


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


def test_what_the_demo_says_is_wrapped_between_words_and_a_long_path_stays_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = "/folder" * 10
    console = Console(width=40, highlight=False)
    say(
        console,
        f"A sentence that is longer than [this] of the terminal: {path}\n\nAnother one.",
        indent="  ",
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "  A sentence that is longer than [this]",
        "  of the terminal:",
        f"  {path}",
        "",
        "  Another one.",
    ]


def test_nothing_of_a_report_is_cut_at_the_edge_of_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"word{number}" for number in range(40)]
    show_markdown(Console(width=40), "# Title\n\n- " + " ".join(words) + "\n")
    assert [word for word in capsys.readouterr().out.split() if word.startswith("word")] == words
