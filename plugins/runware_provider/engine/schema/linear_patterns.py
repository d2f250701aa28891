"""Regular expressions whose matching takes time that grows with the text alone, whoever wrote the text.

The engine (Rust's `regex`, by way of jsonschema-rs) knows neither look-around nor back-references. What is written most
often all the same, conditions at the very beginning as in `^(?!draft)(?=.*[0-9]).+$` or on the very end as in
`^[a-z-]+(?<!-)$`, says the same as several expressions without them, and is checked as those.
"""

from __future__ import annotations

from typing import Any

import jsonschema_rs

from runware_provider.engine.schema.ecma_patterns import (
    ANY_PROPERTY,
    LooksAroundError,
    PatternError,
    for_the_engine,
)

MAX_BYTES = 50_000_000
"""Of a compiled expression: `^\\p{L}{1,500}$` takes 18 million."""
ENGINE = jsonschema_rs.RegexOptions(size_limit=MAX_BYTES)
AS_WRITTEN = "x-pattern-as-written"
"""Where a pattern stands, as its author wrote it, in the schema that answers are checked against."""
_AHEAD = {"(?=": True, "(?!": False}
"""What opens a condition on what follows, and whether it has to hold."""
_BEHIND = {"(?<=": True, "(?<!": False}
"""What opens a condition on what comes before, and whether it has to hold."""


def linear(pattern: str) -> dict[str, Any]:
    """The JSON Schema of a text that matches, without look-around.

    Args:
        pattern: as in JSON Schema: ECMA-262's syntax, found anywhere in the text.

    Raises:
        PatternError: it is none, or the engine takes neither the expression nor its conditions apart.
    """
    try:
        return {"pattern": engine_pattern(pattern)}
    except LooksAroundError:
        parts = _conditions_apart(pattern)
        if not parts:
            raise
    return {"allOf": [_part(engine_pattern(part), holds=holds) for part, holds in parts]}


def engine_pattern(pattern: str) -> str:
    """The expression as the engine takes it.

    Raises:
        LooksAroundError: no linear engine can match it.
        PatternError: it is no expression, or a very large one.
    """
    written = for_the_engine(pattern)
    if _is_taken(written):
        return written
    for unknown in (name for name in ANY_PROPERTY.findall(written) if not _is_taken(name)):
        raise PatternError(f"names `{unknown}`, which Unicode does not know", "Mend the name")
    raise PatternError("is too large once its repetitions are written out", "Repeat less often")


def _is_taken(pattern: str) -> bool:
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=ENGINE)
    except (jsonschema_rs.ValidationError, ValueError):
        return False
    return True


def _part(pattern: str, *, holds: bool) -> dict[str, Any]:
    # `type` because a `pattern` alone holds for whatever is no text, so its opposite never would.
    return {"pattern": pattern} if holds else {"not": {"type": "string", "pattern": pattern}}


def _conditions_apart(pattern: str) -> list[tuple[str, bool]]:
    """The conditions at both ends and the rest, each with whether it has to match; nothing where that differs."""
    ahead, rest = _without_conditions_ahead(pattern)
    behind, rest = _without_condition_behind(rest)
    # In `^(?=a)b|c` the condition belongs to the first alternative only; so does the `^`.
    if not (ahead or behind) or _has_alternatives(rest):
        return []
    return [*ahead, *behind, (rest, True)]


def _without_conditions_ahead(pattern: str) -> tuple[list[tuple[str, bool]], str]:
    """The conditions behind a `^`, and the expression without them."""
    conditions: list[tuple[str, bool]] = []
    start = 1
    while pattern.startswith("^") and (opening := pattern[start : start + 3]) in _AHEAD:
        end = _end_of_group(pattern, start)
        if end is None:
            break
        conditions.append((f"^(?:{pattern[start + 3 : end]})", _AHEAD[opening]))
        start = end + 1
    return conditions, f"^{pattern[start:]}" if conditions else pattern


def _without_condition_behind(pattern: str) -> tuple[list[tuple[str, bool]], str]:
    """The condition in front of a `$` at the very end, and the expression without it."""
    outermost = [(place, character) for place, depth, character in _syntax(pattern, 0) if depth == 0]
    if outermost[-2:] != [(len(pattern) - 2, ")"), (len(pattern) - 1, "$")]:
        return [], pattern
    openings = [place for place, depth, character in _syntax(pattern, 0) if (depth, character) == (1, "(")]
    start = openings[-1]
    opening = pattern[start : start + 4]
    if opening not in _BEHIND:
        return [], pattern
    return [(f"(?:{pattern[start + 4 : -2]})$", _BEHIND[opening])], f"{pattern[:start]}$"


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
    pieces = []
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
            pieces.append((place, depth, character))
        place += 1
    return pieces
