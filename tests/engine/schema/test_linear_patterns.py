from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from runware_provider.engine.errors import BadInput
from runware_provider.engine.schema.answer_schema import output_schema
from runware_provider.engine.schema.ecma_patterns import LooksAroundError, PatternError
from runware_provider.engine.schema.linear_patterns import linear

if TYPE_CHECKING:
    from runware_provider.engine.schema.object_answers import OutputSchema


def matching(pattern: str) -> OutputSchema:
    return output_schema(
        {"type": "object", "properties": {"x": {"type": ["string", "null"], "pattern": pattern}}}
    )


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^([A-Za-z0-9]+[ .&-]?)+$", "A" * 300_000 + "!!"),
        (r"^(\w+\s?)*$", "a" * 300_000 + "("),
        (r"\s+$", " " * 300_000 + "x"),
        (r"^(\d+,?)+$", "1" * 300_000 + "x"),
        (r"^(a|a)*b$", "a" * 300_000),
        (r"(.*)(.*)(.*)x$", "a" * 300_000),
    ],
)
def test_a_text_made_for_a_pattern_takes_no_longer_than_another(pattern: str, text: str) -> None:
    """Python's `re` takes longer over the first of these than anybody has."""
    assert matching(pattern).fit({"x": text}).problems


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        (r"^(?!\s*$).+", ["a", "", "  ", " a", "\n"]),
        (r"^(?=.*[A-Z])(?=.*[0-9]).{4,}$", ["Abc1", "abc1", "Abcd", "A1", "A1bc"]),
        (r"^(?!draft)(?:a|d)", ["a", "draft", "d", "x"]),
        (r"^(?![)(])[(a]", ["(", "a", ")"]),
        (r"^(?!\))\(?a", ["(a", "a", ")a"]),
        ("^(?!^[-+.]*$)[+-]?0*[0-9]{0,3}\\.?[0-9]{0,2}$", ["1.5", "-", "", ".", "+12", "1234"]),
        (r"^[a-z-]+(?<!-)$", ["a-b", "ab-", "-", "A"]),
        (r"^(?!-)[a-z-]+(?<!-)$", ["a-b", "ab-", "-ab", ""]),
        (r"b(?<=ab)$", ["ab", "b", "aab", "abc"]),
    ],
)
def test_conditions_at_both_ends_are_checked_apart(pattern: str, texts: list[str]) -> None:
    schema = matching(pattern)
    assert "pattern" not in linear(pattern)
    for text in texts:
        assert (schema.fit({"x": text}).problems == []) is (re.search(pattern, text) is not None), text
    assert schema.fit({"x": None}).problems == []
    assert schema.wire()["properties"]["x"]["pattern"] == pattern


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"a(?=b)", "has look-around or a back-reference"),
        (r"(?<!a)b", "has look-around or a back-reference"),
        (r"^(a+)\1$", "has look-around or a back-reference"),
        (r"^(?=a)b|c", "has look-around or a back-reference"),
        (r"a|b(?<!c)$", "has look-around or a back-reference"),
        (r"a(?<!c)\$", "has look-around or a back-reference"),
        (r"(?<!a(?=b))$", "has look-around or a back-reference"),
        (r"^(?=a)*b", "is no regular expression"),
        ("^(?!(", "is no regular expression"),
        ("(", "is no regular expression"),
        (r"\Aa\Z", "is no regular expression"),
    ],
)
def test_what_takes_unbounded_time_is_refused_before_anything_is_paid(pattern: str, words: str) -> None:
    with pytest.raises(PatternError, match=words) as raised:
        linear(pattern)
    assert isinstance(raised.value, LooksAroundError) is ("look-around" in words)
    with pytest.raises(BadInput, match="at \\$.x: `pattern` .*" + words) as refused:
        matching(pattern)
    assert refused.value.remedy


def test_names_of_properties_are_matched_in_linear_time_too() -> None:
    names = {
        "type": "object",
        "patternProperties": {"^(a+)+$": {"type": "integer"}},
        "additionalProperties": False,
    }
    made = output_schema({"type": "object", "properties": {"x": names}})
    assert made.fit({"x": {"a" * 100_000 + "!": 1}}).problems
    names["patternProperties"] = {"(?<=a)b": {"type": "integer"}}
    with pytest.raises(BadInput, match="`patternProperties` has '\\(\\?<=a\\)b', which has look-around"):
        output_schema({"type": "object", "properties": {"x": names}})


