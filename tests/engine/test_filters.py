"""The shape of `filters`, and filters that are written as texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import BadInput
from runware_provider.engine.filter_text import read_filter
from runware_provider.engine.filters import normal_form
from runware_provider.engine.spec import Spec

DE = ("country", "==", "de")
DEAR = ("total", ">", 100)


def refusal(filters: object) -> str:
    with pytest.raises(BadInput) as caught:
        normal_form(filters)
    assert caught.value.field == "filters"
    return str(caught.value)


def test_a_list_of_filters_is_one_alternative_and_a_list_of_lists_several() -> None:
    cases: list[tuple[Any, Any]] = [
        (None, ()),
        ([], ()),
        ([DE], ((DE,),)),
        ([DE, DEAR], ((DE, DEAR),)),
        ([[DE, DEAR], [("vat_id", "is null")]], ((DE, DEAR), (("vat_id", "is null"),))),
        ([["country", "=", "de"]], ((DE,),)),  # as JSON has it
        ([("n", " NOT  in ", {2, 1})], ((("n", "not in", (1, 2)),),)),
        ([("vat_id", "IS NOT NULL")], ((("vat_id", "is not null"),),)),
        (
            [("n", "==", np.int64(2)), ("n", "in", [np.float32(0.5)])],
            ((("n", "==", 2), ("n", "in", (0.5,))),),
        ),
    ]
    for filters, expected in cases:
        assert repr(normal_form(filters)) == repr(expected)
        assert normal_form(expected) == expected


def test_every_other_shape_is_refused_with_what_to_write() -> None:
    cases: list[tuple[Any, str]] = [
        ("country == 'de'", "a str is no list of filters. Write a list of tuples"),
        (DE, "one filter, not a list of filters. Put it into a list"),
        ([DE, [DEAR]], "is no filter"),
        ([[DE], []], "neither a filter nor a list of filters"),
        ([5], "neither a filter nor a list of filters"),
        ([("country",)], "is no filter"),
        ([("country", "==")], "has no value"),
        ([("country", "like", "d%")], "has an unknown operator. There are: ==, !=, <, <=, >, >=, in, not in"),
        ([("country", "==", None)], 'Ask for nulls with ("country", "is null")'),
        ([("country", "in", ["de", None])], 'Ask for nulls with ("country", "is null")'),
        ([("country", "is null", True)], 'Write ("country", "is null")'),
        ([("country", "in", "de")], "has no list behind 'in'"),
        ([("country", "in", [])], "has an empty list"),
        ([("country", "==", ["de"])], "compares with a list"),
        ([("total", ">", float("nan"))], "compares with NaN"),
        ([("total", ">", np.float32("nan"))], "compares with NaN"),
    ]
    for filters, said in cases:
        assert said in refusal(filters)


def test_a_filter_may_be_written_as_a_text() -> None:
    cases = {
        "total > 100": ("total", ">", "100"),
        "total>=100": ("total", ">=", "100"),
        "country = de": DE,
        "country == 'de'": DE,
        'country != ""': ("country", "!=", ""),
        "net amount < 5": ("net amount", "<", "5"),
        '"is null" == x': ("is null", "==", "x"),
        "country in de, fr": ("country", "in", ("de", "fr")),
        "name NOT IN 'Doe, Jo',\"x\"": ("name", "not in", ("Doe, Jo", "x")),
        "vat_id is  null": ("vat_id", "is null"),
        "vat_id IS NOT NULL": ("vat_id", "is not null"),
        "body == x in y > 3": ("body", "==", "x in y > 3"),
        "inn > 3": ("inn", ">", "3"),
        "country <> de": ("country", "!=", "de"),
        "country in (de, fr)": ("country", "in", ("de", "fr")),
        "country not in ['de', fr]": ("country", "not in", ("de", "fr")),
        "country in(de)": ("country", "in", ("de",)),
        "country in '(de', 'fr)'": ("country", "in", ("(de", "fr)")),
        "name in Doe (senior), Roe (junior)": ("name", "in", ("Doe (senior)", "Roe (junior)")),
        "country in ('null')": ("country", "in", ("null",)),
        '"a > b" == 3': ("a > b", "==", "3"),
        "'in or out' is null": ("in or out", "is null"),
        '"say ""x"" in y" in a': ('say "x" in y', "in", ("a",)),
        "name == 'it''s'": ("name", "==", "it's"),
        "name == it's": ("name", "==", "it's"),
        "name == 'Trinidad and Tobago'": ("name", "==", "Trinidad and Tobago"),
        "name in 'a or b', c": ("name", "in", ("a or b", "c")),
        "body == '= (x)'": ("body", "==", "= (x)"),
        "body != 'Doe, Jo'": ("body", "!=", "Doe, Jo"),
        "orders > 3": ("orders", ">", "3"),
    }
    for text, expected in cases.items():
        assert read_filter(text) == expected


def test_a_text_that_is_no_filter_is_refused() -> None:
    for text in ("", "total", "total >", "> 3", "vat_id is", "country in", "country in ,", "country like x"):
        with pytest.raises(BadInput, match="filters: "):
            read_filter(text)


def test_a_text_that_sql_or_python_would_read_as_something_else_is_refused() -> None:
    cases = {
        "total > 100 or x < 3": "'or' outside of quotes. Write --filter once more for `and`;",
        "lang = de AND x = 3": "'AND' outside of quotes",
        "lang = 'de' or lang = 'it'": "'or' outside of quotes",
        "lang is null or x > 3": "'or' outside of quotes",
        "lang is null and x is null": "'and' outside of quotes",
        "lang not in de or it": "'or' outside of quotes",
        "lang not in de, fr, or it": "'or' outside of quotes",
        "lang in 'de', 'fr' and x = 3": "'and' outside of quotes",
        "lang in ('de', 'fr') and x = 3": "'and' outside of quotes",
        "lang != de && x == 3": "'&&' outside of quotes",
        "lang != de | fr": "'|' outside of quotes",
        "lang === de": "the value '= de'",
        "lang =! de": "the value '! de'",
        "lang =< de": "the value '< de'",
        "lang not in == de": "the value '== de'",
        "lang != (de)": "the value '(de)'",
        "lang not in (de": "the value '(de'",
        "lang not in de)": "the value 'de)'",
        "lang not in (de), (fr)": "the value 'de)'",
        "lang not in (de]": "the value '(de]'",
        "lang != 'de": 'the value "\'de"',
        "lang != 'de' x": "the value \"'de' x\"",
        "lang != de, fr": "the value 'de, fr'",
        "lang != NULL": "'NULL' outside of quotes. Ask for nulls with: lang is null",
        "lang not in (de, null)": "'null' outside of quotes",
        '"lang > de': "is no filter",
    }
    for text, said in cases.items():
        with pytest.raises(BadInput) as caught:
            read_filter(text)
        assert said in str(caught.value), text


@given(st.sampled_from(["==", "!=", "in", "not in"]), st.text(), st.text(min_size=1))
def test_quotes_keep_every_name_and_value_as_it_is(sign: str, value: str, column: str) -> None:
    for quote in "'\"":
        quoted_column, quoted = (quote + text.replace(quote, quote * 2) + quote for text in (column, value))
        told = read_filter(f"{quoted_column} {sign} {quoted}")
        assert told == (column, sign, (value,) if "in" in sign else value)


@given(st.text(max_size=30) | st.text(alphabet="ab =<>!in,'\" notull", max_size=20))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    try:
        written = read_filter(text)
    except BadInput:
        return
    assert normal_form([written]) == ((written,),)


def test_where_is_refused_with_the_way_to_write_it_now() -> None:
    with pytest.raises(
        BadInput, match=r"where: there is no such argument any more. Choose records with filters="
    ):
        Spec(source="a", destination="b", prompt="{{ record.c }}", where="record.c == 1")  # type: ignore[call-arg]
