r"""Regular expressions of JSON Schema, written for Rust's engine: so that each means there what ECMA-262 says it means.

The two languages look alike, and what one of them knows the other often takes for something else without an error: `(?x)`,
`[a&&b]` and `\A` mean something to Rust and nothing to ECMA-262, `.` and `\b` mean something else. So an expression is read
as ECMA-262 reads it with its flag `u`, which is what JSON Schema asks for, and is written anew. Taken beyond that is what can
only be meant in one way: a backslash in front of a mark that needs none (`\-`, `\@`), and brackets that close nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

ANY_PROPERTY = re.compile(r"\\[pP]\{[A-Za-z0-9_]{1,60}(?:=[A-Za-z0-9_]{1,60})?\}")
"""A property of Unicode, such as `\\p{L}`; whether there is one of that name, the engine knows."""
_TOKEN = re.compile(
    r"""  (?P<group>      \((?!\?) | \(\?: | \(\?<[A-Za-z_$][\w$]*> )   # nothing refers to its number or its name
        | (?P<folded>     \(\?-?i: )
        | (?P<condition>  \(\?<?[=!] )
        | (?P<odd_group>  \(\? )
        | (?P<closing>    \) )
        | (?P<either>     \| )
        | (?P<edge>       \^ | \$ | \\[bB] )
        | (?P<repeat>     (?: [*+?] | \{[0-9]+(?:,[0-9]*)?\} ) \?? )
        | (?P<odd_repeat> \{,[0-9]+\} )
        | (?P<set>        \[ )
        | (?P<dot>        \. )
        | (?P<escape>     \\ )
        | (?P<character>  . )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(
    rf"""\\(?: u\{{(?P<code>0*[0-9A-Fa-f]{{1,6}})\}}
             | u(?P<high>[Dd][89ABab][0-9A-Fa-f]{{2}})\\u(?P<low>[Dd][C-Fc-f][0-9A-Fa-f]{{2}})
             | u(?P<four>[0-9A-Fa-f]{{4}})
             | x(?P<two>[0-9A-Fa-f]{{2}})
             | c(?P<letter>[A-Za-z])
             | (?P<control>[fnrtv]|0(?![0-9]))
             | (?P<set>[dDwWsS])
             | (?P<back>[1-9][0-9]*|k<[^>]*>)
             | (?P<mark>[^A-Za-z0-9])
           ) | (?P<property>{ANY_PROPERTY.pattern})""",
    re.VERBOSE | re.DOTALL,
)
_CONTROLS = {"f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09, "v": 0x0B, "0": 0x00}
_BACKSPACE = 0x08
_ANY = r"\x{0}-\x{10FFFF}"
_LINE_ENDS = r"\x{A}\x{D}\x{2028}\x{2029}"
_SETS = {
    "d": r"0-9",
    "D": r"\x{0}-\x{2F}\x{3A}-\x{10FFFF}",
    "w": r"A-Za-z0-9\x{5F}",
    "W": r"\x{0}-\x{2F}\x{3A}-\x{40}\x{5B}-\x{5E}\x{60}\x{7B}-\x{10FFFF}",
    "s": r"\x{9}-\x{D}\x{20}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\x{FEFF}",
    "S": (
        r"\x{0}-\x{8}\x{E}-\x{1F}\x{21}-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027}\x{202A}-\x{202E}"
        r"\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{FEFE}\x{FF00}-\x{10FFFF}"
    ),
}
"""What stands for many characters, as ranges: of a class in a class, the engine's releases think differently."""
_ASCII_EDGES = {r"\b": r"(?-u:\b)", r"\B": r"(?-u:\B)", "^": "^", "$": "$"}
_LAST = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_OTHERWISE = {
    r"\A": "Write `^`",
    r"\Z": "Write `$`",
    r"\z": "Write `$`",
    r"\a": r"Write `\x07`",
    r"\e": r"Write `\x1b`",
    r"\h": r"Write `[\t ]`",
    r"\R": r"Write `\r?\n`",
    r"\p": r"Write a property of Unicode like `\p{L}`",
    r"\P": r"Write a property of Unicode like `\P{L}`",
    r"\u": r"Write four hexadecimal digits, or `\u{...}`",
    r"\x": "Write two hexadecimal digits",
    r"\c": "Write a letter behind it",
    r"\k": "Write the group out again",
    "(?P": "Write `(?<name>...)`",
    "(?#": "Drop the comment",
    "(?>": "Write `(?:...)`",
    "(?s": "Write `[^]` for any character",
    "(?m": "Write the ends of lines out",
    "(?x": "Write it without blanks and comments",
}
"""How ECMA-262 says what other languages mean by these beginnings, or what it lacks."""
_FLAGS = "Write `(?i:...)` around what is meant, or give a pydantic model, whose patterns have flags"
_MEND = "Mend it, or check it in a validator of a pydantic model"


class PatternError(ValueError):
    """An expression that is none, or that cannot be matched in time that grows with the text alone."""

    def __init__(self, problem: str, remedy: str = _MEND) -> None:
        super().__init__(problem)
        self.remedy = remedy


class LooksAroundError(PatternError):
    """The expression has conditions on what stands around a place, or refers back to what it matched."""

    def __init__(self) -> None:
        remedy = (
            "Write it without, as several patterns in `allOf`, or check it in a validator of a pydantic model"
        )
        super().__init__("has look-around or a back-reference, which take unbounded time", remedy)


def for_the_engine(pattern: str) -> str:
    """The expression as Rust's engine has to be given it.

    Args:
        pattern: of ECMA-262.

    Raises:
        LooksAroundError: it is one, and no linear engine can match it as it is.
        PatternError: it is none.
    """
    reading = _Reading(pattern)
    written = "".join(reading.pieces())
    if reading.looks_around:
        raise LooksAroundError
    return written


class _Reading:
    """One expression, read from its beginning to its end."""

    def __init__(self, pattern: str) -> None:
        self.looks_around = False
        self._pattern = pattern
        self._place = 0
        self._open_groups: list[str] = []
        self._may_repeat = False

    def pieces(self) -> Iterator[str]:
        """The expression's pieces as the engine takes them."""
        while self._place < len(self._pattern):
            # The last of its alternatives takes any character.
            token = _TOKEN.match(self._pattern, self._place)
            assert token is not None  # noqa: S101 - for mypy
            self._place = token.end()
            yield self._piece(str(token.lastgroup), token[0])
        if self._open_groups:
            _refuse("a group is not closed")

    def _piece(self, kind: str, text: str) -> str:
        match kind:
            case "group" | "folded" | "condition" | "closing" | "either" | "edge":
                return self._structure(kind, text)
            case "repeat":
                return self._repeat(text)
            case "odd_group":
                self._refuse_group()
            case "odd_repeat":
                most = text[2:-1]
                remedy = f"Write `{{0,{most}}}`, or `\\{{,{most}}}` if the brace itself is meant"
                _refuse(f"`{text}` has no lowest number", remedy)
        self._may_repeat = True
        return self._characters(kind, text)

    def _structure(self, kind: str, text: str) -> str:
        """What stands for no character itself."""
        self._may_repeat = False
        match kind:
            case "edge":
                return _ASCII_EDGES[text]
            case "either":
                return text
            case "closing":
                if not self._open_groups:
                    _refuse("a group is closed that was not opened")
                self._may_repeat = self._open_groups.pop() != "condition"
                return text
            case "condition":
                self.looks_around = True
        self._open_groups.append(kind)
        return text if kind == "folded" else "(?:"

    def _repeat(self, text: str) -> str:
        if not self._may_repeat:
            _refuse(f"there is nothing that `{text}` could repeat")
        lowest, _, highest = text.strip("{}?").partition(",")
        if highest and int(highest) < int(lowest):
            _refuse(f"`{text}` ends before it begins")
        self._may_repeat = False
        return text

    def _characters(self, kind: str, text: str) -> str:
        """What stands for one character, or for one of several."""
        match kind:
            case "dot":
                return f"[^{_LINE_ENDS}]"
            case "set":
                return self._set()
            case "escape":
                self._place -= 1
                escaped = self._escape()
                return _written(escaped) if isinstance(escaped, int) else f"[{escaped}]"
        return _written(ord(text))

    def _set(self) -> str:
        """Characters in brackets, the first of which is read already."""
        is_negated = self._next() == "^"
        if is_negated:
            self._place += 1
        members: list[str] = []
        while self._next() != "]":
            members.append(self._members())
        self._place += 1
        if not members:  # `[]` matches nothing, and `[^]` anything
            return f"[{'' if is_negated else '^'}{_ANY}]"
        return f"[{'^' if is_negated else ''}{''.join(members)}]"

    def _members(self) -> str:
        """A character of a set, a class of them, or a range."""
        first = self._member()
        behind = self._pattern[self._place : self._place + 2]
        if not behind.startswith("-") or behind == "-]":
            return _member_written(first)
        self._place += 1
        last = self._member()
        if isinstance(first, int) and isinstance(last, int):
            if first > last:
                _refuse("a range in brackets ends before it begins")
            return f"{_written(first)}-{_written(last)}"
        # A class begins and ends no range, so the hyphen is one.
        return f"{_member_written(first)}{_written(ord('-'))}{_member_written(last)}"

    def _member(self) -> int | str:
        character = self._next()
        if character != "\\":
            self._place += 1
            return ord(character)
        if self._pattern.startswith("\\b", self._place):
            self._place += 2
            return _BACKSPACE
        return self._escape()

    def _next(self) -> str:
        if self._place >= len(self._pattern):
            _refuse("a bracket is not closed")
        return self._pattern[self._place]

    def _escape(self) -> int | str:
        """The character that an escape stands for, or the class of characters."""
        escape = _ESCAPE.match(self._pattern, self._place)
        if escape is None:
            beginning = self._pattern[self._place : self._place + 2]
            _refuse(f"it does not know `{beginning}`", _OTHERWISE.get(beginning, _MEND))
        self._place = escape.end()
        kind = str(escape.lastgroup)
        match kind:
            case "property":
                return escape[0]
            case "set":
                return _SETS[escape[kind]]
            case "back":
                self.looks_around = True
                return ""
        return _code(kind, escape[kind], escape["high"])

    def _refuse_group(self) -> NoReturn:
        beginning = self._pattern[self._place - 2 : self._place + 1]
        remedy = _FLAGS if beginning == "(?i" else _OTHERWISE.get(beginning, _MEND)
        _refuse(f"it does not know `{beginning}`", remedy)


def _code(kind: str, text: str, high: str | None) -> int:
    """The character that an escape of this kind stands for."""
    match kind:
        case "letter":
            code = ord(text) % 32
        case "control":
            code = _CONTROLS[text]
        case "mark":
            code = ord(text)
        case "low":
            code = 0x10000 + ((int(str(high), 16) - 0xD800) << 10) + int(text, 16) - 0xDC00
        case _:
            code = int(text, 16)
    if code > _LAST:
        _refuse(f"there is no character {code:X}")
    if code in _SURROGATES:
        _refuse("half of a surrogate pair is no character", r"Write the character, or `\u{...}`")
    return code


def _member_written(member: int | str) -> str:
    return _written(member) if isinstance(member, int) else member


def _written(code: int) -> str:
    """A character as the engine takes it, wherever it stands."""
    character = chr(code)
    is_plain = character.isascii() and character.isalnum()
    return character if is_plain else f"\\x{{{code:X}}}"


def _refuse(problem: str, remedy: str = _MEND) -> NoReturn:
    raise PatternError(f"is no regular expression of JSON Schema's (ECMA-262): {problem}", remedy)
