from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runware_provider.quality import wording
from runware_provider.quality.wording import code, table


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_becomes_one_line_of_what_can_be_seen(text):
    shown = wording.clip(wording.visible(text), 60)
    assert len(shown) <= 60
    assert "\n" not in shown
    bad = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not [sign for sign in shown if unicodedata.category(sign) in bad and sign not in "\u200c\u200d"]
    shown.encode()


def test_values_are_shown_as_a_reader_expects():
    for value, shown in (
        (None, "null"),
        (True, "true"),
        (12.0, "12"),
        (0.1, "0.1"),
        (1e22, "1e+22"),
        (Decimal("0E-18"), "0"),
        (Decimal("1200.500000000000000000"), "1200.5"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02 03:04:00"),
        (time(3, 4), "03:04:00"),
        (b"abc", "3 bytes"),
        ("a\nb\tc\x00\u202e", "a⏎b⇥c\\x00\\u202e"),
        ("\U000e0001", "\\U000e0001"),
        ("  ", '"  "'),
        ([1.0], "1 element: [1]"),
        (
            [{"a": Decimal("4.00"), "b": None}, {"a": 'q"'}],
            '2 elements: [{"a": 4, "b": null}, {"a": "q\\""}]',
        ),
        ({"day": date(2026, 1, 2)}, '{"day": "2026-01-02"}'),
    ):
        assert wording.visible(wording.text_of(value)) == shown


def test_a_share_is_never_rounded_to_all_or_nothing():
    shares = [(0, 10), (10, 10), (1, 3), (1, 10**6), (10**6 - 1, 10**6), (0, 0)]
    assert [wording.percentage(*one) for one in shares] == [
        "0 %",
        "100 %",
        "33.3 %",
        "<0.1 %",
        ">99.9 %",
        "\u2013",
    ]


def test_an_amount_has_as_many_digits_as_tell_it_from_others():
    amounts = [0, 0.147065, 0.00023, 0.5, 12345.678, 1e-12]
    shown = ["0 USD", "0.1471 USD", "0.00023 USD", "0.50 USD", "12,345.68 USD", "0.000000000001 USD"]
    assert list(map(wording.usd, amounts)) == shown
    assert wording.usd(None) == wording.NOTHING


def test_a_number_that_was_calculated_has_four_digits():
    numbers = [0, 2588.4, 23.24, 1316997.0, 1e-9, 100.0]
    assert list(map(wording.number, numbers)) == ["0", "2,588", "23.24", "1,316,997", "1e-09", "100"]


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
    assert wording.code(one, 30) != wording.code(other, 30)


ANY = st.text(st.characters(exclude_categories=[])) | st.text("|\\`\n <>&*_[]@#", max_size=12)


def cells(line: str, *, pairs: bool) -> list[str]:
    """Cut a row as GitHub's parser does; whether two backslashes are a pair is read in two ways."""
    bare = re.sub(r"\\\\", "xx", line) if pairs else line
    return re.split(r"(?<!\\)\|", bare)[1:-1]


@pytest.mark.parametrize("pairs", [True, False])
@given(ANY)
@example("\\|")
@example("a|b\\")
@example("`|`")
def test_no_text_breaks_a_row(pairs, text):
    lines = table(["a", "b"], [[code(text), "end"]])
    assert lines[3:] == [""]
    assert len("\n".join(lines).splitlines()) == 3
    assert [len(cells(line, pairs=pairs)) for line in lines[:3]] == [2, 2, 2]
    assert cells(lines[2], pairs=pairs)[1] == " end "


@given(ANY)
def test_every_text_stands_in_a_code_span_or_has_no_sign_that_means_something(text):
    shown = code(text, 10_000).strip("\u2068\u2069")
    fence = re.match("`+", shown)
    if fence is None:
        assert not re.search(r"[<>`*_@\[\]|]", shown)
    else:
        inside = shown[len(fence[0]) : -len(fence[0])]
        assert shown.endswith(fence[0])
        assert fence[0] not in re.findall("`+", inside)


def test_texts_that_run_from_right_to_left_are_kept_apart():
    assert code("שלום") == "\u2068`שלום`\u2069"
    assert code("a") == "`a`"


def test_long_texts_are_clipped():
    assert len(code("x" * 1000, 20)) == 22


def test_an_empty_text_is_one():
    assert code("") == '`""`'
