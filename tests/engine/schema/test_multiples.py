from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.schema.answer_schema import output_schema
from runware_provider.engine.schema.multiples import is_multiple


@pytest.mark.parametrize("value", [19.99, 4.35, 1234.56, 0.07, 1.1, 5, 0, -0.03, 1e300, 10**400])
def test_an_amount_is_a_multiple_of_a_cent_as_its_digits_say(value: float) -> None:
    assert is_multiple(value, 0.01)


@pytest.mark.parametrize(("value", "step"), [(19.995, 0.01), (1, 0.3), (7, 2), (0.1, 1), (5e-324, 1e-323)])
def test_what_is_between_two_steps_is_no_multiple(value: float, step: float) -> None:
    assert not is_multiple(value, step)


@given(st.integers(-(10**12), 10**12), st.sampled_from(["0.01", "0.05", "0.001", "2.5", "3"]))
def test_whole_numbers_of_steps_are_multiples(count: int, step: str) -> None:
    if len(str(abs(count))) + len(step) <= 15:
        assert is_multiple(float(count * Fraction(step)), float(step))


def test_a_right_amount_fits_a_schema_in_cents_at_any_depth() -> None:
    amount = {"type": "number", "multipleOf": 0.01}
    lines: dict[str, Any] = {"type": "array", "items": {"anyOf": [amount, {"type": "null"}]}}
    schema = output_schema({"type": "object", "properties": {"total": amount, "lines": lines}})
    assert schema.fit({"total": 19.99, "lines": [4.35, None, 1234.56]}).problems == []
    assert [str(one) for one in schema.fit({"total": 19.995, "lines": [4.355]}).problems] == [
        "$.total: 19.995 is not a multiple of 0.01",
        "$.lines[0]: 4.355 is not a multiple of 0.01",
    ]
