"""What replies look like is told without anybody's words."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.service_check.heard import MOST_DEPTH, WORDS, Heard, shape_of

SECRET = "Zq-secret-text-of-somebody"
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.just(SECRET) | st.just(12_345_678),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["text", "data", "balance"]), inner),
)


@given(value=JSON)
def test_no_text_and_no_number_of_an_account_is_told(value: Any) -> None:
    told = json.dumps(shape_of(value))
    assert SECRET not in told
    assert "12345678" not in told


def test_words_of_the_api_costs_and_tokens_are_told() -> None:
    item = {
        "taskUUID": "0B6E4FA0-0000-4000-8000-000000000001",
        "status": "success",
        "finishReason": "a finish reason\x1b[31m of many words",
        "text": "white",
        "cost": 0.25,
        "usage": {"promptTokens": 3, "details": {"cached": "2"}},
        "seed": 77,
    }
    assert shape_of(item) == {
        "taskUUID": "<UUID>",
        "status": "success",
        "finishReason": "<text of 34 characters>",
        "text": "<text of 5 characters>",
        "cost": 0.25,
        "usage": {"promptTokens": 3.0, "details": {"cached": "<text of a number>"}},
        "seed": "<number>",
    }
    assert all(SECRET not in shape_of(f"{SECRET} and more", word) for word in WORDS)


def test_wide_and_deep_replies_are_cut() -> None:
    deep: Any = "x"
    for _ in range(500):
        deep = [deep]
    told = json.dumps(shape_of(deep))
    assert told == "[" * MOST_DEPTH + '"<nested>"' + "]" * MOST_DEPTH
    wide = Heard(200, json.dumps({str(n) * 500: [0] * 500 for n in range(500)}).encode())
    assert len(json.dumps(wide.shape)) < 10_000
