"""What happens to a textInference task: checked, perhaps refused, queued, answered, charged."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from runware_provider.testing.api.bill import NANO
from runware_provider.testing.api.checks import check_text_inference
from runware_provider.testing.api.errors import Refusal
from runware_provider.testing.api.reply import STATUS_OF_CODE, Reply, scripted_refusal
from runware_provider.testing.api.results import Inference, error_item, fingerprint, infer, prompt_text
from runware_provider.testing.api.tasks import QueueFullError, Task, WaitTooLongError
from runware_provider.testing.api.usage import count_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.testing.api.faults import Fault
    from runware_provider.testing.api.state import State

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Submission:
    """One submitted task.

    Attributes:
        raw: The task as it was sent.
        task: The same, decoded.
        now: When it came, by the server's clock.
        faults: The faults that fire for it, by kind.
        prompt: The text whose tokens are the prompt's.
    """

    raw: msgspec.Raw
    task: Mapping[str, Any]
    now: float
    faults: dict[str, Fault] = field(default_factory=dict)
    prompt: str = ""


def submit(state: State, reply: Reply, given: Submission) -> None:
    """Serve one textInference task; its acknowledgement, result or errors go into the reply."""
    task = given.task
    refusals = check_text_inference(task, state.models)
    if refusals:
        state.reject(reply, given.raw, task, refusals)
        return
    known = state.tasks.get(task["taskUUID"])
    if known is not None and known.known_from <= given.now and not _runs_again(state, reply, given, known):
        return
    if state.faults:
        given.faults = state.faults.of_task(bytes(given.raw), task["model"], task["taskUUID"])
    given.prompt = prompt_text(task)
    refusal = _scripted(given) or _admission_refusal(state, given)
    if refusal is not None:
        _refuse(state, reply, given, refusal)
        return
    accepted = _queued(state, reply, given)
    if accepted is None:
        return
    if "slow_registration" in given.faults:
        accepted.known_from = given.now + given.faults["slow_registration"].seconds
    if known is not None:
        _go_on_from(known, accepted)
    _run(state, accepted, given)
    state.tasks.add(accepted, given.now)
    _answer(reply, accepted, given)


def _go_on_from(known: Task, accepted: Task) -> None:
    """The same UUID runs once more; it is known as soon as its first task is."""
    accepted.known_from = min(accepted.known_from, known.known_from)
    accepted.executed, accepted.charged, accepted.cost_nano = (
        known.executed,
        known.charged,
        known.cost_nano,
    )


def _runs_again(state: State, reply: Reply, given: Submission, known: Task) -> bool:
    """Handle a reused UUID: it is a conflict, unless a fault says that it runs again."""
    faults = state.faults.of_replay(bytes(given.raw), given.task["model"], known.uuid)
    if "reservation_lapses" in faults:
        return True
    refusal = Refusal("conflictTaskUUID", "This taskUUID was used before.", "taskUUID")
    state.reject(reply, given.raw, given.task, [refusal])
    if "archive_overwritten" in faults and known.request is not None:
        known.archived = (given.raw, {"data": [], "errors": [reply.errors[-1]]})
    return False


def _scripted(given: Submission) -> Refusal | None:
    fault = given.faults.get("refuse_task") or given.faults.get("refuse_without_uuid")
    return None if fault is None else scripted_refusal(fault, "providerError")


def _admission_refusal(state: State, given: Submission) -> Refusal | None:
    model = state.models[given.task["model"]]
    if state.balance_nano <= 0:
        return Refusal("insufficientCredits", "The account's balance is used up.", status=402)
    if count_tokens(given.prompt) > model.context_length:
        return Refusal(
            "inferenceRateLimitRequestTooLarge",
            f"The prompt is longer than the {model.context_length} tokens of '{model.id}'.",
            "messages",
        )
    return None


def _refuse(state: State, reply: Reply, given: Submission, refusal: Refusal) -> None:
    if "refuse_without_uuid" in given.faults:
        state.reject(reply, given.raw, {"taskType": "textInference"}, [refusal])
        state.reserve_rejected(given.raw, given.task["taskUUID"])
    else:
        state.reject(reply, given.raw, given.task, [refusal])


def _queued(state: State, reply: Reply, given: Submission) -> Task | None:
    task = given.task
    accepted = Task(task["taskUUID"], task["model"], given.raw)
    accepted.accepted = given.now
    durations = list(state.durations(task.get("numberResults", 1), given.faults))
    try:
        accepted.finishes = tuple(sorted(state.slots[accepted.model].admit(given.now, durations)))
    except QueueFullError:
        refusal = Refusal("inferenceRateLimitExceeded", "The model's queue is full.", "model", 429)
    except WaitTooLongError:
        refusal = Refusal("providerGatewayTimeout", "The wait in the queue is too long.", "model", 504)
    else:
        return accepted
    state.reject(reply, given.raw, task, [refusal])
    return None


def _run(state: State, accepted: Task, given: Submission) -> None:
    accepted.fingerprint = fingerprint(given.task)
    state.bill.execute(accepted)
    try:
        inference = infer(given.task, given.prompt, state, given.faults)
    except Exception:  # noqa: BLE001 - a callable of the user's may raise anything; the array's other tasks stand
        _log.exception("The task %s fails, as its answer could not be made.", accepted.uuid)
        refusal = Refusal("internalServerError", "The answer could not be made; the server's log says why.")
        accepted.failure_status = STATUS_OF_CODE[refusal.code]
        accepted.failure = msgspec.Raw(_encode(refusal.body("textInference", accepted.uuid)))
        return
    if "fail_task" in given.faults:
        _fail(state, accepted, given, inference)
        return
    accepted.items = inference.items
    state.charge(accepted, inference.cost_nano, inference.usage)
    unnamed = given.faults.get("unnamed_error")
    if unnamed is not None:
        accepted.lost = True
        error = scripted_refusal(unnamed, "providerError").body("textInference")
        accepted.lost_error = msgspec.Raw(_encode(error))
    forgotten = given.faults.get("forget_result")
    if forgotten is not None:
        accepted.lost = True
        if forgotten.code is not None:
            error = scripted_refusal(forgotten, "taskNotFound").body("textInference", accepted.uuid)
            accepted.lost_error = msgspec.Raw(_encode(error))


def _fail(state: State, accepted: Task, given: Submission, inference: Inference) -> None:
    fault = given.faults["fail_task"]
    refusal = scripted_refusal(fault, "providerError")
    error = refusal.body("textInference", accepted.uuid)
    if fault.charge:
        state.charge(accepted, inference.cost_nano, inference.usage)
        if given.task.get("includeCost"):
            error["cost"] = inference.cost_nano / NANO
    accepted.failure_status = refusal.status
    accepted.failure_in_data = fault.shape == "item"
    accepted.failure = error_item(error) if accepted.failure_in_data else msgspec.Raw(_encode(error))


def _answer(reply: Reply, accepted: Task, given: Submission) -> None:
    url = given.task.get("webhookURL")
    if url is not None and "webhook_lost" not in given.faults and math.isfinite(accepted.finish):
        reply.webhooks.append((accepted, url, given.faults))
    if "no_acknowledgement" in given.faults:
        return
    delivery = given.task.get("deliveryMethod", "sync")
    if delivery == "stream":
        reply.streamed = (accepted, given.faults)
    elif delivery == "async":
        reply.data.append({"taskType": "textInference", "taskUUID": accepted.uuid})
    else:
        reply.data.append(accepted)
        reply.until = max(reply.until, accepted.finish)
