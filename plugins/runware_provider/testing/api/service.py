"""What the API does with an array of tasks, without HTTP and without waiting.

The clock is read, never slept on: a reply that has to wait for sync tasks says until when, and
whoever speaks HTTP waits. Tasks of one array are served independently of each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from runware_provider.testing.api.bill import NANO
from runware_provider.testing.api.checks import check_task_uuid
from runware_provider.testing.api.errors import Refusal
from runware_provider.testing.api.reply import Reply
from runware_provider.testing.api.submission import Submission, submit

if TYPE_CHECKING:
    from runware_provider.testing.api.state import State
    from runware_provider.testing.api.tasks import Task

_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode = msgspec.json.Decoder().decode


class Service:
    """The API's task types, over the server's state.

    Args:
        state: What is remembered between requests.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def serve(self, body: bytes, key: str | None, *, takes_streams: bool = False) -> Reply:
        """Serve a request's body.

        Args:
            body: The bytes of the request.
            key: The key of the ``Authorization`` header, if there was one.
            takes_streams: Whether the ``Accept`` header names ``text/event-stream``.
        """
        reply = Reply()
        try:
            elements = _decode_array(body)
        except msgspec.DecodeError:
            return self._refused(
                reply, Refusal("invalidRequest", "The body must be a JSON array of task objects.")
            )
        if not elements:
            return self._refused(reply, Refusal("arrayTooShort", "The array must have at least one task."))
        limit = self._state.settings.max_tasks
        if limit is not None and len(elements) > limit:
            refusal = Refusal("arrayTooLong", f"The array may have at most {limit} tasks.", status=413)
            return self._refused(reply, refusal)
        tasks = [(raw, _object(raw)) for raw in elements]
        unknown = self._key_refusal(key, tasks)
        if unknown is not None:
            return self._refused(reply, unknown)
        unstreamable = _stream_refusal([task for _, task in tasks], takes_streams=takes_streams)
        if unstreamable is not None:
            return self._refused(reply, unstreamable)
        now = self._state.clock()
        for raw, task in tasks:
            self._serve_one(reply, raw, task, now)
        return reply

    def _key_refusal(
        self, key: str | None, tasks: list[tuple[msgspec.Raw, dict[str, Any] | None]]
    ) -> Refusal | None:
        first = tasks[0][1]
        if key is None and first is not None and first.get("taskType") == "authentication":
            key = first.get("apiKey")
        if key is None or key == "":
            return Refusal("missingApiKey", "An API key is required.", "apiKey", status=401)
        if key != self._state.settings.key:
            return Refusal("invalidApiKey", "The API key is not valid.", "apiKey", status=401)
        return None

    def _refused(self, reply: Reply, refusal: Refusal) -> Reply:
        reply.status = refusal.status
        reply.errors.append(refusal.body())
        self._state.bill.refused[refusal.code] += 1
        return reply

    def _serve_one(self, reply: Reply, raw: msgspec.Raw, task: dict[str, Any] | None, now: float) -> None:
        task_type = None if task is None else task.get("taskType")
        if task is None or task_type is None:
            what = "an object" if task is None else "an object with 'taskType'"
            code = "invalidTask" if task is None else "missingTaskType"
            self._state.reject(reply, raw, task or {}, [Refusal(code, f"A task must be {what}.", "taskType")])
        elif task_type == "textInference":
            submit(self._state, reply, Submission(raw, task, now))
        elif task_type == "getResponse":
            self._poll(reply, raw, task, now)
        elif task_type == "getTaskDetails":
            self._details(reply, raw, task, now)
        elif task_type == "accountManagement":
            self._account(reply, raw, task)
        elif task_type == "authentication":
            self._authenticate(reply, raw, task)
        else:
            refusal = Refusal(
                "unsupportedTaskType", f"Task type {task_type!r} is not served here.", "taskType"
            )
            self._state.reject(reply, raw, task, [refusal])

    def _poll(self, reply: Reply, raw: msgspec.Raw, task: dict[str, Any], now: float) -> None:
        refusal = check_task_uuid(task.get("taskUUID"))
        if refusal is not None:
            self._state.reject(reply, raw, task, [refusal])
            return
        known = self._state.tasks.known(task["taskUUID"], now)
        if known is not None:
            data, errors = known.outcome(now)
            reply.data.extend(data)
            reply.errors.extend(errors)

    def _details(self, reply: Reply, raw: msgspec.Raw, task: dict[str, Any], now: float) -> None:
        refusal = check_task_uuid(task.get("taskUUID"))
        if refusal is not None:
            self._state.reject(reply, raw, task, [refusal])
            return
        known = self._state.tasks.known(task["taskUUID"], now)
        if known is None or known.request is None:
            unknown = Refusal("taskNotFound", "No such task was executed.", "taskUUID")
            self._state.reject(reply, raw, task, [unknown])
            return
        request, response = known.archived or (known.request, _archived_response(known, now))
        reply.data.append(
            {
                "taskType": "getTaskDetails",
                "taskUUID": known.uuid,
                "request": request,
                "response": response,
            }
        )

    def _account(self, reply: Reply, raw: msgspec.Raw, task: dict[str, Any]) -> None:
        refusal = check_task_uuid(task.get("taskUUID"))
        if refusal is None and task.get("operation") != "getDetails":
            refusal = Refusal("invalidOperation", "'operation' must be 'getDetails'.", "operation")
        if refusal is not None:
            self._state.reject(reply, raw, task, [refusal])
            return
        reply.data.append(
            {
                "taskType": "accountManagement",
                "taskUUID": task["taskUUID"],
                "operation": "getDetails",
                "balance": self._state.balance_nano / NANO,
            }
        )

    def _authenticate(self, reply: Reply, raw: msgspec.Raw, task: dict[str, Any]) -> None:
        if task.get("apiKey") != self._state.settings.key:
            self._state.reject(
                reply, raw, task, [Refusal("invalidApiKey", "The API key is not valid.", "apiKey", 401)]
            )
        else:
            reply.data.append({"taskType": "authentication"})


def _stream_refusal(tasks: list[dict[str, Any] | None], *, takes_streams: bool) -> Refusal | None:
    """Why nothing of a request can be streamed; None where nothing is to be, or it can."""
    if not any(task is not None and task.get("deliveryMethod") == "stream" for task in tasks):
        return None
    if len(tasks) > 1:
        return Refusal(
            "incompatibleParameters", "A task that streams must be alone in its array.", "deliveryMethod"
        )
    if not takes_streams:
        return Refusal(
            "incompatibleParameters",
            "A stream needs the header 'Accept: text/event-stream'.",
            "deliveryMethod",
        )
    return None


def _object(raw: msgspec.Raw) -> dict[str, Any] | None:
    value = _decode(raw)
    return value if isinstance(value, dict) else None


def _archived_response(task: Task, now: float) -> dict[str, Any]:
    if task.failure is not None and now >= task.finish:
        return {"data": [], "errors": [task.failure]}
    return {"data": [item for finish, item in zip(task.finishes, task.items, strict=False) if now >= finish]}
