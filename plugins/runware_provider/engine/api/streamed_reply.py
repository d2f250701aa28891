"""Joins what streams in about one task to the reply that a sync request would have got. Pure.

From then on nothing differs: the same reader, the same checks, the same ledger, the same rows. A stream counts as an answer only
where it is whole: with a finish reason, and with `[DONE]` at its end. Of whatever else comes, nobody knows what became of the task,
which goes on and is billed though its stream is cut off: it has to be asked for.

Frames are what section 10 of the contract says: `{"taskUUID", "delta": {"text", "reasoningContent"}, "finishReason", "usage",
"cost"}`, or the same in `data`; an error in `errors` or `error`. Why no library reads them: docs/decisions/0019.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.api.error_families import STEPS, Step, family_of
from runware_provider.engine.api.event_stream import EventStream
from runware_provider.engine.api.redact import UNKNOWN_CODE, storable
from runware_provider.engine.api.replies import decode
from runware_provider.engine.api.reply_bytes import (
    MOST_BYTES,
    ReplyBroken,
    ReplyTooLarge,
    StreamUnpacker,
    check_values,
)
from runware_provider.engine.api.request_bodies import encoded
from runware_provider.engine.api.results import cost_of, objects, status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MOST_STREAMED_BYTES: Final = 8 * MOST_BYTES
"""Of a whole stream, with all that frames have beside their text: some 700 for each token of the longest answer that a model
gives (384,000)."""
DONE: Final = b"[DONE]"
_KEPT: Final = ("finishReason", "usage", "cost", "seed")
"""Fields of a frame that an item of a sync reply has as well; of each the last one counts."""
_OF_A_RUN: Final = ("finishReason", "usage")
"""Fields that nobody sends about a task which was not run. A cost may be 0, which was none."""
_UNREADABLE: Final = "a stream with a frame that cannot be read"
_SURROGATES: Final = "surrogatepass"
"""Half of a pair may come in one frame and the other half in the next."""


class StreamedReply:
    """Takes the body of a streamed reply piece by piece.

    Args:
        task_uuid: of the task that was sent.
        status: the HTTP status.
        packed_with: the header Content-Encoding.
        received: called with the number of characters of text and reasoning that came, whenever some did.

    Raises:
        ReplyBroken: it is packed in a way that is not unpacked here.
    """

    def __init__(
        self, task_uuid: str, status: int, packed_with: str, received: Callable[[int], None]
    ) -> None:
        self._task_uuid = task_uuid
        self._status = status
        self._received = received
        self._unpacker = StreamUnpacker(packed_with, most=MOST_STREAMED_BYTES)
        self._events = EventStream()
        # As bytes, of which the memory taken is known.
        self._text = bytearray()
        self._reasoning = bytearray()
        self._has_text = False
        self._fields: dict[str, Any] = {}
        self._failures: list[dict[str, Any]] = []
        """Errors that name this task."""
        self._unnamed: list[dict[str, Any]] = []
        self._is_done = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come that would count: it is whole, or ended in an error."""
        return self._is_done or bool(self._failures) or bool(self._unnamed)

    @property
    def _has_begun(self) -> bool:
        """Whether anything shows that the task was run: what it said, how it ended, or what it used or cost."""
        if self._has_text or self._reasoning:
            return True
        if any(name in self._fields for name in _OF_A_RUN):
            return True
        return any(cost_of(told) for told in (self._fields, *self._failures, *self._unnamed))

    def add(self, piece: bytes) -> None:
        """Take what came.

        Raises:
            ReplyTooLarge: so much is not taken.
            ReplyBroken: it cannot be unpacked, or a frame cannot be read.
        """
        for event in self._events.events(self._unpacker.unpacked(piece)):
            self._take(event)
            self._check_size()
            if self.is_over:
                return
        self._check_size()

    def body(self) -> bytes:
        """The body that a sync reply would have.

        Raises:
            ReplyBroken: the stream is not whole, so that nobody knows what became of the task.
        """
        self._take_rest()
        if self._failures:
            return self._named_refusal()
        # A refusal that came as a stream: nothing of it was run, as its status says.
        if self._status >= 300:
            return encoded({"errors": self._unnamed})
        if self._unnamed:
            return self._unnamed_refusal()
        return self._answer()

    def _take_rest(self) -> None:
        """The last word may come without the blank line behind it."""
        rest = self._events.rest() if not self.is_over else None
        if rest is not None and rest.strip() == DONE:
            self._is_done = True

    def _named_refusal(self) -> bytes:
        # An error such as "no room" or "no money" means that the task was not run. This one was, as its frames show.
        if self._has_begun and any(map(_says_it_was_not_run, self._failures)):
            raise ReplyBroken("a stream that was refused after it had begun")
        return encoded({"errors": self._failures})

    def _unnamed_refusal(self) -> bytes:
        # The whole request was refused for what no task can help, such as the key: it is what it would be in a sync reply.
        if not self._has_begun and all(map(_says_it_was_not_run, self._unnamed)):
            return encoded({"errors": self._unnamed})
        # Whether the task was run, and is billed, is open.
        raise ReplyBroken("a stream that ended in an error which names no task")

    def _answer(self) -> bytes:
        if not self._is_done:
            raise ReplyBroken("a stream that was cut off")
        if self._fields.get("finishReason") is None:
            raise ReplyBroken("a stream that ended without a finish reason")
        return encoded({"data": [self._item()]})

    def _item(self) -> dict[str, Any]:
        item = {
            "taskType": "textInference",
            "taskUUID": self._task_uuid,
            "status": "success",
            "text": self._text.decode(errors=_SURROGATES) if self._has_text else None,
            **self._fields,
        }
        if self._reasoning:
            item["reasoningContent"] = self._reasoning.decode(errors=_SURROGATES)
        return item

    def _take(self, event: bytes) -> None:
        if event.strip() == DONE:
            self._is_done = True
            return
        check_values(event)
        decoded = decode(event)
        # What it would have added is unknown, so that the answer would not be whole without it.
        if not isinstance(decoded, dict | list):
            raise ReplyBroken(_UNREADABLE)
        for frame in _frames(decoded):
            self._take_frame(frame)

    def _take_frame(self, frame: Mapping[str, Any]) -> None:
        for error in _errors_in(frame):
            self._take_error(error)
        if not self._is_ours(frame):
            return
        delta = frame.get("delta")
        if isinstance(delta, dict):
            self._take_delta(delta)
        # An answer in a shape that nobody has described: it is asked for rather than read wrongly.
        elif delta is not None or frame.get("text") is not None:
            raise ReplyBroken(_UNREADABLE)
        for name in _KEPT:
            if frame.get(name) is not None:
                self._fields[name] = frame[name]

    def _take_error(self, error: dict[str, Any]) -> None:
        if error.get("taskUUID") is None:
            self._unnamed.append(error)
        elif self._is_ours(error):
            self._failures.append(error)

    def _is_ours(self, item: Mapping[str, Any]) -> bool:
        """Whether it is about this task, as is what names none: a stream has one task."""
        name = item.get("taskUUID")
        return name is None or (isinstance(name, str) and name.lower() == self._task_uuid)

    def _take_delta(self, delta: Mapping[str, Any]) -> None:
        text, reasoning = _joined(delta.get("text")), _joined(delta.get("reasoningContent"))
        if text is not None:
            self._has_text = True
            self._text += text.encode(errors=_SURROGATES)
        if reasoning is not None:
            self._reasoning += reasoning.encode(errors=_SURROGATES)
        characters = len(text or "") + len(reasoning or "")
        if characters:
            self._received(characters)

    def _check_size(self) -> None:
        kept = len(self._text) + len(self._reasoning)
        if kept + self._events.size > MOST_BYTES:
            error = ReplyTooLarge(f"a stream of more than {MOST_BYTES // 2**20} MB")
            error.is_answer = kept > MOST_BYTES
            raise error


