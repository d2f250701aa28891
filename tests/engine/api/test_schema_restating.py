from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runware_provider.engine.api.schema_restating import restated


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("pattern", "^a$", "It matches the regular expression `^a$`."),
        ("format", "date", "Its format is date, like 2026-01-31."),
        ("format", "uri", "Its format is uri."),
        ("minimum", 0, "It is at least 0."),
        ("maximum", 1.5, "It is at most 1.5."),
        ("exclusiveMinimum", 0, "It is greater than 0."),
        ("exclusiveMaximum", 9, "It is less than 9."),
        ("multipleOf", 0.01, "It is a multiple of 0.01."),
        ("minLength", 1, "It has at least 1 characters."),
        ("maxLength", 5, "It has at most 5 characters."),
        ("minItems", 1, "It has at least 1 items."),
        ("maxItems", 2, "It has at most 2 items."),
        ("uniqueItems", True, "No item occurs twice."),
        ("default", None, "By default it is null."),
        ("examples", [1, "a"], 'For example: 1, "a".'),
        ("additionalProperties", False, "No other properties."),
        (
            "additionalProperties",
            {"type": "string"},
            'Other properties must be valid against this JSON Schema: {"type": "string"}',
        ),
        ("minProperties", 1, 'It must be valid against this JSON Schema: {"minProperties": 1}'),
    ],
)
def test_a_keyword_becomes_a_sentence_behind_the_description(keyword: str, value: Any, words: str) -> None:
    schema = {"type": "string", keyword: value}
    assert restated(schema, {keyword}) == {"type": "string", "description": words}
    told = restated({"description": "A day.", **schema}, {keyword})
    assert told == {"description": f"A day. {words}", "type": "string"}


def test_a_condition_is_said_as_a_whole() -> None:
    rule = {"if": {"required": ["a"]}, "then": {"required": ["b"]}}
    told = restated({"type": "object", **rule}, {"if", "then", "else"})
    assert json.loads(told["description"].partition(": ")[2]) == rule
    assert told.keys() == {"type", "description"}


def test_a_constant_becomes_a_list_of_one() -> None:
    assert restated({"const": "é", "enum": ["é", "e"]}, {"const"}) == {"enum": ["é"]}


def test_alternatives_that_are_not_told_apart_any_more_need_not_exclude_each_other() -> None:
    schema = {"oneOf": [{"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "^b"}]}
    told = [{"type": "string", "description": f"It matches the regular expression `^{one}`."} for one in "ab"]
    assert restated(schema, {"pattern"}) == {"anyOf": told}
    assert restated(schema, {"format"}) == schema


@pytest.mark.parametrize(
    "rule",
    [
        {"not": {"minimum": 3}},
        {"if": {"minimum": 3}, "then": {"maximum": 4}},
        {"contains": {"minimum": 3}, "maxContains": 1},
    ],
)
def test_what_would_refuse_more_if_it_said_less_is_said_as_a_whole(rule: dict[str, Any]) -> None:
    told = restated({"type": "array", **rule}, {"minimum"})
    assert json.loads(told["description"].partition(": ")[2]) == rule
    assert told.keys() == {"type", "description"}
    assert restated({"type": "array", **rule}, {"pattern"}) == {"type": "array", **rule}


def test_titles_go_without_a_word() -> None:
    assert restated({"type": "string", "title": "T"}, {"title"}) == {"type": "string"}


def test_a_property_that_is_named_like_a_keyword_stays() -> None:
    schema = {"type": "object", "properties": {"format": {"type": "string", "format": "date"}}}
    assert restated(schema, {"format"})["properties"] == {
        "format": {"type": "string", "description": "Its format is date, like 2026-01-31."}
    }


def test_keywords_are_restated_wherever_schemas_stand() -> None:
    inner = {"type": "integer", "minimum": 1}
    schema = {
        "type": "object",
        "properties": {
            "a": {"anyOf": [inner, {"type": "null"}]},
            "b": {"type": "array", "items": inner, "prefixItems": [inner]},
            "c": {"type": "object", "additionalProperties": inner},
        },
        "$defs": {"D": inner},
    }
    text = json.dumps(restated(schema, {"minimum"}))
    assert '"minimum"' not in text
    assert text.count("It is at least 1.") == 5


def test_keywords_are_restated_in_what_stays_a_part_of_its_own() -> None:
    parts = {"type": "string", "pattern": "a", "allOf": [{"pattern": "b", "minLength": 2}]}
    assert restated(parts, ["pattern"]) == {
        "type": "string",
        "allOf": [{"minLength": 2, "description": "It matches the regular expression `b`."}],
        "description": "It matches the regular expression `a`.",
    }


def test_without_unsupported_keywords_nothing_changes() -> None:
    schema = {"type": "object", "properties": {"a": {"minimum": 1}}, "additionalProperties": False}
    assert json.dumps(restated(schema, ())) == json.dumps(schema)


@given(
    st.recursive(
        st.fixed_dictionaries(
            {"type": st.sampled_from(["string", "integer"])},
            optional={
                "const": st.integers(0, 2),
                "minimum": st.integers(-1, 2),
                "pattern": st.sampled_from(["a", "^b"]),
                "title": st.text(),
            },
        ),
        lambda inner: (
            st.fixed_dictionaries(
                {"type": st.just("array"), "items": inner}, optional={"minItems": st.just(1)}
            )
            | st.builds(
                lambda subs: {"type": "object", "properties": subs, "additionalProperties": False},
                st.dictionaries(st.sampled_from(["a", "minimum", "pattern"]), inner, max_size=3),
            )
            | st.builds(lambda subs: {"oneOf": subs}, st.lists(inner, min_size=1, max_size=3))
            | st.builds(lambda sub: {"not": sub}, inner)
            | st.builds(lambda one, two: {"if": one, "then": two, "else": one}, inner, inner)
            | st.builds(lambda sub: {"contains": sub, "minContains": 0, "maxContains": 1}, inner)
            | st.builds(lambda one, two: {"anyOf": [one], "oneOf": [two]}, inner, inner)
        ),
        max_leaves=6,
    ),
    st.sets(
        st.sampled_from(["minimum", "pattern", "minItems", "additionalProperties", "title"])
        | st.sampled_from(["const", "not", "then", "minContains"])
    ),
    st.recursive(
        st.integers() | st.text(max_size=2),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
        max_leaves=4,
    ),
)
def test_what_is_sent_refuses_nothing_that_the_whole_schema_takes(
    schema: dict[str, Any], unsupported: set[str], value: Any
) -> None:
    before = copy.deepcopy(schema)
    sent = restated(schema, unsupported)
    assert schema == before
    Draft202012Validator.check_schema(sent)
    if Draft202012Validator(schema).is_valid(value):
        assert Draft202012Validator(sent).is_valid(value)
