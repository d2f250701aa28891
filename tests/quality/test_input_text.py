"""The text beside a miss."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.quality.input_text import AROUND, text_beside

LONG = "word " * 1000


def beside(text, expected, got=None, **others):
    return text_beside({"key": "k" * 5000, "body": text, **others}, got, expected, key="key")


def test_the_longest_text_is_shown_and_the_key_is_none():
    shown = beside("the longer one", "one", title="short", pages=7, none=None)
    assert (shown.column, shown.chars) == ("body", 14)
    assert text_beside({"key": "k", "pages": 7}, 1, 2, key="key") is None


def test_a_long_text_is_cut_around_the_expected_value():
    shown = beside(f"{LONG}Vendor  GmbH\n{LONG}", "vendor gmbh")
    assert shown.value == "Vendor  GmbH"
    assert (len(shown.before), len(shown.after)) == (AROUND, AROUND)
    assert shown.is_cut
    assert shown.goes_on
    assert shown.line(60).startswith("…")
    assert "word Vendor GmbH word" in shown.line(60)
    assert len(shown.line(60)) <= 60


def test_where_it_is_not_the_value_that_was_got_is_looked_for_and_else_the_text_begins_at_its_beginning():
    shown = beside(f"{LONG}Got {LONG}", "Wanted", got="Got")
    assert (shown.value, shown.is_expected) == ("Got", False)
    shown = beside(LONG, "Wanted", got="Got")
    assert (shown.value, shown.before, shown.goes_on) == ("", LONG[: 2 * AROUND], True)


@pytest.mark.parametrize(
    ("expected", "written"),
    [
        (1234.5, "1,234.50"),
        (1234.5, "1.234,50"),
        (1234.5, "1 234,50"),
        (1234.5, "1234.50"),
        (Decimal("12.00"), "12"),
        (date(2026, 3, 5), "05.03.2026"),
        (date(2026, 3, 5), "2026-03-05"),
        (date(2026, 3, 5), "5 March 2026"),
        (date(2026, 3, 5), "Mar 5, 2026"),
        ("A (b) [c]*", "a (b) [c]*"),
        ([{"n": 1, "name": "Screw"}], "Screw"),
    ],
)
def test_numbers_dates_and_lists_are_found_as_people_write_them(expected, written):
    assert beside(f"before {written} after", expected).value == written


@pytest.mark.parametrize("expected", [None, True, 7, "a", "x" * 300, float("nan"), 1e300, b"a"])
def test_what_would_be_met_anywhere_is_not_looked_for(expected):
    assert beside(f"a 7 True None nan {'x' * 300} 1e300", expected).value == ""


def test_a_value_inside_of_a_word_or_a_number_is_none():
    assert beside("Vendors 112.503", "Vendor").value == ""
    assert beside("Vendors 112.503", 12.5).value == ""


@given(
    st.text(max_size=300), st.text(max_size=20) | st.floats() | st.dates() | st.none(), st.text(max_size=20)
)
def test_the_piece_is_a_piece_of_the_text_whatever_stands_there(text, expected, got):
    shown = beside(text, expected, got)
    assert shown.before + shown.value + shown.after in text
    assert shown.line(40).isprintable()
    assert len(shown.line(40)) <= 40
