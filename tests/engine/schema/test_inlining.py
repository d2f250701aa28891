from __future__ import annotations

from typing import Any

import pytest

from runware_provider.engine.errors import BadInput
from runware_provider.engine.schema.inlining import inlined
from runware_provider.engine.schema.problems import Refuse

TEXT, WHOLE = {"type": "string"}, {"type": "integer"}


def an_object(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def flat(document: dict[str, Any]) -> dict[str, Any]:
    return inlined(document, Refuse("output_type"))


def refusal(document: dict[str, Any]) -> str:
    with pytest.raises(BadInput) as caught:
        flat(document)
    return str(caught.value)


def test_the_parts_of_an_object_are_one_object() -> None:
    whole = an_object("a", "b", a=TEXT, b=WHOLE)
    assert flat({"allOf": [an_object("a", a=TEXT), an_object("b", b=WHOLE)]}) == whole
    assert flat({"allOf": [an_object("b", b=WHOLE)], **an_object("a", a=TEXT)}) == whole
    assert (
        flat({"$ref": "#/$defs/base", "$defs": {"base": an_object("a", a=TEXT)}, **an_object("b", b=WHOLE)})
        == whole
    )


def test_a_property_that_two_parts_describe_is_what_both_say() -> None:
    first = an_object(a={"type": "integer", "minimum": 1, "maximum": 9}, b=an_object(c=TEXT), d=True)
    second = an_object("a", a={"minimum": 3, "maximum": 12}, b=an_object(e=TEXT), d=WHOLE)
    assert flat({"allOf": [first, second]}) == an_object(
        "a", a={"type": "integer", "minimum": 3, "maximum": 9}, b=an_object(c=TEXT, e=TEXT), d=WHOLE
    )


def test_a_bound_that_is_given_twice_is_the_stricter_one() -> None:
    twice = {
        "allOf": [
            {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 5},
            {"minItems": 2, "maxItems": 9},
        ]
    }
    assert flat(an_object(a=twice))["properties"]["a"] == {
        "type": "array",
        "items": TEXT,
        "minItems": 2,
        "maxItems": 5,
    }


def test_the_whole_may_close_what_its_parts_describe() -> None:
    whole = {"allOf": [an_object(a=TEXT)], **an_object(b=TEXT), "unevaluatedProperties": False}
    assert flat(whole) == {**an_object(a=TEXT, b=TEXT), "unevaluatedProperties": False}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"allOf": [{**an_object(a=TEXT), "additionalProperties": False}, an_object(b=TEXT)]}, "splits"),
        ({"allOf": [an_object(a=TEXT), an_object(b=TEXT)], "additionalProperties": False}, "splits"),
        ({"allOf": [{**an_object(a=TEXT), "patternProperties": {"^x": TEXT}}, an_object(b=TEXT)]}, "splits"),
        ({"allOf": [{**an_object(a=TEXT), "unevaluatedProperties": False}, an_object(b=TEXT)]}, "splits"),
        ({"allOf": [an_object(a=TEXT), {"unevaluatedProperties": False}]}, "splits"),
        ({"allOf": [an_object(a=TEXT), an_object(a=WHOLE)]}, "at $.a: `allOf` or `$ref` says `type` twice"),
        (
            {
                "allOf": [{**an_object(a=TEXT), "unevaluatedProperties": False}],
                "anyOf": [an_object("b", b=TEXT), {"required": ["a"]}],
            },
            "splits `properties` and `unevaluatedProperties`",
        ),
        (
            an_object(a={"type": "array", "items": TEXT, "allOf": [{"unevaluatedItems": False}]}),
            "at $.a: `allOf` or `$ref` splits `items` and `unevaluatedItems`",
        ),
        (
            an_object(a={"allOf": [{"type": "array", "prefixItems": [TEXT]}, {"items": TEXT}]}),
            "splits `items` and `prefixItems`",
        ),
        ({"allOf": [an_object(a=TEXT), False]}, "at $: nothing fits it"),
        ({"anyOf": [an_object(a=TEXT), {"required": ["a"]}]}, "choice: `anyOf`. If all are objects, write"),
        (an_object(a={"$ref": "#/$defs/list/5"}, b=TEXT), "'#/$defs/list/5' leads nowhere"),
        (an_object(a={"$ref": "#/properties/b/type"}, b=TEXT), "leads to what is no schema"),
        ({"oneOf": [an_object(a=TEXT), {"type": "null"}]}, "else wrap it: an object with one property"),
    ],
)
def test_what_means_something_else_in_one_schema_is_refused(document: dict[str, Any], words: str) -> None:
    assert words in refusal(document)


NO_TEXT, NO_ZERO = {"not": TEXT}, {"not": {"const": 0}}


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([{"not": {"required": ["b"]}}, {"not": {"required": ["c"]}}], None),
        ([{"pattern": "a"}, {"type": "string", "pattern": "b"}], None),
        ([{"multipleOf": 2}, {"multipleOf": 3}], None),
        ([{"enum": [1, 2]}, {"enum": [2, 3]}], None),
        ([{"if": NO_ZERO, "then": {"minimum": 1}}, {"if": NO_TEXT, "then": {"maximum": 5}}], None),
        ([{"contains": WHOLE, "minContains": 2}, {"contains": TEXT}], None),
        ([{"anyOf": [{"required": ["a"]}]}, {"anyOf": [{"required": ["b"]}]}], None),
        (
            [{"items": {"type": "integer"}}, {"items": {"minimum": 1}}],
            {"items": {"type": "integer", "minimum": 1}},
        ),
        ([{"type": ["integer", "null"]}, {"type": "number"}], {"type": "integer"}),
        (
            [{"type": ["string", "null"]}, {"type": ["null", "boolean", "string"]}],
            {"type": ["string", "null"]},
        ),
        ([{"x-note": "a", "deprecated": True}, {"x-note": "b"}], {"x-note": "b", "deprecated": True}),
        ([True, {"minimum": 1}], {"minimum": 1}),
    ],
    ids=str,
)
def test_what_only_restricts_may_be_said_twice(parts: list[Any], whole: dict[str, Any] | None) -> None:
    merged = flat(an_object(a={"allOf": parts}))["properties"]["a"]
    first, second = parts
    if whole is None:
        kind = {"type": second["type"]} if "type" in second else {}
        again = {keyword: value for keyword, value in second.items() if keyword != "type"}
        whole = {**first, **kind, "allOf": [again]}
    assert merged == whole


def test_a_choice_of_objects_is_an_object() -> None:
    choice = {"anyOf": [an_object(a=TEXT), an_object(b=TEXT)]}
    assert flat(choice) == {"type": "object", **choice}


def test_references_lead_into_lists_and_to_what_allows_nothing() -> None:
    number = {"anyOf": [WHOLE, {"type": "null"}]}
    assert flat(an_object(a=number, b={"$ref": "#/properties/a/anyOf/0"}))["properties"]["b"] == WHOLE
    no = {
        **an_object(a=TEXT, b={"$ref": "#/$defs/no", "type": "string"}),
        "$defs": {"no": False, "all": True},
    }
    assert flat(no)["properties"]["b"] is False
    no["properties"]["b"] = {"$ref": "#/$defs/all", "type": "string"}
    assert flat(no)["properties"]["b"] == TEXT


def test_a_closed_part_may_stand_beside_what_describes_no_more() -> None:
    closed = {**an_object(a=TEXT), "additionalProperties": False}
    assert flat({"allOf": [closed, {"properties": {"a": {"minLength": 2}}}]}) == {
        **an_object(a={**TEXT, "minLength": 2}),
        "additionalProperties": False,
    }
