"""The mend of broken JSON syntax, by json-repair, as far as it changes nothing but syntax.

A repair library always gives something: it fills in values that are missing and closes what never ended.
Here its work is taken only if it reads the same as the text, token for token and string for string. What may
differ is: commas that are missing or trail, the style of quotes, line breaks inside of strings, quotes around
keys, and Python's words for true, false and null.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import json_repair

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CHARS = 500_000
"""Longer texts are not mended: the library needs about two microseconds a character."""

_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_NO_ESCAPE = re.compile(r'(?<!\\)(?:\\\\)*\\(?!u[0-9a-fA-F]{4}|["\\/bfnrt])')
_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_BARE_KEY = re.compile(r"([{,]\s*)([A-Za-z_][A-Za-z0-9_]*)(\s*:)")
_TOKEN = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|[A-Za-z0-9_]+|[^\s,]")
_FRACTION = re.compile(r"-?[0-9]+(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)")
_QUOTES = "\"'`\u2018\u2019\u201a\u201c\u201d\u201e"
_SAME = {"True": "true", "False": "false", "None": "null", **dict.fromkeys(_QUOTES, '"')}
_STRAY_COMMA = re.compile(r"[\[{,]\s*,")
_LOOKS_LIKE_SYNTAX = re.compile(r'"\s*[,:"\[\]{}]|[,:\[\]{}]\s*"')


def repaired(text: str) -> tuple[Any] | None:
    """The value of a text that is JSON but for its syntax, in a tuple; nothing where that takes a guess.

    Args:
        text: it begins and ends with the brackets of one object or array, and is not JSON.
    """
    # Who writes `C:\data` with one backslash writes `C:\new` so, too, and means no line break by it.
    if len(text) > MAX_CHARS or _STRAY_COMMA.search(text) or _NO_ESCAPE.search(text):
        return None
    try:
        value = json_repair.loads(text, skip_json_loads=True, strict=True)
        rendered = json.dumps(value, ensure_ascii=False, allow_nan=False)
        same = _tokens(text) == _tokens(rendered) and _holds_its_strings(text, value)
    except (ValueError, RecursionError, OverflowError):
        return None
    return (value,) if same else None


def _tokens(text: str) -> list[str]:
    """What a text says, but for commas, blanks and the spelling of quotes, fractions and constants."""
    quoted = _BARE_KEY.sub(r'\1"\2"\3', text)
    return [_normal(token) for token in _TOKEN.findall(_unescaped(quoted))]


def _normal(token: str) -> str:
    return repr(float(token)) if _FRACTION.fullmatch(token) else _SAME.get(token, token)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda one: chr(int(one[1], 16)) if one[1] else _CONTROLS.get(one[2], one[2]), text)


def _holds_its_strings(text: str, value: Any) -> bool:
    """Whether the strings stand between quotes in the text as they are, one behind the other.

    The library drops blanks at their ends, and may read over the end of one: so a quote that looks like syntax
    must have been escaped.
    """
    plain, position = _unescaped(_BARE_KEY.sub(r'\1"\2"\3', text)), 0
    for string in _strings(value):
        found = re.compile(f"[{_QUOTES}]{re.escape(string)}[{_QUOTES}]").search(plain, position)
        ambiguous = _LOOKS_LIKE_SYNTAX.search(string)
        if found is None or (ambiguous and json.dumps(string, ensure_ascii=False)[1:-1] not in text):
            return False
        position = found.end()
    return True


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
