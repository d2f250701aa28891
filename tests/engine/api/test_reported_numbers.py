"""Which numbers of the API are believed, in whatever way they are written."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api.reported_numbers import number_in, whole_number_in

READ = [
    (0, 0.0),
    (-0.0, 0.0),
    (7, 7.0),
    (2.57e-4, 0.000257),
    ("0.000257", 0.000257),
    ("2.57e-4", 0.000257),
    ("2.57E-04", 0.000257),
    (" 0.5\n", 0.5),
    ("+0.5", 0.5),
    (".5", 0.5),
    ("5.", 5.0),
    ("-0", 0.0),
    ("007", 7.0),
    ("0." + "0" * 300 + "1", 0.0),
]
NOT_READ = [
    None,
    True,
    [],
    {},
    [0.5],
    b"0.5",
    "",
    " ",
    "free",
    "NaN",
    "Infinity",
    "-inf",
    "1,234",
    "0,5",
    "1 234",
    "1_000",
    "0x10",
    "$0.5",
    "0.5 USD",
    "1e",
    "1e1e1",
    "--1",
    "1.2.3",
    "\u0661\u0662",
    "\uff11",
    "1\u00a0",
    "-0.5",
    -0.5,
    -1,
    math.nan,
    math.inf,
    -math.inf,
    1000.01,
    1e300,
    "1e300",
    "1e99999",
    10**400,
    -(10**400),
    "9" * 400,
    "0" * 401,
]


@pytest.mark.parametrize(("value", "number"), READ)
def test_a_number_is_read_as_number_and_as_text(value: Any, number: float) -> None:
    found = number_in(value, 1000)
    assert found == pytest.approx(number, abs=1e-300)
    assert found is not None
    assert math.copysign(1, found) == 1


def test_what_would_have_to_be_guessed_and_what_cannot_be_is_no_number(subtests: pytest.Subtests) -> None:
    for value in NOT_READ:
        with subtests.test(value=repr(value)[:40]):
            assert number_in(value, 1000) is None
            assert whole_number_in(value, 1000) is None


@pytest.mark.parametrize(("value", "count"), [(212, 212), (212.0, 212), ("212", 212), (" 2.12e2", 212)])
def test_a_count_is_read_in_each_notation(value: Any, count: int) -> None:
    found = whole_number_in(value, 1000)
    assert (found, type(found)) == (count, int)


@pytest.mark.parametrize("value", [212.5, "212.5", "1e-3", 1001, "1001"])
def test_a_piece_of_a_token_and_too_many_are_no_count(value: Any) -> None:
    assert whole_number_in(value, 1000) is None


@given(st.floats(0, 1000))
def test_whatever_can_be_written_is_read_back(number: float) -> None:
    assert number_in(number, 1000) == number_in(repr(number), 1000) == number


@given(
    st.one_of(st.text(max_size=20), st.text("0123456789+-.eE ,_", max_size=12), st.integers(), st.floats())
)
def test_whatever_comes_is_within_bounds_or_nothing(value: Any) -> None:
    found = number_in(value, 1000)
    assert found is None or 0 <= found <= 1000