def _frames(decoded: Any) -> Iterator[Mapping[str, Any]]:
    """A frame, and those that an older API wrapped in it."""
    for frame in objects(decoded):
        yield frame
        yield from objects(frame.get("data"))


def _errors_in(frame: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The errors of a frame, each with the task and the cost that stand beside it."""
    if status_of(frame) == "success":
        return
    beside = {name: frame[name] for name in ("taskUUID", "cost") if frame.get(name) is not None}
    told = frame.get("errors") or frame.get("error")
    if not told and status_of(frame) == "error":
        told = {"message": ""}
    for error in told if isinstance(told, list) else [told]:
        if isinstance(error, dict) and error:
            yield {**beside, **error}
        elif isinstance(error, str) and error:
            yield {**beside, "message": error}


def _says_it_was_not_run(error: Mapping[str, Any]) -> bool:
    return STEPS[family_of(storable(error.get("code") or UNKNOWN_CODE))] in {Step.STOP, Step.WAIT}


def _joined(text: Any) -> str | None:
    """A text, or a list of texts; None where there is none.

    Raises:
        ReplyBroken: it is something else, so that the answer would not be whole without it.
    """
    if text is None or isinstance(text, str):
        return text
    if isinstance(text, list) and all(isinstance(piece, str) for piece in text):
        return "".join(text)
    raise ReplyBroken(_UNREADABLE)
