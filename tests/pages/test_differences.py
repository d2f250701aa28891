"""Where two values differ is marked, what is alike is not, and nothing gets lost."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runware_provider.pages.differences import MOST_STEPS, aligned, differences, layout

LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["a", "b c", "", "2026-01-02"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
)
TEXTS = st.text(st.sampled_from("ab \n.é"))


def joined(pieces: list[tuple[str, bool]]) -> str:
    return "".join(text for text, _ in pieces)


def marked(pieces: list[tuple[str, bool]]) -> list[str]:
    return [text for text, differs in pieces if differs]


def told(got: Any, expected: Any, *, folds: bool = True) -> Any:
    return differences(json.dumps(got), json.dumps(expected), folds=folds)


@given(VALUES, VALUES)
def test_the_pieces_of_each_side_are_the_value(got: Any, expected: Any) -> None:
    sides = told(got, expected, folds=False)
    for pieces, value in ((sides.got, got), (sides.expected, expected)):
        assert joined(pieces) == (value if isinstance(value, str) else layout(value))


@given(TEXTS, TEXTS)
@example("a  b", "a b")
def test_the_pieces_of_a_text_are_the_text(got: str, expected: str) -> None:
    sides = differences(json.dumps(got), json.dumps(expected), folds=False)
    assert (joined(sides.got), joined(sides.expected)) == (got, expected)
    is_same = " ".join(got.split()) == " ".join(expected.split())
    assert is_same == (not marked(sides.got) and not marked(sides.expected))


@given(VALUES)
def test_what_is_the_same_has_no_mark(value: Any) -> None:
    sides = told(value, value)
    assert not marked(sides.got)
    assert not marked(sides.expected)


@given(st.lists(st.sampled_from("ab"), max_size=30), st.lists(st.sampled_from("ab"), max_size=30))
def test_stretches_cover_both_sequences_and_the_alike_ones_are_alike(
    got: list[str], expected: list[str]
) -> None:
    stretches = aligned(got, expected)
    assert [place for _, begin, end, _, _ in stretches for place in range(begin, end)] == list(
        range(len(got))
    )
    assert [place for _, _, _, begin, end in stretches for place in range(begin, end)] == list(
        range(len(expected))
    )
    assert all(got[a:b] == expected[c:d] for is_same, a, b, c, d in stretches if is_same)
    # The longest common subsequence is found.
    assert sum(b - a for is_same, a, b, _, _ in stretches if is_same) == longest(got, expected)


def longest(got: list[str], expected: list[str]) -> int:
    row = [0] * (len(expected) + 1)
    for ours in got:
        before = 0
        for place, theirs in enumerate(expected, start=1):
            here = row[place]
            row[place] = before + 1 if ours == theirs else max(here, row[place - 1])
            before = here
    return row[-1]


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ("4.0", "4"),
        ("4.00", "4.0"),
        ("0.30000000000000004", "0.3"),
        ('"2026-01-02"', '"2026-01-02T00:00:00Z"'),
        ('"2026-01-02T01:00:00+01:00"', '"2026-01-02"'),
        ('"a  b"', '"a b "'),
        ('{"a": [1.0], "b": null}', '{"b": null, "a": [1]}'),
        ("1E400", "1E400"),
    ],
)
def test_values_that_are_alike_are_not_marked(got: str, expected: str) -> None:
    sides = differences(got, expected)
    assert not marked(sides.got)
    assert not marked(sides.expected)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ("4", '"4"'),
        ("true", "1"),
        ("null", '""'),
        ("1000000001", "1000000002"),
        ('"2026-01-02"', '"2026-01-03"'),
        ("1E999999999", "1"),
    ],
)
def test_values_of_another_kind_or_size_are(got: str, expected: str) -> None:
    sides = differences(got, expected)
    assert marked(sides.got) or marked(sides.expected)


def test_inside_of_a_long_list_only_what_differs_is_shown_and_marked() -> None:
    lines = [{"text": f"line {number}", "amount": number} for number in range(100)]
    others = [dict(line) for line in lines]
    others[50]["amount"] = 1050
    del others[70]
    sides = told(lines, others)
    assert marked(sides.got) == ["50", layout(lines[70], 1)]
    assert marked(sides.expected) == ["1050"]
    assert "⋯ 50 elements alike" in joined(sides.got)
    assert "line 49" not in joined(sides.got)
    assert len(joined(sides.got)) < 1_000


def test_of_two_texts_the_words_are_marked_and_long_stretches_alike_are_counted() -> None:
    before, after = "word " * 2_000, " end" * 2_000
    sides = differences(json.dumps(f"{before}Max{after}"), json.dumps(f"{before}Moritz{after}"))
    assert (marked(sides.got), marked(sides.expected)) == (["Max"], ["Moritz"])
    assert "characters alike" in joined(sides.got)
    assert len(joined(sides.got)) < 1_000


def test_megabytes_that_have_nothing_in_common_take_a_bounded_number_of_steps() -> None:
    numbers = random.Random(1)  # noqa: S311 - only numbers to compare
    got, expected = (json.dumps([numbers.randrange(3) for _ in range(100_000)]) for _ in range(2))
    counted = [0]

    class Counted(int):
        def __eq__(self, other: object) -> bool:
            counted[0] += 1
            return int(self) == other

        __hash__ = int.__hash__

    aligned([Counted(each) for each in json.loads(got)], json.loads(expected))
    assert counted[0] < 4 * MOST_STEPS
    sides = differences(got, expected)
    assert joined(sides.got)
    words = [" ".join(str(numbers.randrange(9)) for _ in range(400_000)) for _ in range(2)]
    assert marked(differences(*map(json.dumps, words)).got)


@pytest.mark.parametrize(
    "text", ["", "no json", "[" * 100_000, '{"a":' * 900 + "1" + "}" * 900, "\x00", '"\\ud800"', "9" * 5_000]
)
def test_hostile_texts_are_texts(text: str) -> None:
    sides = differences(text, "[1]")
    assert joined(sides.expected)
    assert differences("[1]", text).expected is not None
