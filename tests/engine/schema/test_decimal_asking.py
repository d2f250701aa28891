from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from runware_provider.engine.schema.answer_schema import output_schema
from runware_provider.engine.schema.decimal_asking import asked_decimal


@pytest.mark.parametrize(
    ("limits", "pattern", "fits", "does_not"),
    [
        ({}, r"^-?\d+(\.\d+)?$", ["0", "-12.50", "1" * 40], ["1,5", "", ".", "1e3", "12."]),
        (
            {"max_digits": 12, "decimal_places": 2},
            r"^-?\d{1,10}(\.\d{1,2})?$",
            ["1234567890.12", "-5"],
            ["12345678901", "1.234"],
        ),
        ({"decimal_places": 0}, r"^-?\d+$", ["12"], ["1.0"]),
        ({"max_digits": 2, "decimal_places": 2}, r"^-?0(\.\d{1,2})?$", ["0.12"], ["1.12"]),
        ({"max_digits": 3}, r"^-?\d{1,3}(\.\d{1,3})?$", ["0.123", "123"], ["1234"]),
        ({"decimal_places": 2, "ge": Decimal(0)}, r"^\d+(\.\d{1,2})?$", ["1.5"], ["-1.5"]),
    ],
)
def test_the_text_of_a_decimal_is_described_by_what_the_model_allows(
    limits: dict[str, Any], pattern: str, fits: list[str], does_not: list[str]
) -> None:
    text, number = asked_decimal(limits)["anyOf"]
    assert text == {"type": "string", "pattern": pattern}
    assert number["type"] == "number"
    assert all(re.search(pattern, one) for one in fits)
    assert not any(re.search(pattern, one) for one in does_not)


def test_the_bounds_of_a_decimal_are_asked_of_numbers() -> None:
    limits = {"ge": Decimal(0), "lt": Decimal("1.5"), "multiple_of": Decimal("0.05")}
    _, number = asked_decimal(limits)["anyOf"]
    assert number == {"type": "number", "minimum": 0, "exclusiveMaximum": 1.5, "multipleOf": 0.05}


class Invoice(BaseModel):
    total: Annotated[Decimal, Field(max_digits=12, decimal_places=2)] | None = Field(description="Gross")
    tax: Decimal = Decimal("1.50")


def test_no_release_of_pydantic_changes_what_is_asked_for() -> None:
    assert output_schema(Invoice).wire()["properties"] == {
        "total": {
            "anyOf": [
                {"type": "string", "pattern": r"^-?\d{1,10}(\.\d{1,2})?$"},
                {"type": "number"},
                {"type": "null"},
            ],
            "description": "Gross",
        },
        "tax": {
            "anyOf": [{"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}, {"type": "number"}],
            "default": "1.50",
        },
    }


@pytest.mark.parametrize("given", ["1,234.50", "1234.50", 1234.5])
def test_lenient_numbers_reach_the_decimals_of_a_model(given: Any) -> None:
    schema = output_schema(Invoice, lenient_numbers=True)
    fit = schema.fit({"total": given, "tax": given})
    assert fit.value == {"total": Decimal("1234.5"), "tax": Decimal("1234.5")}
    assert fit.mends == (("number_from_text",) if given == "1,234.50" else ())
