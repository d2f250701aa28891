"""The API's words as they come back: replies, archived ones and items, in all the shapes that the contract names.

They are read leniently, since one strange item must not hide its siblings.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from runware_provider.engine.api.redact import UNKNOWN_CODE, plain_code, printable
from runware_provider.engine.api.request_bodies import encoded
from runware_provider.engine.schema.written_numbers import read_float

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MOST_DEPTH = 200
"""JSON below this is cut: no schema of ours goes so deep, and one such item must not hide its siblings."""
MOST_LISTS = 3
"""Lists in lists that are looked into for items; the contract knows one."""
MOST_DIGITS = 300
"""Integers with more digits are read as floats."""
MOST_COST_USD = 1_000_000
MOST_TOKENS = 2**53
MOST_LINE_CHARS = 2_000
MOST_FINISH_CHARS = 64
UNFINISHED = ("processing", "queued", "pending", "running", "started", "inProgress", "in_progress")
_decode_strictly = msgspec.json.Decoder(float_hook=read_float).decode


def decode(content: bytes) -> Any:
    """JSON as lenient as a reply needs it: one strange answer must not hide its siblings.

    Half a surrogate pair, bytes that are no UTF-8, NaN, endless numbers and bottomless nesting are survived.
    Nothing for what is no JSON at all.
    """
    try:
        return _decode_strictly(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    text = content.decode("utf-8-sig", errors="replace")
    try:
        return _read_leniently(text)
    except RecursionError:
        return _read_leniently(_shallow(text))


def _read_leniently(text: str) -> Any:
    try:
        return json.loads(text, parse_int=_number, parse_float=read_float)
    except ValueError:
        return None


_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def _shallow(text: str) -> str:
    """JSON text without what is nested too deeply; null stands in its place."""
    pieces: list[str] = []
    depth = copied = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == MOST_DEPTH + 1:
                pieces.append(text[copied : token.start()] + "null")
        elif token[0] in "]}":
            depth -= 1
            if depth == MOST_DEPTH:
                copied = token.end()
    return "".join(pieces) + text[copied:] if depth <= MOST_DEPTH else ""


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= MOST_DIGITS else float(digits)


def encode_item(item: Mapping[str, Any]) -> bytes:
    """An item as JSON, to be kept; what UTF-8 cannot hold is escaped, what is nested too deeply left out."""
    try:
        return encoded(item)
    except RecursionError:
        return encoded({key: value for key, value in item.items() if not isinstance(value, dict | list)})


@dataclass(frozen=True)
class ApiError:
    """An error object of a reply."""

    spelt: str = field(repr=False)
    """Its code as the API wrote it: it says the family, and nobody is shown it."""
    message: str = field(repr=False)
    parameter: str | None = None
    item: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def code(self) -> str:
        """Its code as it may be shown."""
        return plain_code(self.spelt)


@dataclass(frozen=True)
class Reply:
    """A reply sorted by what it says of each task; `readable` is false for garbage and for half a body."""

    status: int
    readable: bool
    acknowledged: frozenset[str] = frozenset()
    processing: frozenset[str] = frozenset()
    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """By task UUID, the finished items as they came."""
    failures: Mapping[str, ApiError] = field(default_factory=dict)
    """By task UUID."""
    unnamed: tuple[ApiError, ...] = ()
    """Errors that name no task."""
    retry_after_s: float | None = None


def read_reply(status: int, content: bytes, retry_after_s: float | None = None) -> Reply:
    """Sort a reply's items, whatever the HTTP status: an HTTP 400 can carry results for sibling tasks."""
    decoded = decode(content)
    if not isinstance(decoded, dict | list):
        return Reply(status, readable=False, retry_after_s=retry_after_s)
    acknowledged: set[str] = set()
    processing: set[str] = set()
    results: dict[str, Mapping[str, Any]] = {}
    failures: dict[str, ApiError] = {}
    unnamed: list[ApiError] = []
    for item, is_error in _items(decoded):
        name = item.get("taskUUID")
        error = _error_of(item) if not is_error else _api_error(item)
        if error is not None:
            if isinstance(name, str):
                failures.setdefault(name, error)
            else:
                unnamed.append(error)
        elif not isinstance(name, str):
            continue
        elif is_finished(item):
            results.setdefault(name, item)
        elif _status(item) in {"", "accepted"}:
            acknowledged.add(name)
        else:
            processing.add(name)
    for name in results:
        failures.pop(name, None)
    return Reply(
        status,
        readable=True,
        acknowledged=frozenset(acknowledged - results.keys()),
        processing=frozenset(processing - results.keys()),
        results=results,
        failures=failures,
        unnamed=tuple(unnamed),
        retry_after_s=retry_after_s,
    )


