from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.errors import BadInput
from runware_provider.engine.schema.answer_schema import output_schema

if TYPE_CHECKING:
    from runware_provider.engine.schema.object_answers import OutputSchema

OLD = "http://json-schema.org/draft-{:02}/schema#"
D4, D6, D7 = (OLD.format(number) for number in (4, 6, 7))
D2019, D2020 = (f"https://json-schema.org/draft/{year}/schema" for year in ("2019-09", "2020-12"))
TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
PAIR = {"type": "object", "properties": {"a": WHOLE, "b": WHOLE}}
SMALL = {"type": "array", "items": WHOLE, "maxItems": 2}
EVERY = (D4, D6, D7, D2019, D2020, None)
OLDER = (D4, D6, D7, D2019)


def of(draft: str | None, schema: Any, **more: Any) -> OutputSchema:
    named = {} if draft is None else {"$schema": draft}
    return output_schema({**named, "type": "object", "properties": {"x": schema}, **more})


@pytest.mark.parametrize(
    ("drafts", "schema", "fits", "does_not"),
    [
        (EVERY, {**PAIR, "dependencies": {"a": ["b"]}}, {"a": 1, "b": 2}, {"a": 1}),
        (EVERY, {**PAIR, "dependencies": {"a": {"required": ["b"]}}}, {"b": 2}, {"a": 1}),
        ((*OLDER, None), {"type": "array", "items": [WHOLE, WHOLE], "maxItems": 2}, [1, 2], [1, "x"]),
        (
            (*OLDER, None),
            {"type": "array", "items": [WHOLE], "additionalItems": {"type": "integer", "minimum": 5}},
            [1, 5],
            [1, 4],
        ),
        ((*OLDER, None), {"type": "array", "items": [WHOLE], "additionalItems": False}, [1], [1, 2]),
        # Beside `items` that are one schema, `additionalItems` never meant anything.
        ((*OLDER, None), {"type": "array", "items": WHOLE, "additionalItems": False}, [1, 2], ["x"]),
        ((D4, None), {"type": "integer", "minimum": 1, "exclusiveMinimum": True}, 2, 1),
        ((D4, None), {"type": "integer", "maximum": 1, "exclusiveMaximum": False}, 1, 2),
        (EVERY[1:], {"type": "integer", "exclusiveMinimum": 1}, 2, 1),
        # Up to draft-07 only the reference counts; its siblings count since.
        ((D4, D6, D7), {"$ref": "#/definitions/whole_numbers", "maxItems": 1}, [1, 2, 3], ["x"]),
        ((D2019, D2020, None), {"$ref": "#/definitions/whole_numbers", "maxItems": 1}, [1], [1, 2]),
        ((D7, D2019, D2020, None), {"type": "integer", "if": {"minimum": 5}, "then": {"maximum": 7}}, 6, 8),
        (EVERY[1:], {"type": "integer", "const": 3}, 3, 4),
        (EVERY, {"type": "integer"}, 1.0, 1.5),
        ((D2020, None), {"type": "array", "prefixItems": [WHOLE], "items": False}, [1], [1, 2]),
        # Names to which nothing refers change nothing.
        ((D4,), {**TEXT, "id": "/properties/x", "$schema": D4}, "a", 1),
        ((D6, D7, D2019, D2020), {**TEXT, "$id": "#x"}, "a", 1),
    ],
    ids=str,
)
def test_a_schema_is_read_as_its_draft_says(
    drafts: tuple[str | None, ...], schema: dict[str, Any], fits: Any, does_not: Any
) -> None:
    for draft in drafts:
        definitions = {"whole_numbers": {"type": "array", "items": WHOLE}}
        made = of(draft, schema, **({"definitions": definitions} if "$ref" in schema else {}))
        assert made.fit({"x": fits}).problems == [], draft
        assert made.fit({"x": does_not}).problems, draft


