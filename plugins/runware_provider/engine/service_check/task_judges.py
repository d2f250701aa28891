"""What polls, the archive, replays and arrays say of the assumptions. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.api.error_families import Family
from runware_provider.engine.service_check.findings import differs, holds, judged, unseen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.service_check.findings import Finding
    from runware_provider.engine.service_check.heard import Heard


def knows(heard: Heard, task_uuid: str) -> bool:
    """Whether a reply to a poll knows a task: that it is not found is an error that names it, too."""
    reply = heard.poll
    error = reply.failures.get(task_uuid)
    return reply.names(task_uuid) and (error is None or error.family is not Family.LOST)


def judge_acknowledgement(heard: Heard, task_uuid: str) -> Finding:
    """The reply to an async task."""
    reply = heard.submission
    if task_uuid in reply.acknowledged:
        return holds("acknowledgement", f"{heard.told}, named and nothing else", heard.shape)
    if task_uuid in reply.results:
        return differs("acknowledgement", "the answer itself came", heard.shape)
    if task_uuid in reply.processing:
        return differs("acknowledgement", "it is acknowledged as processing", heard.shape)
    if heard.error_about(task_uuid) is not None:
        return unseen("acknowledgement", f"refused: {heard.told}", heard.shape)
    return differs("acknowledgement", f"{heard.told}, the task is named nowhere", heard.shape)


def judge_polls(polls: Sequence[Heard], task_uuid: str, waited_s: float) -> list[Finding]:
    """The replies to polls of one accepted task, from at once on until it was finished or waited for long enough.

    Args:
        polls: in their order, at least one.
        task_uuid: of the task.
        waited_s: seconds until the last of them.
    """
    return [
        _judge_first_poll(polls, task_uuid),
        _judge_running(polls, task_uuid),
        _judge_end(polls[-1], task_uuid, waited_s),
    ]


def _judge_first_poll(polls: Sequence[Heard], task_uuid: str) -> Finding:
    known = [knows(heard, task_uuid) for heard in polls]
    if known[0]:
        return holds("known-at-once", "the first poll knows it", polls[0].shape)
    if True in known:
        told = f"no word about it in the first polls, {known.index(True)} of them"
        return differs("known-at-once", told, polls[0].shape)
    return unseen("known-at-once", f"no poll knows it: {polls[0].told}", polls[0].shape)


def _judge_running(polls: Sequence[Heard], task_uuid: str) -> Finding:
    running = next((heard for heard in polls if task_uuid in heard.poll.processing), None)
    if running is not None:
        return holds("running-poll", "`processing`, until it is finished", running.shape)
    if knows(polls[0], task_uuid):
        return unseen("running-poll", "it was finished at the first poll")
    if not knows(polls[-1], task_uuid):
        return unseen("running-poll", "no poll knows it")
    # Either it was not known before, or this is what the service says of a running task: nobody can tell.
    return differs("running-poll", f"no word until it was finished: {polls[0].told}", polls[0].shape)


def _judge_end(last: Heard, task_uuid: str, waited_s: float) -> Finding:
    reply = last.poll
    if task_uuid in reply.results:
        return holds("finished-poll", f"with its answer, after {waited_s:.1f} s", last.shape)
    if last.ended_in_passing_error(task_uuid):
        return unseen("finished-poll", f"it ended in {reply.failures[task_uuid].code}", last.shape)
    if task_uuid in reply.failures:
        return differs("finished-poll", f"it ended in {reply.failures[task_uuid].code}", last.shape)
    if task_uuid in reply.processing:
        return differs("finished-poll", f"still processing after {waited_s:.1f} s", last.shape)
    return differs("finished-poll", f"{last.told}, nothing about it after {waited_s:.1f} s", last.shape)


def judge_repeated_poll(heard: Heard, task_uuid: str) -> Finding:
    """The reply to one more poll of a finished task."""
    told = task_uuid in heard.poll.results
    return judged("polls-repeat", None if told else heard.told, "told again", heard.shape)


def judge_sync_poll(heard: Heard, task_uuid: str) -> Finding:
    """The reply to a poll of a task that was answered at once."""
    told = task_uuid in heard.poll.results
    return judged("sync-poll", None if told else f"no answer: {heard.told}", "with its answer", heard.shape)


def judge_archive(heard: Heard, task_uuid: str) -> Finding:
    """What the archive says of a finished task."""
    if task_uuid in heard.archive.results:
        return holds("archive", "with its answer", heard.shape)
    return differs("archive", f"no answer that can be read: {heard.told}", heard.shape)


def judge_replay(heard: Heard, task_uuid: str) -> Finding:
    """The reply to a task whose UUID was used before."""
    if task_uuid in heard.submission.results:
        return differs(
            "reused-uuid", "it was answered once more, and may have been charged again", heard.shape
        )
    if not heard.submission.says_in_use(task_uuid):
        return differs("reused-uuid", f"neither refused as used nor answered: {heard.told}", heard.shape)
    return holds("reused-uuid", heard.told, heard.shape)


def judge_archive_after_replay(heard: Heard, task_uuid: str, *, had_it: bool) -> Finding:
    """What the archive says after a replay.

    Args:
        heard: the reply.
        task_uuid: of the task.
        had_it: whether the archive told the answer before.
    """
    name = "archive-after-replay"
    if not had_it:
        return unseen(name, "the archive did not tell the answer before either")
    kept = task_uuid in heard.archive.results
    return judged(
        name, None if kept else f"the answer is gone from it: {heard.told}", "as before", heard.shape
    )


def judge_mixed_array(heard: Heard, good: str, bad: str) -> Finding:
    """The reply to an array of a good task and one that is refused.

    Args:
        heard: the reply.
        good: UUID of the good task.
        bad: UUID of the other.
    """
    reply = heard.submission
    taken = good in reply.acknowledged or good in reply.processing or good in reply.results
    if not taken:
        return differs("mixed-array", f"the good task is not accepted: {heard.told}", heard.shape)
    if bad not in reply.failures:
        return differs("mixed-array", f"no error names the bad task: {heard.told}", heard.shape)
    return holds("mixed-array", f"{heard.told}, and the good task is accepted", heard.shape)


def judge_two_items(heard: Heard, task_uuids: Sequence[str]) -> Finding:
    """The reply to an array of two good tasks."""
    reply = heard.submission
    taken = [
        name
        for name in task_uuids
        if name in reply.acknowledged or name in reply.processing or name in reply.results
    ]
    complaint = None if len(taken) == 2 else f"{len(taken)} of 2 are accepted: {heard.told}"
    return judged("two-items", complaint, "both are accepted", heard.shape)


def judge_two_polls(heard: Heard, task_uuids: Sequence[str]) -> list[Finding]:
    """The reply to polls of two tasks that were accepted."""
    told = [name for name in task_uuids if knows(heard, name)]
    complaint = None if len(told) == 2 else f"{len(told)} of 2 are told: {heard.told}"
    return [judged("two-polls", complaint, "both are told", heard.shape), _judge_names(heard, task_uuids)]


def _judge_names(heard: Heard, task_uuids: Sequence[str]) -> Finding:
    names = heard.names_in_data()
    if set(names) - set(task_uuids):
        return differs("named-once", "the reply names a task that was not asked for", heard.shape)
    if len(names) > len(set(names)):
        return differs("named-once", "the reply names a task more than once", heard.shape)
    if set(names) != set(task_uuids):
        return unseen("named-once", "the reply does not name both")
    return holds("named-once", "each once, and no other", heard.shape)


def judge_webhook(call: Heard | None, last_poll: Heard, task_uuid: str, waited_s: float) -> list[Finding]:
    """Whether a webhook came, and what its body looks like.

    Args:
        call: the body of the first call that names the task; None where none came.
        last_poll: of the task.
        task_uuid: of the task.
        waited_s: seconds from the task's acknowledgement.
    """
    no_body = unseen("webhook-shape", "there was no call")
    if call is None and task_uuid not in last_poll.poll.results:
        return [unseen("webhook", "the task did not finish"), no_body]
    if call is None:
        told = f"no call within {waited_s:.1f} s, though polls tell the answer"
        return [differs("webhook", told, last_poll.shape), no_body]
    return [holds("webhook", f"a call came, after {waited_s:.1f} s"), _judge_call_body(call, task_uuid)]


def _judge_call_body(call: Heard, task_uuid: str) -> Finding:
    body = call.body
    if isinstance(body, list):
        return differs("webhook-shape", "the item stands in a list", call.shape)
    if call.has_vendors_shape:
        return differs("webhook-shape", "the item stands below `data` or `errors`", call.shape)
    is_told = task_uuid in call.submission.results
    return judged("webhook-shape", None if is_told else "no finished item", "the item itself", call.shape)
