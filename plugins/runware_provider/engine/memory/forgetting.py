"""Forgetting: answers are erased, at somebody's wish or by age, and the bill stays right.

What is forgotten loses its answer, or its error, for ever; that it was asked and what it cost stays. Its UUID stays
used up, so whoever asks the same again asks anew, and pays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.engine.api.error_families import MAYBE_RUN
from runware_provider.engine.attempt import FORGOTTEN, Kind
from runware_provider.engine.dataset.published_manifest import FAILURES, mark_forgotten
from runware_provider.engine.dataset.replaced_parts import replaced_files
from runware_provider.engine.dataset.staging import staged_files
from runware_provider.engine.errors import BadInput, StateUnreadable
from runware_provider.engine.identity import Key, task_uuid
from runware_provider.engine.memory import segments
from runware_provider.engine.memory.lease import Lease
from runware_provider.engine.memory.lease_keeping import held_meanwhile
from runware_provider.engine.memory.ledger import Ledger
from runware_provider.engine.memory.mentions import Mentions
from runware_provider.engine.memory.segment_catalogue import (
    Base,
    Held,
    Superseded,
    finish_erasure,
    left_over,
    listing,
    read_base,
    swap_base,
)
from runware_provider.engine.memory.segment_rewriting import Rewriter
from runware_provider.engine.memory.state_folder import find_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from runware_provider.engine.storage.stores import Storage

WAIT_S = 300.0
_REPORT = re.compile(r"[\w.=-]+\.(?:html|md)|misses\.parq")
_EXAMPLES = re.compile(r"[0-9a-f]{20}-failed\.parq")
"""Of rows that failed, as `job.run_examples` names them."""
_DECIDING = ["kind", "fingerprint", "sample", "generation", "at", "family"]
_NAMING = ["origin", "fingerprint", "sample", "generation", "attempt"]
_SEARCHED = ["fingerprint", "item", "message"]


@dataclass
class _Choice:
    """What to forget: everything about some requests, and whatever is older than a time."""

    fingerprints: set[bytes] = field(default_factory=set)
    before_ms: int | None = None
    keep: Callable[[Key], bool] | None = None

    def __post_init__(self) -> None:
        self._asked = pa.array(list(self.fingerprints), pa.binary(16))

    def rows(self, table: pa.Table) -> list[int]:
        """The rows of a table with the columns `_DECIDING` that are to be forgotten, in order."""
        chosen = pc.is_in(table.column("fingerprint"), self._asked)
        if self.before_ms is not None:
            old = pc.less(table.column("at").cast(pa.int64()), self.before_ms)
            chosen = pc.or_(chosen, old)
        forgotten = pc.fill_null(pc.equal(table.column("family"), FORGOTTEN), fill_value=False)
        wordless = pc.or_(forgotten, pc.equal(table.column("kind"), int(Kind.INTENT)))
        found: list[int] = pc.indices_nonzero(pc.and_not(chosen, wordless)).to_pylist()
        if self.keep is None or not found:
            return found
        names = [
            table.column(name).take(found).to_pylist() for name in ("fingerprint", "sample", "generation")
        ]
        keys = (Key(*name) for name in zip(*names, strict=True))
        return [row for row, key in zip(found, keys, strict=True) if not self.keep(key)]


@dataclass
class _Report:
    job_id: bytes | None = None
    """Without it no UUIDs are told."""
    forgotten: int = 0
    answers: int = 0
    task_uuids: dict[str, None] = field(default_factory=dict)
    rewritten: int = 0
    removed: int = 0
    staged: int = 0
    replaced: int = 0
    reports: int = 0
    examples: int = 0


def forget(  # noqa: PLR0913 - keywords, each a fact of its own
    storage: Storage,
    state_folder: str,
    *,
    task_uuids: Iterable[str] = (),
    containing: Iterable[str] = (),
    older_than: datetime | None = None,
    keep: Callable[[Key], bool] | None = None,
    wait_s: float = WAIT_S,
) -> dict[str, Any]:
    """Erase answers and errors from a job's state folder; a run of the job that is under way is waited for.

    An attempt that matches takes with it every attempt of the same request, all samples and generations included;
    one that is only too old goes alone. What is staged, parts that a publish replaced, reports, rows kept as examples of
    failures, and segments that were merged, are removed as a whole.

    The ledger is swapped as a whole before anything is removed. After a death in between, the next call, or the next
    run, removes the rest; call again to be sure. Backups and old versions that the store keeps by itself are not
    reached.

    Args:
        storage: where the state folder lies.
        state_folder: the job's.
        task_uuids: as in the column `inference.task_uuid` of the dataset.
        containing: texts, of which one occurs in the answer or error; letter case, line breaks and JSON's escapes
            make no difference.
        older_than: with a time zone; what was written before.
        keep: says of an inference that it stays although it matches.
        wait_s: seconds to wait for a run that is under way.

    Returns:
        `forgotten` attempts, how many `answers` were among them, the `task_uuids` whose rows in published datasets
        still show what was forgotten here, the `unknown_task_uuids` of those given, the number of `segments` that
        were rewritten, of old ones that were `removed`, and of files that were: `staged` ones, `replaced` parts, `reports`,
        `examples` of failures. No content.

    Raises:
        AtWork: a run did not end in that time.
        BadInput: nothing was asked for, what was is no UUID, no text or no time, there is no job, or a folder of its
            state is a symbolic link.
        StateUnreadable: the state folder cannot be read, or somebody rewrote the ledger meanwhile; it is as before.
        OSError: the store could not write.
    """
    uuids = {_uuid(one) for one in task_uuids}
    mentions = Mentions(containing)
    before = None if older_than is None else _ms(older_than)
    if not uuids and not mentions and before is None:
        raise BadInput("forget", "nothing is named", "Name task UUIDs, a text, or a time")
    job = find_job(storage, state_folder)
    if job is None:
        # An erasure that met nothing must not look done.
        remedy = "Name the destination, the partition and the state folder as the job did"
        raise BadInput("destination", f"no job has its state in {state_folder}", remedy)
    _check_links(storage, state_folder)
    with held_meanwhile(Lease(storage, state_folder), most_s=wait_s):
        report, unknown = _forgotten_in_ledger(
            storage, state_folder, job.job_id, uuids, mentions, before, keep
        )
        _remove_copies(storage, state_folder, report)
    return _told(report, unknown)


def _forgotten_in_ledger(  # noqa: PLR0913, PLR0917 - each a fact of its own
    storage: Storage,
    state_folder: str,
    job_id: bytes,
    uuids: set[str],
    mentions: Mentions,
    before_ms: int | None,
    keep: Callable[[Key], bool] | None,
) -> tuple[_Report, set[str]]:
    """What was erased from the ledger, and the UUIDs that are unknown."""
    ledger = Ledger(storage, storage.join(state_folder, "ledger"))
    try:
        named, unknown = _named(ledger, job_id, uuids)
        choice = _Choice(named | _mentioned(ledger, mentions), before_ms, keep)
        return _erase(ledger, choice, _Report(job_id), everything=True), unknown
    finally:
        ledger.close()


def _remove_copies(storage: Storage, state_folder: str, report: _Report) -> None:
    """Without a grace time: what is to be forgotten may stand in any of them."""
    for folder in (state_folder, storage.join(state_folder, FAILURES)):
        for entry in staged_files(storage, folder):
            storage.delete(entry.path)
            report.staged += 1
        for entry in replaced_files(storage, folder):
            storage.delete(entry.path)
            report.replaced += 1
        mark_forgotten(storage, folder)
    for entry in storage.list(storage.join(state_folder, "reports"), links=False):  # they quote values
        if _REPORT.fullmatch(entry.path.rpartition("/")[2]):
            storage.delete(entry.path)
            report.reports += 1
    for entry in storage.list(storage.join(state_folder, "runs"), links=False):  # inputs and answers
        if _EXAMPLES.fullmatch(entry.path.rpartition("/")[2]):
            storage.delete(entry.path)
            report.examples += 1


def _check_links(storage: Storage, state_folder: str) -> None:
    """An erasure that stops before a link must not look done."""
    beside = ("staged", "replaced", FAILURES, f"{FAILURES}/staged", f"{FAILURES}/replaced")
    for name in ("ledger", "reports", "runs", "requests", "samples", *beside):
        folder = storage.join(state_folder, name)
        if storage.is_link(folder):
            raise BadInput(
                "destination",
                f"{folder} is a symbolic link, and nothing behind a link is removed",
                "Put the folder itself in its place; the state folder as a whole may be a link",
            )


def expire(ledger: Ledger, before: datetime) -> dict[str, Any]:
    """Forget what is older than a time and was not marked as used: what the dataset just published does not show.

    Args:
        ledger: of the run that has published, outside `writing()`; to be closed afterwards, as it is outdated then.
        before: with a time zone.

    Returns:
        As `forget`, without UUIDs: no row of the dataset shows what was forgotten.

    Raises:
        BadInput: the time has no zone.
        StateUnreadable: somebody else rewrote the ledger, which is as before; the next run can do it.
        OSError: the store could not write.
    """
    choice = _Choice(before_ms=_ms(before), keep=ledger.index.is_used)
    if not ledger.catch_up():
        raise StateUnreadable(f"{ledger.folder} was rewritten by another process; run again")
    return _told(_erase(ledger, choice, _Report(), everything=False), ())


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise BadInput("task_uuids", f"{text!r} is no UUID", "Copy it from inference.task_uuid") from None


def _ms(time: datetime) -> int:
    if time.tzinfo is None:
        raise BadInput("older_than", f"{time.isoformat()} has no time zone", "Add one, such as +00:00")
    return int(time.astimezone(UTC).timestamp() * 1000)


def _named(ledger: Ledger, job_id: bytes, uuids: set[str]) -> tuple[set[bytes], set[str]]:
    """The fingerprints behind UUIDs, and the UUIDs of which nothing is known."""
    fingerprints, unknown = set(), set(uuids)
    for one in ledger.known if uuids else ():
        for table in segments.row_groups(ledger.storage, _path(ledger, one.name), _NAMING):
            for name, fingerprint in _names(table, job_id):
                if name in uuids:
                    fingerprints.add(fingerprint)
                    unknown.discard(name)
    return fingerprints, unknown


def _mentioned(ledger: Ledger, mentions: Mentions) -> set[bytes]:
    """The fingerprints of the requests with an answer or error that contains one of the texts."""
    found: set[bytes] = set()
    if not mentions:
        return found
    for one in ledger.known:
        for table in segments.row_groups(ledger.storage, _path(ledger, one.name), _SEARCHED):
            held = [table.column(name).to_pylist() for name in _SEARCHED]
            for fingerprint, item, message in zip(*held, strict=True):
                if fingerprint not in found and (mentions.occur_in(item) or mentions.occur_in(message)):
                    found.add(fingerprint)
    return found


def _erase(ledger: Ledger, choice: _Choice, report: _Report, *, everything: bool) -> _Report:
    """Rewrite what holds something chosen, swap it in, remove the old.

    Args:
        ledger: open, and up to date.
        choice: what to forget.
        report: to be filled in.
        everything: whether merged segments are removed though nothing was chosen.
    """
    storage, folder, now = ledger.storage, ledger.folder, int(ledger.clock())
    seen = listing(storage, folder)
    rewriter = Rewriter(storage, folder)
    held: list[Held] = []
    old: list[str] = []
    with rewriter.undone_on_failure():
        for one in ledger.known:
            made = _without(ledger, one.name, choice, rewriter, report)
            held += [Held(one.name, one.bytes)] if made is None else made
            old += [] if made is None else [one.name]
    merged = [name for one in ledger.base.superseded for name in one.names]
    report.rewritten = len(old)
    if not old and not (everything and (merged or left_over(ledger.base, seen))):
        return report
    erased = (*old, *merged, *left_over(ledger.base, seen))
    base = Base(ledger.last, tuple(held), (Superseded(now, erased, erase=True),))
    if not swap_base(storage, folder, base, ledger.version, now):
        rewriter.discard()
        raise StateUnreadable(f"{folder} was rewritten by another process; nothing is forgotten, run again")
    report.removed = len(erased)
    there = read_base(storage, folder)
    finish_erasure(storage, folder, base, there[1] if there[0] == base else None, now)
    return report


def _without(
    ledger: Ledger, name: str, choice: _Choice, rewriter: Rewriter, report: _Report
) -> list[Held] | None:
    """A segment written anew without what is chosen; None where it holds nothing of it."""
    storage, path = ledger.storage, _path(ledger, name)
    deciding = segments.row_groups(storage, path, _DECIDING)
    chosen = {group: rows for group, table in enumerate(deciding) if (rows := choice.rows(table))}
    found = {
        group: rows
        for group, candidates in chosen.items()
        if (
            rows := _telling(
                segments.row_group(storage, path, group, ["kind", "item", "message"]), candidates
            )
        )
    }
    if not found:
        return None
    for group, table in enumerate(segments.row_groups(storage, path)):
        rewriter.add(_forgotten(table, found[group], report) if group in found else table)
    return rewriter.take()


def _telling(table: pa.Table, rows: Sequence[int]) -> list[int]:
    """Of these rows those that have a verdict, or say something in words."""
    some = table.take(rows)
    verdict = pc.greater_equal(some.column("kind"), int(Kind.SPENT))
    words = pc.or_(some.column("item").is_valid(), some.column("message").is_valid())
    kept = pc.or_(verdict, words).to_pylist()
    return [row for row, keep in zip(rows, kept, strict=True) if keep]


def _forgotten(table: pa.Table, rows: Sequence[int], report: _Report) -> pa.Table:
    """The rows without their words; verdicts become spent, so that they are never taken for the last word.

    What has no verdict keeps its rank: it may be under way, and is found again without being paid twice.
    """
    values: dict[str, list[Any]] = {
        name: table.column(name).to_pylist() for name in ("kind", "family", "code", "message", "item")
    }
    verdicts = [row for row in rows if values["kind"][row] >= Kind.SPENT]
    for row in rows:
        kind, family = Kind(values["kind"][row]), values["family"][row]
        report.forgotten += 1
        report.answers += kind is Kind.ANSWERED
        values["message"][row] = values["item"][row] = None
        if kind >= Kind.SPENT:
            values["kind"][row], values["family"][row] = int(Kind.SPENT), FORGOTTEN
            values["code"][row] = _was(kind, family)
    if report.job_id is not None:
        report.task_uuids |= dict.fromkeys(
            name for name, _ in _names(table.take(pa.array(verdicts, pa.int64())), report.job_id)
        )
    for name, column in values.items():
        place = segments.SCHEMA.get_field_index(name)
        table = table.set_column(
            place, segments.SCHEMA.field(name), pa.array(column, segments.SCHEMA.field(name).type)
        )
    return table


def _was(kind: Kind, family: str | None) -> str:
    if kind is Kind.ERROR:
        return "lost" if family in MAYBE_RUN else "error"
    return "answered" if kind is Kind.ANSWERED else "spent"


def _names(table: pa.Table, job_id: bytes) -> Iterator[tuple[str, bytes]]:
    """The UUID and the fingerprint of each row of a table with the columns `_NAMING`."""
    rows = zip(*(table.column(name).to_pylist() for name in _NAMING), strict=True)
    for origin, fingerprint, sample, generation, attempt in rows:
        yield task_uuid(origin or job_id, Key(fingerprint, sample, generation), attempt), fingerprint


def _path(ledger: Ledger, name: str) -> str:
    return ledger.storage.join(ledger.folder, name)


def _told(report: _Report, unknown: Iterable[str]) -> dict[str, Any]:
    return {
        "forgotten": report.forgotten,
        "answers": report.answers,
        "task_uuids": list(report.task_uuids),
        "unknown_task_uuids": sorted(unknown),
        "segments": report.rewritten,
        "removed": report.removed,
        "staged": report.staged,
        "replaced": report.replaced,
        "reports": report.reports,
        "examples": report.examples,
    }
