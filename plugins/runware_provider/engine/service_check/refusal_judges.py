"""What refusals say of the assumptions. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.api.error_families import Family
from runware_provider.engine.service_check.findings import differs, holds, judged, unseen

if TYPE_CHECKING:
    from runware_provider.engine.service_check.findings import Finding
    from runware_provider.engine.service_check.heard import Heard


def judge_bad_role(heard: Heard, task_uuid: str) -> list[Finding]:
    """The reply to a task with a `system` role."""
    error = heard.error_about(task_uuid)
    if error is None:
        taken = differs("bad-role", f"taken: {heard.told}", heard.shape)
        return [taken, unseen("error-shape", "nothing was refused")]
    told = f"{heard.told}, of the family {error.family}"
    role = judged("bad-role", None if error.family is Family.VALIDATION else told, told, heard.shape)
    return [role, _judge_error_shape(heard, task_uuid)]


def _judge_error_shape(heard: Heard, task_uuid: str) -> Finding:
    item = heard.item_in_errors(task_uuid)
    if item is None:
        return differs("error-shape", "no object of `errors` names the task", heard.shape)
    missing = [name for name in ("code", "message") if not isinstance(item.get(name), str)]
    if missing:
        return differs("error-shape", f"the error has no {' and no '.join(missing)}", heard.shape)
    return holds("error-shape", f"{heard.told}, names the task", heard.shape)


def judge_unknown_model(heard: Heard, task_uuid: str) -> Finding:
    """The reply to a task for a model that does not exist."""
    error = heard.error_about(task_uuid)
    if error is None:
        return differs("unknown-model", f"taken: {heard.told}", heard.shape)
    told = f"{heard.told}, of the family {error.family}"
    return judged("unknown-model", None if error.family is Family.MODEL else told, told, heard.shape)


def judge_rejected_uuid(heard: Heard, task_uuid: str) -> Finding:
    """The reply to a good task under the UUID of one that was refused before."""
    if heard.submission.says_in_use(task_uuid):
        return differs("rejected-uuid", f"used up: {heard.told}", heard.shape)
    if heard.error_about(task_uuid) is not None:
        return unseen("rejected-uuid", f"refused for something else: {heard.told}", heard.shape)
    return holds("rejected-uuid", f"taken: {heard.told}", heard.shape)


def judge_unknown_poll(heard: Heard, task_uuid: str) -> Finding:
    """The reply to a poll of a UUID that nobody sent."""
    reply = heard.poll
    error = reply.failures.get(task_uuid, reply.gravest)
    shape = heard.shape
    if not reply.readable:
        return differs("unknown-poll", heard.told, shape)
    if error is not None:
        told = f"{heard.told}, of the family {error.family}"
        return judged("unknown-poll", None if error.family is Family.LOST else told, told, shape)
    if reply.names(task_uuid):
        return differs("unknown-poll", "it is told like a task that was sent", shape)
    return holds("unknown-poll", f"HTTP {heard.status}, `data: []`", shape)


def judge_unknown_archive(heard: Heard, task_uuid: str) -> Finding:
    """What the archive says of a UUID that nobody sent."""
    reply = heard.archive
    error = reply.failures.get(task_uuid, reply.gravest)
    if not reply.readable:
        return differs("unknown-archive", heard.told, heard.shape)
    if error is not None:
        told = f"{heard.told}, of the family {error.family}"
        return judged("unknown-archive", None if error.family is Family.LOST else told, told, heard.shape)
    if reply.names(task_uuid):
        return differs("unknown-archive", "it is told like a task that was executed", heard.shape)
    return holds("unknown-archive", f"HTTP {heard.status}, nothing about it", heard.shape)
