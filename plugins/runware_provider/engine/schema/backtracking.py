"""Patterns of a pydantic model that Python's `re` would match: it can take for ever over a text that was made for that."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

_PYTHON = "python-re"


def backtracking_patterns(model: type[BaseModel]) -> Iterator[str]:
    """The patterns that pydantic would not match in linear time, in no order that matters.

    A compiled pattern is always Python's; others are where `regex_engine` says so, which a model hands down to its
    fields.
    """
    yield from _in_part(model.__pydantic_core_schema__, "")


def _in_part(part: Any, engine: str) -> Iterator[str]:
    if isinstance(part, dict):
        config = part.get("config")
        if isinstance(config, dict):
            engine = config.get("regex_engine", engine)
        pattern = part.get("pattern")
        if part.get("type") == "str" and pattern is not None:
            compiled = isinstance(pattern, re.Pattern)
            if compiled or part.get("regex_engine", engine) == _PYTHON:
                yield str(pattern.pattern if compiled else pattern)
        for name, inner in part.items():
            if name != "metadata":
                yield from _in_part(inner, engine)
    elif isinstance(part, list | tuple):
        for inner in part:
            yield from _in_part(inner, engine)