def read_archive(reply_status: int, content: bytes) -> Reply:
    """A getTaskDetails reply, sorted like any other by what each `response` says.

    An item whose `response` holds nothing usable counts as processing: the archive knows the task.
    """
    decoded = decode(content)
    if not isinstance(decoded, dict | list):
        return Reply(reply_status, readable=False)
    results: dict[str, Mapping[str, Any]] = {}
    failures: dict[str, ApiError] = {}
    known: set[str] = set()
    unnamed: list[ApiError] = []
    for item, is_error in _items(decoded):
        name = item.get("taskUUID")
        error = _api_error(item) if is_error else None
        if not isinstance(name, str):
            if error is not None:
                unnamed.append(error)
        elif error is not None:
            failures.setdefault(name, error)
        else:
            known.add(name)
            for one, one_is_error in _archived(item):
                _sort_archived(name, one, one_is_error, results, failures)
    for name in results:
        failures.pop(name, None)
    return Reply(
        reply_status,
        readable=True,
        processing=frozenset(known - results.keys() - failures.keys()),
        results=results,
        failures=failures,
        unnamed=tuple(unnamed),
    )


def _archived(item: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """What an archive's item holds of answers: a reply, a lone item, either as a JSON text, or the item itself."""
    if "response" not in item:
        if _error_of(item) is not None or _holds_answer(item):
            yield item, False
        return
    response = item["response"]
    if isinstance(response, str):
        response = decode(response.encode(errors="replace"))
    found = list(_items(response))
    if not found and isinstance(response, dict):
        found = [(response, False)]
    yield from found


def _sort_archived(
    name: str,
    item: Mapping[str, Any],
    is_error: bool,  # noqa: FBT001 - as `_items` tells it
    results: dict[str, Mapping[str, Any]],
    failures: dict[str, ApiError],
) -> None:
    if item.get("taskUUID", name) not in (name, None):
        return
    error = _api_error(item) if is_error else _error_of(item)
    if error is not None:
        failures.setdefault(name, error)
    elif is_finished(item):
        results.setdefault(name, item)


def _items(decoded: Any, depth: int = 0) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Every item of a reply or webhook body, and whether it stood among the errors."""
    if isinstance(decoded, list):
        for one in decoded if depth < MOST_LISTS else ():
            yield from _items(one, depth + 1)
    elif isinstance(decoded, dict):
        wrapped = [(one, False) for one in _held(decoded, "data")]
        wrapped += [(one, True) for one in _held(decoded, "errors")]
        if wrapped or "data" in decoded or "errors" in decoded:
            yield from wrapped
        elif "taskUUID" in decoded or "taskType" in decoded:
            yield decoded, False
        elif isinstance(decoded.get("error"), dict):
            yield decoded["error"], True
        elif "code" in decoded:
            yield decoded, True


def _held(decoded: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    return list(_objects(decoded.get(key)))


def _objects(held: Any) -> Iterable[Mapping[str, Any]]:
    """The objects of a list, or the one that stands without a list."""
    return [one for one in (held if isinstance(held, list) else [held]) if isinstance(one, dict)]


def _error_of(item: Mapping[str, Any]) -> ApiError | None:
    """An error that came among the data: `status: "error"`, or something in `error`, unless it says success."""
    inner = item.get("error")
    status = _status(item)
    if status != "error" and (status == "success" or not inner or not isinstance(inner, dict | str)):
        return None
    if isinstance(inner, dict):
        return _api_error({**item, **inner})
    return _api_error({"message": inner or "", **item})


def _api_error(item: Mapping[str, Any]) -> ApiError:
    parameter = item.get("parameter")
    if isinstance(parameter, list):
        parameter = ", ".join(_storable(part) for part in parameter)
    return ApiError(
        spelt=_storable(item.get("code") or UNKNOWN_CODE),
        message=_line(item.get("message") or ""),
        parameter=_line(parameter) if parameter is not None else None,
        item=item,
    )


def _line(value: object, most_chars: int = MOST_LINE_CHARS) -> str:
    """A stranger's words in one short line."""
    return printable(_storable(value)[:most_chars])


def _storable(value: object) -> str:
    try:
        return str(value).encode(errors="replace").decode()
    except RecursionError:
        return f"a {type(value).__name__} that is nested too deeply"


def _status(item: Mapping[str, Any]) -> str:
    """The status where it is a word."""
    status = item.get("status")
    return status if isinstance(status, str) else ""


def is_finished(item: Mapping[str, Any]) -> bool:
    """A finished item may lack `status`: a text or tool calls end it, and so does a finish reason."""
    status = _status(item)
    if status in UNFINISHED:
        return False
    if status == "success":
        return True
    return _holds_answer(item)


def _holds_answer(item: Mapping[str, Any]) -> bool:
    return item.get("text") is not None or bool(_raw_calls(item)) or item.get("finishReason") is not None


@dataclass(frozen=True)
class Usage:
    """Tokens as the API counted them; nothing where it did not say."""

    prompt: int | None = None
    cached: int | None = None
    completion: int | None = None


@dataclass(frozen=True)
class Result:
    """A finished item in one shape."""

    text: str | None = field(repr=False)
    calls: tuple[tuple[str, Any], ...] = field(repr=False)
    """Name and arguments of each tool call; the arguments as they came, an object or a string."""
    finish_reason: str | None
    usage: Usage
    cost: float | None
    """USD."""


def read_result(item: Mapping[str, Any]) -> Result:
    """A finished item, in whichever of the known shapes it came."""
    finish = item.get("finishReason")
    return Result(
        text=_text_of(item.get("text")),
        calls=tuple(_raw_calls(item)),
        finish_reason=_line(finish, MOST_FINISH_CHARS) if finish is not None else None,
        usage=_usage(item.get("usage")),
        cost=cost_of(item),
    )


def _text_of(text: object) -> str | None:
    """The text; as JSON where it came as something else."""
    if text is None or isinstance(text, str):
        return text
    try:
        return encoded(text).decode()
    except RecursionError:
        return None


def cost_of(item: Mapping[str, Any]) -> float | None:
    """USD of a result or of an error, where it was reported."""
    cost = item.get("cost")
    if isinstance(cost, bool) or not isinstance(cost, int | float):
        return None
    return float(cost) if 0 <= cost <= MOST_COST_USD else None


def _raw_calls(item: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """No source shows the shape of a call: `tools` or `toolCalls`, flat or OpenAI's nested `function`."""
    calls: list[tuple[str, Any]] = []
    for held in (item.get("tools"), item.get("toolCalls")):
        for one in _objects(held) if not calls else ():
            inner = one["function"] if isinstance(one.get("function"), dict) else one
            arguments: Any = inner.get("input")
            if arguments is None:
                arguments = inner.get("arguments", {})
            calls.append((_storable(inner.get("name") or ""), arguments))
    return calls


def _usage(usage: object) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    details = usage.get("promptTokensDetails")
    nested = details if isinstance(details, dict) else {}
    return Usage(
        prompt=_count(usage.get("promptTokens"), usage.get("inputTokens")),
        cached=_count(
            usage.get("cachedTokens"),
            usage.get("cachedPromptTokens"),
            usage.get("cachedInputTokens"),
            usage.get("promptCacheHitTokens"),
            nested.get("cachedTokens"),
        ),
        completion=_count(usage.get("completionTokens"), usage.get("outputTokens")),
    )


def _count(*candidates: object) -> int | None:
    return next((count for one in candidates if (count := _whole(one)) is not None), None)


def _whole(value: object) -> int | None:
    """A count that a table of 64-bit integers can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= MOST_TOKENS and value == int(value) else None
