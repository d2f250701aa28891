"""The shape of `filters`, and filters that are written as texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import BadInput
from runware_provider.engine.filters import normal_form, read_filter
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
    }
    for text, expected in cases.items():
        assert read_filter(text) == expected


def test_a_text_that_is_no_filter_is_refused() -> None:
    for text in ("", "total", "total >", "> 3", "vat_id is", "country in", "country in ,", "country like x"):
        with pytest.raises(BadInput, match="filters: "):
            read_filter(text)


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
