from __future__ import annotations

from typing import Any

import pytest

from runware_provider.engine.schema.answer_schema import output_schema

TEXT = {"type": "string"}


def an_object(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


CARD = an_object("kind", "last", kind={"const": "card"}, last=TEXT)
WIRE = an_object("kind", "iban", "bic", kind={"enum": ["wire", "sepa"]}, iban=TEXT, bic=TEXT)
NULL = {"type": "null"}


def problems(pay: Any, value: Any) -> list[str]:
    return [str(one) for one in output_schema(an_object(pay=pay)).fit({"pay": value}).problems]


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
@pytest.mark.parametrize("branches", [[CARD, WIRE], [WIRE, CARD], [NULL, WIRE, CARD]])
def test_the_complaint_is_about_the_alternative_that_the_value_names(
    keyword: str, branches: list[dict[str, Any]]
) -> None:
    assert problems({keyword: branches}, {"kind": "card"}) == ["$.pay: 'last' is a required property"]
    assert problems({keyword: branches}, {"kind": "card", "last": 4}) == [
        "$.pay.last: 4 is not of type 'string'"
    ]
    assert sorted(problems({keyword: branches}, {"kind": "sepa", "iban": 1})) == [
        "$.pay.iban: 1 is not of type 'string'",
        "$.pay: 'bic' is a required property",
    ]


def test_a_name_that_no_alternative_has_is_told_with_those_that_there_are() -> None:
    assert problems({"oneOf": [CARD, WIRE]}, {"kind": "cash"}) == [
        "$.pay.kind: 'cash' is not one of ['card', 'wire', 'sepa']"
    ]
    assert problems({"oneOf": [CARD, WIRE]}, {"last": "1"}) == [
        "$.pay: 'kind' is a required property; it is one of ['card', 'wire', 'sepa']"
    ]


def test_an_alternative_beside_properties_is_chosen_by_them_too() -> None:
    pay = {
        "type": "object",
        "properties": {"kind": TEXT},
        "oneOf": [
            {"properties": {"kind": {"const": "card"}, "last": TEXT}, "required": ["last"]},
            {"properties": {"kind": {"const": "wire"}, "iban": TEXT}, "required": ["iban"]},
        ],
    }
    assert problems(pay, {"kind": "wire", "last": "1"}) == ["$.pay: 'iban' is a required property"]


def test_unions_inside_of_unions_and_lists_are_chosen_level_by_level() -> None:
    outer = {"oneOf": [an_object("of", of={"const": "none"}), an_object("of", "pay", of={"const": "one"})]}
    outer["oneOf"][1]["properties"]["pay"] = {"type": "array", "items": {"anyOf": [CARD, WIRE]}}
    value = {"of": "one", "pay": [{"kind": "card", "last": "1"}, {"kind": "card"}]}
    assert problems(outer, value) == ["$.pay.pay[1]: 'last' is a required property"]


def test_where_nothing_tells_the_nearest_alternative_is_named_as_the_nearest() -> None:
    person = an_object("first", "last", first=TEXT, last=TEXT)
    company = an_object("name", "form", "seat", name=TEXT, form=TEXT, seat=TEXT)
    assert problems({"anyOf": [company, person]}, {"first": "A"}) == [
        "$.pay: none of the 2 alternatives fits; what the nearest one lacks follows",
        "$.pay: 'last' is a required property",
    ]


def test_a_value_of_no_alternatives_type_is_told_all_types() -> None:
    assert problems({"anyOf": [{"type": "integer"}, {"type": "number"}, NULL]}, "x") == [
        "$.pay: 'x' is not of type 'integer', 'number'"
    ]
    assert problems({"anyOf": [CARD, WIRE]}, "x") == ["$.pay: 'x' is not of type 'object'"]


def test_true_names_no_alternative_that_is_called_1() -> None:
    one, two = an_object("n", "a", n={"const": 1}, a=TEXT), an_object("n", "b", n={"const": 2}, b=TEXT)
    assert problems({"anyOf": [one, two]}, {"n": True}) == ["$.pay.n: True is not one of [1, 2]"]


def test_a_value_that_fits_two_alternatives_of_one_is_told_so() -> None:
    told = problems({"oneOf": [an_object(a=TEXT), an_object(b=TEXT)]}, {"a": "x"})
    assert len(told) == 1
    assert "is valid under more than one of" in told[0]
