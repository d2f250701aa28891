"""Where two values differ is marked, what is alike is not, and nothing gets lost."""

from __future__ import annotations

import json
import math
import operator
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runware_provider.quality.alignment import Steps, aligned
from runware_provider.quality.differences import (
    FOLDED,
    MOST_STEPS,
    _Comparing,
    differences,
    differences_of,
    layout,
)
from runware_provider.quality.sameness import comparable, same

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


def told(got: Any, expected: Any, *, folding: Any = FOLDED) -> Any:
    return differences(json.dumps(got), json.dumps(expected), folding=folding)


@given(VALUES, VALUES)
def test_the_pieces_of_each_side_are_the_value(got: Any, expected: Any) -> None:
    sides = told(got, expected, folding=None)
    for pieces, value in ((sides.got, got), (sides.expected, expected)):
        assert joined(pieces) == (value if isinstance(value, str) else layout(value))


@given(TEXTS, TEXTS)
@example("a  b", "a b")
def test_the_pieces_of_a_text_are_the_text(got: str, expected: str) -> None:
    sides = differences(json.dumps(got), json.dumps(expected), folding=None)
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
    stretches = aligned(got, expected, Steps(MOST_STEPS), operator.eq)
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
        ('{"a": 1, "more": 2}', '{"a": 1}'),
        ("10000000000", "10000000000.5"),
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
        ("1E400", "1E401"),
        ('{"a": 1}', '{"b": 1}'),
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


def test_of_a_long_text_the_end_is_compared_and_so_is_that_of_a_long_list_as_a_text() -> None:
    text, numbers = "word " * 20_000, list(range(20_000))
    for got, expected in ((f"{text}Max", f"{text}Moritz"), ([*numbers, "Max"], [*numbers, "Moritz"])):
        sides = told(got, expected)
        assert (marked(sides.got), marked(sides.expected)) == (["Max"], ["Moritz"])


# in a bounded number of steps


class Counted:
    """A value that counts how often it is compared."""

    def __init__(self, value: int, counts: list[int]) -> None:
        self.value = value
        self.counts = counts

    def __eq__(self, other: object) -> bool:
        self.counts[0] += 1
        return isinstance(other, Counted) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]


def counted(shape: Any, counts: list[int]) -> Any:
    if isinstance(shape, list):
        return [counted(part, counts) for part in shape]
    return Counted(shape, counts)


def sizes(shape: Any) -> int:
    return sum(map(sizes, shape)) if isinstance(shape, list) else 1


def nested(depth: int, last: int) -> Any:
    return [nested(depth - 1, last)] if depth else [*range(400), last]


MANY_LISTS = [[number] * 60 for number in range(60)]
NO_COMMON_ORDER = [list(range(100, 0, -1)), [number * 7 % 101 for number in range(100)]]


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (MANY_LISTS, [[number + 1] * 59 for number in range(60)]),
        (NO_COMMON_ORDER, [list(range(100)), [number * 5 % 101 for number in range(100)]]),
        (nested(40, 1), nested(40, 2)),
    ],
    ids=["many lists", "no common order", "deeply nested"],
)
def test_however_values_are_nested_one_budget_is_for_all_of_them(got: Any, expected: Any) -> None:
    counts = [0]
    most = 1_000
    _Comparing(Steps(most), None).outcome(counted(got, counts), counted(expected, counts))
    # Besides the budget, each value is looked at once, beside that in its place.
    bound = most + max(sizes(got), sizes(expected))
    assert counts[0] <= bound
    _Comparing(Steps(1_000_000), None).outcome(counted(got, counts), counted(expected, counts))
    assert counts[0] > 2 * bound


def test_where_no_steps_are_left_elements_are_compared_in_their_order() -> None:
    steps = Steps(0)
    sides = differences('[[1, 2, 3], {"a": 4}]', '[[1, 9, 3], {"a": 5}]', steps=steps)
    assert (marked(sides.got), marked(sides.expected)) == (["2", "4"], ["9", "5"])


