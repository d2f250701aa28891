"""Everything that can be found wrong, or found out, before anything is paid."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from runware_provider.engine.dataset.destination import dataset_folder
from runware_provider.engine.dataset.footers import open_dataset
from runware_provider.engine.dataset.names import look_alikes
from runware_provider.engine.dataset.published_manifest import FAILURES
from runware_provider.engine.dataset.source import Dataset, FileRange, first_rows, rows_in, spread_rows
from runware_provider.engine.dataset.source_files import would_read
from runware_provider.engine.errors import BadInput
from runware_provider.engine.job.asked_for import asked_for_by
from runware_provider.engine.job.message_column import check_holds_messages
from runware_provider.engine.job.request_digests import changed_parts, digest_of_rows, request_digests
from runware_provider.engine.outcome.flattening import RESULT, ResultColumns, result_columns
from runware_provider.engine.outcome.rows import INFERENCE, output_schema_of
from runware_provider.engine.schema.object_answers import OutputSchema
from runware_provider.engine.storage.refusals import refusal
from runware_provider.engine.templates.record_messages import record_messages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runware_provider.engine.api.output_mode import Forced
    from runware_provider.engine.api.request_bodies import RequestTemplate
    from runware_provider.engine.dataset.row_filter import RowFilter
    from runware_provider.engine.outcome.follow_up import Policy
    from runware_provider.engine.outcome.rows import Check
    from runware_provider.engine.spec import Spec
    from runware_provider.engine.storage.stores import Storage, Stores
    from runware_provider.engine.templates.record_messages import RecordMessages


@dataclass(frozen=True)
class HandOver:
    """Work that goes on in other ledgers of a place than before."""

    turn: str
    """Of this one hand-over alone."""
    old: tuple[int, ...]
    """The ledgers that had something then: numbers of shards, or `split_record.PLACE`."""


@dataclass(frozen=True)
class Prepared:
    """A spec whose parts are known to fit each other and the data."""

    spec: Spec
    source: Storage
    storage: Storage
    folder: str
    """Where the parts go: the destination, or the partition of it."""
    state_folder: str
    dataset: Dataset
    ranges: tuple[FileRange, ...]
    """The rows to go through, in order; the row filter may leave some of them out."""
    failures_folder: str | None
    """Where the parts of the rows that neither succeeded nor were skipped go besides."""
    messages: RecordMessages
    """What asks of each record."""
    row_filter: RowFilter | None
    """Which records are chosen; None for all."""
    forced: Forced
    template: RequestTemplate
    follow_ups: Policy
    check: Check | None
    kept_schema: pa.Schema
    """The input's columns that the output keeps."""
    results: ResultColumns
    """The columns that it adds for the results."""
    digests: dict[str, str]
    """What the parts of the request hash to, so that a later run can say what changed."""
    warnings: tuple[str, ...]
    place: str | None = None
    """The state folder of the place, where this job is a shard of it; None for the place itself."""
    handed_over: HandOver | None = None
    """Which other ledgers of the place it goes on from; None where there are none."""

    @property
    def place_state(self) -> str:
        """The state folder of the destination, or of the partition of it."""
        return self.state_folder if self.place is None else self.place

    @property
    def reuses_answers(self) -> bool:
        """Whether it takes over what other partitions answered."""
        spec = self.spec
        return spec.memory.reuse == "dataset" and bool(spec.partition) and spec.refresh is None

    @property
    def kept(self) -> list[str]:
        """Their names."""
        return list(self.kept_schema.names)

    @property
    def result_type(self) -> pa.DataType:
        """Of a record's result: what the schema says, or text."""
        return self.check.arrow_type if self.check is not None else pa.string()

    @property
    def output_schema(self) -> pa.Schema:
        """Of the dataset."""
        return output_schema_of(self.kept_schema, self.results)

    @property
    def failures_schema(self) -> pa.Schema:
        """Of the failures' dataset."""
        ours = set(self.results.names)
        return pa.schema([field for field in self.output_schema if field.name not in ours])

    @property
    def rows_digest(self) -> str:
        """What hashes of the choice of records and of the shape of rows: the same, and rows of the same questions are the same."""
        return digest_of_rows(self.spec, self.messages.variables)

    @property
    def records(self) -> int:
        """Records that the job is about."""
        return rows_in(self.ranges)


