"""JSON, strictly: the value of a text that is JSON, or what is wrong with it, in time that grows with its length.

It is read with the standard library and not with msgspec, which is faster but keeps the last of two equal keys without
a word; what is ambiguous must not look answered.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runware_provider.engine.schema.written_numbers import read_float

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 100
"""Levels of nesting of an answer: a schema has at most 40, and what is stored as JSON text may be deeper."""
TOO_DEEP = f"the JSON is nested too deeply: {MAX_DEPTH} levels are read"

_STRING_OR_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["{}\[\]]', re.DOTALL)
_UNFINISHED = re.compile(
    r"""\s*+(?: "[^"]*+                                        # a string that never ends
              | (?:t|tr|tru|f|fa|fal|fals|n|nu|nul)            # a word
              | -?\d*+\.?\d*+[eE]?[+-]?                        # a number
              | \\?u?[0-9A-Fa-f]{0,4} )?                       # an escape
              \s*+\Z""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a text could not be read, and whether it is its syntax that a repair may mend."""

    problem: str
    truncated: bool = False
    reparable: bool = False


def whole(text: str) -> tuple[Any, Fault | None]:
    """The value of a text that is JSON and nothing else, or what is wrong with it.

    Refused, because they are ambiguous or no JSON: equal keys in one object, NaN and Infinity, numbers beyond the
    range of a double, more than `MAX_DEPTH` levels.
    """
    return _explained(text, 0, lambda: _STRICT.decode(text))


def beginning_at(text: str, start: int) -> tuple[Any, int, Fault | None]:
    """The value that begins at `start`, where it ends, or what is wrong with it; whatever follows it."""
    read, fault = _explained(text, start, lambda: _STRICT.raw_decode(text, start))
    return (None, start, fault) if fault is not None else (*read, None)


def with_raw_controls(text: str) -> tuple[Any, Fault | None]:
    """As `whole`, and line breaks and other control characters may stand in strings as they are."""
    return _explained(text, 0, lambda: _WITH_CONTROLS.decode(text))


def is_too_deep(value: Any) -> bool:
    """Whether a value has more than `MAX_DEPTH` levels."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        if not level:
            return False
        level = [inner for holder in level for inner in _inside(holder) if isinstance(inner, dict | list)]
    return bool(level)


def is_same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same; true is not 1 in JSON, as it is in Python."""
    return one == other and _canonical(one) == _canonical(other)


def ends_in_string(text: str) -> bool:
    """Whether a string that begins behind the first bracket is still open at the end."""
    first = re.search(r"[{\[]", text)
    if first is None:
        return False
    return any(piece[0] == '"' for piece in _STRING_OR_BRACKET.finditer(text, first.start()))


def _inside(holder: Any) -> Any:
    return holder.values() if isinstance(holder, dict) else holder


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


class _RefusedError(ValueError):
    """JSON's syntax allows it, or Python's does, and we do not; the message is safe to show."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) == len(pairs):
        return mapping
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise _RefusedError(f"the key {json.dumps(key[:60])} occurs twice in one object")
        seen.add(key)
    return mapping


def _constant(name: str) -> Any:
    raise _RefusedError(f"{name} is not JSON; write a number or null")


def _float(text: str) -> float:
    number = read_float(text)
    if not math.isfinite(number):
        raise _RefusedError("a number is beyond the range of a double")
    return number


_STRICT = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float)
_WITH_CONTROLS = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float, strict=False
)


def _explained(text: str, start: int, decode: Callable[[], Any]) -> tuple[Any, Fault | None]:
    try:
        read = decode()
    except json.JSONDecodeError as error:
        return None, _syntax(text, start, error)
    except _RefusedError as error:
        return None, Fault(str(error))
    except RecursionError:
        return None, Fault(TOO_DEEP)
    except ValueError:  # Python's own bound on the digits of an integer
        return None, Fault("a number has too many digits")
    # Few answers have so many brackets that they may be nested too deeply.
    may_be_deep = text.count("{") + text.count("[") > MAX_DEPTH
    if may_be_deep and is_too_deep(read[0] if isinstance(read, tuple) else read):
        return None, Fault(TOO_DEEP)
    return read, None


def _syntax(text: str, start: int, error: json.JSONDecodeError) -> Fault:
    if not text or text.isspace():
        return Fault("the answer is empty")
    stops = error.msg.startswith("Unterminated string") or _UNFINISHED.match(text, error.pos)
    if stops or _stays_open(text, start):
        problem = f"the JSON stops in the middle, after {len(text)} characters; it looks truncated"
        return Fault(problem, truncated=True)
    return Fault(f"not valid JSON: {error.msg} at character {error.pos}", reparable=True)


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
