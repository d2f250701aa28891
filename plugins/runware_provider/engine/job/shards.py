"""A job in shards: cut the source, have any number of workers ask, publish what they staged.

A shard is a job of its own, with a state folder, a ledger and a lease; nothing is shared while shards are at work. Each
verb is called from any process, and takes from the one before what lies in the state folder alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runware_provider.engine.dataset.published_manifest import read_manifest
from runware_provider.engine.dataset.source import rows_in
from runware_provider.engine.dataset.staging import staged_files
from runware_provider.engine.errors import BadInput, Overtaken, StateUnreadable, TooManyFailed
from runware_provider.engine.job.asking import ask
from runware_provider.engine.job.cutting import LEAST_ROWS, bytes_of, cut, number_of_shards, split_id
from runware_provider.engine.job.failure_watch import FailureWatch
from runware_provider.engine.job.manifest import Clock
from runware_provider.engine.job.opening import (
    OpenedJob,
    check_run,
    check_service,
    check_still_the_same,
    timestamp,
)
from runware_provider.engine.job.places import check_published
from runware_provider.engine.job.prepare import digest_of, failures_state
from runware_provider.engine.job.publishing import LedgerAccounts, Publication, publish_staged
from runware_provider.engine.job.shard_done import Done, done_path, is_done, read_done, staged_of, write_done
from runware_provider.engine.job.split_record import Split, Wish, present_split, set_split, shard_folder
from runware_provider.engine.job.staged import Staged
from runware_provider.engine.job.taking_over import Old, TakingOver, summed
from runware_provider.engine.job.tidying import tidy
from runware_provider.engine.memory.lease import Lease
from runware_provider.engine.memory.lease_keeping import held
from runware_provider.engine.memory.ledger import Ledger
from runware_provider.engine.memory.state_folder import generation_of, open_job, wish_of
from runware_provider.engine.outcome.rows import FAILED, Counts, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runware_provider.engine.api.client import Transport
    from runware_provider.engine.job.opening import Place
    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.job.progress import Progress
    from runware_provider.engine.memory.ledger_sums import Of, Totals
    from runware_provider.engine.spec import Budget, Endpoint, Spec
    from runware_provider.engine.storage.stores import Storage, Stores

SHARDS = 16
GRACE_S = 600.0
"""For which staged rows stay that a newer `done` has replaced: a publish may be reading them."""
LABEL_CHARS = 60
SPLIT_AGAIN = "Split again"


# split


async def split_shards(  # noqa: PLR0913 - by keyword, each a fact of its own
    spec: Spec,
    endpoint: Endpoint,
    *,
    shards: int = SHARDS,
    least_rows: int = LEAST_ROWS,
    stop: asyncio.Event | None = None,
    stores: Stores | None = None,
    transport: Transport | None = None,
) -> list[dict[str, Any]]:
    """Cut the source into shards, by its footers; the same source is cut as before.

    Args:
        spec: what the user asked for.
        endpoint: where the API answers; it is asked only where an earlier run left something in doubt.
        shards: how many, at most.
        least_rows: of a shard, about.
        stop: when set, it ends with Interrupted.
        stores: opens the stores that the paths name; by default with what the environment says.
        transport: carries the HTTP requests; a real network by default.

    Returns:
        Of each shard a small dict: `split`, `shard` (its number) and a `label` for a person.

    Raises:
        BadInput: nothing was sent.
        NothingToDo: the source is empty and `on_empty` is `skip`.
        JobStopped: another run is at work on the place, or the API does not say what became of what was in doubt.
        StateUnreadable: the state folder cannot be read.
    """
    stop = stop or asyncio.Event()
    _check_shards(spec, shards, least_rows)
    place = await asyncio.to_thread(check_run, spec, endpoint, preview=None, stores=stores)
    async with held(place.lease, most_s=spec.limits.lease_wait_s, stop=stop) as waited:
        if waited:
            await asyncio.to_thread(check_still_the_same, place)
        split = await asyncio.to_thread(_cut, place, shards, least_rows)
        present = present_split(place.prepared.storage, place.prepared.state_folder)
        if present is not None and (present.split, present.state) == (split.split, "ready"):
            # Nothing moves from one shard to another, whatever is wished of them now.
            split = replace(present, wish=split.wish, spent_usd=0.0, spent_tokens=0)
        else:
            split = await _prepared(
                split, present, place, TakingOver(place.prepared, endpoint, stop, transport)
            )
        set_split(place.prepared.storage, place.prepared.state_folder, split)
    return [
        {"split": split.split, "shard": number, "label": _label(split, number, spec.source)}
        for number in range(len(split.shards))
    ]


def _check_shards(spec: Spec, shards: int, least_rows: int) -> None:
    for name, number in (("shards", shards), ("least_rows", least_rows)):
        if number < 1:
            raise BadInput(name, f"it is {number}", "Give 1 or more")
    if spec.limit is not None and spec.filters:
        raise BadInput(
            "limit",
            "with filters nobody knows by the footers which rows are the first ones, so that they cannot be cut into shards",
            "Leave out limit or filters, or use one plain run",
        )


def _cut(place: Place, shards: int, least_rows: int) -> Split:
    prepared = place.prepared
    files = prepared.dataset.files
    number = number_of_shards(prepared.records, shards, least_rows)
    cuts = cut(prepared.ranges, files, number) if prepared.ranges else [()]
    return Split(
        split=split_id(files, cuts),
        state="preparing",
        shards=[list(part) for part in cuts],
        bytes=[bytes_of(part, files) for part in cuts],
        wish=_wish(prepared, place.started_at),
        folders=len(cuts),
        takes_over=False,
    )


def _wish(prepared: Prepared, at: str) -> Wish:
    spec = prepared.spec
    wish = wish_of(spec.refresh, spec.retry_failed)
    generation = generation_of(prepared.storage, prepared.place_state, wish, at)
    return Wish(prepared.digests, _digest_of_rows(spec), generation)


def _digest_of_rows(spec: Spec) -> str:
    """Of what chooses records and shapes rows, beside the request."""
    parts = (
        spec.filters,
        spec.limit,
        spec.samples,
        spec.columns,
        spec.flatten,
        spec.keep_raw,
        spec.max_input_tokens,
        spec.failures,
        spec.retry_failed,
        spec.limits.max_prompt_chars,
        sorted(spec.variables.items(), key=lambda item: item[0]),
        spec.structured.model_dump(mode="json"),
    )
    return digest_of(repr(parts))


async def _prepared(split: Split, present: Split | None, place: Place, taking_over: TakingOver) -> Split:
    """The split, once all ledgers of the place are settled: another shard may ask now what one of them asked."""
    storage, folder = place.prepared.storage, place.prepared.state_folder
    folders = max(split.folders, present.folders if present is not None else 0)
    split = replace(split, folders=folders)
    # Shards that are at work see this at the latest with the next renewal of their leases, and stop.
    set_split(storage, folder, split)
    of_place = await taking_over.place(place.lease)
    of_shards = [await taking_over.shard(number) for number in range(folders)]
    # Those that no shard of this split writes to stay as they are, and are in no shard's sums.
    unused: list[Old] = [of_place, *of_shards[len(split.shards) :]]
    paid = summed(old.paid for old in unused)
    return replace(
        split,
        state="ready",
        takes_over=any(old.ever.inferences or old.ever.reused for old in (of_place, *of_shards)),
        spent_usd=paid.cost,
        spent_tokens=paid.prompt_tokens + paid.completion_tokens,
        ever=summed(old.ever for old in unused),
    )


def _label(split: Split, number: int, source: str) -> str:
    """What a person sees of a shard: its files, as they lie below the source, and its rows."""
    ranges = split.shards[number]
    if not ranges:
        return "no rows"
    folder = f"{source.rstrip('/')}/"
    below = [part.path.removeprefix(folder) for part in (ranges[0], ranges[-1])]
    first, last = (path if len(path) <= LABEL_CHARS // 2 else path.rpartition("/")[2] for path in below)
    names = first if first == last else f"{first} to {last}"
    return f"{names:.{LABEL_CHARS}} · {rows_in(ranges):,} rows"


# infer


async def infer_shard(  # noqa: PLR0913 - by keyword, each a fact of its own
    spec: Spec,
    endpoint: Endpoint,
    *,
    split: str,
    shard: int,
    report: Callable[[Progress], None] | None = None,
    stop: asyncio.Event | None = None,
    stores: Stores | None = None,
    transport: Transport | None = None,
) -> dict[str, Any]:
    """Give every record of a shard its outcome, and stage its rows; what is done already is not asked again.

    Args:
        spec: as for `split_shards`.
        endpoint: where the API answers.
        split: the split's id.
        shard: the shard's number in it.
        report: called about once a second.
        stop: when set, the shard keeps what it has and raises Interrupted.
        stores: opens the stores that the paths name.
        transport: carries the HTTP requests; a real network by default.

    Returns:
        A small dict of counts and sums, for XCom.

    Raises:
        BadInput: the source or the request changed since the split, or there is no such shard; nothing was sent.
        JobStopped: with a `manifest` attribute that says how far it came.
        StateUnreadable: the state folder cannot be read.
    """
    stop = stop or asyncio.Event()
    place = await asyncio.to_thread(check_run, spec, endpoint, preview=None, stores=stores)
    prepared, storage = place.prepared, place.prepared.storage
    current = await asyncio.to_thread(_current, prepared, split, shard)
    folder = shard_folder(storage, prepared.state_folder, shard)
    done = await asyncio.to_thread(_done, storage, folder, current)
    if done is not None:
        return _told(done, asked=False)
    lease = Lease(storage, folder, for_s=spec.limits.lease_s)
    wanted = _Wanted(storage, prepared.state_folder, current)
    identity = await asyncio.to_thread(
        open_job, storage, folder, spec.destination, place.started_at, service=endpoint.service
    )
    check_service(identity, endpoint, folder)
    async with held(lease, most_s=spec.limits.lease_wait_s, stop=stop, wanted=wanted):
        # While this one waited, the split may have been replaced, or another process may have done the shard.
        current = await asyncio.to_thread(_current, prepared, split, shard)
        done = await asyncio.to_thread(_done, storage, folder, current)
        if done is not None:
            return _told(done, asked=False)
        job = await asyncio.to_thread(_opened, place, current, shard, lease, identity.job_id)
        try:
            staged = await ask(job, endpoint, report=report, stop=stop, transport=transport)
            return await asyncio.to_thread(_finish, job, staged, current, shard, wanted)
        finally:
            job.close()


@dataclass(frozen=True)
class _Wanted:
    """Whether a shard's work is still wished; it is not once the place is cut anew, or left by a plain run."""

    storage: Storage
    place: str
    split: Split

    def __call__(self) -> bool:
        present = present_split(self.storage, self.place)
        return present is not None and (present.split, present.state) == (self.split.split, "ready")


