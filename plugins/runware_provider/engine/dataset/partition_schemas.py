"""Which schemas the partitions of a dataset have, so that a run is refused that readers of all of them would not survive.

    <state root>/schemas.json   (docs/decisions/0008)

It holds the schemas that differ, each with the partition that brought it, and no others: those of years are a few.
A schema is noted before its partition is published, so there may be one too many after a crash, and never one too
few. Where the user allows a change that breaks readers, the record begins anew with the new schema: from then on
partitions are held against that one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runware_provider.engine.dataset.evolution import evolution
from runware_provider.engine.dataset.schema_text import schema_of_text, schema_text
from runware_provider.engine.errors import BadInput, PublishConflict, StateUnreadable
from runware_provider.engine.state_records import damaged, decoded, encoded, understood

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from runware_provider.engine.dataset.evolution import Change
    from runware_provider.engine.storage.stores import Storage, Version

FORMAT = 1
_IF_DAMAGED = "remove it, and what is written next is held against nothing"
NAME = "schemas.json"
MOST_KEPT = 32
"""Schemas that can all be read together; the oldest are forgotten."""
SHOWN = 3
TRIES = 20
REMEDY = (
    "Change it back, choose another destination, or, where no reader minds, allow it with"
    " Publish(if_schema_breaks='allow')"
)


@dataclass(frozen=True)
class Known:
    """A schema that partitions have."""

    schema: pa.Schema
    partition: str
    """Which brought it, such as `ds=2026-01-01`."""
    since: str
    """When, in UTC."""


@dataclass(frozen=True)
class Against:
    """What changes from the other partitions to a new one."""

    change: Change
    partition: str

    def __str__(self) -> str:
        return f"against {self.partition}, {self.change}"


def published_schema(manifest: Any) -> pa.Schema | None:
    """The schema in a manifest; none in those of earlier versions.

    Raises:
        StateUnreadable: it cannot be read.
    """
    text = manifest.get("schema")
    if text is None:
        return None
    try:
        return schema_of_text(text)
    except ValueError as error:
        raise StateUnreadable(f"the manifest's schema is damaged ({error}); restore it") from None


def changes_of(old: pa.Schema | None, new: pa.Schema) -> list[Change]:
    """What changes in a partition that is replaced; nothing where it is new."""
    return evolution(old, schema_of_text(schema_text(new))) if old is not None else []


def check_schema(storage: Storage, root: str, schema: pa.Schema, *, allowed: bool) -> list[Against]:
    """What changes from the partitions that are there to one with this schema.

    Args:
        storage: where the state lies.
        root: of the state of all partitions.
        schema: of what is to be written.
        allowed: whether readers may break.

    Returns:
        Each change once, the newest schema first.

    Raises:
        BadInput: a change breaks readers; names it, both types, the readers and the remedy.
        StateUnreadable: the record is damaged, or of a newer version.
    """
    known, _ = _read(storage, root)
    found = _differences(known, schema)
    if not allowed:
        _refuse(found)
    return found


def note_schema(  # noqa: PLR0913 - keywords, each a fact of its own
    storage: Storage,
    root: str,
    schema: pa.Schema,
    *,
    partition: str,
    at: str,
    allowed: bool,
    unchanged: bool = False,
) -> None:
    """Write down that a partition has this schema, unless that is known; call it before the partition is published.

    Args:
        storage: where the state lies.
        root: of the state of all partitions.
        schema: of what is to be written.
        partition: such as `ds=2026-01-01`.
        at: the time, in UTC.
        allowed: whether readers may break; if they do, the record begins anew.
        unchanged: whether the partition has this schema already, so that nothing changes by it.

    Raises:
        BadInput: another partition brought a schema meanwhile that goes with this one no more.
        PublishConflict: the record is changed again and again.
        StateUnreadable: the record is damaged, or of a newer version.
    """
    for _ in range(TRIES):
        known, version = _read(storage, root)
        if (unchanged and known) or any(not changes_of(one.schema, schema) for one in known):
            return
        broken = [one for one in _differences(known, schema) if one.change.breaks]
        if broken and not allowed:
            _refuse(broken)
        kept = [] if broken else known[-(MOST_KEPT - 1) :]
        if storage.replace_if(_path(storage, root), _encoded([*kept, Known(schema, partition, at)]), version):
            return
    raise PublishConflict(f"{_path(storage, root)} is changed again and again; run again")


def _differences(known: Sequence[Known], schema: pa.Schema) -> list[Against]:
    found = {
        str(change): Against(change, one.partition)
        for one in known
        for change in changes_of(one.schema, schema)
    }
    return list(reversed(found.values()))


def _refuse(found: Sequence[Against]) -> None:
    broken = [str(one) for one in found if one.change.breaks]
    if broken:
        more = f"; and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
        raise BadInput("the output's schema", "; ".join(broken[:SHOWN]) + more, REMEDY)


def _read(storage: Storage, root: str) -> tuple[list[Known], Version | None]:
    """The schemas, the newest last."""
    path = _path(storage, root)
    held = storage.read_versioned(path)
    if held is None:
        return [], None
    data, version = held
    record = decoded(data, path, newest=FORMAT, remedy=_IF_DAMAGED)
    with understood(path, _IF_DAMAGED):
        known = [
            Known(schema_of_text(entry["schema"]), entry["partition"], entry["since"])
            for entry in record["schemas"]
        ]
        words = [entry[name] for entry in record["schemas"] for name in ("partition", "since")]
    if not all(isinstance(word, str) for word in words):
        raise damaged(path, _IF_DAMAGED)
    return known, version


def _encoded(known: Sequence[Known]) -> bytes:
    schemas = [
        {
            "partition": one.partition,
            "since": one.since,
            "columns": {field.name: str(field.type) for field in one.schema},
            "schema": schema_text(one.schema),
        }
        for one in known
    ]
    return encoded({"format": FORMAT, "schemas": schemas})


def _path(storage: Storage, root: str) -> str:
    return storage.join(root, NAME)
