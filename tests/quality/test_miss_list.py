"""Misses side by side: what differs is marked, and whatever stands there is bounded and can be seen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runware_provider.quality.miss_list import LINES, MissList
from runware_provider.quality.misses import Miss
from runware_provider.quality.wording import visible

CHARS = 80


def lines_of(got, expected, chars=CHARS):
    shown = MissList("t", [], chars)._lines(Miss(0, "r", got, expected))
    return [
        ["".join(f"[{text}]" if differs else text for text, differs in line) for line in side]
        for side in shown
    ]


def test_of_texts_the_words_that_differ_are_marked():
    assert lines_of("Ashdale Group", "Ashdale Catering LLP") == [
        ["Ashdale [Group]"],
        ["Ashdale [Catering LLP]"],
    ]


def test_where_everything_differs_nothing_is_marked():
    for got, expected in (("red", "blue"), (1, 2), (None, "x"), ([1], None)):
        assert not any(
            line.startswith("[") and line != "[1]" for side in lines_of(got, expected) for line in side
        )


def test_of_lists_only_the_elements_that_differ_are_written_down():
    got, expected = lines_of([1, 2, 3, 4, 5], [1, 2, 9, 4, 5, 6])
    assert got == ["[", "  ⋯ 2 elements alike,", "  [3],", "  ⋯ 2 elements alike", "]"]
    assert expected == ["[", "  ⋯ 2 elements alike,", "  [9],", "  ⋯ 2 elements alike,", "  [6]", "]"]


def test_of_structs_in_a_list_only_the_fields_that_differ_are_marked():
    got, _ = lines_of(
        [{"name": "Oak", "price": 2.0, "unit": "a  b"}], [{"name": "Elm", "price": 2, "unit": "a b"}]
    )
    assert got[1:-1] == ["  {", '    "name": "[Oak]",', "    ⋯ 2 fields alike", "  }"]


def test_in_markdown_a_list_is_one_line():
    markdown = MissList("t", [Miss(0, "r", [1, 2, 3], [1, 2, 4])], CHARS).markdown()
    assert "| `r` | `[ ⋯ 2 elements alike, 3 ]` | `[ ⋯ 2 elements alike, 4 ]` |" in markdown


def test_numbers_within_the_tolerance_are_alike():
    list_ = MissList("t", [], CHARS, tolerance=0.5)
    got, _ = list_._lines(Miss(0, "r", [1.0, 2.0], [1.4, 9.0]))
    assert [text for line in got for text, differs in line if differs] == ["2.0"]


def test_a_list_of_very_many_elements_is_cut():
    got, expected = lines_of(list(range(5000)), list(range(5000, 10000)))
    assert len(got) == len(expected) == LINES + 1
    assert got[-1] == f"… {5002 - LINES:,} more lines"


VALUES = st.text(max_size=30) | st.integers() | st.none()


@given(
    VALUES | st.lists(VALUES | st.dictionaries(st.text(max_size=5), VALUES, max_size=3), max_size=8),
    VALUES | st.lists(VALUES, max_size=8),
)
def test_whatever_stands_there_each_line_can_be_seen_and_is_short_and_the_same_is_never_marked(first, second):
    shown = MissList("t", [], 40)
    for side in shown._lines(Miss(0, "r", first, second)):
        assert all(text == visible(text) for line in side for text, _ in line)
        assert all(len("".join(text for text, _ in line)) <= 6 * 40 for line in side)
    for side in shown._lines(Miss(0, "r", first, first)):
        assert not any(differs for line in side for _, differs in line)