def _current(prepared: Prepared, split: str, shard: int) -> Split:
    """The split, if it is that one, is ready, and fits what is asked and the source.

    Raises:
        BadInput: it does not.
    """
    present = present_split(prepared.storage, prepared.place_state)
    if present is None or present.split != split:
        raise BadInput("split", f"{prepared.place_state} has no split {split!r:.20} (any more)", SPLIT_AGAIN)
    if present.state != "ready":
        who = (
            "a plain run took over" if present.state == "left" else "a split was interrupted, or is under way"
        )
        raise BadInput("split", f"{split} is not to be worked on: {who}", SPLIT_AGAIN)
    if not 0 <= shard < len(present.shards):
        raise BadInput("shard", f"it is {shard}", f"The split has the shards 0 to {len(present.shards) - 1}")
    if split_id(prepared.dataset.files, present.shards) != split:
        raise BadInput("source", f"{prepared.spec.source} changed since it was cut into shards", SPLIT_AGAIN)
    wish = present.wish
    if (wish.request, wish.rows) != (prepared.digests, _digest_of_rows(prepared.spec)):
        raise BadInput("split", "what is asked changed since the source was cut into shards", SPLIT_AGAIN)
    return present


def _done(storage: Storage, folder: str, current: Split) -> Done | None:
    """What the shard came to, if it did what is wished now."""
    done = read_done(storage, folder, current.split)
    return done if done is not None and done.wish == current.wish else None