@pytest.mark.parametrize(
    ("draft", "schema", "words"),
    [
        (D7, {**PAIR, "dependentRequired": {"a": ["b"]}}, "`dependentRequired` means nothing in draft-07"),
        (D7, {"type": "array", "prefixItems": [WHOLE]}, "`prefixItems` means nothing in draft-07"),
        (D6, {**PAIR, "if": {}, "then": {}}, "`if` means nothing in draft-06"),
        (D4, {"const": 1}, "`const` means nothing in draft-04"),
        (D4, {**PAIR, "id": "a", "not": {"$ref": "b"}}, "`id` inside of the schema moves its references"),
        (D7, {**PAIR, "$id": "#a", "not": {"$ref": "#a"}}, "use references like '#/definitions/Name'"),
        (D2019, {"type": "array", "items": [WHOLE], "unevaluatedItems": False}, "something else in 2019-09"),
        (D2019, {"type": "array", "prefixItems": [WHOLE]}, "`prefixItems` means nothing in 2019-09"),
        (
            D2020,
            {"type": "array", "items": [WHOLE]},
            "at $.x: `items` is a list, which 2020-12 does not know",
        ),
        (D2020, {"type": "integer", "minimum": 1, "exclusiveMinimum": True}, "True is not of type 'number'"),
        (None, {"type": "array", "prefixItems": [WHOLE], "additionalItems": False}, "Write `items`"),
        (D2020, {"type": "array", "prefixItems": [WHOLE], "additionalItems": False}, "Write `items`"),
        (None, {"type": "array", "prefixItems": [WHOLE], "items": [WHOLE]}, "beside `prefixItems`"),
        (
            "http://json-schema.org/draft-03/schema#",
            TEXT,
            "draft-04, draft-06, draft-07, 2019-09 and 2020-12",
        ),
        ("https://example.org/mine", TEXT, "'https://example.org/mine', which is not known"),
        (7, TEXT, "`$schema` names 7"),
        (D7, {**TEXT, "$schema": D4}, "at $.x: `$schema` names another draft than the root's"),
    ],
    ids=str,
)
def test_what_means_something_in_another_draft_only_is_refused(draft: Any, schema: Any, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        of(draft, schema)
    assert words in str(refused.value)


def test_a_draft_is_sent_as_the_words_of_2020_12() -> None:
    whole = of(
        D7,
        {"type": "array", "items": [WHOLE, WHOLE], "additionalItems": False},
        **{"$id": "https://example.org/a"},
        required=["x"],
    )
    assert whole.wire() == {
        "type": "object",
        "properties": {"x": {"type": "array", "prefixItems": [WHOLE, WHOLE], "items": False}},
        "required": ["x"],
    }


def test_where_the_root_names_no_draft_the_one_that_its_parts_name_is_meant() -> None:
    pair = {
        **PAIR,
        "$schema": D4,
        "properties": {"a": {**WHOLE, "minimum": 1, "exclusiveMinimum": True}, "b": WHOLE},
    }
    made = of(None, {"$ref": "#/definitions/pair"}, definitions={"pair": pair})
    assert made.fit({"x": {"a": 2}}).problems == []
    assert made.fit({"x": {"a": 1}}).problems
    with pytest.raises(BadInput, match="`const` means nothing in draft-04"):
        of(None, {"$ref": "#/definitions/pair"}, definitions={"pair": {**pair, "not": {"const": 1}}})
    with pytest.raises(BadInput, match="names another draft than the root's"):
        of(None, {**PAIR, "$schema": D4}, definitions={"pair": {**WHOLE, "$schema": D7}})


def test_a_name_of_a_part_counts_where_it_moves_references_only() -> None:
    named = {**TEXT, "$id": "https://example.org/text"}
    made = of(D7, {"$ref": "#/definitions/text"}, definitions={"text": named})
    assert made.fit({"x": "a"}).problems == []
    around = {"$id": "https://example.org/around", "allOf": [{"$ref": "#/definitions/text"}]}
    with pytest.raises(BadInput, match="`\\$id` inside of the schema moves its references"):
        of(D7, {"$ref": "#/definitions/around"}, definitions={"text": TEXT, "around": around})
    with pytest.raises(BadInput, match="leads out of the schema"):
        of(D7, {"$ref": "https://example.org/text"}, definitions={"text": named})


def test_properties_that_are_called_like_keywords_are_properties() -> None:
    names = ("dependencies", "items", "id", "$id", "$schema", "$ref", "prefixItems", "const")
    schema = {"type": "object", "properties": dict.fromkeys(names, WHOLE)}
    for draft in EVERY:
        made = of(draft, schema)
        assert made.fit({"x": dict.fromkeys(names, 1)}).problems == []
        assert len(made.fit({"x": dict.fromkeys(names, "a")}).problems) == len(names)


def test_a_schema_that_is_nested_without_end_is_refused() -> None:
    for levels in (100, 400, 100_000):
        deep: dict[str, Any] = WHOLE
        for _ in range(levels):
            deep = {"type": "object", "properties": {"x": deep}}
        with pytest.raises(BadInput, match="nested deeper than 180 objects and lists"):
            output_schema(deep)


def test_a_wide_schema_is_read() -> None:
    names = [f"n{number}" for number in range(5_000)]
    made = output_schema({"type": "object", "properties": {name: {**TEXT, "default": "a"} for name in names}})
    assert made.arrow_type.num_fields == 5_000
    assert made.fit({"n7": "b"}).value == {**dict.fromkeys(names, "a"), "n7": "b"}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "objekt"}, "at $.properties.x.type: 'objekt' is not one of ['array', 'boolean'"),
        ({"type": "object", "required": True}, "at $.properties.x.required: True is not of type 'array'"),
        ({"type": "integer", "minimum": "3"}, "at $.properties.x.minimum: '3' is not of type 'number'"),
        (None, "at $.properties.x: None is not of type"),
        (
            {**PAIR, "dependencies": {"a": ["b"]}, "dependentRequired": 3},
            "dependentRequired: 3 is not of type",
        ),
        ({**PAIR, "dependencies": {"a": 3}}, "dependentSchemas.a: 3 is not of type"),
        ({"items": 3}, "at $.properties.x.items: 3 is not of type"),
        ({"$ref": 3}, '["$ref"]: 3 is not of type'),
        ({"allOf": {}}, "at $.properties.x.allOf: {} is not of type 'array'"),
    ],
    ids=str,
)
def test_what_is_no_schema_is_refused_at_its_place(schema: Any, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        of(None, schema)
    assert words in str(refused.value)
