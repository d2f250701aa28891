"""What a model thought in front of its answer, and how it is told from the answer."""

from __future__ import annotations

import re

from runware_provider.engine.schema.json_text import ends_in_string, whole

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"

_NAMES = "think|thinking|thought|thoughts|reasoning|reflection|analysis|scratchpad|seed:think"
_OPENING = re.compile(rf"\s*(?:<(?:{_NAMES})>|\[THINK\]|◁think▷|<\|START_THINKING\|>)", re.IGNORECASE)
_CLOSING = re.compile(rf"</(?:{_NAMES})>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>", re.IGNORECASE)
_THOUGHTS = re.compile(rf"(?:\s*{THINK_OPEN}.*?{THINK_CLOSE})+", re.DOTALL)
_ALL_THOUGHTS = re.compile(
    rf"""(?:\s*(?: <({_NAMES})>.*?</\1>
                 | \[THINK\].*?\[/THINK\]
                 | ◁think▷.*?◁/think▷
                 | <\|START_THINKING\|>.*?<\|END_THINKING\|>
                 | (?:<\|start\|>assistant)?<\|channel\|>analysis<\|message\|>.*?<\|end\|>
               ))+""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
_BRACKET = re.compile(r"[{\[]")
_FENCE = "```"
_FENCE_OPENING = re.compile(r"```[A-Za-z0-9_+-]*[ \t]*\r?\n?")


def without_thinking(text: str) -> str:
    """The text behind leading, closed `<think>` blocks, which are no part of any answer."""
    thoughts = _THOUGHTS.match(text)
    return text[thoughts.end() :].lstrip() if thoughts else text


def begins_thinking(text: str) -> bool:
    """Whether a text begins with a thought; of what is left behind thoughts, with one that never ends."""
    return _OPENING.match(text) is not None


def behind_thinking(text: str) -> str:
    """What stands behind thoughts in front of JSON, under whichever of their names.

    The first may have no opening, which some models' templates write into the prompt. A tag behind the first bracket
    may stand in a string of the answer, and what follows it may be a piece of an object: so it counts only if it is in
    no string, and the answer follows whole.
    """
    thoughts = _ALL_THOUGHTS.match(text)
    rest = text[thoughts.end() :].lstrip() if thoughts else text
    bracket = _BRACKET.search(rest)
    before = rest[: bracket.start()] if bracket else rest
    is_inside = _CLOSING.search(before) is None
    closings = list(_CLOSING.finditer(rest if is_inside else before))
    if not closings:
        return rest
    thought, answer = rest[: closings[-1].start()], rest[closings[-1].end() :].lstrip()
    if _OPENING.search(thought) or thought.lstrip().startswith(("{", "[", _FENCE)):
        return rest
    if is_inside and (ends_in_string(thought) or whole(without_fence(answer))[1] is not None):
        return rest
    return answer


def without_fence(text: str) -> str:
    """The text inside a code fence that spans all of it."""
    stripped = text.strip()
    opening = _FENCE_OPENING.match(stripped)
    if opening is None or not stripped.endswith(_FENCE) or len(stripped) < opening.end() + len(_FENCE):
        return text
    return stripped[opening.end() : -len(_FENCE)].strip()