def _opened(place: Place, current: Split, shard: int, lease: Lease, job_id: bytes) -> OpenedJob:
    began = time.monotonic()
    whole = place.prepared
    storage, spec = whole.storage, whole.spec
    folder = shard_folder(storage, whole.state_folder, shard)
    prepared = replace(
        whole,
        spec=spec.model_copy(update={"budget": _part_of_budget(spec.budget, current, shard), "limit": None}),
        ranges=tuple(current.shards[shard]),
        state_folder=folder,
        place=whole.state_folder,
        has_siblings=current.takes_over,
    )
    return OpenedJob(
        prepared=prepared,
        identity=replace(place.identity, job_id=job_id),
        lease=lease,
        may_resend_at=began + lease.may_resend_after_s,
        generation=current.wish.generation,
        ledger=Ledger(storage, storage.join(folder, "ledger"), run=spec.run),
        published=place.published[0] if place.published else {},
        previous=None,
        previous_failures=None,
        publishes=True,
        started_at=place.started_at,
    )


def _part_of_budget(budget: Budget | None, current: Split, shard: int) -> Budget | None:
    """A shard may spend of the rest what its bytes are of all; what it leaves unspent no other shard has."""
    if budget is None:
        return None
    share = (current.bytes[shard] + 1) / (sum(current.bytes) + len(current.bytes))
    usd = None if budget.usd is None else max(budget.usd - current.spent_usd, 1e-12) * share
    tokens = None
    if budget.tokens is not None:
        tokens = max(1, int(max(0, budget.tokens - current.spent_tokens) * share))
    return budget.model_copy(update={"usd": usd, "tokens": tokens})


