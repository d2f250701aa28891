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
        (an_object(a={"allOf": [{"pattern": "a"}, {"pattern": "b"}]}), "says `pattern` twice"),
        ({**an_object(a=TEXT), "allOf": [{"if": {}, "then": {}}, {"if": {}, "else": {}}]}, "splits"),
        ({**an_object(a=TEXT), "allOf": [True]}, "true or false"),
        (
            {"anyOf": [an_object(a=TEXT), an_object(b=TEXT)]},
            'choice: `anyOf`. If all are objects, write "type"',
        ),
        ({"oneOf": [an_object(a=TEXT), {"type": "null"}]}, "else wrap it: an object with one property"),
    ],
)
def test_what_means_something_else_in_one_schema_is_refused(document: dict[str, Any], words: str) -> None:
    assert words in refusal(document)
