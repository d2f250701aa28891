"""One call to the own receiver before anything is paid: it has to be taken, and to come into the job's inbox."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from runware_provider.engine.api.client import Lost, NotSent
from runware_provider.engine.api.receiver_client import ReceiverClient
from runware_provider.engine.errors import StateUnreadable, WebhookUnreachable
from runware_provider.engine.inbox.addresses import GRACE_S

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from runware_provider.engine.api.client import Transport
    from runware_provider.engine.inbox.addresses import HookAddress
    from runware_provider.engine.inbox.folder import InboxFolder

ANSWERED_WITHIN_S: Final = 10.0
"""A receiver answers within five seconds; the rest is the way there."""
APPEARS_WITHIN_S: Final = 5.0
LOOK_EVERY_S: Final = 0.1
_SET_UP: Final = (
    "See docs/how-to/receive-webhooks.md; or let the job ask for the answers, with delivery='poll'."
)
_NO_RECEIVER: Final = (
    "The URL has to be that of the receiver: a path ending in /hook, which is not covered by a log-in."
)
_OF_STATUS: Final = {
    404: (
        "it takes none of our calls",
        "Give receiver and job the same webhook_secrets, the first of which signs, and check the path of webhook_url.",
    ),
    503: ("its store cannot be written", "Look at the receiver's log, and at its webhook_inbox."),
}
"""By HTTP status: what it means, and what to do."""


async def why_no_call_arrives(
    address: HookAddress, folder: InboxFolder, *, transport: Transport | None = None
) -> WebhookUnreachable | None:
    """Call the own public URL as the vendor would, for a task that there is not; what is wrong, or None.

    Args:
        address: of the job.
        folder: its inbox.
        transport: carries the request; a real network by default.
    """
    task_uuid = str(uuid.uuid4())
    try:
        before = {file.path for file in await asyncio.to_thread(folder.files)}
    except OSError as error:
        return _unreachable(
            f"the inbox cannot be listed ({error})", "Check webhook_inbox, and who may read it."
        )
    refused = await _why_not_taken(address, task_uuid, transport)
    if refused is not None:
        return refused
    if await _appears(folder, task_uuid, before):
        return None
    return _unreachable(
        f"{_host(address)} took a call that did not come into the inbox within {APPEARS_WITHIN_S:g} seconds",
        "The receiver writes elsewhere: give receiver and job the same webhook_inbox.",
    )


async def _why_not_taken(
    address: HookAddress, task_uuid: str, transport: Transport | None
) -> WebhookUnreachable | None:
    # As long as that of a task: where the clocks differ by less, its calls are taken, too.
    url = address.of(task_uuid, int(time.time()) + GRACE_S)
    item = {
        "taskType": "textInference",
        "taskUUID": task_uuid,
        "status": "success",
        "text": "",
        "finishReason": "stop",
    }
    try:
        async with ReceiverClient(address.public_url, transport=transport) as client:
            status = await client.call(url, json.dumps(item).encode(), ANSWERED_WITHIN_S)
    except (NotSent, Lost) as error:
        return _unreachable(f"{error}", _SET_UP)
    if status == 204:
        return None
    what, remedy = _OF_STATUS.get(status, ("which no receiver of ours would", _NO_RECEIVER))
    return _unreachable(f"{_host(address)} answered HTTP {status}: {what}", remedy)


async def _appears(folder: InboxFolder, task_uuid: str, before: AbstractSet[str]) -> bool:
    """Whether the call comes into the inbox in time; its file is removed where nothing else is in it."""
    seen = set(before)
    until = time.monotonic() + APPEARS_WITHIN_S
    while True:
        try:
            found = await asyncio.to_thread(_find, folder, task_uuid, seen)
        except OSError:
            found = False
        if found or time.monotonic() >= until:
            return found
        await asyncio.sleep(LOOK_EVERY_S)


def _find(folder: InboxFolder, task_uuid: str, seen: set[str]) -> bool:
    for file in folder.files():
        if file.path in seen:
            continue
        seen.add(file.path)
        try:
            calls = folder.read(file.path)
        except (FileNotFoundError, StateUnreadable):
            continue
        if any(task_uuid.encode() in call.body for call in calls):
            if len(calls) == 1:
                # Where it may not be removed, the job goes on: whoever empties the inbox at its end says so.
                with contextlib.suppress(OSError):
                    folder.remove([file.path])
            return True
    return False


def _host(address: HookAddress) -> str:
    return urlsplit(address.public_url).netloc


def _unreachable(what: str, remedy: str) -> WebhookUnreachable:
    return WebhookUnreachable(f"the vendor could not bring answers: {what}", remedy=remedy)
