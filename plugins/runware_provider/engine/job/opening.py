"""The first verb: open a job. Everything that can be refused is refused here, before anything is paid."""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runware_provider.engine.api.client import check_endpoint
from runware_provider.engine.dataset.arrow_memory import take_from_the_system
from runware_provider.engine.dataset.published_manifest import read_manifest
from runware_provider.engine.errors import BadInput, NothingToDo
from runware_provider.engine.job.inboxes import Inboxes
from runware_provider.engine.job.leg import WHOLE, Leg
from runware_provider.engine.job.manifest import Clock
from runware_provider.engine.job.places import check_published, check_schemas, places_checked
from runware_provider.engine.job.prepare import check_empty, failures_state, narrowed, prepare
from runware_provider.engine.job.split_record import present_split
from runware_provider.engine.memory.lease import Lease
from runware_provider.engine.memory.ledger import Ledger
from runware_provider.engine.memory.ledger_sums import LedgerSums
from runware_provider.engine.memory.state_folder import generation_of, open_job, wish_of
from runware_provider.engine.plain_text import wrapped
from runware_provider.engine.storage.stores import Stores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.inbox.folder import InboxFolder
    from runware_provider.engine.inbox.settings import WebhookSettings
    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.memory.state_folder import JobIdentity
    from runware_provider.engine.spec import Spec
    from runware_provider.engine.storage.stores import Version

    Published = tuple[dict[str, Any], Version]
    """A manifest and its version."""

log = logging.getLogger(__name__)

LARGE_ROWS = 5_000