def test_one_budget_may_be_for_many() -> None:
    steps = Steps(100)
    words = [" ".join(str(number * factor % 11) for number in range(200)) for factor in (3, 5)]
    differences(*words, steps=steps)
    assert steps.left <= 0
    assert differences("a b c", "a x c", steps=steps).got == [("a ", False), ("b", True), (" c", False)]


# the rule of `sameness`

LEAF_TYPES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): st.sampled_from(["a", "a b", "a  b ", "2026-01-02", "2026-01-02T00:00:00", "\x85a b"]),
    pa.int64(): st.sampled_from([0, 1, 2, 1_000_000_001, 1_000_000_002]),
    pa.float64(): st.sampled_from(
        [0.0, 0.1, 0.1 + 1e-11, 1.0, 1e9, 1e9 + 1, math.inf, -math.inf, math.nan, 5e-324]
    ),
    pa.bool_(): st.booleans(),
    pa.date32(): st.sampled_from([date(2026, 1, 2), date(2026, 1, 3)]),
    pa.timestamp("us", "UTC"): st.sampled_from(
        [datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, 3, tzinfo=UTC)]
    ),
}
LEAF_VALUES = st.sampled_from(list(LEAF_TYPES.items()))
PAIRS_OF_TYPES = LEAF_VALUES.flatmap(
    lambda first: st.sampled_from(
        [second for second in LEAF_TYPES.items() if comparable(first[0], second[0])]
    ).map(lambda second: (first, second))
)


def of_type(leaf: tuple[pa.DataType, st.SearchStrategy[Any]], shape: str) -> tuple[pa.DataType, Any]:
    kind, values = leaf[0], st.none() | leaf[1]
    if shape == "list":
        return pa.list_(kind), st.lists(values, max_size=4)
    if shape == "structs":
        struct = pa.struct([("a", kind), ("b", pa.list_(kind))])
        return pa.list_(struct), st.lists(
            st.fixed_dictionaries({"a": values, "b": st.lists(values, max_size=3)}), max_size=3
        )
    return kind, values


@given(
    PAIRS_OF_TYPES,
    st.sampled_from(["leaf", "list", "structs"]),
    st.sampled_from([0.0, 0.5]),
    st.integers(0, 20),
    st.data(),
)
def test_what_is_the_same_by_the_rule_of_the_report_is_not_marked(
    leaves: Any, shape: str, tolerance: float, steps: int, data: st.DataObject
) -> None:
    (first, ours), (second, theirs) = (of_type(leaf, shape) for leaf in leaves)
    got, expected = data.draw(ours), data.draw(theirs)
    (is_same,) = same(pa.array([got], first), pa.array([expected], second), tolerance).to_pylist()
    told = _Comparing(Steps(steps), None, tolerance=tolerance).outcome(got, expected)
    has_marks = bool(marked(told.got) or marked(told.expected))
    if is_same:
        assert not has_marks
    # A whole number beside one that is none is the only one that is compared less strictly.
    elif not (pa.types.is_integer(leaves[0][0]) and pa.types.is_floating(leaves[1][0])):
        assert has_marks


def test_a_date_is_the_same_as_its_midnight_and_a_field_of_one_side_is_not_compared() -> None:
    got = [{"on": date(2026, 1, 2), "sum": 1.0, "note": "x"}]
    expected = [{"on": datetime(2026, 1, 2, tzinfo=UTC), "sum": 2}]
    told = differences_of(got, expected)
    assert (marked(told.got), marked(told.expected)) == (["1.0"], ["2"])


@pytest.mark.parametrize(
    "text", ["", "no json", "[" * 100_000, '{"a":' * 900 + "1" + "}" * 900, "\x00", '"\\ud800"', "9" * 5_000]
)
def test_hostile_texts_are_texts(text: str) -> None:
    sides = differences(text, "[1]")
    assert joined(sides.expected)
    assert differences("[1]", text).expected is not None
