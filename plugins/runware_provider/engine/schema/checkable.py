"""A JSON Schema as the validator takes it: of the formats those that are checked, and patterns in linear time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from runware_provider.engine.schema.formats import FORMATS
from runware_provider.engine.schema.linear_patterns import NotLinearError, is_linear, linear
from runware_provider.engine.schema.problems import clip
from runware_provider.engine.schema.subschemas import rewritten

if TYPE_CHECKING:
    from runware_provider.engine.schema.problems import Refuse


def checkable(schema: dict[str, Any], refuse: Refuse) -> dict[str, Any]:
    """The schema that answers are checked against.

    Args:
        schema: of 2020-12, and valid; not changed.
        refuse: for expressions that no linear engine can match.

    Raises:
        BadInput: there is one.
    """

    def changed(part: dict[str, Any], path: str) -> dict[str, Any]:
        if "$ref" in part:
            part = {**part, "$ref": quote(part["$ref"], safe="#/%~$")}
        for pattern in part.get("patternProperties", {}):
            if not is_linear(pattern):
                remedy = (
                    "Write it without look-around, back-references and what is Python's alone, like `\\Z`"
                )
                refuse(path, f"`patternProperties` has {clip(pattern, 100)!r}, which is not linear", remedy)
        if isinstance(part.get("format"), str) and part["format"] not in FORMATS:
            part = {keyword: value for keyword, value in part.items() if keyword != "format"}
        if "pattern" not in part:
            return part
        try:
            stated = linear(part["pattern"])
        except NotLinearError as error:
            remedy = "Write it without, as several patterns in `allOf`, or check it in a validator of a pydantic model"
            refuse(path, f"`pattern` {clip(part['pattern'], 100)!r} {error}", remedy)
        if "pattern" in stated:
            return part
        rest = {keyword: value for keyword, value in part.items() if keyword != "pattern"}
        return {**rest, "allOf": [*part.get("allOf", ()), *stated["allOf"]]}

    checked: dict[str, Any] = rewritten(schema, changed)
    return checked
