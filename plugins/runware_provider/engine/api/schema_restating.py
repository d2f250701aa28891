"""Keywords of JSON Schema that a model does not take, said in words in the descriptions beside them.

Only what is sent changes; answers are checked against the whole schema.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runware_provider.engine.keywords import SCHEMA_LISTS, SCHEMA_MAPS, SCHEMAS
from runware_provider.engine.schema.formats import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

_SILENT = frozenset({"title", "deprecated", "readOnly", "writeOnly", "discriminator"})
"""Keywords that tell the model nothing."""
_GROUPS = (
    frozenset({"not"}),
    frozenset({"if", "then", "else"}),
    frozenset({"contains", "minContains", "maxContains"}),
)
"""Keywords that mean something together only, and that refuse more where a schema inside of them refuses less."""


def restated(schema: Mapping[str, Any], unsupported: Collection[str]) -> dict[str, Any]:
    """The schema without some keywords; what they said is added to the description beside them.

    It takes whatever the whole schema takes. So a `const` becomes an `enum`, a `oneOf` whose alternatives lose what
    told them apart an `anyOf`, and what stands in `not`, `if` and `contains` is said as a whole.

    Args:
        schema: an inlined JSON Schema, not changed.
        unsupported: the keywords; with none, an equal schema is given back.
    """
    kept: dict[str, Any] = {}
    said: list[str] = []
    grouped = _spoken_groups(schema, unsupported)
    for keyword, value in schema.items():
        group = next((one for one in grouped if keyword in one), None)
        if group is not None:
            said += _group_in_words(group, schema) if keyword == min(group & schema.keys()) else []
        elif keyword in unsupported and keyword == "const":
            kept["enum"] = [value]
        elif keyword in unsupported:
            said += [] if keyword in _SILENT else [_in_words(keyword, value)]
        elif keyword != "enum" or "const" not in schema:
            kept[keyword] = _below(keyword, value, unsupported)
    if kept.get("oneOf") != schema.get("oneOf"):
        kept = _any_of(kept, schema, said)
    if said:
        own = [schema["description"]] if schema.get("description") else []
        kept["description"] = " ".join([*own, *said])
    return kept


def _any_of(kept: dict[str, Any], schema: Mapping[str, Any], said: list[str]) -> dict[str, Any]:
    """With `anyOf` in the place of `oneOf`, or in words where the place is taken."""
    if "anyOf" not in schema:
        return {"anyOf" if keyword == "oneOf" else keyword: value for keyword, value in kept.items()}
    said.append(_valid_against({"oneOf": schema["oneOf"]}))
    return {keyword: value for keyword, value in kept.items() if keyword != "oneOf"}


def _spoken_groups(schema: Mapping[str, Any], unsupported: Collection[str]) -> list[frozenset[str]]:
    """The groups that are said in words: one of their keywords is not taken, or something inside of them."""
    return [
        group
        for group in _GROUPS
        if any(
            keyword in unsupported or _below(keyword, schema[keyword], unsupported) != schema[keyword]
            for keyword in group & schema.keys()
        )
    ]


def _below(keyword: str, value: Any, unsupported: Collection[str]) -> Any:
    if keyword in SCHEMA_MAPS or keyword == "$defs":
        return {name: _sub(sub, unsupported) for name, sub in value.items()}
    if keyword in SCHEMA_LISTS or keyword == "allOf":
        return [_sub(sub, unsupported) for sub in value]
    return _sub(value, unsupported) if keyword in SCHEMAS else value


def _sub(schema: Any, unsupported: Collection[str]) -> Any:
    return restated(schema, unsupported) if isinstance(schema, dict) else schema


def _group_in_words(group: Collection[str], schema: Mapping[str, Any]) -> list[str]:
    return [_valid_against({keyword: value for keyword, value in schema.items() if keyword in group})]


def _in_words(keyword: str, value: Any) -> str:
    say = _WORDS.get(keyword)
    return say(value) if say is not None else _valid_against({keyword: value})


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _valid_against(schema: Any) -> str:
    return f"It must be valid against this JSON Schema: {_json(schema)}"


def _format(value: Any) -> str:
    example = EXAMPLES.get(str(value))
    return f"Its format is {value}, like {example}." if example else f"Its format is {value}."


def _more(value: Any) -> str:
    if isinstance(value, bool):
        return "Other properties are allowed." if value else "No other properties."
    return f"Other properties must be valid against this JSON Schema: {_json(value)}"


_WORDS: dict[str, Callable[[Any], str]] = {
    "additionalProperties": _more,
    "default": lambda value: f"By default it is {_json(value)}.",
    "examples": lambda value: f"For example: {', '.join(map(_json, value))}.",
    "exclusiveMaximum": lambda value: f"It is less than {value}.",
    "exclusiveMinimum": lambda value: f"It is greater than {value}.",
    "format": _format,
    "maximum": lambda value: f"It is at most {value}.",
    "maxItems": lambda value: f"It has at most {value} items.",
    "maxLength": lambda value: f"It has at most {value} characters.",
    "minimum": lambda value: f"It is at least {value}.",
    "minItems": lambda value: f"It has at least {value} items.",
    "minLength": lambda value: f"It has at least {value} characters.",
    "multipleOf": lambda value: f"It is a multiple of {value}.",
    "pattern": lambda value: f"It matches the regular expression `{value}`.",
    "uniqueItems": lambda value: "No item occurs twice." if value else "Items may occur twice.",
}
