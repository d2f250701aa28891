"""A reply as it came, and as it is read; and what it looks like, without anybody's words. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.api.error_families import Family
from runware_provider.engine.api.redact import one_line, plain_code
from runware_provider.engine.api.replies import decode, read_archive, read_poll, read_reply
from runware_provider.engine.api.results import objects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.api.replies import ApiError, Reply

MOST_DEPTH: Final = 8
MOST_KEYS: Final = 40
MOST_ITEMS: Final = 6
MOST_KEY_CHARS: Final = 60
WORDS: Final = frozenset(
    {"taskType", "status", "finishReason", "code", "operation", "parameter", "type", "role"}
)
"""Keys whose texts are words of the API, and told."""
AMOUNTS: Final = frozenset({"cost", "usage"})
"""Keys whose numbers are told; those of others may be an account's."""
PASSING: Final = frozenset({Family.PROVIDER, Family.RATE, Family.SERVER, Family.TIMEOUT})
"""Errors that say how the service fares at the moment, and nothing of what it does as a rule."""
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class Heard:
    """A reply to one of the questions."""

    status: int
    content: bytes = field(repr=False)

    @cached_property
    def body(self) -> Any:
        """Its JSON, read leniently; None for what is none."""
        return decode(self.content)

    @cached_property
    def submission(self) -> Reply:
        """Read as a reply to tasks."""
        return read_reply(self.status, self.content)

    @cached_property
    def poll(self) -> Reply:
        """Read as a reply to getResponse."""
        return read_poll(self.status, self.content)

    @cached_property
    def archive(self) -> Reply:
        """Read as a reply to getTaskDetails."""
        return read_archive(self.status, self.content)

    @property
    def shape(self) -> Any:
        """What it looks like."""
        return shape_of(self.body)

    @property
    def has_vendors_shape(self) -> bool:
        """Whether it is an object with `data` or `errors`."""
        return isinstance(self.body, dict) and ("data" in self.body or "errors" in self.body)

    def names_in_data(self) -> list[str]:
        """The task UUIDs of the items of `data`, as often as they stand there."""
        items = objects(self.body.get("data")) if isinstance(self.body, dict) else []
        return [str(item.get("taskUUID")).lower() for item in items]

    def item_in_errors(self, task_uuid: str) -> Mapping[str, Any] | None:
        """The object of `errors` that names a task, as it came."""
        items = objects(self.body.get("errors")) if isinstance(self.body, dict) else []
        return next((item for item in items if item.get("taskUUID") == task_uuid), None)

    def error_about(self, task_uuid: str) -> ApiError | None:
        """The error that names a task, or else the one that names none, in a reply to tasks."""
        reply = self.submission
        return reply.failures.get(task_uuid, reply.gravest)

    @property
    def tells_passing_error(self) -> bool:
        """Whether an error in a reply to tasks is one that would be another one tomorrow."""
        reply = self.submission
        return any(error.family in PASSING for error in (*reply.failures.values(), *reply.unnamed))

    def ended_in_passing_error(self, task_uuid: str) -> bool:
        """Whether a reply to a poll says that a task ended in such an error."""
        error = self.poll.failures.get(task_uuid)
        return error is not None and error.family in PASSING

    @property
    def told(self) -> str:
        """In a few words: the status, and the code of an error."""
        reply = self.submission
        if not reply.readable:
            return f"HTTP {self.status}, no JSON"
        errors = [*reply.failures.values(), *reply.unnamed]
        return f"HTTP {self.status}, {errors[0].code}" if errors else f"HTTP {self.status}"


def shape_of(value: Any, key: str = "", depth: int = 0) -> Any:
    """What a value looks like: its names, and the kinds of what stands there.

    No text is in it but words of the API, no UUID, no number but costs and tokens. Wide and deep values are cut.
    """
    if isinstance(value, dict) and depth < MOST_DEPTH:
        shown = list(value.items())[:MOST_KEYS]
        return {
            one_line(name, MOST_KEY_CHARS): shape_of(inner, key if key in AMOUNTS else str(name), depth + 1)
            for name, inner in shown
        }
    if isinstance(value, list) and depth < MOST_DEPTH:
        return [shape_of(inner, key, depth + 1) for inner in value[:MOST_ITEMS]]
    if isinstance(value, str):
        return _text_shape(value, key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if key in AMOUNTS else "<number>"
    return value if value is None or isinstance(value, bool) else "<nested>"


def _text_shape(text: str, key: str) -> str:
    if key in WORDS and plain_code(text) == text:
        return text
    if _UUID.fullmatch(text):
        return "<UUID>"
    if key in AMOUNTS:
        return "<text of a number>"
    return f"<text of {len(text)} characters>"
