"""Where the vendor brings the answers of a job, by what the settings say of all jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.errors import BadInput
from runware_provider.engine.exchange.calls import Calls
from runware_provider.engine.inbox.addresses import HookAddress
from runware_provider.engine.inbox.folder import InboxFolder

if TYPE_CHECKING:
    from runware_provider.engine.inbox.settings import WebhookSettings
    from runware_provider.engine.spec import Spec
    from runware_provider.engine.storage.port import Storage
    from runware_provider.engine.storage.stores import Stores
    from runware_provider.engine.webhook import Webhook


@dataclass(frozen=True)
class Bringing:
    """How the vendor brings the answers of one job to this process.

    Args:
        address: where he is to call.
        folder: the job's inbox.
        calls: what may be expected of his calls, as far as this process knows by now.
    """

    address: HookAddress
    folder: InboxFolder
    calls: Calls


@dataclass(frozen=True)
class Inboxes:
    """The inboxes of all jobs.

    Args:
        settings: what the receiver knows, too.
        storage: in which they lie.
    """

    settings: WebhookSettings
    storage: Storage

    @classmethod
    def of(cls, spec: Spec, settings: WebhookSettings | None, stores: Stores) -> Inboxes | None:
        """The inboxes where the vendor is to bring the answers; None where they come otherwise.

        Args:
            spec: how the answers are to come.
            settings: what is known of the receiver; None where nothing is.
            stores: opens the store.

        Raises:
            BadInput: answers are to be brought, and nobody knows where to.
        """
        if spec.delivery != "webhook":
            return None
        if settings is None:
            raise BadInput(
                "delivery",
                "'webhook' has the vendor bring the answers, and nothing says where to",
                "Set up a receiver and the three webhook options (docs/how-to/webhooks.md), or choose 'poll'",
            )
        return cls(settings, stores.open(settings.inbox, field="webhook_inbox"))

    def folder(self, job_id: bytes) -> InboxFolder:
        """What was brought for a job."""
        return InboxFolder.of(self.storage, self.settings.inbox, job_id)

    def sweep(self) -> None:
        """Remove what is left of inboxes that are empty, and of receivers that died: on a disk, folders and old temporary files.

        Raises:
            OSError: the store could not be reached.
        """
        self.storage.sweep(self.settings.inbox)

    def bringing(self, job_id: bytes, wish: Webhook) -> Bringing:
        """How the vendor brings the answers of a job.

        Args:
            job_id: of the job.
            wish: what is done about his calls.
        """
        address = HookAddress(self.settings.public_url, job_id.hex(), self.settings.secrets[0])
        return Bringing(address, self.folder(job_id), Calls(wish.overdue_s, verify=wish.verify))
