"""Faults that a test or a user scripts: what goes wrong, and for which request or task.

A fault is declarative. Its ``kind`` says what happens, its selectors say when, its parameters
say how. All selectors of a fault must agree. ``docs/local-server.md`` lists every kind; a test
keeps that page and ``KINDS`` equal.

A probability is drawn from the seed, the fault's place in the script and, for a task, its
``taskUUID``: a script repeats itself whatever the order in which requests arrive, and a task
that is sent anew under a new UUID gets a new draw.
"""

from __future__ import annotations

import zlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

REQUEST_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "refuse_request": "Nothing is done; the reply is `status` with error `code`, or the plain `body`.",
        "delay_request": "Nothing is done for `seconds`, then the request is served.",
        "cut_before_work": "The connection is cut; nothing was done.",
        "cut_after_work": "Everything is done; the connection is cut without a reply.",
        "fail_after_work": "Everything is done; the reply is `status` with error `code`, or the plain `body`.",
        "delay_reply": "Everything is done; the reply comes `seconds` later.",
        "dripping_reply": "Everything is done; the reply's headers come, then a blank every `seconds`, and never a body.",
        "half_body": "Everything is done; half of the reply's body is sent, then the connection is cut.",
        "garbage_body": "Everything is done; the reply is HTTP 200 with `body`, which is not JSON.",
        "duplicate_items": "Every item of `data` comes twice.",
        "shuffle_items": "The items of `data` come in reverse order.",
        "unknown_item": "`data` has one more item, of a task that nobody sent.",
    }
)
SUBMIT_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "refuse_task": "The task is refused with error `code` and HTTP `status`.",
        "refuse_without_uuid": "The same, but the error names no `taskUUID`.",
        "no_acknowledgement": "The task is accepted and named nowhere in the reply.",
        "fail_task": "The task is accepted and ends in error `code`: in `errors`, or, with `shape` = `item`, "
        'as `status: "error"` inside `data`. It is charged only with `charge`, and says its `cost` then.',
        "never_finish": "The task is accepted and charged, and stays `processing`.",
        "forget_result": "The task is done and charged; getResponse knows nothing, or answers error `code`.",
        "unnamed_error": "The task is done and charged; getResponse says nothing of it but error `code`, which names no "
        "`taskUUID`.",
        "delay_task": "The task takes `seconds` longer.",
        "slow_registration": "The task is accepted; for `seconds` its UUID is unknown to polls and archive, and one that "
        "is sent again is no duplicate: it runs, and is charged, again.",
    }
)
ANSWER_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "say": "The text is `body`, whatever was asked.",
        "all_tools": "Every function tool is called, in the order of `tools`, as parallel calls.",
        "break_schema": "The answer is JSON that breaks the schema.",
        "truncate": "The text is cut in the middle; `finishReason` is `length`.",
        "content_filter": "The text is empty; `finishReason` is `content_filter`.",
        "empty_text": "The text is empty, and there are no tool calls.",
        "null_text": "The text is null, and there are no tool calls.",
        "think": "The text begins with `<think>...</think>`.",
        "fence": "The text is wrapped in a Markdown code fence.",
        "prose": "The text has a sentence before and after the answer.",
        "string_arguments": "A tool call has `arguments`, a JSON string, instead of `input`.",
        "tool_calls_key": "Tool calls are in `toolCalls` instead of `tools`.",
        "reasoning_list": "`reasoningContent` is there, as a list of strings, or of `body` alone.",
        "no_status": "A finished item has no `status`.",
        "old_usage": "`usage` says `inputTokens` and `outputTokens`.",
        "no_cost": "`cost` is missing although it was asked for; the task is charged.",
        "number_texts": "`cost` and the numbers of `usage` come as texts.",
    }
)
STREAM_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "cut_stream": "The task is done and charged; half of its stream comes, then the connection is cut.",
        "stall_stream": "The task is done and charged; half of its stream comes, then nothing more, not even a comment.",
        "error_frame": "The task is done and charged; half of its stream comes, then error `code`, which names no `taskUUID`.",
    }
)
WEBHOOK_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "webhook_lost": "No webhook is sent.",
        "webhook_twice": "Every webhook is sent twice.",
        "webhook_delay": "Webhooks come `seconds` later.",
        "webhook_shape": "The webhook's body has another `shape`: `data`, `array`, or `flat`.",
    }
)
REPLAY_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "archive_overwritten": "A replay that is rejected overwrites what getTaskDetails stores.",
        "reservation_lapses": "A reused `taskUUID` is not noticed: the task runs, and is charged, again.",
    }
)
REJECT_KINDS: Mapping[str, str] = MappingProxyType(
    {"reserve_rejected": "The `taskUUID` of a task that was rejected, for any reason, is used up."}
)
KINDS: Mapping[str, str] = MappingProxyType(
    {
        **REQUEST_KINDS,
        **SUBMIT_KINDS,
        **ANSWER_KINDS,
        **STREAM_KINDS,
        **WEBHOOK_KINDS,
        **REPLAY_KINDS,
        **REJECT_KINDS,
    }
)
TASK_KINDS = frozenset({**SUBMIT_KINDS, **ANSWER_KINDS, **STREAM_KINDS, **WEBHOOK_KINDS})