@dataclass(kw_only=True)
class OpenedJob:
    """A job whose state is read, and of which nothing can be refused any more."""

    prepared: Prepared
    identity: JobIdentity
    lease: Lease
    """Held for as long as the job is open."""
    generation: int
    """In which new questions are asked."""
    ledger: Ledger
    published: Mapping[str, Any]
    """The manifest that this run will replace; empty for the first one."""
    previous: Version | None
    """The version of `published`: the publish replaces that one and no other."""
    previous_failures: Version | None
    """The same of the manifest of the dataset of failures."""
    publishes: bool
    """Whether its rows are to be published; those of a preview are not."""
    started_at: str
    """In UTC."""
    of_shards: LedgerSums = field(default_factory=LedgerSums)
    """As of `Place`."""
    inboxes: Inboxes | None = None
    """As of `Place`."""
    may_resend_at: float
    """When what a process before may have sent may be sent again, in seconds as of `time.monotonic`."""
    began: float = field(default_factory=time.monotonic)
    publish_id: str = field(default_factory=lambda: secrets.token_hex(6))
    rows_are_behind: bool = False
    """Whether the ledger has learnt an answer that the rows of this run do not show: the next run makes them anew."""

    @property
    def inbox(self) -> InboxFolder | None:
        """What the vendor has brought for it; None where answers come otherwise."""
        return self.inboxes.folder(self.identity.job_id) if self.inboxes is not None else None

    @property
    def is_large(self) -> bool:
        """Whether the rows are so many that it pays to go through all objects of this process on their account.

        In a process of Airflow's that takes 100 ms.
        """
        return self.prepared.records * self.prepared.spec.samples >= LARGE_ROWS

    @property
    def paid_usd(self) -> float:
        """By this run so far, with all its tries, also where it was at work in shards before; as far as it was priced."""
        return self.ledger.paid + self.of_shards.paid.cost

    def clock(self) -> Clock:
        """When it began, and what time it is now."""
        return Clock(self.started_at, timestamp(), round(time.monotonic() - self.began, 3))

    def close(self) -> None:
        """Forget what was read; the state folder keeps everything."""
        self.ledger.close()


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a job is to work, once all that can be refused without its state is refused."""

    prepared: Prepared
    identity: JobIdentity
    lease: Lease
    """Not yet taken."""
    published: Published | None
    """As it was found."""
    publishes: bool
    started_at: str
    inboxes: Inboxes | None = None
    """Where the vendor brings the answers; None where they come otherwise."""
    of_shards: LedgerSums = field(default_factory=LedgerSums)
    """What the ledgers of shards have come to that the place once had."""

    @property
    def version(self) -> Version | None:
        """Of the manifest as it was found; None where there was none."""
        return self.published[1] if self.published is not None else None


def check_run(
    spec: Spec,
    endpoint: Endpoint,
    *,
    preview: int | None,
    stores: Stores | None,
    webhooks: WebhookSettings | None = None,
) -> Place:
    """Open the source by its footers, and the destination; nothing is sent.

    Args:
        spec: what the user asked for.
        endpoint: where the API answers.
        preview: only so many records, whose rows are not published; None for all.
        stores: opens the stores that the paths name; by default with what the environment says.
        webhooks: where the vendor is to bring answers; needed only where the spec wants that.

    Raises:
        BadInput: names what is wrong and what to do.
        NothingToDo: the source is empty and `publish.on_empty` is `skip`.
        StateUnreadable: the state folder cannot be read.
    """
    check_endpoint(endpoint)
    take_from_the_system()
    started_at = timestamp()
    stores = stores or Stores()
    inboxes = Inboxes.of(spec, webhooks, stores)
    prepared = prepare(spec, stores)
    check_empty(prepared)
    if preview is not None:
        prepared = narrowed(prepared, preview)
    for warning in prepared.warnings:
        for line in wrapped("Warning", f"{warning}."):
            log.warning("%s", line)
    if prepared.records == 0 and spec.publish.on_empty == "skip":
        raise NothingToDo(f"{spec.source} holds no record")
    storage, folder = prepared.storage, prepared.state_folder
    published = check_published(prepared)
    check_schemas(prepared, published[0] if published else {})
    with places_checked(spec):
        storage.check_conditions(folder)
        identity = open_job(storage, folder, spec.destination, started_at, service=endpoint.service)
    check_service(identity, endpoint, folder)
    if preview is not None:
        _check_not_in_shards(prepared)
    return Place(
        prepared=prepared,
        identity=identity,
        lease=Lease(storage, folder, for_s=spec.limits.lease_s),
        published=published,
        publishes=preview is None,
        started_at=started_at,
        inboxes=inboxes,
    )


def open_run(place: Place, *, waited: bool, leg: Leg = WHOLE) -> OpenedJob:
    """Read the state of a job whose lease is held, or begin it.

    Args:
        place: with the lease.
        waited: whether another run had the lease first.
        leg: which of several this process is; by default it does the whole run.

    Raises:
        BadInput: names what is wrong and what to do.
        StateUnreadable: the state folder cannot be read.
    """
    began = time.monotonic()
    prepared = place.prepared
    spec, storage, folder = prepared.spec, prepared.storage, prepared.state_folder
    published = check_published(prepared)
    # Since the first leg began, others may have had the lease while nobody of this run was at work.
    if leg.goes_on:
        check_still_the_same(prepared, leg.published)
    elif waited:
        check_still_the_same(prepared, place.version)
    for change in check_schemas(prepared, published[0] if published else {}):
        for line in wrapped("Warning", f"{change}."):
            log.warning("%s", line)
    with places_checked(spec):
        wish = wish_of(spec.refresh, spec.retry_failed)
        generation = generation_of(storage, folder, wish, place.started_at)
    failures = read_manifest(storage, failures_state(prepared)) if prepared.failures_folder else None
    return OpenedJob(
        prepared=prepared,
        identity=place.identity,
        lease=place.lease,
        may_resend_at=began + place.lease.may_resend_after_s,
        generation=generation,
        ledger=Ledger(storage, storage.join(folder, "ledger"), run=spec.run),
        published=published[0] if published else {},
        previous=published[1] if published else None,
        previous_failures=failures[1] if failures else None,
        publishes=place.publishes,
        started_at=place.started_at,
        inboxes=place.inboxes,
        of_shards=place.of_shards,
    )


def check_still_the_same(prepared: Prepared, before: Version | None) -> None:
    """Of runs at once with different sources for one dataset, the later one would replace the rows of the first.

    One run after the other with another source replaces them, too, but then somebody wished it.

    Args:
        prepared: the job, of whose place the lease is held.
        before: the version of the manifest that this run found when it began; None where it found none.

    Raises:
        BadInput: another source was published meanwhile.
    """
    published = check_published(prepared)
    if published is None or before == published[1]:
        return
    source = str(published[0].get("source", ""))
    if source != prepared.spec.source:
        raise BadInput(
            "source",
            f"while this run waited for another one, that run published {source} in {prepared.folder}, and this run would"
            f" put {prepared.spec.source} in its place",
            "Give each source a destination or a partition of its own, or run them one after the other",
        )


def _check_not_in_shards(prepared: Prepared) -> None:
    """What a shard has under way a preview would ask, and pay for, beside it."""
    split = present_split(prepared.storage, prepared.state_folder)
    if split is not None and split.state != "left":
        raise BadInput(
            "preview",
            f"{prepared.folder} is cut into shards, which may be at work",
            "Look at a few records before the split, or into another destination",
        )


def check_service(identity: JobIdentity, endpoint: Endpoint, folder: str) -> None:
    """Answers of a stand-in must never pass for those of the real service, nor the other way round."""
    if identity.service and identity.service != endpoint.service:
        raise BadInput(
            "base URL",
            f"it leads to {endpoint.service}, but the answers in {folder} came from {identity.service}",
            "Choose another destination for another service",
        )


def timestamp() -> str:
    """Now, in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
