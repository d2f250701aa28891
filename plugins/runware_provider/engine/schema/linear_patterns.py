"""Regular expressions whose matching takes time that grows with the text alone, whoever wrote the text.

The engine (Rust's `regex`, by way of jsonschema-rs) knows neither look-around nor back-references. What is written most
often all the same, conditions at the very beginning as in `^(?!draft)(?=.*[0-9]).+$`, says the same as several
expressions without them, and is checked as those.
"""

from __future__ import annotations

from typing import Any

import jsonschema_rs

ENGINE = jsonschema_rs.RegexOptions()
_CONDITIONS = {"(?=": True, "(?!": False}
"""What opens a condition on what follows, and whether it has to hold."""


class NotLinearError(ValueError):
    """The expression cannot be matched in linear time, or is none; says which."""


def linear(pattern: str) -> dict[str, Any]:
    """The JSON Schema of a text that matches, without look-around.

    Args:
        pattern: as in JSON Schema: ECMA-262's syntax, found anywhere in the text.

    Raises:
        NotLinearError: the engine takes neither the expression nor its conditions apart.
    """
    if is_linear(pattern):
        return {"pattern": pattern}
    parts = _conditions_apart(pattern)
    if parts and all(is_linear(part) for part, _ in parts):
        return {"allOf": [_part(part, holds=holds) for part, holds in parts]}
    if _is_taken(pattern, jsonschema_rs.FancyRegexOptions()):
        raise NotLinearError("has look-around or a back-reference, which take unbounded time")
    raise NotLinearError("is no regular expression of JSON Schema's (ECMA-262)")


def is_linear(pattern: str) -> bool:
    """Whether the engine takes the expression as it is."""
    return _is_taken(pattern, ENGINE)


def _is_taken(pattern: str, engine: jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions) -> bool:
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=engine)
    except (jsonschema_rs.ValidationError, ValueError):
        return False
    return True


def _part(pattern: str, *, holds: bool) -> dict[str, Any]:
    # `type` because a `pattern` alone holds for whatever is no text, so its opposite never would.
    return {"pattern": pattern} if holds else {"not": {"type": "string", "pattern": pattern}}


def _conditions_apart(pattern: str) -> list[tuple[str, bool]]:
    """The conditions at the beginning and the rest, each with whether it has to match; nothing where that differs."""
    if not pattern.startswith("^"):
        return []
    parts: list[tuple[str, bool]] = []
    start = 1
    while (opening := pattern[start : start + 3]) in _CONDITIONS:
        end = _end_of_group(pattern, start)
        if end is None:
            return []
        parts.append((f"^(?:{pattern[start + 3 : end]})", _CONDITIONS[opening]))
        start = end + 1
    rest = pattern[start:]
    # In `^(?=a)b|c` the condition belongs to the first alternative only; so does the `^`.
    if not parts or _has_alternatives(rest) or rest[:1] in {"*", "+", "?", "{"}:
        return []
    return [*parts, (f"^{rest}", True)]


def _end_of_group(pattern: str, start: int) -> int | None:
    """Where the group that begins at `start` is closed."""
    for place, depth, character in _syntax(pattern, start):
        if character == ")" and depth == 0:
            return place
    return None


def _has_alternatives(pattern: str) -> bool:
    return any(character == "|" and depth == 0 for _, depth, character in _syntax(pattern, 0))


def _syntax(pattern: str, start: int) -> list[tuple[int, int, str]]:
    """The characters that mean something, each with its place and the number of groups that are open behind it."""
    found = []
    depth, place, in_class = 0, start, False
    while place < len(pattern):
        character = pattern[place]
        if character == "\\":
            place += 2
            continue
        if in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
        else:
            depth += {"(": 1, ")": -1}.get(character, 0)
            found.append((place, depth, character))
        place += 1
    return found