def _finish(job: OpenedJob, staged: Staged, current: Split, shard: int, wanted: _Wanted) -> dict[str, Any]:
    storage, folder = job.prepared.storage, job.prepared.state_folder
    if job.lease.lost or not wanted():
        staged.discard(storage)
        raise Overtaken("the source was cut anew, or another run took over; what was answered is kept")
    accounts = LedgerAccounts(job.ledger, job.identity.job_id)
    done = Done(
        split=current.split,
        shard=shard,
        wish=current.wish,
        batches=staged.batches,
        failed_batches=staged.failed_batches,
        counts=staged.counts,
        used=accounts.totals("used"),
        paid=accounts.totals("fresh"),
        ever=accounts.totals("all"),
        unpriced=accounts.unpriced_tasks(),
    )
    write_done(storage, folder, done)
    _sweep(storage, folder, done)
    tidy(job)
    return _told(done, asked=True)


def _sweep(storage: Storage, folder: str, done: Done) -> None:
    """Remove what earlier wishes, other splits and dead processes left; what fails here, the next one removes."""
    kept = {batch.path for batch in staged_of(done)}
    with contextlib.suppress(OSError):
        for entry in storage.list(folder, recursive=False, links=False):
            if is_done(entry.path) and entry.path != done_path(storage, folder, done.split):
                storage.delete(entry.path)
        for place in (folder, storage.join(folder, "failures")):
            for entry in staged_files(storage, place):
                old = entry.modified is not None and entry.modified < time.time() - GRACE_S
                if old and entry.path not in kept:
                    storage.delete(entry.path)


def _told(done: Done, *, asked: bool) -> dict[str, Any]:
    return {
        "split": done.split,
        "shard": done.shard,
        "rows": done.counts.rows,
        "outcomes": dict(sorted(done.counts.outcomes.items())),
        "paid_inferences": done.paid.answered if asked else 0,
        "paid_usd": done.paid.cost if asked else 0.0,
    }


# publish


