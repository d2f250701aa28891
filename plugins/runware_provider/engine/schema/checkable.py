"""A JSON Schema as the validator takes it: of the formats those that are checked, and patterns in its engine's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from runware_provider.engine.schema.ecma_patterns import PatternError
from runware_provider.engine.schema.formats import FORMATS
from runware_provider.engine.schema.linear_patterns import AS_WRITTEN, engine_pattern, linear
from runware_provider.engine.schema.problems import clip
from runware_provider.engine.schema.subschemas import rewritten

if TYPE_CHECKING:
    from runware_provider.engine.schema.problems import Refuse


def checkable(schema: dict[str, Any], refuse: Refuse) -> dict[str, Any]:
    """The schema that answers are checked against.

    Args:
        schema: of 2020-12, and valid; not changed.
        refuse: for expressions that are none, or that no linear engine can match.

    Raises:
        BadInput: there is one.
    """

    def changed(part: dict[str, Any], path: str) -> dict[str, Any]:
        if "$ref" in part:
            part = {**part, "$ref": quote(part["$ref"], safe="#/%~$")}
        if isinstance(part.get("format"), str) and part["format"] not in FORMATS:
            part = {keyword: value for keyword, value in part.items() if keyword != "format"}
        if "patternProperties" in part:
            part = _with_engine_names(part, path, refuse)
        return _with_engine_pattern(part, path, refuse) if "pattern" in part else part

    checked: dict[str, Any] = rewritten(schema, changed)
    return checked


def _with_engine_names(part: dict[str, Any], path: str, refuse: Refuse) -> dict[str, Any]:
    """The subschema with the patterns of its properties' names as the engine takes them."""
    named: dict[str, Any] = {}
    for pattern, sub in part["patternProperties"].items():
        try:
            written = engine_pattern(pattern)
        except PatternError as error:
            refuse(path, f"`patternProperties` has {clip(pattern, 100)!r}, which {error}", error.remedy)
        # Two ways to write the same pattern are one: both subschemas have to hold.
        named[written] = {"allOf": [named[written], sub]} if written in named else sub
    return {**part, "patternProperties": named}


def _with_engine_pattern(part: dict[str, Any], path: str, refuse: Refuse) -> dict[str, Any]:
    """The subschema with its pattern as the engine takes it, and as its author wrote it, for what is told of it."""
    pattern = part["pattern"]
    try:
        stated = linear(pattern)
    except PatternError as error:
        refuse(path, f"`pattern` {clip(pattern, 100)!r} {error}", error.remedy)
    if "pattern" in stated:
        return {**part, **stated, AS_WRITTEN: pattern}
    rest = {keyword: value for keyword, value in part.items() if keyword != "pattern"}
    conditions = [{**condition, AS_WRITTEN: pattern} for condition in stated["allOf"]]
    return {**rest, "allOf": [*part.get("allOf", ()), *conditions]}