def failures_state(prepared: Prepared) -> str:
    """Where the manifest of the failures' dataset lies."""
    return prepared.storage.join(prepared.state_folder, FAILURES)


def prepare(spec: Spec, stores: Stores) -> Prepared:
    """Open the source by its footers and fit everything together.

    Args:
        spec: what the user asked for.
        stores: opens the stores that the paths name.

    Raises:
        BadInput: names what is wrong and what to do; nothing was sent.
    """
    source = stores.open(spec.source, field="source")
    storage = stores.open(spec.destination, field="destination")
    stores.open_beside(storage, spec.state_folder, field="memory.state")
    storage.keep_private(spec.state_folder)
    if spec.failures.dataset is not None:
        stores.open_beside(storage, spec.failures.dataset, field="failures.dataset")
    with _source_checked(spec):
        dataset = open_dataset(source, spec.source)
    names = dataset.schema.names
    messages = record_messages(
        spec.prompt, spec.messages, spec.variables, names, max_chars=spec.limits.max_prompt_chars
    )
    check_holds_messages(messages.column, dataset.schema)
    if not messages.columns:
        raise BadInput(
            messages.field,
            "it names no column, so every record would be asked the same",
            f"Write {{{{ record.<column> }}}} into it; the data has: {', '.join(names)}",
        )
    asked_for = asked_for_by(spec)
    state_folder = dataset_folder(storage, spec.state_folder, spec.partition)
    folder = dataset_folder(storage, spec.destination, spec.partition)
    failures = None
    if spec.failures.dataset is not None:
        failures = dataset_folder(storage, spec.failures.dataset, spec.partition)
        _check_unread(source, spec, failures, field="failures.dataset")
        _check_failures_apart(storage, spec, dataset, failures)
    row_filter = _row_filter(spec, dataset)
    kept = _kept(spec, dataset)
    results = _result_columns(spec, asked_for.check, kept)
    written = output_schema_of(kept, results)
    _check_unread(source, spec, folder, field="destination")
    _check_apart(storage, spec, dataset, folder, state_folder)
    return Prepared(
        spec=spec,
        source=source,
        storage=storage,
        folder=folder,
        state_folder=state_folder,
        failures_folder=failures,
        dataset=dataset,
        # With a filter the limit is one of chosen rows, which the footers do not know.
        ranges=first_rows(dataset, spec.limit if row_filter is None else None),
        messages=messages,
        row_filter=row_filter,
        forced=asked_for.forced,
        template=asked_for.template,
        follow_ups=asked_for.follow_ups,
        check=asked_for.check,
        kept_schema=kept,
        results=results,
        digests=request_digests(spec, asked_for.sent),
        warnings=(*asked_for.warnings, *dataset.warnings, *_lost_types(dataset, kept), *look_alikes(written)),
    )


def _row_filter(spec: Spec, dataset: Dataset) -> RowFilter | None:
    if not spec.filters:
        return None
    from runware_provider.engine.dataset.row_filter import RowFilter  # noqa: PLC0415 - heavy, and filters are rare

    return RowFilter.of(spec.filters, dataset.schema)


@contextlib.contextmanager
def _source_checked(spec: Spec) -> Iterator[None]:
    """As `places_checked`, for where the data comes from."""
    try:
        yield
    except OSError as error:
        refused = refusal(error, "source", spec.source, problem="cannot be read")
        if refused is None:
            raise
        raise refused from None


def narrowed(prepared: Prepared, records: int) -> Prepared:
    """The same job for a few of its records only: spread over the source, or the first ones that filters or a limit choose."""
    limit = prepared.spec.limit
    spec = prepared.spec.model_copy(update={"limit": records if limit is None else min(records, limit)})
    if prepared.row_filter is not None:
        return replace(prepared, spec=spec)
    # What lies behind the limit is not the job's, and would be paid for in vain.
    if limit is not None:
        return replace(prepared, spec=spec, ranges=first_rows(prepared.dataset, spec.limit))
    return replace(prepared, spec=spec, ranges=spread_rows(prepared.dataset, records))


def check_empty(prepared: Prepared) -> None:
    """Refuse a source without records where the user wants that.

    Raises:
        BadInput: it has none, and `publish.on_empty` is `fail`.
    """
    spec = prepared.spec
    if spec.publish.on_empty == "fail" and prepared.records == 0:
        raise BadInput(
            "source", f"{spec.source} holds no record", "Allow it with Publish(on_empty='write') or 'skip'"
        )


