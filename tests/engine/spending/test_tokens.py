from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.spending.tokens import estimated_tokens

# Of every width that Python keeps texts in, with lone surrogates.
texts = st.text(st.characters(exclude_categories=()), max_size=200)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("a" * 10, 3),
        ("a" * 11, 4),
        ("发票" * 5, 6),
        ("發", 1),
        ("total: 12 €", 4),
        ("🧾" * 10, 6),
        ("\ud800" * 10, 6),
        ("x" * 100_000, 30_000),
        ("é" * 100_000, 60_000),
    ],
)
def test_a_text_counts_by_the_documented_rule_of_thumb(text: str, tokens: int) -> None:
    assert estimated_tokens(text) == tokens


@given(texts)
def test_the_count_is_the_rules_sum_rounded_up(text: str) -> None:
    exact = sum((Fraction(3 if ord(char) < 128 else 6, 10) for char in text), Fraction(0))
    assert estimated_tokens(text) == math.ceil(exact)


@given(texts, texts)
def test_texts_put_together_count_as_much_as_apart_but_for_the_rounding(one: str, other: str) -> None:
    apart = estimated_tokens(one) + estimated_tokens(other)
    assert apart - 1 <= estimated_tokens(one + other) <= apart
