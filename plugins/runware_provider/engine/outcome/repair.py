"""The mend of broken JSON syntax, by json-repair, as far as it changes nothing but syntax.

A repair library always gives something: it fills in values that are missing and closes what never ended.
Here its work is taken only if it reads the same as the text, token for token and string for string. What may
differ is: commas that are missing or trail, the style of quotes, line breaks inside of strings, quotes around
keys, and Python's words for true, false and null.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from runware_provider.engine.schema.json_text import is_too_deep, with_raw_controls
from runware_provider.engine.schema.written_numbers import SURE_DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CHARS = 8_000
"""Longer texts are left to the model, but for commas that trail and characters that have to be escaped: of some texts, the
library's time grows with the square of their length."""
MAX_INNER_QUOTES = 20
"""Quotes that neither open nor end a string, after which a text is given up: the library reads on from each of them."""

_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\'\\/bfnrt]))')
_NO_ESCAPE = re.compile(r'(?<!\\)(?:\\\\)*\\(?!u[0-9a-fA-F]{4}|["\'\\/bfnrt])')
_ANY_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_STRING_OR_TRAILING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|,(?=\s*+[}\]])', re.DOTALL)
_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_BARE_KEY = re.compile(r"([{,]\s*)([A-Za-z_][A-Za-z0-9_]*)(\s*:)")
_TOKEN = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|[A-Za-z0-9_]+|[^\s,]")
_FRACTION = re.compile(r"-?[0-9]+(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)")
_QUOTES = "\"'`\u2018\u2019\u201a\u201c\u201d\u201e"
_SAME_QUOTE = str.maketrans(dict.fromkeys(_QUOTES, '"'))
_SAME = {"True": "true", "False": "false", "None": "null", **dict.fromkeys(_QUOTES, '"')}
_STRAY_COMMA = re.compile(r"[\[{,]\s*,")
_LOOKS_LIKE_SYNTAX = re.compile(r'"\s*[,:"\[\]{}]|[,:\[\]{}]\s*"')
_QUOTE_IN_PLACE = re.compile(
    rf"""\\. | [\[{{,:]\s*+[{_QUOTES}]                             # escaped, or opens a string
       | (?<=\w)['\u2019](?=\w) | [{_QUOTES}](?=\s{{0,20}}[,:\]}}])   # an apostrophe, or ends a string
       | (?P<inner>[{_QUOTES}])""",
    re.DOTALL | re.VERBOSE,
)
_BEFORE_OPENING = frozenset(" \t\n([{-/")
_BEHIND_CLOSING = frozenset(" \t\n.,;:!?)]}-/")


def repaired(text: str) -> tuple[Any] | None:
    """The value of a text that is JSON but for its syntax, in a tuple; nothing where that takes a guess.

    Args:
        text: it begins and ends with the brackets of one object or array, and is not JSON.
    """
    # Who writes `C:\data` with one backslash writes `C:\new` so, too, and means no line break by it.
    if _STRAY_COMMA.search(text) or _NO_ESCAPE.search(text):
        return None
    # An apostrophe needs no backslash, and means the same with one; line breaks in strings are what they are.
    plain = _ANY_ESCAPE.sub(_apostrophe, text)
    value, fault = with_raw_controls(_STRING_OR_TRAILING.sub(_without_trailing, plain))
    if fault is None:
        return (value,)
    if len(text) > MAX_CHARS or _has_many_inner_quotes(text):
        return None
    try:
        import json_repair  # noqa: PLC0415 - most jobs get no broken answer

        value = json_repair.loads(text, skip_json_loads=True, strict=True)
        rendered = json.dumps(value, ensure_ascii=False, allow_nan=False)
        is_same = _tokens(text) == _tokens(rendered) and _holds_its_strings(text, value)
    except (ValueError, RecursionError, OverflowError):
        return None
    return (value,) if is_same and not is_too_deep(value) else None


def _has_many_inner_quotes(text: str) -> bool:
    """Whether many quotes stand neither behind an opening nor in front of a closing; apostrophes in words are none."""
    inner = (quote for quote in _QUOTE_IN_PLACE.finditer(text) if quote["inner"])
    return next(itertools.islice(inner, MAX_INNER_QUOTES, None), None) is not None


def _without_trailing(piece: re.Match[str]) -> str:
    return "" if piece[0] == "," else piece[0]


def _apostrophe(escape: re.Match[str]) -> str:
    return "'" if escape[1] == "'" else escape[0]


def _tokens(text: str) -> list[str]:
    """What a text says, but for commas, blanks and the spelling of quotes, fractions and constants."""
    quoted = _BARE_KEY.sub(r'\1"\2"\3', text)
    return [_normal(token) for token in _TOKEN.findall(_unescaped(quoted))]


def _normal(token: str) -> str:
    if _FRACTION.fullmatch(token) is None:
        return _SAME.get(token, token)
    if len(token) > SURE_DIGITS:
        raise ValueError("the library reads doubles, which would lose digits")
    return repr(float(token))


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(
        lambda escape: chr(int(escape[1], 16)) if escape[1] else _CONTROLS.get(escape[2], escape[2]), text
    )


def _holds_its_strings(text: str, value: Any) -> bool:
    """Whether the strings stand between quotes in the text as they are, one behind the other.

    The library drops blanks at their ends, and may read over the end of one: so a quote that looks like syntax, or
    like the end of a string, must have been escaped.
    """
    plain, position, ambiguous = _unescaped(_BARE_KEY.sub(r'\1"\2"\3', text)), 0, 0
    alike = plain.translate(_SAME_QUOTE)
    for string in _strings(value):
        start = _place_of(string, plain, alike, position)
        if start is None:
            return False
        position = start + len(string) + 2
        delimiters = plain[start] + plain[position - 1]
        if _LOOKS_LIKE_SYNTAX.search(string) or not _quotes_in_pairs(string, delimiters):
            ambiguous += 1
            if ambiguous > MAX_INNER_QUOTES or json.dumps(string, ensure_ascii=False)[1:-1] not in text:
                return False
    return True


def _place_of(string: str, plain: str, alike: str, position: int) -> int | None:
    """Where a string stands between quotes of any style, with its own quotes as they are."""
    wanted = f'"{string.translate(_SAME_QUOTE)}"'
    start = alike.find(wanted, position)
    return start if start >= 0 and plain.startswith(string, start + 1) else None


def _quotes_in_pairs(string: str, delimiters: str) -> bool:
    """Whether the quotes inside of a string, which could have ended it, open and close words of it in turn."""
    places = [place for place, char in enumerate(string) if char in delimiters]
    opens = True
    for place in places:
        before, behind = string[place - 1 : place], string[place + 1 : place + 2]
        if (opens and not (before == "" or before in _BEFORE_OPENING)) or (opens and behind.isspace()):
            return False
        if not opens and (before.isspace() or not (behind == "" or behind in _BEHIND_CLOSING)):
            return False
        opens = not opens
    return opens


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
