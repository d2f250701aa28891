from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from runware_provider.engine.errors import BadInput
from runware_provider.engine.schema.answer_schema import output_schema

TEXT = {"type": "string"}
KIND = {
    "type": "object",
    "properties": {"kind": {"enum": ["iban", "card"]}, "to": {"type": "array", "items": TEXT}},
}
IF = {"properties": {"kind": {"const": "iban"}}}
IBAN = {"properties": {"iban": TEXT}, "required": ["iban"]}


@pytest.mark.parametrize(
    ("condition", "place"),
    [
        ({"if": IF, "then": IBAN}, "$.x.iban"),
        ({"if": IF, "else": {"properties": {"card": TEXT}}}, "$.x.card"),
        ({"if": IF, "then": {"required": ["iban"]}}, "$.x.iban"),
        ({"if": IF, "then": {"if": IF, "else": {"dependentSchemas": {"kind": IBAN}}}}, "$.x.iban"),
        ({"dependentSchemas": {"kind": IBAN}}, "$.x.iban"),
        ({"dependentRequired": {"kind": ["iban"]}}, "$.x.iban"),
        ({"anyOf": [{"required": ["iban"]}, {"required": ["kind"]}]}, "$.x.iban"),
        (
            {
                "properties": {**KIND["properties"], "at": {"type": "array", "items": KIND}},
                "if": IF,
                "then": {"properties": {"at": {"items": {"properties": {"a b": TEXT}}}}},
            },
            '$.x.at[]["a b"]',
        ),
    ],
)
def test_what_only_a_condition_names_is_refused_before_it_is_paid_for(
    condition: dict[str, Any], place: str
) -> None:
    with pytest.raises(BadInput, match="under `properties`") as caught:
        output_schema({"type": "object", "properties": {"x": {**KIND, **condition}}})
    assert str(caught.value).startswith(f"output_type: at {place}: only a condition")


@pytest.mark.parametrize(
    "condition",
    [
        {"if": IF, "then": {"required": ["to"], "properties": {"to": {"minItems": 1}}}},
        {"if": IF, "then": {"properties": {"card": False}}},
        {"dependentRequired": {"kind": ["to"]}},
        {"dependentRequired": {"nobody": ["asked"]}, "dependentSchemas": {"nobody": IBAN}},
        {"not": {"required": ["card"]}},
    ],
)
def test_a_condition_on_what_is_declared_is_taken_and_checked(condition: dict[str, Any]) -> None:
    assert output_schema({**KIND, **condition}).fit({"kind": "card", "to": ["a"]}).problems == []


def test_a_model_may_say_more_to_the_model_than_it_checks() -> None:
    class Payment(BaseModel):
        model_config = ConfigDict(json_schema_extra={"dependentRequired": {"kind": ["iban"]}})

        kind: str

    assert output_schema(Payment).fit({"kind": "iban"}).problems == []
