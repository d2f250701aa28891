from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.quality import wording
from runware_provider.engine.quality.profile import Profiler


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_becomes_one_line_of_what_can_be_seen(text):
    shown = wording.value(text)
    assert len(shown) <= wording.VALUE_CHARS
    assert "\n" not in shown
    bad = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not [sign for sign in shown if unicodedata.category(sign) in bad and sign not in "\u200c\u200d"]
    shown.encode()


@pytest.mark.parametrize(
    ("held", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (12, "12"),
        (12.0, "12"),
        (0.1, "0.1"),
        (1e22, "1e+22"),
        (Decimal("24.00"), "24"),
        (Decimal("0E-18"), "0"),
        (Decimal("1200.500000000000000000"), "1200.5"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02 03:04:00"),
        (time(3, 4), "03:04:00"),
        (b"abc", "3 bytes"),
        ("a\nb\tc\x00\u202e", "a⏎b⇥c\\x00\\u202e"),
        ("", '""'),
        ("  ", '"  "'),
        ("x" * 70, "x" * 59 + "…"),
        ([1.0], "1 element: [1]"),
        (
            [{"a": Decimal("4.00"), "b": None}, {"a": 'q"'}],
            '2 elements: [{"a": 4, "b": null}, {"a": "q\\""}]',
        ),
        ({"day": date(2026, 1, 2)}, '{"day": 2026-01-02}'),
        ("\U000e0001", "\\U000e0001"),
    ],
    ids=repr,
)
def test_values_are_shown_as_a_reader_expects(held, shown):
    assert wording.value(held) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 10, "0 %"),
        (10, 10, "100 %"),
        (1, 3, "33.3 %"),
        (1, 10**6, "<0.1 %"),
        (10**6 - 1, 10**6, ">99.9 %"),
        (0, 0, wording.NOTHING),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(part, whole, shown):
    assert wording.share(part, whole) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "0 USD"),
        (0.147065, "0.1471 USD"),
        (0.00023, "0.00023 USD"),
        (0.5, "0.50 USD"),
        (1.23, "1.23 USD"),
        (12345.678, "12,345.68 USD"),
        (1e-12, "0.00 USD"),
        (None, wording.NOTHING),
    ],
)
def test_an_amount_has_as_many_digits_as_tell_it_from_others(amount, shown):
    assert wording.usd(amount) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (2588.4, "2,588"),
        (23.24, "23.24"),
        (1316997.0, "1,316,997"),
        (1e-9, "1e-09"),
        (100.0, "100"),
        (None, wording.NOTHING),
    ],
)
def test_a_number_that_was_calculated_has_four_digits(number, shown):
    assert wording.number(number) == shown


def test_durations_are_shown_as_finely_as_they_matter():
    assert [wording.seconds(one) for one in (0.1234, 12.34, 1234.5)] == ["0.12 s", "12.3 s", "1,234 s"]


def test_long_values_are_shown_from_where_they_begin_to_differ():
    first, second = wording.apart("same " * 40 + "end", "same " * 40 + "stop", 30)
    assert (first[-3:], second[-4:]) == ("end", "stop")
    assert len(first) < 30
    assert wording.apart("short", "shorn", 30) == ("short", "shorn")
    assert wording.apart(None, "x" * 99, 30) == (None, "x" * 99)


def test_a_longer_list_differs_where_the_shorter_one_ends():
    one, other = wording.apart(["a" * 9] * 9, [*["a" * 9] * 8, "b"], 30)
    assert one != other
    assert wording.value(one, 30) != wording.value(other, 30)


def test_the_ends_of_a_range_are_rounded_where_a_float_has_too_many_digits():
    profiler = Profiler()
    profiler.add(pa.array([{"a": -14.638360649085655}, {"a": 205.5}]))
    assert wording.extent(profiler.fields()[0]) == "-14.6384 to 205.5"
