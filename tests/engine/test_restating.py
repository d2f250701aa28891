from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runware_provider.engine.restating import restated


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
        ("const", "é", 'It is always "é".'),
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


def test_without_unsupported_keywords_nothing_changes() -> None:
    schema = {"type": "object", "properties": {"a": {"minimum": 1}}, "additionalProperties": False}
    assert json.dumps(restated(schema, ())) == json.dumps(schema)


@given(
    st.recursive(
        st.fixed_dictionaries(
            {"type": st.sampled_from(["string", "integer"])},
            optional={"minimum": st.integers(), "pattern": st.sampled_from(["a", "^b"]), "title": st.text()},
        ),
        lambda inner: (
            st.fixed_dictionaries(
                {"type": st.just("array"), "items": inner}, optional={"minItems": st.just(1)}
            )
            | st.builds(
                lambda subs: {"type": "object", "properties": subs, "additionalProperties": False},
                st.dictionaries(st.sampled_from(["a", "minimum", "pattern"]), inner, max_size=3),
            )
        ),
        max_leaves=6,
    ),
    st.sets(st.sampled_from(["minimum", "pattern", "minItems", "additionalProperties", "title"])),
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
