from __future__ import annotations

import io
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel, Field

from runware_provider.engine.errors import BadInput
from runware_provider.engine.schema.answer_schema import output_schema

if TYPE_CHECKING:
    from runware_provider.engine.schema.object_answers import OutputSchema


class Card(BaseModel):
    kind: Literal["card"]
    amount: int
    last4: str
    expires: str | None = None


class Transfer(BaseModel):
    kind: Literal["transfer"]
    amount: float
    iban: str
    notes: list[str] = []


class Payment(BaseModel):
    how: Annotated[Card | Transfer, Field(discriminator="kind", description="how it was paid")]
    others: list[Card | Transfer] = []


CARD = {"kind": "card", "amount": 3, "last4": "4242"}
TRANSFER = {"kind": "transfer", "amount": 2.5, "iban": "CH93", "notes": ["a"]}


def obj(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def of(schema: dict[str, Any]) -> OutputSchema:
    return output_schema(obj(x=schema))


def kept(schema: OutputSchema, value: Any) -> Any:
    fit = schema.fit(value)
    assert fit.problems == []
    file = io.BytesIO()
    pq.write_table(pa.table({"result": pa.array([fit.value], schema.arrow_type)}), file)
    return pq.read_table(file).column("result").to_pylist()[0]


def test_a_discriminated_union_is_one_struct_with_the_fields_of_all_alternatives() -> None:
    schema = output_schema(Payment)
    assert schema.arrow_type.field("how").type == pa.struct(
        {
            "kind": pa.string(),
            "amount": pa.float64(),
            "last4": pa.string(),
            "expires": pa.string(),
            "iban": pa.string(),
            "notes": pa.list_(pa.string()),
        }
    )
    assert schema.arrow_type.field("how").metadata == {b"description": b"how it was paid"}


def test_the_fields_of_the_other_alternatives_are_null() -> None:
    stored = kept(output_schema(Payment), {"how": CARD, "others": [TRANSFER, CARD]})
    card = {**CARD, "amount": 3.0, "expires": None, "iban": None, "notes": None}
    assert stored == {"how": card, "others": [{**TRANSFER, "last4": None, "expires": None}, card]}


def test_a_stored_alternative_without_its_nulls_is_read_by_the_model_again() -> None:
    for value in (CARD, TRANSFER):
        stored = kept(output_schema(Payment), {"how": value})["how"]
        again = {name: one for name, one in stored.items() if one is not None}
        assert Payment.model_validate({"how": again}) == Payment.model_validate({"how": value})


def test_an_alternative_can_be_picked_by_its_discriminator() -> None:
    schema = output_schema(Payment)
    rows = pa.array([schema.fit({"how": one}).value for one in (CARD, TRANSFER, CARD)], schema.arrow_type)
    how = rows.field("how")
    assert how.field("last4").filter(pc.equal(how.field("kind"), "card")).to_pylist() == ["4242", "4242"]


def test_the_local_check_still_tells_the_alternatives_apart() -> None:
    (problem,) = output_schema(Payment).fit({"how": {**CARD, "kind": "transfer"}}).problems
    assert problem.path == "$.how.iban"
    (problem,) = output_schema(Payment).fit({"how": {**CARD, "kind": "cash"}}).problems
    assert problem.path == "$.how"


def test_a_union_beside_what_its_alternatives_share_is_one_struct() -> None:
    branches = [
        obj("last4", kind={"const": "card"}, last4={"type": "string"}),
        {"properties": {"kind": {"const": "transfer"}, "iban": {"type": "string"}}, "required": ["amount"]},
    ]
    base = {"type": "object", "properties": {"kind": {"type": "string"}, "amount": {"type": "integer"}}}
    schema = of({**base, "oneOf": branches})
    assert [field.name for field in schema.arrow_type.field("x").type] == ["kind", "amount", "last4", "iban"]
    stored = kept(schema, {"x": {"kind": "transfer", "amount": 1, "iban": "CH93"}})
    assert stored == {"x": {"kind": "transfer", "amount": 1, "last4": None, "iban": "CH93"}}
    assert schema.fit({"x": {"kind": "transfer", "iban": "CH93"}}).problems


def test_alternatives_differ_at_any_depth() -> None:
    inner = [obj(p=obj(q={"type": "array", "items": obj(**{name: {"type": "string"}})})) for name in "ab"]
    item = of({"anyOf": inner}).arrow_type.field("x").type.field("p").type.field("q").type.value_type
    assert item == pa.struct({"a": pa.string(), "b": pa.string()})


@pytest.mark.parametrize(
    ("first", "second", "place"),
    [
        ({"type": "string"}, {"type": "integer"}, "$.x.a"),
        ({"type": "string"}, {"type": "string", "format": "date"}, "$.x.a"),
        ({"type": "string"}, obj(b={"type": "string"}), "$.x.a"),
        (obj(b={"type": "boolean"}), obj(b={"type": "string"}), "$.x.a.b"),
        (
            {"type": "array", "items": {"type": "boolean"}},
            {"type": "array", "items": {"type": "string"}},
            "$.x.a[]",
        ),
    ],
)
def test_fields_of_one_name_and_unlike_types_are_refused_at_their_place(
    first: dict[str, Any], second: dict[str, Any], place: str
) -> None:
    with pytest.raises(BadInput) as refused:
        of({"anyOf": [obj(a=first), obj(a=second)]})
    assert f"at {place}: it may be" in str(refused.value)
    assert "a property of its own" in refused.value.remedy
    assert "untyped='json'" in refused.value.remedy


def test_a_default_of_one_alternative_is_not_filled_into_another() -> None:
    common = {"type": "string", "default": "c"}
    schema = of(
        {
            "anyOf": [
                obj("a", a={"type": "string"}, n={"type": "integer", "default": 1}, c=common),
                obj("b", b={"type": "string"}, c=common),
            ]
        }
    )
    assert kept(schema, {"x": {"b": "y"}}) == {"x": {"a": None, "n": None, "c": "c", "b": "y"}}


def test_alternatives_of_the_whole_answer_are_one_struct_if_the_root_says_object() -> None:
    schema = output_schema(
        {"type": "object", "oneOf": [obj("a", a={"type": "string"}), obj("b", b={"type": "integer"})]}
    )
    assert schema.arrow_type == pa.struct({"a": pa.string(), "b": pa.int64()})
    assert kept(schema, {"b": 3}) == {"a": None, "b": 3}
