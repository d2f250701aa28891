"""Webhooks that a receiver of ours puts into an inbox of this check alone."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self
from uuid import uuid4

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.inbox.addresses import HookAddress
from runware_provider.engine.inbox.folder import InboxFolder
from runware_provider.engine.inbox.settings import VARIABLES, WebhookSettings, texts_in
from runware_provider.engine.job.hook_probe import why_no_call_arrives
from runware_provider.engine.storage.stores import Stores

if TYPE_CHECKING:
    from collections.abc import Mapping

LIVES_S: Final = 900
"""Seconds for which a URL is good: longer than a check takes, with clocks that differ."""


@dataclass(frozen=True)
class InboxHook:
    """A receiver, and the inbox where it puts what it was called with.

    Attributes:
        address: where the vendor is to call.
        folder: the inbox.
        read: the calls of the files that were read, by path.
    """

    address: HookAddress
    folder: InboxFolder
    read: dict[str, list[bytes]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """A new inbox, by what an environment says of the receiver.

        Raises:
            BadInput: a variable is missing, or cannot be meant so.
        """
        settings = WebhookSettings.from_texts(*texts_in(environment))
        storage = Stores().open(settings.inbox, field=VARIABLES.inbox)
        name = uuid4().bytes
        address = HookAddress(settings.public_url, name.hex(), settings.secrets[0])
        return cls(address, InboxFolder.of(storage, settings.inbox, name))

    async def check(self) -> None:
        """Call the receiver as the vendor would, so that a receiver in trouble is not taken for a vendor that never calls.

        Raises:
            WebhookUnreachable: nothing came into the inbox.
        """
        why = await why_no_call_arrives(self.address, self.folder)
        if why is not None:
            raise why

    def url_for(self, task_uuid: str) -> str:
        """The `webhookURL` of a task."""
        return self.address.of(task_uuid, int(time.time()) + LIVES_S)

    async def bodies(self) -> list[bytes]:
        """The bodies of all calls so far; a store that cannot be reached now is asked again the next time."""
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self._read_new)
        return [body for calls in self.read.values() for body in calls]

    def _read_new(self) -> None:
        for file in self.folder.files():
            if file.path not in self.read:
                self.read[file.path] = self._bodies_in(file.path)

    def _bodies_in(self, path: str) -> list[bytes]:
        try:
            return [call.body for call in self.folder.read(path)]
        # Nobody else knows this inbox: what it holds that cannot be read is no call of ours.
        except (FileNotFoundError, StateUnreadable):
            return []

    def close(self) -> None:
        """Remove what came: nobody needs it any more.

        Raises:
            OSError: the store could not be reached.
        """
        self.folder.remove([file.path for file in self.folder.files()])
