# ruff: noqa: RUF001 - the marks of models are written in such letters
"""Tool calls that a model writes into its text, in the forms in which models are trained to write them.

Read are the forms that say of each argument whether it is a text or JSON: those of Hermes and Qwen (`<tool_call>`), DeepSeek
(its own tokens, and `DSML`), Mistral (`[TOOL_CALLS]`), Llama (`<|python_tag|>`, `<function=...>`), Kimi and gpt-oss, and a call as
plain JSON. In other markup a text cannot be told from a number: it is found, and is a problem.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runware_provider.engine.outcome.beside import CALL_MARK, left_standing
from runware_provider.engine.outcome.thinking import behind_thinking, without_fence
from runware_provider.engine.schema.json_text import Fault, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    Call = tuple[str, Any]
    """A name, and arguments as an object or as JSON text."""

_UNREADABLE = Fault("a tool call is written into the text, and cannot be read")
_ARGUMENTS = ("arguments", "parameters", "input")
_BESIDE_ARGUMENTS = frozenset({"name", "type", "id", "index", "function"})
_SEPARATOR = "<｜tool▁sep｜>"
_NAME = r"[A-Za-z0-9_.-]{1,64}"
_DSML_NAME = re.compile(rf'\s*name="({_NAME})"\s*>', re.DOTALL)
_DSML_PARAMETER = re.compile(r'\s*name="([^"]{1,200})"\s+string="(true|false)"\s*>', re.DOTALL)
_AROUND_CALLS = re.compile(
    r"</?｜DSML｜(?:tool_calls|function_calls)>|<｜tool▁calls▁(?:begin|end)｜>|<\|tool_calls_section_(?:begin|end)\|>|</?tool_calls?>"
)
_MISTRAL, _LLAMA = "[TOOL_CALLS]", "<|python_tag|>"
_NAMED_JSON = re.compile(rf"\s*({_NAME})\s*(?:\[ARGS\])?\s*(?=\{{)")


def call_of(value: Any) -> Call | None:
    """The call that a JSON object is: a name and arguments, and nothing else; flat, or inside of `function`."""
    if not isinstance(value, dict):
        return None
    function = value.get("function")
    inner = function if isinstance(function, dict) else value
    given = [key for key in _ARGUMENTS if key in inner]
    if len(given) != 1 or not inner.keys() | value.keys() <= _BESIDE_ARGUMENTS | {given[0]}:
        return None
    name, arguments = inner.get("name"), inner[given[0]]
    if not isinstance(name, str) or not isinstance(arguments, dict | str):
        return None
    return name, arguments


def calls_in(text: str, tools: Collection[str], *, of_any: bool = False) -> list[Call] | Fault | None:
    """The calls that a text consists of, a fault if it holds calls that cannot be read, or nothing if it holds none.

    Args:
        text: what the model said.
        tools: the names of those that it could call.
        of_any: whether plain JSON that looks like a call is one also where no tool has its name.
    """
    rest = behind_thinking(text)
    if CALL_MARK.search(rest) is not None:
        return _marked(rest)
    plain = without_fence(rest).strip()
    if plain.startswith(("{", "[")):
        return _as_json(plain, tools, of_any=of_any)
    # Python's way to write a call says nothing that is JSON.
    is_python = any(plain.startswith(f"{name}(") for name in tools)
    return _UNREADABLE if is_python else None


def _as_json(plain: str, tools: Collection[str], *, of_any: bool) -> list[Call] | Fault | None:
    value, fault = whole(plain)
    if fault is not None:
        is_python = any(plain.startswith(f"[{name}(") for name in tools)
        return _UNREADABLE if is_python else None
    calls = [call_of(each) for each in (value if isinstance(value, list) else [value])]
    known = [call for call in calls if call is not None and (of_any or call[0] in tools)]
    return known if known and len(known) == len(calls) else None


def _marked(text: str) -> list[Call] | Fault:
    for opening, closing, read in _FORMS:
        if opening in text:
            pieces, rest = _between(text, opening, closing)
            calls = [read(piece) for piece in pieces]
            return _complete(calls, _AROUND_CALLS.sub(" ", rest))
    for opening in (_MISTRAL, _LLAMA):
        before, mark, behind = text.partition(opening)
        if mark:
            return _complete(_listed(behind), before)
    return _UNREADABLE


def _complete(calls: list[Call | None], rest: str) -> list[Call] | Fault:
    """The calls, if all of them could be read and only prose stands around them."""
    read = [call for call in calls if call is not None]
    if not read or len(read) < len(calls) or left_standing(rest) is not None:
        return _UNREADABLE
    return read


def _between(text: str, opening: str, closing: str) -> tuple[list[str], str]:
    """What stands between two marks, each time, and the text without it; a mark without its other stays in it."""
    pieces: list[str] = []
    rest: list[str] = []
    place = 0
    while (start := text.find(opening, place)) >= 0:
        end = text.find(closing, start)
        if end < 0:
            break
        pieces.append(text[start + len(opening) : end])
        rest.append(text[place:start])
        place = end + len(closing)
    return pieces, "".join([*rest, text[place:]])


def _json(text: str) -> Any:
    value, fault = whole(without_fence(text).strip())
    return None if fault is not None else value


def _hermes(piece: str) -> Call | None:
    return call_of(_json(piece))


def _named(separator: str) -> Callable[[str], Call | None]:
    """Reads a name and its arguments as JSON, with a mark between them."""

    def read(piece: str) -> Call | None:
        name, mark, arguments = piece.partition(separator)
        plain = name.strip().removeprefix("functions.").split(":")[0].split(" ")[0].split("<")[0]
        value = _json(arguments)
        return (plain, value) if mark and isinstance(value, dict) else None

    return read


def _deepseek(piece: str) -> Call | None:
    """`name<sep>{...}`, or before V3.1 `function<sep>name` and the arguments in a code fence."""
    first, _, second = piece.partition(_SEPARATOR)
    if first.strip() != "function":
        return _named(_SEPARATOR)(piece)
    name, _, arguments = second.partition("\n")
    value = _json(arguments)
    return (name.strip(), value) if isinstance(value, dict) else None


def _dsml(piece: str) -> Call | None:
    name = _DSML_NAME.match(piece)
    if name is None:
        return None
    written, rest = _between(piece[name.end() :], "<｜DSML｜parameter", "</｜DSML｜parameter>")
    if rest.strip():
        return None
    arguments: dict[str, Any] = {}
    for parameter in written:
        head = _DSML_PARAMETER.match(parameter)
        if head is None or head[1] in arguments:
            return None
        value, fault = (
            (parameter[head.end() :], None) if head[2] == "true" else whole(parameter[head.end() :])
        )
        if fault is not None:
            return None
        arguments[head[1]] = value
    return name[1], arguments


def _listed(text: str) -> list[Call | None]:
    """Calls to the end of a text: as JSON, in a list or alone, or each a name in front of its arguments."""
    plain = re.sub(r"<\|e(?:om|ot)_id\|>|</s>", "", text).strip()
    named = _NAMED_JSON.match(plain)
    if named is not None:
        value = _json(plain[named.end() :])
        return [(named[1], value) if isinstance(value, dict) else None]
    value = _json(plain)
    return [call_of(each) for each in (value if isinstance(value, list) else [value])]


_FORMS: tuple[tuple[str, str, Callable[[str], Call | None]], ...] = (
    ("<function=", "</function>", _named(">")),
    ("<tool_call>", "</tool_call>", _hermes),
    ("<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", _deepseek),
    ("<｜DSML｜invoke", "</｜DSML｜invoke>", _dsml),
    ("<|tool_call_begin|>", "<|tool_call_end|>", _named("<|tool_call_argument_begin|>")),
    ("<|channel|>commentary to=functions.", "<|call|>", _named("<|message|>")),
)
"""What a call begins and ends with, and how what stands between is read."""
