"""From a model's answer to a value: strict JSON first, then a few cheap mends, each recorded by name.

Anything that needs a guess about what the model meant is no mend but a problem, for the model to answer again; an answer
that stops before its end is told apart and never repaired. All of it takes time that grows with the length.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from runware_provider.engine.encodable import is_encodable
from runware_provider.engine.outcome.beside import first_bracket, left_standing
from runware_provider.engine.outcome.repair import repaired
from runware_provider.engine.outcome.thinking import (
    THINK_OPEN,
    begins_thinking,
    behind_thinking,
    without_fence,
    without_thinking,
)
from runware_provider.engine.plain_text import with_article
from runware_provider.engine.schema.json_text import (
    TOO_DEEP,
    Fault,
    beginning_at,
    is_same,
    is_too_deep,
    whole,
)

MAX_CHARS = 4_000_000
"""Of an answer; the longest that models give are a tenth of it."""
MAX_COPIES = 10
"""Further copies of the same object that are looked over."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What could be read.

    `problem` alone says whether it worked: JSON's `null` is a value, too. The problem is a sentence for
    the model that wrote the answer; it quotes at most a short key of it.
    """

    value: Any | None = field(repr=False)
    mends: tuple[str, ...]
    problem: str | None = field(repr=False)
    truncated: bool = False
    """Whether the problem is that the answer stops before its end. The text alone tells it, so a quote that
    is missing can look the same: only a finish reason of `length` proves it."""
    beside: str = field(default="", repr=False, compare=False)
    """The text around the JSON."""


_IN_THINKING = Fault("the answer stops inside of <think> or its like; it looks truncated", truncated=True)
_CLOSED_EARLY = Fault("the object is closed before its end: what follows it goes on")


def read_json(text: str | None) -> Answer:
    """Reads the JSON value that an answer consists of, or that stands alone inside of it.

    Refused, because they are ambiguous or no JSON: duplicate keys, NaN and Infinity, numbers beyond a
    double's range, more than one JSON text in prose, what looks like data or like a call beside it; and
    what has more than `MAX_CHARS` characters or too many levels.

    Args:
        text: the answer as the API gave it; it may give none.
    """
    text = text or ""
    if len(text) > MAX_CHARS:
        return _too_long(text)
    answer = _read(text)
    return _out_of_string(answer) if isinstance(answer.value, str) else answer


def _too_long(text: str) -> Answer:
    return Answer(None, (), f"the answer has {len(text)} characters; at most {MAX_CHARS} are read")


def _read(text: str) -> Answer:
    value, fault = whole(text)
    mends: tuple[str, ...] = ()
    for name, mend in (("think", behind_thinking), ("fence", without_fence)):
        if fault is None:
            break
        rest = mend(text)
        if rest != text:
            text, mends = rest, (*mends, name)
            value, fault = whole(text)
    if fault is None:
        return Answer(value, mends, None)
    answer = _surrounded(text)
    return replace(answer, mends=mends if answer.problem is not None else (*mends, *answer.mends))


def read_text(text: str | None) -> Answer:
    """Reads an answer in free text: what the model thought is dropped, the rest is taken as it is.

    Args:
        text: the answer as the API gave it; it may give none.
    """
    text = text or ""
    if len(text) > MAX_CHARS:
        return _too_long(text)
    rest = without_thinking(text)
    mends = () if rest == text else ("think",)
    if rest.lstrip().startswith(THINK_OPEN):
        return Answer(None, mends, _IN_THINKING.problem, truncated=True)
    if not rest or rest.isspace():
        return Answer(None, mends, "the answer is empty")
    if not is_encodable(rest):
        return Answer(None, mends, "the answer holds half of a surrogate pair, which no encoding can store")
    return Answer(rest, mends, None)


def read_arguments(arguments: Any) -> Answer:
    """Reads a tool call's arguments, which some models give as an object and some as its JSON text.

    Args:
        arguments: what the tool call holds.
    """
    if isinstance(arguments, list) and len(arguments) == 1 and isinstance(arguments[0], dict):
        return replace(read_arguments(arguments[0]), mends=("list_of_one",))
    if isinstance(arguments, dict):
        return Answer(None, (), TOO_DEEP) if is_too_deep(arguments) else Answer(arguments, (), None)
    if not isinstance(arguments, str):
        kind = "missing" if arguments is None else f"{with_article(type(arguments).__name__)}, not an object"
        return Answer(None, (), f"the tool call's arguments are {kind}")
    answer = read_json(arguments)
    return replace(answer, mends=("arguments_string", *answer.mends))


def _out_of_string(answer: Answer) -> Answer:
    """The object that a string holds, since an object is what everybody asks for; else the answer as it is."""
    inner = str(answer.value)
    value, fault = whole(inner) if inner.lstrip().startswith("{") else (None, None)
    return Answer(value, (*answer.mends, "json_string"), None) if fault is None and value else answer


def _surrounded(text: str) -> Answer:
    """The only JSON object or array inside of prose, mended if need be, and the mends.

    It is looked for at the first bracket only that is no citation: behind a bracket that could not be read, a part of
    a truncated or malformed object would pass for the whole of it.
    """
    if begins_thinking(text):
        return _faulty(_IN_THINKING)
    first = first_bracket(text)
    if first is None:
        return _faulty(Fault("the answer holds no JSON object" if text.strip() else "the answer is empty"))
    value, end, fault = beginning_at(text, first)
    mends: tuple[str, ...] = ()
    if fault is not None:
        end = text.rfind("}" if text[first] == "{" else "]") + 1
        repair = repaired(text[first:end]) if fault.reparable else None
        if repair is None:
            return _faulty(fault)
        value, mends = repair[0], ("repaired",)
    before, behind, copies = text[:first], *_without_copies(text[end:], value)
    if copies:
        mends = ("repeated", *mends)
    if _is_surplus(behind) and _is_flat(value) and not before.strip():
        return Answer(value, tuple(dict.fromkeys((*mends, "repaired"))), None)
    fault = _beside(before, behind)
    if fault is not None:
        return _faulty(fault)
    is_alone = not (before.strip() or behind.strip())
    around = f"{before}\n{behind}"
    return Answer(value, mends if is_alone else ("surrounding_text", *mends), None, beside=around)


def _faulty(fault: Fault) -> Answer:
    return Answer(None, (), fault.problem, fault.truncated)


def _without_copies(behind: str, value: Any) -> tuple[str, bool]:
    """The text behind a value without further copies of the same value, and whether there were some."""
    prose = ""
    for copies in range(MAX_COPIES):
        left = left_standing(behind)
        if left is None or not left.is_json:
            return prose + behind, copies > 0
        again, end, fault = beginning_at(behind, left.place)
        if fault is not None or not is_same(again, value):
            return prose + behind, copies > 0
        prose, behind = prose + behind[: left.place], behind[end:]
    return prose + behind, True


def _is_surplus(behind: str) -> bool:
    """Whether nothing but brackets too many stands behind a value."""
    rest = behind.replace("`", "").split()
    return bool(rest) and all(set(piece) <= {"}", "]"} for piece in rest)


def _is_flat(value: Any) -> bool:
    """Whether a brace too many can have closed nothing too early, since nothing is nested."""
    return isinstance(value, dict) and not any(isinstance(inner, dict | list) for inner in value.values())


def _beside(before: str, behind: str) -> Fault | None:
    left = left_standing(before) or left_standing(behind)
    if left is not None:
        return Fault(left.problem)
    # Prose does not begin so; an object that goes on does.
    goes_on = behind.lstrip()[:1] in {",", ":", "]"}
    return _CLOSED_EARLY if goes_on else None
