"""What is shown of a text that somebody else wrote: no terminal obeys it, and no log takes it for an entry of its own."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import (
    BadInput,
    EngineError,
    KeyRefused,
    NothingToDo,
    PublishConflict,
    StateUnreadable,
)
from runware_provider.engine.job.endings import good_end
from runware_provider.engine.job.progress import Progress
from runware_provider.engine.plain_text import (
    MOST_CHARS,
    WIDTH,
    packed,
    printable,
    printable_lines,
    wrapped,
)

HOSTILE = "\x1b]0;pwned\x07\x1b[2J\r\nStopped: all is well\x9b1m\u202egnorw\x7f\u2028\ud800"


@given(st.text())
def test_whatever_is_shown_is_one_line_that_can_be_shown_and_written(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) == len(text)
    assert shown.encode().decode() == shown


@given(st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" ")))
def test_what_can_be_shown_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_our_own_lines_stay_lines() -> None:
    assert printable_lines("a\x1b\nb\r\nc") == "a \nb \nc"


def test_what_is_too_long_is_cut() -> None:
    assert printable("x" * 11, 10) == "x" * 9 + "\u2026"
    assert printable("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize("kind", [EngineError, KeyRefused, NothingToDo, PublishConflict, StateUnreadable])
def test_every_error_of_the_engine_tells_what_it_quotes_in_one_line(kind: type[EngineError]) -> None:
    error = kind(f"{HOSTILE} in a file")
    for told in (error, pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own
        assert str(told).isprintable()
        assert "in a file" in str(told)
    assert len(str(kind("x" * 1_000_000))) == MOST_CHARS


def test_bad_input_tells_field_problem_and_remedy_in_one_line() -> None:
    error = BadInput(f"column {HOSTILE}", HOSTILE, f"Rename {HOSTILE}")
    assert all(part.isprintable() for part in (str(error), error.field, error.problem, error.remedy))


def test_what_is_told_of_a_job_is_plain() -> None:
    told = Progress(1, 2, 1.0, 1, 0.0, trouble=HOSTILE)
    manifest = {
        "status": "published",
        "reasons": {HOSTILE: 1},
        "outcomes": {"failed": 1},
        "paid_usd": 0.0,
        "paid_inferences": 0,
        "state": HOSTILE,
        "destination": HOSTILE,
    }
    for line in (told.line(), told.short_line(), *told.lines(), *good_end(manifest)):
        assert line.isprintable()


@given(st.lists(st.text(min_size=1)), st.text())
def test_sentences_and_facts_are_told_in_short_plain_lines_and_nothing_is_lost(
    facts: list[str], said: str
) -> None:
    for lines, whole in ((packed(facts), ", ".join(facts)), (wrapped("Label", said), f"Label: {said}")):
        assert all(line.isprintable() for line in lines)
        assert all(len(line) <= WIDTH or len(line.split()) == 1 for line in lines)
        assert " ".join(lines).split() == printable(whole).split()
