"""From a model's answer to a value: strict JSON first, then a few cheap mends, each recorded by name.

The mends are `think`, `fence`, `surrounding_text`, `arguments_string`, `json_string`, and at last `repaired`, for syntax
that is broken. Anything that needs a guess about what the model meant is no mend but a problem, for the model to
answer again; an answer that stops before its end is told apart and never repaired.

JSON is read with the standard library and not with msgspec, which is faster but keeps the last of two equal
keys without a word; what is ambiguous must not look answered.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from runware_provider.engine.encodable import is_encodable
from runware_provider.engine.outcome.repair import repaired
from runware_provider.engine.schema.written_numbers import read_float

if TYPE_CHECKING:
    from collections.abc import Callable

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"
FENCE = "```"
MAX_BRACKETS = 100
"""Brackets looked at behind a JSON text before prose that is full of them is given up."""

_THOUGHTS = re.compile(rf"(?:\s*{THINK_OPEN}.*?{THINK_CLOSE})+", re.DOTALL)
_FENCE_OPENING = re.compile(r"```[A-Za-z0-9_+-]*[ \t]*\r?\n?")
_BRACKET = re.compile(r"[{\[]")
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|["{}\[\]]', re.DOTALL)
_UNFINISHED = re.compile(
    r"""\s*(?: "[^"]*                                          # a string that never ends
             | (?:t|tr|tru|f|fa|fal|fals|n|nu|nul)             # a word
             | -?\d*\.?(?:\d*[eE]?[+-]?)                       # a number
             | \\?u?[0-9A-Fa-f]{0,4} )?                                 # an escape
             \s*\Z""",
    re.VERBOSE,
)


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


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why a text could not be read, and whether it is its syntax that a repair may mend."""

    problem: str
    truncated: bool = False
    reparable: bool = False


_IN_THINKING = _Fault("the answer stops inside of <think>; it looks truncated", truncated=True)


def read_json(text: str | None) -> Answer:
    """Reads the JSON value that an answer consists of, or that stands alone inside of it.

    Refused, because they are ambiguous or no JSON: duplicate keys, NaN and Infinity, numbers beyond a
    double's range, more than one JSON text in prose.

    Args:
        text: the answer as the API gave it; it may give none.
    """
    answer = _read(text or "")
    return _out_of_string(answer) if isinstance(answer.value, str) else answer


def _read(text: str) -> Answer:
    value, fault = _strict(text)
    mends: tuple[str, ...] = ()
    for name, mend in (("think", _behind_thinking), ("fence", _without_fence)):
        if fault is None:
            break
        mended = mend(text)
        if mended != text:
            text, mends = mended, (*mends, name)
            value, fault = _strict(text)
    if fault is None:
        return Answer(value, mends, None)
    value, further, fault = _surrounded(text)
    if fault is not None:
        return Answer(None, mends, fault.problem, fault.truncated)
    return Answer(value, (*mends, *further), None)


def read_text(text: str | None) -> Answer:
    """Reads an answer in free text: what the model thought is dropped, the rest is taken as it is.

    Args:
        text: the answer as the API gave it; it may give none.
    """
    text = text or ""
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
    if isinstance(arguments, dict):
        return Answer(arguments, (), None)
    if not isinstance(arguments, str):
        kind = "missing" if arguments is None else f"a {type(arguments).__name__}, not an object"
        return Answer(None, (), f"the tool call's arguments are {kind}")
    answer = read_json(arguments)
    return replace(answer, mends=("arguments_string", *answer.mends))


