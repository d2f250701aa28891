"""What the API does with an array of tasks, without HTTP and without waiting.

The clock is read, never slept on: a reply that has to wait for sync tasks says until when, and
whoever speaks HTTP waits. Tasks of one array are served independently of each other.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from runware_provider.testing.bill import NANO, Bill
from runware_provider.testing.checks import check_task_uuid, check_text_inference
from runware_provider.testing.errors import Refusal
from runware_provider.testing.faults import Fault, FaultBook
from runware_provider.testing.results import Inference, error_item, fingerprint, infer, prompt_text
from runware_provider.testing.tasks import QueueFullError, Slots, Task, TaskBook, WaitTooLongError
from runware_provider.testing.usage import PrefixCache, Usage, count_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runware_provider.testing.settings import ServerSettings

_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

# The status that fits a code, where it is not 400. From the table of the contract's section 7.
STATUS_OF_CODE = {
    "invalidApiKey": 401,
    "missingApiKey": 401,
    "unauthorized": 401,
    "forbidden": 403,
    "permissionDenied": 403,
    "insufficientCredits": 402,
    "quotaExceeded": 402,
    "paymentRequired": 402,
    "requestTimeout": 408,
    "inferenceRateLimitRequestTooLarge": 413,
    "rateLimitExceeded": 429,
    "inferenceRateLimitExceeded": 429,
    "providerRateLimitExceeded": 429,
    "internalServerError": 500,
    "providerBadGateway": 502,
    "serviceUnavailable": 503,
    "serverUnavailable": 503,
    "noAvailableServer": 503,
    "providerGatewayTimeout": 504,
}


@dataclass(slots=True)
class Reply:
    """A reply in the making.

    Attributes:
        status: The HTTP status.
        data: Items, encoded or not, and sync tasks that still have to be waited for.
        errors: Error objects.
        until: When the last sync task is done, by the service's clock; infinite is never.
        webhooks: Accepted tasks that call a webhook, with the URL and the faults that fire.
    """

    status: int = 200
    data: list[Any] = field(default_factory=list)
    errors: list[Any] = field(default_factory=list)
    until: float = 0.0
    webhooks: list[tuple[Task, str, dict[str, Fault]]] = field(default_factory=list)

    def body(self, now: float) -> dict[str, Any]:
        """Give the body, with what the sync tasks came to by now."""
        data: list[Any] = []
        errors = list(self.errors)
        for item in self.data:
            if isinstance(item, Task):
                done, failed = item.outcome(now)
                data.extend(done)
                errors.extend(failed)
            else:
                data.append(item)
        return {"data": data, "errors": errors} if errors else {"data": data}


class Service:
    """The API's state and what its task types do.

    Args:
        settings: Limits, latency, money, catalogue, faults.
        clock: Gives seconds that never go back.
    """

    def __init__(self, settings: ServerSettings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.clock = clock
        self.models = {model.id: model for model in settings.models}
        self.faults = FaultBook(settings.faults, seed=settings.seed)
        self.reset()

    def reset(self) -> None:
        """Forget tasks, bill, balance and caches; the scripted faults stay."""
        settings = self.settings
        self.bill = Bill()
        self.tasks = TaskBook(settings.keep)
        self.balance_nano = round(settings.balance * NANO)
        self._random = random.Random(settings.seed)  # noqa: S311 - latencies, no secrets
        self._cache = PrefixCache()
        self._slots = {
            model.id: Slots(settings.capacity, settings.queue, settings.max_wait) for model in settings.models
        }

    def bill_summary(self) -> dict[str, Any]:
        """Give the totals of the bill."""
        return self.bill.summary()

    def itemised_bill(self) -> dict[str, Any]:
        """Give the bill with one entry per executed task."""
        return self.bill.itemised(self.tasks)

    def serve(self, body: bytes, key: str | None) -> Reply:
        """Serve a request's body.

        Args:
            body: The bytes of the request.
            key: The key of the ``Authorization`` header, if there was one.
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
        limit = self.settings.max_tasks
        if limit is not None and len(elements) > limit:
            refusal = Refusal("arrayTooLong", f"The array may have at most {limit} tasks.", status=413)
            return self._refused(reply, refusal)
        tasks = [(raw, _object(raw)) for raw in elements]
        unknown = self._key_refusal(key, tasks)
        if unknown is not None:
            return self._refused(reply, unknown)
        now = self.clock()
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
        if key != self.settings.key:
            return Refusal("invalidApiKey", "The API key is not valid.", "apiKey", status=401)
        return None

    def _refused(self, reply: Reply, refusal: Refusal) -> Reply:
        reply.status = refusal.status
        reply.errors.append(refusal.body())
        self.bill.refused[refusal.code] += 1
        return reply

    def _serve_one(self, reply: Reply, raw: msgspec.Raw, task: dict[str, Any] | None, now: float) -> None:
        task_type = None if task is None else task.get("taskType")
        if task is None or task_type is None:
            what = "an object" if task is None else "an object with 'taskType'"
            code = "invalidTask" if task is None else "missingTaskType"
            self._reject(reply, raw, task or {}, [Refusal(code, f"A task must be {what}.", "taskType")])
        elif task_type == "textInference":
            self._submit(reply, raw, task, now)
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
            self._reject(reply, raw, task, [refusal])

    def _reject(self, reply: Reply, raw: msgspec.Raw, task: dict[str, Any], refusals: list[Refusal]) -> None:
        if reply.status == 200:
            reply.status = refusals[0].status
        errors = [refusal.body(task.get("taskType"), task.get("taskUUID")) for refusal in refusals]
        reply.errors.extend(errors)
        for refusal in refusals:
            self.bill.refused[refusal.code] += 1
        if task.get("taskType") == "textInference" and check_task_uuid(task.get("taskUUID")) is None:
            self._after_rejection(raw, task["taskUUID"])

    def _after_rejection(self, raw: msgspec.Raw, uuid: str) -> None:
        known = self.tasks.get(uuid)
        reserve = self.faults.of_rejection(bytes(raw), uuid) or self.settings.reserve_rejected
        if known is None and reserve:
            reserved = Task(uuid, "", None)
            reserved.lost = True
            self.tasks.add(reserved, self.clock())

    def _poll(self, reply: Reply, raw: msgspec.Raw, task: dict[str, Any], now: float) -> None:
        refusal = check_task_uuid(task.get("taskUUID"))
        if refusal is not None:
            self._reject(reply, raw, task, [refusal])
            return
        known = self.tasks.get(task["taskUUID"])
        if known is not None:
            data, errors = known.outcome(now)
            reply.data.extend(data)
            reply.errors.extend(errors)

    def _details(self, reply: Reply, raw: msgspec.Raw, task: dict[str, Any], now: float) -> None:
        refusal = check_task_uuid(task.get("taskUUID"))
        if refusal is not None:
            self._reject(reply, raw, task, [refusal])
            return
        known = self.tasks.get(task["taskUUID"])
        if known is None or known.request is None:
            unknown = Refusal("taskNotFound", "No such task was executed.", "taskUUID")
            self._reject(reply, raw, task, [unknown])
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
            self._reject(reply, raw, task, [refusal])
            return
        reply.data.append(
            {
                "taskType": "accountManagement",
                "taskUUID": task["taskUUID"],
                "operation": "getDetails",
                "balance": self.balance_nano / NANO,
            }
        )

    def _authenticate(self, reply: Reply, raw: msgspec.Raw, task: dict[str, Any]) -> None:
        if task.get("apiKey") != self.settings.key:
            self._reject(
                reply, raw, task, [Refusal("invalidApiKey", "The API key is not valid.", "apiKey", 401)]
            )
        else:
            reply.data.append({"taskType": "authentication"})

    def _submit(self, reply: Reply, raw: msgspec.Raw, task: dict[str, Any], now: float) -> None:
        refusals = check_text_inference(task, self.models)
        if refusals:
            self._reject(reply, raw, task, refusals)
            return
        uuid = task["taskUUID"]
        known = self.tasks.get(uuid)
        if known is not None and not self._replayed(reply, raw, task, known):
            return
        faults = self.faults.of_task(bytes(raw), task["model"], uuid) if self.faults else {}
        refused = faults.get("refuse_task") or faults.get("refuse_without_uuid")
        if refused is not None:
            self._refuse_scripted(reply, raw, task, refused)
            return
        prompt = prompt_text(task)
        accepted = self._admit(reply, raw, task, prompt, faults, now)
        if accepted is None:
            return
        if known is not None:
            accepted.executed, accepted.charged, accepted.cost_nano = (
                known.executed,
                known.charged,
                known.cost_nano,
            )
        self._run(accepted, task, prompt, faults)
        self.tasks.add(accepted, now)
        self._answer(reply, accepted, task, faults)

    def _replayed(self, reply: Reply, raw: msgspec.Raw, task: dict[str, Any], known: Task) -> bool:
        """Handle a reused UUID; give whether the task is to run again."""
        faults = self.faults.of_replay(bytes(raw), task["model"], known.uuid)
        if "reservation_lapses" in faults:
            return True
        refusal = Refusal("conflictTaskUUID", "This taskUUID was used before.", "taskUUID")
        self._reject(reply, raw, task, [refusal])
        if "archive_overwritten" in faults and known.request is not None:
            known.archived = (raw, {"data": [], "errors": [reply.errors[-1]]})
        return False

    def _refuse_scripted(self, reply: Reply, raw: msgspec.Raw, task: dict[str, Any], fault: Fault) -> None:
        refusal = scripted_refusal(fault, "providerError")
        if fault.kind == "refuse_without_uuid":
            self._reject(reply, raw, {"taskType": "textInference"}, [refusal])
            self._after_rejection(raw, task["taskUUID"])
        else:
            self._reject(reply, raw, task, [refusal])

    def _admit(
        self,
        reply: Reply,
        raw: msgspec.Raw,
        task: dict[str, Any],
        prompt: str,
        faults: dict[str, Fault],
        now: float,
    ) -> Task | None:
        model = self.models[task["model"]]
        if self.balance_nano <= 0:
            refusal = Refusal("insufficientCredits", "The account's balance is used up.", status=402)
        elif count_tokens(prompt) > model.context_length:
            refusal = Refusal(
                "inferenceRateLimitRequestTooLarge",
                f"The prompt is longer than the {model.context_length} tokens of '{model.id}'.",
                "messages",
            )
        else:
            accepted = Task(task["taskUUID"], model.id, raw)
            durations = list(self._durations(task.get("numberResults", 1), faults))
            try:
                accepted.finishes = tuple(sorted(self._slots[model.id].admit(now, durations)))
            except QueueFullError:
                refusal = Refusal("inferenceRateLimitExceeded", "The model's queue is full.", "model", 429)
            except WaitTooLongError:
                refusal = Refusal(
                    "providerGatewayTimeout", "The wait in the queue is too long.", "model", 504
                )
            else:
                return accepted
        self._reject(reply, raw, task, [refusal])
        return None

    def _durations(self, count: int, faults: dict[str, Fault]) -> Iterator[float]:
        settings = self.settings
        extra = faults["delay_task"].seconds if "delay_task" in faults else 0.0
        if "never_finish" in faults:
            extra = math.inf
        for _ in range(count):
            spread = (
                math.exp(self._random.gauss(0, settings.latency_sigma)) if settings.latency_sigma else 1.0
            )
            yield settings.latency * spread + extra

    def _run(self, accepted: Task, task: dict[str, Any], prompt: str, faults: dict[str, Fault]) -> None:
        accepted.fingerprint = fingerprint(task)
        self.bill.execute(accepted)
        inference = infer(task, prompt, self.models[accepted.model], self._cache, faults)
        failed = faults.get("fail_task")
        if failed is not None:
            self._fail(accepted, task, inference, failed)
            return
        accepted.items = inference.items
        self._charge(accepted, inference.cost_nano, inference.usage)
        forgotten = faults.get("forget_result")
        if forgotten is not None:
            accepted.lost = True
            if forgotten.code is not None:
                error = scripted_refusal(forgotten, "taskNotFound").body("textInference", accepted.uuid)
                accepted.lost_error = msgspec.Raw(_encode(error))

    def _fail(self, accepted: Task, task: dict[str, Any], inference: Inference, fault: Fault) -> None:
        error = scripted_refusal(fault, "providerError").body("textInference", accepted.uuid)
        if fault.charge:
            self._charge(accepted, inference.cost_nano, inference.usage)
            if task.get("includeCost"):
                error["cost"] = inference.cost_nano / NANO
        accepted.failure_in_data = fault.shape == "item"
        accepted.failure = error_item(error) if accepted.failure_in_data else msgspec.Raw(_encode(error))

    def _charge(self, accepted: Task, cost_nano: int, usage: Usage) -> None:
        self.bill.charge(accepted, cost_nano)
        self.balance_nano -= cost_nano
        self.bill.prompt_tokens += usage.prompt
        self.bill.cached_tokens += usage.cached
        self.bill.completion_tokens += usage.completion

    def _answer(self, reply: Reply, accepted: Task, task: dict[str, Any], faults: dict[str, Fault]) -> None:
        url = task.get("webhookURL")
        if url is not None and "webhook_lost" not in faults and math.isfinite(accepted.finish):
            reply.webhooks.append((accepted, url, faults))
        if "no_acknowledgement" in faults:
            return
        if task.get("deliveryMethod", "sync") == "async":
            reply.data.append({"taskType": "textInference", "taskUUID": accepted.uuid})
        else:
            reply.data.append(accepted)
            reply.until = max(reply.until, accepted.finish)


def scripted_refusal(fault: Fault, default_code: str) -> Refusal:
    """Give the refusal that a fault asks for: its code, message and status, or what fits them."""
    code = fault.code or default_code
    status = fault.status or STATUS_OF_CODE.get(code, 400)
    return Refusal(
        code, fault.message or f"Scripted by the local server's fault '{fault.kind}'.", status=status
    )


def _object(raw: msgspec.Raw) -> dict[str, Any] | None:
    value = _decode(raw)
    return value if isinstance(value, dict) else None


def _archived_response(task: Task, now: float) -> dict[str, Any]:
    if task.failure is not None and now >= task.finish:
        return {"data": [], "errors": [task.failure]}
    return {"data": [item for finish, item in zip(task.finishes, task.items, strict=False) if now >= finish]}
