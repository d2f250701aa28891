"""The first verb of a job in shards: cut the source, and settle what other ledgers of the place have in doubt.

A shard is a job of its own, with a state folder, a ledger and a lease; nothing is shared while shards are at work. Each
verb is called from any process, and takes from the one before what lies in the state folder alone.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runware_provider.engine.dataset.source import rows_in
from runware_provider.engine.errors import BadInput
from runware_provider.engine.job.current_split import budget_digest, wish_for
from runware_provider.engine.job.cutting import bytes_of, cut, split_id
from runware_provider.engine.job.opening import (
    check_run,
    check_still_the_same,
)
from runware_provider.engine.job.recorded import Ending
from runware_provider.engine.job.recorder import EVERY_S, Recorder, recorded
from runware_provider.engine.job.shard_counts import LEAST_ROWS, SHARDS, check_counts, number_of_shards
from runware_provider.engine.job.split_record import PLACE, Allowance, Split, present_split, set_split
from runware_provider.engine.job.taking_over import TakingOver, paid_by_run, rest_of_budget, summed
from runware_provider.engine.memory.lease_keeping import held
from runware_provider.engine.memory.ledger_sums import Totals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.api.client import Transport
    from runware_provider.engine.dataset.source import FileRange
    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.inbox.settings import WebhookSettings
    from runware_provider.engine.job.opening import Place
    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.spec import Budget, Spec
    from runware_provider.engine.storage.stores import Stores

LABEL_CHARS = 60


async def split_shards(  # noqa: PLR0913 - by keyword, each a fact of its own
    spec: Spec,
    endpoint: Endpoint,
    *,
    shards: int = SHARDS,
    least_rows: int = LEAST_ROWS,
    stop: asyncio.Event | None = None,
    stores: Stores | None = None,
    webhooks: WebhookSettings | None = None,
    transport: Transport | None = None,
    recorded_every_s: float = EVERY_S,
) -> list[dict[str, Any]]:
    """Cut the source into shards, by its footers; the same source is cut as before.

    Args:
        spec: what the user asked for.
        endpoint: where the API answers; it is asked only where an earlier run left something in doubt.
        shards: how many, at most.
        least_rows: of a shard, about.
        stop: when set, it ends with Interrupted.
        stores: opens the stores that the paths name; by default with what the environment says.
        webhooks: where the vendor is to bring answers; needed only where the spec wants that.
        transport: carries the HTTP requests; a real network by default.
        recorded_every_s: seconds between two records of how far it is, at most (docs/decisions/0020).

    Returns:
        Of each shard a small dict: `split`, `shard` (its number, from 0), `rows` (of the source) and a `label` for a
        person.

    Raises:
        BadInput: nothing was sent.
        NothingToDo: the source is empty and `publish.on_empty` is `skip`.
        JobStopped: another run is at work on the place, or the API does not say what became of what was in doubt.
        StateUnreadable: the state folder cannot be read.
    """
    stop = stop or asyncio.Event()
    check_counts(shards=shards, least_rows=least_rows)
    _check_choice(spec)
    place = await asyncio.to_thread(check_run, spec, endpoint, preview=None, stores=stores, webhooks=webhooks)
    recorder = Recorder.of(
        place.prepared,
        place.started_at,
        asked=spec,
        lease=place.lease,
        every_s=recorded_every_s,
    )
    async with (
        recorded(recorder),
        held(place.lease, most_s=spec.limits.lease_wait_s, stop=stop) as waited,
    ):
        if waited:
            await asyncio.to_thread(check_still_the_same, place.prepared, place.version)
        split = await asyncio.to_thread(_cut, place, shards, least_rows)
        present = present_split(place.prepared.storage, place.prepared.state_folder)
        if present is not None and (present.split, present.state) == (split.split, "ready"):
            # Nothing moves from one shard to another, whatever is wished of them now.
            split = replace(split, state="ready", turn=present.turn, old=present.old, folders=present.folders)
        else:
            taking_over = TakingOver(place.prepared, endpoint, stop, transport, place.inboxes)
            split = await _settled(split, present, place, taking_over)
        split = await asyncio.to_thread(_with_allowances, split, present, place.prepared)
        set_split(place.prepared.storage, place.prepared.state_folder, split)
        # The run goes on in its shards, and ends with the publish.
        recorder.ended(Ending("running"))
    return [
        {
            "split": split.split,
            "shard": number,
            "rows": rows_in(ranges),
            "label": _label(ranges, spec.source),
        }
        for number, ranges in enumerate(split.shards)
    ]


def _check_choice(spec: Spec) -> None:
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
        wish=wish_for(prepared, place.started_at),
        turn=secrets.token_hex(6),
        old=[],
        folders=len(cuts),
        budget=budget_digest(prepared.spec),
    )


async def _settled(split: Split, present: Split | None, place: Place, taking_over: TakingOver) -> Split:
    """The split, once all ledgers of the place are settled: another shard may ask now what one of them asked."""
    storage, folder = place.prepared.storage, place.prepared.state_folder
    split = replace(split, folders=max(split.folders, present.folders if present is not None else 0))
    # Shards that are at work see this at the latest with the next renewal of their leases, and stop.
    set_split(storage, folder, split)
    known = {PLACE: await taking_over.place(place.lease)}
    for number in range(split.folders):
        known[number] = await taking_over.shard(number)
    # Spent attempts are told of, too: their UUIDs are used up.
    old = [number for number, totals in known.items() if totals != Totals()]
    return replace(split, state="ready", old=old)


def _with_allowances(split: Split, present: Split | None, prepared: Prepared) -> Split:
    """Deal out what is left of the run's budget, by bytes; what was dealt out for this run and budget stays."""
    budget = prepared.spec.budget
    if budget is None:
        return split
    if present is not None and (present.split, present.turn, present.budget) == (
        split.split,
        split.turn,
        split.budget,
    ):
        return replace(split, allowances=present.allowances)
    numbers = [PLACE, *range(split.folders)]
    paid = dict(zip(numbers, paid_by_run(prepared, numbers), strict=True))
    rest = rest_of_budget(budget, summed(paid.values()))
    whole = sum(split.bytes) + len(split.bytes)
    allowances = [
        _allowance(rest, (size + 1) / whole, paid[number]) for number, size in enumerate(split.bytes)
    ]
    return replace(split, allowances=allowances)


def _allowance(rest: Budget, share: float, paid: Totals) -> Allowance:
    """A shard's share of the rest, on top of what it has spent already, which its account is charged with."""
    usd = None if rest.usd is None else rest.usd * share + paid.cost
    tokens = None
    if rest.tokens is not None:
        tokens = int(rest.tokens * share) + paid.prompt_tokens + paid.completion_tokens
    return Allowance(usd, tokens)


def _label(ranges: Sequence[FileRange], source: str) -> str:
    """What a person sees of a shard: its files, as they lie below the source, and its rows."""
    if not ranges:
        return "no rows"
    folder = f"{source.rstrip('/')}/"
    below = [part.path.removeprefix(folder) for part in (ranges[0], ranges[-1])]
    first, last = (path if len(path) <= LABEL_CHARS // 2 else path.rpartition("/")[2] for path in below)
    names = first if first == last else f"{first} to {last}"
    return f"{names:.{LABEL_CHARS}} · {rows_in(ranges):,} rows"
