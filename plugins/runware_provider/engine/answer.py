"""From a model's answer to a value: strict JSON first, then a few cheap mends, each recorded by name.

The mends are `think`, `fence`, `surrounding_text` and `arguments_string`. Anything that needs a guess about
what the model meant is no mend but a problem, for the model to answer again.

JSON is read with the standard library and not with msgspec, which is faster but keeps the last of two equal
keys without a word; what is ambiguous must not look answered.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"
FENCE = "```"
MAX_BRACKETS = 100
"""Brackets looked at behind a JSON text before prose that is full of them is given up."""

_FENCE_OPENING = re.compile(r"```[A-Za-z0-9_+-]*[ \t]*\r?\n?")
_BRACKET = re.compile(r"[{\[]")
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

    value: Any | None
    mends: tuple[str, ...]
    problem: str | None


def read_json(text: str | None) -> Answer:
    """Reads the JSON value that an answer consists of, or that stands alone inside of it.

    Refused, because they are ambiguous or no JSON: duplicate keys, NaN and Infinity, numbers beyond a
    double's range, more than one JSON text in prose.

    Args:
        text: the answer as the API gave it; it may give none.
    """
    text = text or ""
    value, problem = _strict(text)
    if problem is None:
        return Answer(value, (), None)
    mends: tuple[str, ...] = ()
    for name, mend in (("think", _without_thinking), ("fence", _without_fence)):
        mended = mend(text)
        if mended == text:
            continue
        text, mends = mended, (*mends, name)
        value, problem = _strict(text)
        if problem is None:
            return Answer(value, mends, None)
    value, problem = _surrounded(text)
    if problem is None:
        return Answer(value, (*mends, "surrounding_text"), None)
    return Answer(None, mends, problem)


def read_text(text: str | None) -> Answer:
    """Reads an answer in free text: what the model thought is dropped, the rest is taken as it is.

    Args:
        text: the answer as the API gave it; it may give none.
    """
    text = text or ""
    rest = _without_thinking(text)
    mends = () if rest == text else ("think",)
    if rest.lstrip().startswith(THINK_OPEN):
        return Answer(None, mends, "the answer stops inside of <think>; it looks truncated")
    if not rest or rest.isspace():
        return Answer(None, mends, "the answer is empty")
    if not _encodable(rest):
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
    return Answer(answer.value, ("arguments_string", *answer.mends), answer.problem)


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
    number = float(text)
    if not math.isfinite(number):
        raise _RefusedError("a number is beyond the range of a double")
    return number


_decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float)


def _strict(text: str) -> tuple[Any, str | None]:
    """The value of a text that is JSON and nothing else, or the problem."""
    return _explained(text, lambda: _decoder.decode(text))


def _from(text: str, start: int) -> tuple[Any, int, str | None]:
    """The value that begins at `start`, where it ends, or the problem."""
    read, problem = _explained(text, lambda: _decoder.raw_decode(text, start))
    return (None, start, problem) if problem is not None else (*read, None)


def _explained(text: str, decode: Callable[[], Any]) -> tuple[Any, str | None]:
    try:
        return decode(), None
    except json.JSONDecodeError as error:
        return None, _syntax(text, error)
    except _RefusedError as error:
        return None, str(error)
    except RecursionError:
        return None, "the JSON is nested too deeply"
    except ValueError:  # Python's own bound on the digits of an integer
        return None, "a number has too many digits"


def _syntax(text: str, error: json.JSONDecodeError) -> str:
    if not text or text.isspace():
        return "the answer is empty"
    if error.msg.startswith("Unterminated string") or _UNFINISHED.match(text, error.pos):
        return f"the JSON stops in the middle, after {len(text)} characters; it looks truncated"
    return f"not valid JSON: {error.msg} at character {error.pos}"


def _without_thinking(text: str) -> str:
    """The text behind leading, closed `<think>` blocks."""
    rest = text.lstrip()
    while rest.startswith(THINK_OPEN):
        end = rest.find(THINK_CLOSE)
        if end < 0:
            return rest
        rest = text = rest[end + len(THINK_CLOSE) :].lstrip()
    return text


def _without_fence(text: str) -> str:
    """The text inside a code fence that spans all of it."""
    stripped = text.strip()
    opening = _FENCE_OPENING.match(stripped)
    if opening is None or not stripped.endswith(FENCE) or len(stripped) < opening.end() + len(FENCE):
        return text
    return stripped[opening.end() : -len(FENCE)].strip()


def _surrounded(text: str) -> tuple[Any, str | None]:
    """The only JSON object or array inside of prose.

    It is looked for at the first bracket only: behind a bracket that could not be read, a part of a
    truncated or malformed object would pass for the whole of it.
    """
    if text.lstrip().startswith(THINK_OPEN):
        return None, "the answer stops inside of <think>; it looks truncated"
    first = _BRACKET.search(text)
    if first is None:
        return None, _strict(text)[1] if not text.strip() else "the answer holds no JSON object"
    value, end, problem = _from(text, first.start())
    if problem is not None:
        return None, problem
    for count, bracket in enumerate(_BRACKET.finditer(text, end)):
        if count >= MAX_BRACKETS or _from(text, bracket.start())[2] is None:
            return None, "the answer holds more than one JSON text; it should be one object and nothing else"
    return value, None


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
