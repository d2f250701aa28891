"""Where a job works: what lies there already, and whether this job may publish there."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from runware_provider.engine.dataset.destination import check_destination
from runware_provider.engine.dataset.own_parts import own_files
from runware_provider.engine.dataset.partition_schemas import (
    changes_of,
    check_schema,
    note_schema,
    published_schema,
)
from runware_provider.engine.dataset.published_manifest import read_manifest
from runware_provider.engine.errors import BadInput
from runware_provider.engine.job.prepare import failures_state
from runware_provider.engine.memory.state_folder import JobIdentity, below, find_job
from runware_provider.engine.outcome.rows import Outcome
from runware_provider.engine.plain_text import wrapped
from runware_provider.engine.storage.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.spec import Spec
    from runware_provider.engine.storage.stores import StoredFiles, Version

log = logging.getLogger(__name__)


def check_published(prepared: Prepared) -> tuple[dict[str, Any], Version] | None:
    """What is published, with its version, once it is clear that this job may publish there.

    Raises:
        BadInput: there are foreign files, or a dataset that must not be overwritten.
        StateUnreadable: the state folder cannot be read.
    """
    spec = prepared.spec
    with places_checked(spec):
        try:
            published = _seen(prepared)
        except BadInput:
            # Another run may have published between two looks, so that its parts were listed and its manifest was not
            # read. What is foreign is so the next time, too.
            published = _seen(prepared)
    if published is not None and spec.publish.if_exists == "error":
        raise BadInput(
            "destination",
            f"{prepared.folder} is published already",
            "Choose another one, or Publish(if_exists='overwrite')",
        )
    return published


def _seen(prepared: Prepared) -> tuple[dict[str, Any], Version] | None:
    spec, storage, folder = prepared.spec, prepared.storage, prepared.state_folder
    known = find_job(storage, folder)
    if known is not None and spec.memory.state is not None:
        _check_state_is_ours(prepared, known)
    published = read_manifest(storage, folder)
    check_destination(
        storage,
        spec.destination,
        spec.partition,
        own=_own(prepared, folder, published) if known is not None else None,
    )
    if spec.failures.dataset is not None:
        state = failures_state(prepared)
        own = _own(prepared, state, read_manifest(storage, state)) if known is not None else None
        check_destination(storage, spec.failures.dataset, spec.partition, own=own, field="failures.dataset")
    return published


def _own(
    prepared: Prepared, state_folder: str, published: tuple[dict[str, Any], Version] | None
) -> Callable[[str, StoredFiles], Iterable[str]]:
    manifest = None if published is None else published[0]

    def own(folder: str, entries: StoredFiles) -> Iterable[str]:
        return own_files(prepared.storage, folder, state_folder, entries, manifest)

    return own


def check_schemas(prepared: Prepared, published: Mapping[str, Any]) -> list[str]:
    """Refuse a schema that readers of the dataset's partitions would not survive; tell what else changes.

    Args:
        prepared: the job.
        published: the manifest that its publish will replace; empty for the first one.

    Raises:
        BadInput: readers of all partitions would break, and that is not allowed.
        StateUnreadable: what is known of the other partitions cannot be read.
    """
    spec, schema = prepared.spec, prepared.output_schema
    own = published_schema(published)
    changes = changes_of(own, schema)
    told = [f"{prepared.folder} is replaced as a whole, and its schema changes: {one}" for one in changes]
    if not spec.partition or (own is not None and not changes):
        return told
    with places_checked(spec):
        found = check_schema(
            prepared.storage, spec.state_folder, schema, allowed=spec.publish.if_schema_breaks == "allow"
        )
    return [*told, *(f"the schema changes {one}" for one in found)]


def note_schemas(prepared: Prepared, published: Mapping[str, Any], at: str) -> None:
    """Write down that this partition has this schema; before the publish, so that none is unknown to the others.

    Args:
        prepared: the job.
        published: the manifest that its publish will replace; empty for the first one.
        at: the time, in UTC.

    Raises:
        BadInput: another partition brought a schema meanwhile that goes with this one no more.
        PublishConflict: the record is changed again and again.
        StateUnreadable: the record is damaged, or of a newer version.
    """
    spec, own = prepared.spec, published_schema(published)
    if spec.partition:
        note_schema(
            prepared.storage,
            spec.state_folder,
            prepared.output_schema,
            partition=below(spec.state_folder, prepared.state_folder),
            at=at,
            allowed=spec.publish.if_schema_breaks == "allow",
            unchanged=own is not None and not changes_of(own, prepared.output_schema),
        )


@contextlib.contextmanager
def places_checked(spec: Spec) -> Iterator[None]:
    """Before anything is sent, a place that cannot be used is the user's mistake, not a store that failed.

    Raises:
        BadInput: for errors of the store that no later try mends.
    """
    try:
        yield
    except OSError as error:
        refused = refusal(
            error, "memory.state" if spec.memory.state is not None else "destination", spec.state_folder
        )
        if refused is None:
            raise
        raise refused from None


def _check_state_is_ours(prepared: Prepared, known: JobIdentity) -> None:
    """One state folder for two datasets: each publish would take the other's manifest for its own."""
    storage, destination = prepared.storage, prepared.spec.destination
    if known.destination and storage.canonical(known.destination) != storage.canonical(destination):
        raise BadInput(
            "memory.state",
            f"{prepared.state_folder} belongs to the destination {known.destination}",
            "Give each destination a state folder of its own; if the dataset has moved, write where to into job.json",
        )


def warn_of_nothing_answered(published: Mapping[str, Any], outcomes: Mapping[str, int], folder: str) -> None:
    """Never replace answers by none without a word: a column that came empty may be somebody's mistake.

    Args:
        published: the manifest that is replaced; empty for the first one.
        outcomes: rows by outcome of the dataset that replaces it.
        folder: the dataset's.
    """
    before = published.get("outcomes", {})
    answers = sum(rows for outcome, rows in before.items() if outcome != Outcome.SKIPPED)
    if answers and not any(rows for outcome, rows in outcomes.items() if outcome != Outcome.SKIPPED):
        skipped = outcomes.get(Outcome.SKIPPED, 0)
        told = (
            f"none of the {skipped:,} rows was asked, and they replace a dataset of {answers:,} answers in {folder}."
            " Look at the source's columns if nobody meant that: what was paid for is kept, and shown again when the"
            " records are."
        )
        for line in wrapped("Warning", told):
            log.warning("%s", line)