Count = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One scripted fault.

    Attributes:
        kind: What happens: a key of ``KINDS``.
        nth: Only the nth matching request or task (counted from 1), or several of them.
        every: Only every nth matching one.
        after: Only those that come after so many matching ones.
        probability: Only this share, 0 to 1, drawn from the seed.
        contains: Only where the request's body (or the task's JSON) contains this text.
        without: Only where it does not contain this text, such as ``"assistant"``: a first question.
        task_type: Only requests with a task of this ``taskType``; for request faults.
        model: Only tasks of this model; for task faults.
        times: At most so often.
        code: The error code that the API answers.
        message: The error's message.
        status: The HTTP status; without it, what fits the code.
        retry_after: Seconds for a ``Retry-After`` header.
        seconds: How long a delay lasts.
        body: A plain body instead of a JSON error; or the garbage; or what the model says or thinks.
        content_type: The plain body's type.
        shape: Where an error or a webhook's item stands.
        charge: Whether a task that fails is charged.
    """

    kind: str
    nth: Count | tuple[Count, ...] | None = None
    every: Count | None = None
    after: int = 0
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    contains: str | None = None
    without: str | None = None
    task_type: str | None = None
    model: str | None = None
    times: Count | None = None
    code: str | None = None
    message: str | None = None
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] | None = None
    retry_after: Seconds | None = None
    seconds: Seconds = 1.0
    body: str | None = None
    content_type: str = "text/html"
    shape: Literal["errors", "item", "data", "array", "flat"] = "data"
    charge: bool = False

    def __post_init__(self) -> None:
        """Refuse a kind that does not exist.

        Raises:
            ValueError: The message lists the kinds.
        """
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault kind {self.kind!r}; the kinds are {', '.join(sorted(KINDS))}")


def read_faults(text: bytes) -> tuple[Fault, ...]:
    """Read a script: a JSON array of faults, or one fault.

    Raises:
        msgspec.DecodeError: The text is not JSON, or a fault has an unknown field or a bad value.
    """
    value = msgspec.json.decode(text)
    return msgspec.convert(value if isinstance(value, list) else [value], type=tuple[Fault, ...])


def read_fault_file(path: Path) -> tuple[Fault, ...]:
    """Read a script from a file; see `read_faults`."""
    return read_faults(path.read_bytes())


class FaultBook:
    """The active faults, and how often each has matched and fired."""

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int = 0) -> None:
        self._seed = seed
        self._entries: list[_Entry] = []
        self._added = 0
        """The place of the next one in the script, from which its draws come."""
        self.add(*faults)

    def __bool__(self) -> bool:
        return bool(self._entries)

    def add(self, *faults: Fault) -> None:
        """Activate more faults."""
        for fault in faults:
            self._entries.append(_Entry(fault, f"{self._seed}:{self._added}:"))
            self._added += 1

    def clear(self) -> None:
        """Deactivate all faults."""
        self._entries.clear()
        self._added = 0

    def remove(self, fault: Fault) -> None:
        """Deactivate a fault, however often it was added; the others go on counting."""
        self._entries = [entry for entry in self._entries if entry.fault != fault]

    def state(self) -> list[dict[str, Any]]:
        """Return each fault with its counters, JSON ready."""
        return [
            {"fault": msgspec.to_builtins(entry.fault), "matched": entry.matched, "fired": entry.fired}
            for entry in self._entries
        ]

    def of_request(self, body: bytes) -> dict[str, Fault]:
        """Return the faults that fire for a request with this body, by kind."""
        return _by_kind(
            entry.fault
            for entry in self._entries
            if entry.fault.kind in REQUEST_KINDS and entry.suits_request(body) and entry.fires(None)
        )

    def of_task(self, raw: bytes, model: str, uuid: str) -> dict[str, Fault]:
        """Return the faults that fire for a submitted task, by kind."""
        return self._of(TASK_KINDS, raw, model, uuid)

    def of_replay(self, raw: bytes, model: str, uuid: str) -> dict[str, Fault]:
        """Return the faults that fire for a task whose UUID was used before."""
        return self._of(REPLAY_KINDS, raw, model, uuid)

    def of_rejection(self, raw: bytes, uuid: str) -> dict[str, Fault]:
        """Return the faults that fire for a task that is rejected."""
        return self._of(REJECT_KINDS, raw, None, uuid)

    def _of(self, kinds: Iterable[str], raw: bytes, model: str | None, uuid: str) -> dict[str, Fault]:
        if not self._entries:
            return {}
        return _by_kind(
            entry.fault
            for entry in self._entries
            if entry.fault.kind in kinds and entry.suits_task(raw, model) and entry.fires(uuid)
        )


def _by_kind(faults: Iterable[Fault]) -> dict[str, Fault]:
    """Return the first fault of each kind; all of them have been counted as fired."""
    chosen: dict[str, Fault] = {}
    for fault in faults:
        chosen.setdefault(fault.kind, fault)
    return chosen


class _Entry:
    __slots__ = ("_banned", "_needles", "_salt", "fault", "fired", "matched")

    def __init__(self, fault: Fault, salt: str) -> None:
        self.fault = fault
        self.matched = 0
        self.fired = 0
        self._salt = salt
        self._needles = _spellings(fault.contains) if fault.contains is not None else ()
        self._banned = _spellings(fault.without) if fault.without is not None else ()

    def suits_request(self, body: bytes) -> bool:
        task_type = self.fault.task_type
        if task_type is not None and f'"{task_type}"'.encode() not in body:
            return False
        return self._contains(body)

    def suits_task(self, raw: bytes, model: str | None) -> bool:
        if self.fault.model is not None and model is not None and self.fault.model != model:
            return False
        return self._contains(raw)

    def fires(self, uuid: str | None) -> bool:
        fault = self.fault
        self.matched += 1
        if fault.times is not None and self.fired >= fault.times:
            return False
        if self.matched <= fault.after:
            return False
        place = self.matched - fault.after
        if fault.nth is not None and place not in (
            fault.nth if isinstance(fault.nth, tuple) else (fault.nth,)
        ):
            return False
        if fault.every is not None and place % fault.every:
            return False
        if fault.probability is not None and self._draw(uuid) >= fault.probability:
            return False
        self.fired += 1
        return True

    def _draw(self, uuid: str | None) -> float:
        key = self._salt + (uuid if uuid is not None else str(self.matched))
        return zlib.crc32(key.encode()) / 2**32

    def _contains(self, text: bytes) -> bool:
        if any(needle in text for needle in self._banned):
            return False
        return not self._needles or any(needle in text for needle in self._needles)


def _spellings(text: str) -> tuple[bytes, ...]:
    """Both ways in which a client may write a text inside JSON: as UTF-8, and escaped to ASCII."""
    utf8 = msgspec.json.encode(text)[1:-1]
    escaped = "".join(c if ord(c) < 128 else f"\\u{ord(c):04x}" for c in utf8.decode())
    return (utf8, escaped.encode()) if escaped.encode() != utf8 else (utf8,)