async def publish_shards(
    spec: Spec,
    endpoint: Endpoint,
    *,
    split: str,
    stop: asyncio.Event | None = None,
    stores: Stores | None = None,
) -> dict[str, Any]:
    """Publish what all shards have staged, in the input's order; returns the manifest. Nothing is sent.

    Args:
        spec: as for `split_shards`.
        endpoint: whose answers these are.
        split: the split's id.
        stop: when set while it waits for another run, it ends with Interrupted.
        stores: opens the stores that the paths name.

    Raises:
        BadInput: shards are not done, which it names; or the source or the request changed since the split.
        TooManyFailed: more rows failed than `max_failed` allows, over all shards.
        JobStopped: another run is at work on the place, or took over.
        PublishConflict: somebody else published meanwhile.
        StateUnreadable: the state folder cannot be read.
    """
    stop = stop or asyncio.Event()
    began = time.monotonic()
    place = await asyncio.to_thread(check_run, spec, endpoint, preview=None, stores=stores)
    async with held(place.lease, most_s=spec.limits.lease_wait_s, stop=stop) as waited:
        if waited:
            await asyncio.to_thread(check_still_the_same, place)
        return await asyncio.to_thread(_publish, place, split, began)


def _publish(place: Place, split: str, began: float) -> dict[str, Any]:
    prepared, storage = place.prepared, place.prepared.storage
    current = _current(prepared, split, 0)
    dones = _all_done(prepared, current)
    counts = Counts()
    for done in dones:
        counts.add(done.counts)
    _check_rows(prepared, counts)
    _check_failed(prepared.spec, counts)
    published = check_published(prepared)
    failures = read_manifest(storage, failures_state(prepared)) if prepared.failures_folder else None
    publication = Publication(
        prepared=prepared,
        lease=place.lease,
        published=published[0] if published else {},
        previous=published[1] if published else None,
        previous_failures=failures[1] if failures else None,
        generation=current.wish.generation,
        accounts=_AccountsOfShards(current, dones),
        clock=lambda: Clock(place.started_at, timestamp(), round(time.monotonic() - began, 3)),
        still_wanted=_Wanted(storage, prepared.state_folder, current),
    )
    batches = [batch for done in dones for batch in done.batches]
    failed = [batch for done in dones for batch in done.failed_batches]
    return publish_staged(publication, Staged(batches, failed, counts))


def _all_done(prepared: Prepared, current: Split) -> list[Done]:
    storage = prepared.storage
    dones: list[Done] = []
    missing: list[int] = []
    for number in range(len(current.shards)):
        done = _done(storage, shard_folder(storage, prepared.state_folder, number), current)
        if done is None:
            missing.append(number)
        else:
            dones.append(done)
    if missing:
        named = ", ".join(map(str, missing[:20])) + (" and more" if len(missing) > 20 else "")
        raise BadInput(
            "split",
            f"{len(missing)} of {len(current.shards)} shards are not done: {named}",
            "Infer them first; what is answered is not paid for again",
        )
    return dones


def _check_rows(prepared: Prepared, counts: Counts) -> None:
    """Every record has its outcome: with filters the shards alone know which are chosen."""
    whole = prepared.row_filter is None
    if counts.rows != counts.records * prepared.spec.samples or (
        whole and counts.records != prepared.records
    ):
        raise StateUnreadable(
            f"the shards have {counts.rows:,} rows of {counts.records:,} records, and the source has"
            f" {prepared.records:,}; remove {prepared.state_folder}/split.json and split again"
        )


def _check_failed(spec: Spec, counts: Counts) -> None:
    watch = FailureWatch(spec.max_failed, counts.rows)
    for outcome, rows in counts.outcomes.items():
        if outcome == Outcome.SKIPPED:
            watch.left_out(rows)
        elif rows:
            watch.saw(outcome in FAILED, times=rows)
    reason = watch.beyond_at_the_end()
    if reason is not None:
        raise TooManyFailed(f"{reason}; nothing was published")


@dataclass(frozen=True)
class _AccountsOfShards:
    """What all ledgers of the place come to."""

    split: Split
    dones: Sequence[Done]

    def totals(self, of: Of = "used") -> Totals:
        """Over what the rows show, over what the runs of the shards paid, or over everything."""
        if of == "used":
            return summed(done.used for done in self.dones)
        if of == "fresh":
            return summed(done.paid for done in self.dones)
        return summed([self.split.ever, *(done.ever for done in self.dones)])

    def unpriced_tasks(self) -> list[str]:
        """The UUIDs of the tasks whose cost nobody knows."""
        return [name for done in self.dones for name in done.unpriced]