def _kept(spec: Spec, dataset: Dataset) -> pa.Schema:
    names = dataset.schema.names
    for column in spec.publish.columns or ():
        if column not in names:
            raise BadInput(
                "publish.columns", f"the data has no column {column!r}", f"It has: {', '.join(names)}"
            )
    wished = names if spec.publish.columns is None else spec.publish.columns
    kept = [name for name in wished if name not in spec.partition or name not in dataset.hive]
    ours = {INFERENCE, *spec.partition} if spec.publish.flatten else {RESULT, INFERENCE, *spec.partition}
    # DuckDB, Spark, Trino and Hive do not tell upper from lower case, and would show the one in the place of the other.
    by_letters = {name.lower(): name for name in ours}
    taken = sorted(name for name in kept if name.lower() in by_letters)
    if taken:
        raise BadInput(
            f"column {taken[0]!r}",
            f"the output has a column or partition called {by_letters[taken[0].lower()]!r}, too, which many readers take for"
            " the same",
            "Choose the input's columns to keep with Publish(columns=[...]), without it",
        )
    return pa.schema([dataset.schema.field(name) for name in kept])


def _result_columns(spec: Spec, check: Check | None, kept: pa.Schema) -> ResultColumns:
    return result_columns(
        check.arrow_type if check is not None else pa.string(),
        [*kept.names, *spec.partition, INFERENCE],
        flatten=spec.publish.flatten,
        description=check.description if isinstance(check, OutputSchema) else None,
    )


def _check_unread(source: Storage, spec: Spec, folder: str, *, field: str) -> None:
    """The source may lie in another store, so it is the one to ask."""
    if would_read(source, spec.source, source.join(folder, "part-00000-0.parquet")):
        raise BadInput(
            field, f"{folder} lies inside the source {spec.source}", "Choose a folder outside of it"
        )


def _check_apart(storage: Storage, spec: Spec, dataset: Dataset, folder: str, state_folder: str) -> None:
    """The state never lies inside the dataset, and a job never reads what it writes."""
    remedy = "Choose a folder outside of it"
    if _inside(storage, state_folder, spec.destination):
        raise BadInput(
            "memory.state", f"{state_folder} lies inside the destination {spec.destination}", remedy
        )
    for file in dataset.files:
        if _inside(storage, file.path, folder):
            raise BadInput("source", f"{file.path} lies inside the destination {folder}", remedy)


def _check_failures_apart(storage: Storage, spec: Spec, dataset: Dataset, failures: str) -> None:
    """A dataset of its own: neither inside of another one, nor around it, nor read by this job."""
    places = {"destination": spec.destination, "state folder": spec.state_folder}
    for name, place in places.items():
        if _inside(storage, failures, place) or _inside(storage, place, failures):
            raise BadInput(
                "failures.dataset",
                f"{failures} and the {name} {place} lie in each other",
                "Choose a folder apart",
            )
    for file in dataset.files:
        if _inside(storage, file.path, failures):
            raise BadInput(
                "source", f"{file.path} lies inside the failures' folder {failures}", "Choose a folder apart"
            )


def _inside(storage: Storage, inner: str, outer: str) -> bool:
    return f"{storage.canonical(inner)}/".startswith(f"{storage.canonical(outer)}/")


def changed(prepared: Prepared, published: Mapping[str, object]) -> list[str]:
    """Which parts of the request differ from those of the last publish.

    Args:
        prepared: the job.
        published: its manifest; empty where nothing is published.
    """
    return changed_parts(prepared.digests, published, asked_by=prepared.messages.field)


def _lost_types(dataset: Dataset, kept: pa.Schema) -> list[str]:
    """Tell of the kept columns that come out as bytes: the values are the same, and what they mean has to be known."""
    return [
        f"column {path!r} is of Parquet's type {kind}, which Arrow cannot write: its bytes are kept, and readers of the output"
        " are not told what they mean; leave it out with Publish(columns=[...]), or convert it before this task"
        for path, kind in dataset.unwritten
        if any(f"{path}.".startswith(f"{name}.") for name in kept.names)
    ]