class _RefusedError(ValueError):
    """JSON's syntax allows it, or Python's does, and we do not; the message is safe to show."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _RefusedError(f"the key {json.dumps(twice[:60])} occurs twice in one object")
    return mapping


def _constant(name: str) -> Any:
    raise _RefusedError(f"{name} is not JSON; write a number or null")


def _float(text: str) -> float:
    number = read_float(text)
    if not math.isfinite(number):
        raise _RefusedError("a number is beyond the range of a double")
    return number


_decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float)


def _strict(text: str) -> tuple[Any, _Fault | None]:
    """The value of a text that is JSON and nothing else, or what is wrong with it."""
    return _explained(text, 0, lambda: _decoder.decode(text))


def _from(text: str, start: int) -> tuple[Any, int, _Fault | None]:
    """The value that begins at `start`, where it ends, or what is wrong with it."""
    read, fault = _explained(text, start, lambda: _decoder.raw_decode(text, start))
    return (None, start, fault) if fault is not None else (*read, None)


def _explained(text: str, start: int, decode: Callable[[], Any]) -> tuple[Any, _Fault | None]:
    try:
        return decode(), None
    except json.JSONDecodeError as error:
        return None, _syntax(text, start, error)
    except _RefusedError as error:
        return None, _Fault(str(error))
    except RecursionError:
        return None, _Fault("the JSON is nested too deeply")
    except ValueError:  # Python's own bound on the digits of an integer
        return None, _Fault("a number has too many digits")


def _syntax(text: str, start: int, error: json.JSONDecodeError) -> _Fault:
    if not text or text.isspace():
        return _Fault("the answer is empty")
    stops = error.msg.startswith("Unterminated string") or _UNFINISHED.match(text, error.pos)
    if stops or _stays_open(text, start):
        problem = f"the JSON stops in the middle, after {len(text)} characters; it looks truncated"
        return _Fault(problem, truncated=True)
    return _Fault(f"not valid JSON: {error.msg} at character {error.pos}", reparable=True)


def _stays_open(text: str, start: int) -> bool:
    """Whether the first bracket behind `start` is never closed; those inside of strings do not count."""
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text, start):
        piece = match[0]
        if piece in "{[":
            depth += 1
        elif piece in "}]":
            depth -= 1
            if depth <= 0:
                return False
        elif piece == '"' and depth:
            return True
    return depth > 0


def _out_of_string(answer: Answer) -> Answer:
    """The object that a string holds, since an object is what everybody asks for; else the answer as it is."""
    held = str(answer.value)
    value, fault = _strict(held) if held.lstrip().startswith("{") else (None, None)
    return Answer(value, (*answer.mends, "json_string"), None) if fault is None and value else answer


def without_thinking(text: str) -> str:
    """The text behind leading, closed `<think>` blocks."""
    thoughts = _THOUGHTS.match(text)
    return text[thoughts.end() :].lstrip() if thoughts else text


def _behind_thinking(text: str) -> str:
    """The same, also where the first block has no opening, which some models' templates write into the prompt.

    A tag behind the first bracket may stand in a string of the answer, and what follows it may be a piece of an
    object: so it counts only if it is in no string, and the answer follows whole.
    """
    rest = without_thinking(text)
    bracket = _BRACKET.search(rest)
    before = rest[: bracket.start()] if bracket else rest
    inside = THINK_CLOSE not in before
    thought, closing, _ = (rest if inside else before).rpartition(THINK_CLOSE)
    if not closing or THINK_OPEN in thought or thought.lstrip().startswith(("{", "[", FENCE)):
        return rest
    answer = rest[len(thought) + len(closing) :].lstrip()
    if inside and (_ends_in_string(thought) or _strict(_without_fence(answer))[1] is not None):
        return rest
    return answer


def _ends_in_string(text: str) -> bool:
    """Whether a string that begins behind the first bracket is still open at the end."""
    first = _BRACKET.search(text)
    return first is not None and any(
        one[0] == '"' for one in _STRING_OR_BRACKET.finditer(text, first.start())
    )


def _without_fence(text: str) -> str:
    """The text inside a code fence that spans all of it."""
    stripped = text.strip()
    opening = _FENCE_OPENING.match(stripped)
    if opening is None or not stripped.endswith(FENCE) or len(stripped) < opening.end() + len(FENCE):
        return text
    return stripped[opening.end() : -len(FENCE)].strip()


def _surrounded(text: str) -> tuple[Any, tuple[str, ...], _Fault | None]:
    """The only JSON object or array inside of prose, mended if need be, and the mends.

    It is looked for at the first bracket only: behind a bracket that could not be read, a part of a
    truncated or malformed object would pass for the whole of it.
    """
    if text.lstrip().startswith(THINK_OPEN):
        return None, (), _IN_THINKING
    first = _BRACKET.search(text)
    if first is None:
        return None, (), _Fault("the answer holds no JSON object" if text.strip() else "the answer is empty")
    value, end, fault = _from(text, first.start())
    mends: tuple[str, ...] = ()
    if fault is not None:
        end = text.rfind("}" if first[0] == "{" else "]") + 1
        mended = repaired(text[first.start() : end]) if fault.reparable else None
        if mended is None:
            return None, (), fault
        value, mends = mended[0], ("repaired",)
    for count, bracket in enumerate(_BRACKET.finditer(text, end)):
        if count >= MAX_BRACKETS or _from(text, bracket.start())[2] is None:
            problem = "the answer holds more than one JSON text; it should be one object and nothing else"
            return None, (), _Fault(problem)
    alone = not (text[: first.start()].strip() or text[end:].strip())
    return value, mends if alone else ("surrounding_text", *mends), None
