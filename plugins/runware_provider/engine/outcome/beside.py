# ruff: noqa: RUF001 - the marks of models are written in such letters
"""What may stand beside the JSON of an answer: prose, citations, harmless tags. What looks like data or like a call may not.

All of it is found in one pass, by expressions that look a bounded number of characters ahead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_BRACKETS = 100
"""Brackets of no known meaning, after which prose that is full of them is given up."""

_CALL = r"""(?: <[|｜]?/?(?:｜?DSML｜)?(?:tool_|tool▁|function_|antml:|invoke\b|parameter\b|function\b|python_tag)
              | \[/?TOOL_(?:CALLS?|REQUEST)\] | \bfunctools\[ | \bto=functions\. | <｜DSML｜ )"""
CALL_MARK = re.compile(_CALL, re.VERBOSE | re.IGNORECASE)
"""How models begin a call that they write into the text."""
_AROUND_ANSWERS = "answer final final_answer json output result response object data reply solution"
_FOR_THE_EYE = "a b blockquote br code details div em hr i li ol p pre small span strong sub summary sup table tbody td th thead tr u ul"
_OF_TEMPLATES = "s start_of_turn end_of_turn eos bos"
_HARMLESS_TAGS = frozenset(f"{_AROUND_ANSWERS} {_FOR_THE_EYE} {_OF_TEMPLATES}".split())
_PIECE = re.compile(
    rf"""(?P<call> {_CALL} )
       | (?P<harmless>
             ```[A-Za-z0-9_+-]*
           | \[\^?\d{{1,4}}(?:\s?[,;–-]\s?\^?\d{{1,4}}){{0,20}}\]                       # [1], [2, 3], [^4]
           | 【[^【】]{{0,80}}】
           | <\|[\w▁ -]{{1,40}}\|> | <｜[\w▁ -]{{1,40}}｜>                                  # <|im_end|>
           | \{{[\w .-]{{1,60}}\}}                                                       # {{name}}
           | \[(?!\s{{0,20}}(?:true|false|null|-?\d|["'“‘`]|\]))[^\[\]{{}}"]{{1,200}}\]      # [the page], [x]
         )
       | (?P<tag> </?[A-Za-z_][^<>\s]{{0,60}}(?:\s[^<>]{{0,200}})?> )
       | (?P<json> [{{\[] (?=\s{{0,20}}(?:["'“‘`{{\[]|\]|-?\d|\}}|(?:true|false|null)\b|[\w$-]{{1,100}}\s?["'”]?\s?:)) )
       | (?P<bracket> [{{\[}}] )""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Left:
    """What stands beside an object and is no prose."""

    problem: str
    place: int
    """Where it begins in the text that was looked at."""
    is_json: bool = False
    """Whether it looks like an object or array of its own."""


def first_bracket(text: str) -> int | None:
    """Where the JSON begins that a text holds: at the first bracket that is no citation and no word in brackets."""
    for piece in _PIECE.finditer(text):
        if piece.lastgroup in {"json", "bracket"} and piece[0] != "}":
            return piece.start()
    return None


def left_standing(text: str) -> Left | None:
    """The first thing in the text beside an object that is no prose.

    Args:
        text: what stands in front of the object, or behind it.
    """
    brackets = 0
    for piece in _PIECE.finditer(text):
        match piece.lastgroup:
            case "call":
                return Left("a tool call is written into the text beside the object", piece.start())
            case "tag" if not _is_harmless(piece[0]):
                return Left(
                    "markup stands beside the object, which may be a part of something", piece.start()
                )
            case "json":
                problem = "the answer holds more than one JSON text; it should be one object and nothing else"
                return Left(problem, piece.start(), is_json=True)
            case "bracket" if piece[0] == "}":
                return Left("the object is closed before its end: a further brace follows it", piece.start())
            case "bracket":
                brackets += 1
                if brackets > MAX_BRACKETS:
                    return Left("the text beside the object is full of brackets", piece.start())
    return None


def names_beside(text: str, names: frozenset[str]) -> list[str]:
    """Of these keys, those that stand in a text as keys, like `total: 12` or `"total": 12`.

    Args:
        text: what stands beside an object.
        names: keys that the object lacks.
    """
    keys = {match[1].casefold() for match in _KEY.finditer(text)}
    return sorted(name for name in names if name.casefold() in keys)


_KEY = re.compile(r"(?<![\w-])([\w-]{1,100})[\"'`*”’]{0,3}\s?[:=]")


def _is_harmless(tag: str) -> bool:
    name = re.split(r"[\s/>]", tag.strip("</"), maxsplit=1)[0].rstrip(">").lower()
    return name in _HARMLESS_TAGS or "@" in name or name.startswith(("http:", "https:", "mailto:"))
