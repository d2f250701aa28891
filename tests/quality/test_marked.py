"""Two values side by side."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runware_provider.quality.marked import LINES, marked
from runware_provider.quality.wording import visible


def told(lines):
    return ["".join(f"[{text}]" if differs else text for text, differs in line) for line in lines]


def test_of_texts_the_words_that_differ_are_marked():
    got, expected = marked("Ashdale Group", "Ashdale Catering LLP", 80)
    assert (told(got), told(expected)) == (["Ashdale [Group]"], ["Ashdale [Catering LLP]"])


def test_where_everything_differs_nothing_is_marked():
    for got, expected in (("red", "blue"), (1, 2), (None, "x"), ([1], None)):
        assert not any(differs for side in marked(got, expected, 80) for line in side for _, differs in line)


def test_of_lists_only_the_elements_that_differ_are_written_down():
    got, expected = marked([1, 2, 3, 4, 5], [1, 2, 9, 4, 5, 6], 80)
    assert told(got) == ["5 elements:", "⋯ 2 alike", "[3]", "⋯ 2 alike", "\u2013"]
    assert told(expected) == ["6 elements:", "⋯ 2 alike", "[9]", "⋯ 2 alike", "[6]"]


def test_of_structs_in_a_list_only_the_fields_that_differ_are_marked():
    got, expected = marked([{"name": "Oak", "price": 2.0}], [{"name": "Elm", "price": 2}], 80)
    assert told(got)[1:] == ["name: [Oak], price: 2"]
    assert told(expected)[1:] == ["name: [Elm], price: 2"]


def test_a_list_of_very_many_elements_is_compared_in_order_and_cut():
    got, expected = marked(list(range(5000)), list(range(1, 5001)), 80)
    assert len(got) == len(expected) == LINES + 1
    assert told(got)[-1] == f"… {5001 - LINES:,} more lines"


VALUES = st.text(max_size=30) | st.integers() | st.none()


@given(
    st.lists(VALUES | st.dictionaries(st.text(max_size=5), VALUES, max_size=3), max_size=8),
    st.lists(VALUES, max_size=8),
)
def test_whatever_stands_there_each_line_can_be_seen_and_the_same_is_never_marked(first, second):
    for side in marked(first, second, 40):
        assert all(text == visible(text) for line in side for text, _ in line)
    assert not any(differs for side in marked(first, first, 40) for line in side for _, differs in line)


@given(st.text(max_size=200), st.text(max_size=200))
def test_the_pieces_of_a_text_are_the_text(first, second):
    (got,), _ = marked(first, second, 1000)
    assert "".join(text for text, _ in got).strip('"') == visible(first).strip('"') or first != second
