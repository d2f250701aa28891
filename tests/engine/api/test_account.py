from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api.account import ListedModel, balance_in, listed_models

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["data", "balance", "id", "name", "pricing", "prompt"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


def account(balance: Any) -> dict[str, Any]:
    return {"data": [{"taskType": "accountManagement", "balance": balance}]}


@pytest.mark.parametrize(
    ("balance", "read"),
    [
        (2450.75, 2450.75),
        ("2450.75", 2450.75),
        (0, 0.0),
        (-3.5, -3.5),
        (" -3.5 ", -3.5),
        (True, None),
        (None, None),
        ("a lot", None),
        ("--1", None),
        (math.nan, None),
        (-math.inf, None),
        (1e300, None),
        (-1e300, None),
    ],
)
def test_a_balance_is_read_as_number_or_text_and_may_be_below_zero(balance: Any, read: float | None) -> None:
    assert balance_in(account(balance)) == read


def test_a_model_says_what_it_says() -> None:
    entry = {
        "id": "m",
        "name": "M\n\x1b[31m",
        "context_length": "1048576",
        "max_output_tokens": 384000.0,
        "pricing": {"prompt": "0.961", "completion": 1.922},
    }
    (model, bare) = listed_models(
        {"data": [entry, "no entry", {"id": 7}, {"id": "bare", "pricing": {"prompt": 1}}]}
    )
    assert (model.context_length, model.max_output_tokens) == (1_048_576, 384_000)
    assert model.usd_per_token == pytest.approx((0.961e-6, 1.922e-6))
    assert "\n" not in (model.name or "")
    assert "\x1b" not in (model.name or "")
    assert bare == ListedModel(id="bare")


@given(answered=JSON)
def test_whatever_is_answered_is_read_without_an_error(answered: Any) -> None:
    balance = balance_in(answered)
    assert balance is None or math.isfinite(balance)
    assert all(isinstance(model.id, str) for model in listed_models(answered))
