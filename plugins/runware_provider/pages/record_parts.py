"""One record as parts: what it is called, what is known of its inference, its answer with what is wrong marked, its input. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.api.results import read_result
from runware_provider.pages.laid_out import ROOT, laid_out
from runware_provider.pages.shown_texts import plain_name, shown, shown_pieces
from runware_provider.quality.differences import layout
from runware_provider.quality.parts import Fold, Passage, Words
from runware_provider.quality.wording import clip, code, count, counted, seconds, table, text_of, usd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.quality.parts import Part

SHORT: Final = 120
"""Characters of a value that stands in a table, and of one that names a record."""
LONG: Final = 2_000
"""Characters of a text that is folded up."""
MOST_COLUMNS: Final = 40
MOST_READ: Final = 1_000_000
"""Characters of an answer that are taken apart."""
# As `error_message` strings them together.
_NEXT_PROBLEM: Final = re.compile(r"; (?=\$(?:[.\[]|: )|and \d+ more$)")
_PROBLEM: Final = re.compile(r"(\$(?:\.[^:\s]+|\[[^\]]*\])*): (.*)", re.DOTALL)

MENDS: Final = {
    "think": "thoughts in front of it were dropped",
    "fence": "a code fence around the JSON was dropped",
    "surrounding_text": "the one JSON object inside of prose was taken",
    "repeated": "the same object stood there several times",
    "arguments_string": "a call's arguments came as a string of JSON",
    "json_string": "the object came as a string of JSON, escaped once more",
    "text_instead_of_call": "it stood in the text though a call was forced",
    "call_in_text": "a call was written into the text",
    "answer_in_reasoning": "it was all that the model thought",
    "further_calls": "of several calls the first one was taken",
    "empty_arguments": "a tool without parameters was called with nothing",
    "repaired": "broken JSON was mended",
    "list_of_one": "one object stood in a list",
    "key_style": "a key differed from a described one in case or style only",
    "unknown_keys": "keys that the schema does not describe were left out",
    "omitted_items": "items of a list that do not fit were left out",
    "spelling": "a label came in another spelling",
    "number_from_text": "a text was read as a number",
    "json_text": "a text that is JSON was read as such",
    "empty_as_null": "an empty text was read as null",
    "taken_for_utc": "a time came without an offset",
    "empty_object": "the object was empty",
    "bare_label": "the label came alone",
    "label_in_prose": "the label stood at the end of an explanation",
}
"""What was done about an answer, by its name in `inference.mends` (docs/output.md)."""


def heading(number: int, given: Mapping[str, Any], otherwise: str = "") -> Part:
    """What a record is called: by the first of its columns that is short, or by its place.

    Args:
        number: on the page, from 1.
        given: its input.
        otherwise: a stranger's name for it, where none of its columns is short.
    """
    for name, value in given.items():
        if isinstance(value, int | str) and value != "" and len(text_of(value)) <= SHORT // 2:
            return Words([f"## {number:,}. {code(name, SHORT // 2)} = {code(value, SHORT // 2)}", ""])
    return Words([f"## {number:,}. {code(otherwise, SHORT // 2)}" if otherwise else f"## {number:,}.", ""])


def facts(inference: Mapping[str, Any]) -> Part:
    """What is known of the inference, in a table."""
    told = [
        ("outcome", _text(inference, "outcome")),
        ("code", _text(inference, "error_code")),
        ("task", _text(inference, "task_uuid")),
        ("sample", _number(inference, "sample") if inference.get("sample") else ""),
        ("attempts", _number(inference, "attempts")),
        (
            "asked again since the answer did not fit",
            _number(inference, "reasks") if inference.get("reasks") else "",
        ),
        ("finish reason", _text(inference, "finish_reason")),
        ("cost", usd(inference["cost_usd"]) if _is_number(inference.get("cost_usd")) else ""),
        ("latency", seconds(inference["latency_s"]) if _is_number(inference.get("latency_s")) else ""),
        ("tokens in, out", _tokens(inference)),
        ("repairs", _mends(inference.get("mends"))),
    ]
    return Words(table(["", ""], [line for line in told if line[1]]))


def _text(inference: Mapping[str, Any], name: str) -> str:
    value = inference.get(name)
    return code(value) if isinstance(value, str) and value else ""


def _number(inference: Mapping[str, Any], name: str) -> str:
    value = inference.get(name)
    return count(value) if _is_number(value) and value is not None else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15


def _tokens(inference: Mapping[str, Any]) -> str:
    sides = [_number(inference, name) for name in ("prompt_tokens", "completion_tokens")]
    return ", ".join(sides) if all(sides) else ""


def _mends(mends: Any) -> str:
    names = [name for name in mends if isinstance(name, str)] if isinstance(mends, list) else []
    return "; ".join(f"{code(name)}: {MENDS[name]}" if name in MENDS else code(name) for name in names[:12])


def answer_parts(inference: Mapping[str, Any], key: str) -> list[Part]:
    """What is wrong with an answer, and the answer as it came, in which that is marked.

    Args:
        inference: with `error_message` and `raw`.
        key: what a page remembers foldings by.
    """
    message = inference.get("error_message")
    problems = listed_problems(message) if isinstance(message, str) else []
    parts: list[Part] = []
    if problems:
        rows = [(code(path, SHORT) if path else "", code(text, 600)) for path, text in problems]
        parts.append(Words(["What is wrong:", "", *table(["where", "what"], rows)]))
    raw = inference.get("raw")
    if not isinstance(raw, str) or not raw:
        return parts
    marked = {path for path, _ in problems if path not in {"", ROOT}}
    return [*parts, *_answer(raw, marked, key)]


def listed_problems(message: str) -> list[tuple[str, str]]:
    """The problems that an error message lists: the JSON path of each, or none, and what is wrong there."""
    told: list[tuple[str, str]] = []
    for part in _NEXT_PROBLEM.split(message[:20_000]):
        problem = _PROBLEM.fullmatch(part)
        told.append((problem[1], problem[2]) if problem is not None else ("", part))
    return told


def _answer(raw: str, marked: set[str], key: str) -> list[Part]:
    """The model's words, out of the API's item; the item itself where it holds none."""
    item = _item(raw)
    if item is None:
        return [Passage("Answer, as it came", shown_pieces([(raw, False)]))]
    result = read_result(item)
    parts: list[Part] = []
    for name, arguments in result.calls:
        text = arguments if isinstance(arguments, str) else _written(arguments)
        parts.append(Passage(f"Call of {plain_name(name)}, as it came", _marked(text, marked)))
    if result.text:
        parts.append(Passage("Answer, as it came", _marked(result.text, marked)))
    if result.reasoning:
        parts += [
            Fold(
                "What the model thought",
                [Passage("Thoughts", shown_pieces([(result.reasoning, False)]))],
                f"{key}-thoughts",
            )
        ]
    if not parts:
        return [Passage("What the API said", _marked(raw, set()))]
    return parts


def _item(raw: str) -> dict[str, Any] | None:
    if len(raw) > MOST_READ:
        return None
    try:
        item = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return item if isinstance(item, dict) else None


def _written(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""


def _marked(text: str, marked: set[str]) -> list[tuple[str, bool]]:
    """One value a line where it is JSON; else as it came, from its first bracket on if that is JSON."""
    if len(text) > MOST_READ:
        return shown_pieces([(text, False)])
    pieces = laid_out(text, marked)
    if pieces is None:
        pieces = _inner(text, marked)
    return shown_pieces(pieces if pieces is not None else [(text, False)])


def _inner(text: str, marked: set[str]) -> list[tuple[str, bool]] | None:
    """JSON inside of other words, such as a code fence; None where there is none."""
    begin, end = text.find("{"), text.rfind("}") + 1
    pieces = laid_out(text[begin:end], marked) if 0 <= begin < end else None
    return None if pieces is None else [(text[:begin], False), *pieces, (text[end:], False)]


def input_parts(given: Mapping[str, Any], key: str) -> list[Part]:
    """The input: short values in a table, texts as they are, long ones folded up.

    Args:
        given: its columns.
        key: what a page remembers foldings by.
    """
    short: list[tuple[str, str]] = []
    parts: list[Part] = []
    for number, (name, value) in enumerate(given.items()):
        if number >= MOST_COLUMNS:
            parts.append(Words([f"{counted(len(given) - MOST_COLUMNS, 'more column')} are left out.", ""]))
            break
        text = value if isinstance(value, str) else _text_of(value)
        if len(text) <= SHORT and "\n" not in text:
            short.append((code(name, SHORT // 2), code(value if len(text) else text, SHORT)))
        else:
            parts += text_parts(f"Input, column {plain_name(name)}", text, f"{key}-{number}")
    return [*([Words(["Input:", "", *table(["", ""], short)])] if short else []), *parts]


def _text_of(value: Any) -> str:
    try:
        return text_of(value)
    except (ValueError, TypeError, RecursionError, OverflowError):
        return "(this value cannot be shown)"


def text_parts(title: str, text: Any, key: str, *, folds: bool = True) -> list[Part]:
    """A text; folded up where it is long. Nothing where there is none.

    Args:
        title: ours, in plain words.
        text: a stranger's.
        key: what a page remembers the folding by.
        folds: whether it may be folded.
    """
    if not isinstance(text, str) or not text:
        return []
    passage = Passage(title, [(shown(text), False)])
    if not folds or len(text) <= LONG:
        return [passage]
    return [Fold(f"{title} ({counted(len(text), 'character')})", [passage], key)]


def json_parts(title: str, value: Any, key: str, *, folds: bool = False) -> list[Part]:
    """A value as JSON, one part a line."""
    try:
        text = layout(value)
    except (RecursionError, ValueError, TypeError):
        text = clip(str(value), LONG)
    passage = Passage(title, [(shown(text), False)])
    return [Fold(title, [passage], key)] if folds or len(text) > 2 * LONG else [passage]