PIECES = st.sampled_from(["a", "b", "[ab]", "(a|b)", ".", "a*", "b+", "(?:ab)?", "\\)", "[)(]", "[^a]"])
EXPRESSIONS = st.lists(PIECES, max_size=3).map("".join)


@given(
    st.lists(st.tuples(st.sampled_from(["(?=", "(?!"]), EXPRESSIONS), min_size=1, max_size=3),
    EXPRESSIONS,
    st.lists(st.text("ab()", max_size=6), max_size=5),
)
def test_a_pattern_that_is_taken_apart_means_the_same(
    conditions: list[tuple[str, str]], rest: str, texts: list[str]
) -> None:
    pattern = "^" + "".join(f"{opening}{inner})" for opening, inner in conditions) + rest
    if rest.startswith(("*", "+", "?")):
        return
    schema = matching(pattern)
    for text in texts:
        assert (schema.fit({"x": text}).problems == []) is (re.search(pattern, text) is not None)


@given(st.text("^(?=!<)[]|\\ab*+{}:$", max_size=14))
def test_any_pattern_is_taken_or_refused(pattern: str) -> None:
    try:
        stated = linear(pattern)
    except PatternError:
        return
    output_schema({"type": "object", "properties": {"x": {"type": "string", "pattern": pattern}}})
    assert stated.keys() <= {"pattern", "allOf"}


def test_what_is_told_of_a_text_shows_the_pattern_as_it_was_written() -> None:
    told = [
        (r"^\d+$", "x", r"'x' does not match '^\\d+$'"),
        (r"^(?!a).$", "ab", r"'ab' does not match '^(?!a).$'"),
    ]
    for pattern, text, words in told:
        assert str(matching(pattern).fit({"x": text}).problems[0]) == f"$.x: {words}"
    names = {
        "type": "object",
        "propertyNames": {"pattern": r"^\w$"},
        "additionalProperties": {"type": "integer"},
    }
    told_of_names = output_schema({"type": "object", "properties": {"x": names}}).fit({"x": {"ab": 1}})
    assert r"does not match '^\\w$'" in str(told_of_names.problems[0])


def test_two_spellings_of_one_pattern_of_names_both_hold() -> None:
    names = {
        "type": "object",
        "patternProperties": {
            r"^\d$": {"type": "integer", "minimum": 2},
            "^[0-9]$": {"type": "integer", "maximum": 5},
        },
        "additionalProperties": False,
    }
    made = output_schema({"type": "object", "properties": {"x": names}})
    assert [made.fit({"x": {"1": number}}).problems == [] for number in (1, 3, 9)] == [False, True, False]


class OfCompiled(BaseModel):
    a: Annotated[str, Field(pattern=re.compile("^(a+)+$"))]


class OfPythons(BaseModel):
    model_config = ConfigDict(regex_engine="python-re")
    a: Annotated[str, Field(pattern="^(?=a)(a+)+$")]


class Around(BaseModel):
    inner: list[OfPythons]


class Linear(BaseModel):
    a: Annotated[str, Field(pattern="^(a+)+$")]


class Flagged(BaseModel):
    a: Annotated[str, Field(pattern=r"(?ix) ^ draft \z")]


@pytest.mark.parametrize("model", [OfCompiled, OfPythons, Around])
def test_a_model_whose_pattern_pythons_own_engine_matches_is_refused(model: Any) -> None:
    with pytest.raises(BadInput, match="matched by Python's `re`"):
        output_schema(model)


def test_pydantics_own_engine_is_linear() -> None:
    assert output_schema(Linear).fit({"a": "a" * 300_000 + "!"}).problems


def test_the_pattern_of_a_model_is_one_of_pydantics_own_engine() -> None:
    schema = output_schema(Flagged)
    assert schema.fit({"a": "DRAFT"}).value == {"a": "DRAFT"}
    assert schema.fit({"a": "x"}).problems
    assert schema.wire()["properties"]["a"]["pattern"] == r"(?ix) ^ draft \z"
