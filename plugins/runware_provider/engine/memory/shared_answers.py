"""Which partitions of a dataset answered what: small files beside their state folders (docs/decisions/0007).

    <state root>/answers/00000001.keys   one for each publish with `Memory(reuse="dataset")`; numbered, created exclusively
    <partition's state folder>/shared.json   the numbers of its own files

A `.keys` file is Parquet: the first 8 bytes of the fingerprints that a partition answered itself, sorted. They only say
where to look; what counts is that partition's ledger. So a file that is lost or outdated costs a saving, never an
answer: nothing here raises because of another partition's files.

Forgetting does not reach copies: what was reused lies in the ledger of each partition that reused it, and
`forgetting.forget` must be called on each of them.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from runware_provider.engine.attempt import Kind
from runware_provider.engine.identity import FINGERPRINT_BYTES
from runware_provider.engine.memory import segments
from runware_provider.engine.plain_text import wrapped
from runware_provider.engine.state_records import encoded, refuse_newer
from runware_provider.engine.storage.read_ahead import read_ahead, readers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runware_provider.engine.memory.ledger import Ledger
    from runware_provider.engine.storage.stores import Storage

FORMAT = 1
FOLDER = "answers"
_SHARED = "shared.json"
_PREFIX = "prefix"
_NUMBERED = re.compile(r"(\d{8,})\.keys")
_PARTITION = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=[^/]+(/[A-Za-z_][A-Za-z0-9_]*=[^/]+)*(/shards/\d{4,})?")
_OF_AN_ANSWER = ["kind", "fingerprint", "origin"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Keys:
    """What one file says."""

    partition: str
    """Its state folder below the state root, such as `ds=2026-01-01` or `ds=2026-01-01/shards/0007`."""
    job_id: bytes
    prefixes: pa.Array
    """uint64; each once, ascending."""


def prefixes(fingerprints: bytes | bytearray | pa.Buffer) -> pa.Array:
    """The first 8 bytes of each fingerprint as uint64, in their order.

    Args:
        fingerprints: one after the other, 16 bytes each; not copied.
    """
    buffer = fingerprints if isinstance(fingerprints, pa.Buffer) else pa.py_buffer(fingerprints)
    count = buffer.size // FINGERPRINT_BYTES
    halves = pa.Array.from_buffers(pa.uint64(), 2 * count, [None, buffer])
    pairs = pa.Array.from_buffers(pa.list_(pa.uint64(), 2), count, [None], children=[halves])
    return pc.list_element(pairs, 0)


def newest_number(storage: Storage, state_root: str) -> int:
    """The number of the newest file, 0 without any; a listing may be late, so what follows it is looked for.

    Raises:
        OSError: the store could not be asked.
    """
    listed = storage.list(storage.join(state_root, FOLDER), recursive=False)
    names = (_NUMBERED.fullmatch(entry.path.rpartition("/")[2]) for entry in listed)
    newest = max((int(found[1]) for found in names if found), default=0)
    while storage.exists(_path(storage, state_root, newest + 1)):
        newest += 1
    return newest


def newest_first(storage: Storage, state_root: str, newest: int) -> Iterator[Keys]:
    """What the files say; those that cannot be read are passed over with a warning.

    Args:
        storage: where the state lies.
        state_root: of the dataset.
        newest: the number to begin with.
    """
    with readers("answers") as pool:
        paths = (_path(storage, state_root, number) for number in range(newest, 0, -1))
        for keys in read_ahead(pool, lambda path: _read(storage, path), paths):
            if keys is not None:
                yield keys


def share(storage: Storage, state_root: str, partition: str, job_id: bytes, ledger: Ledger) -> int:
    """Write down which fingerprints this partition answered itself, as far as none of its files says so already.

    Args:
        storage: where the state lies.
        state_root: of the dataset.
        partition: this partition's state folder below it.
        job_id: this partition's.
        ledger: this partition's.

    Returns:
        How many were new.

    Raises:
        StateUnreadable: this partition's ledger cannot be read, or was rewritten since it was opened.
        OSError: the store could not write.
    """
    folder = storage.join(state_root, partition)
    found = storage.read_versioned(storage.join(folder, _SHARED))
    numbers = _numbers(found[0]) if found is not None else []
    new = _answered(ledger)
    for number in numbers:
        keys = _read(storage, _path(storage, state_root, number))
        if keys is not None and (keys.partition, keys.job_id) == (partition, job_id):
            new = new.filter(pc.invert(pc.is_in(new, keys.prefixes)))
    if len(new) == 0:
        return 0
    data = _encoded(Keys(partition, job_id, new))
    number = newest_number(storage, state_root) + 1
    while not storage.create_new(_path(storage, state_root, number), data):
        number += 1
    # A death here, or another process that was faster, makes the next publish say the same once more, which does no harm.
    record = encoded({"format": FORMAT, "files": [*numbers, number]})
    storage.replace_if(storage.join(folder, _SHARED), record, found[1] if found is not None else None)
    return len(new)


def _answered(ledger: Ledger) -> pa.Array:
    """Read from the segments and not from the index: earlier runs may have died before they could share."""
    found = []
    for one in list(ledger.known):
        path = ledger.storage.join(ledger.folder, one.name)
        table = segments.columns(ledger.storage, path, _OF_AN_ANSWER)
        own = pc.and_(pc.equal(table.column("kind"), int(Kind.ANSWERED)), pc.is_null(table.column("origin")))
        held = table.filter(own).column("fingerprint").combine_chunks()
        if len(held):
            start = held.offset * FINGERPRINT_BYTES
            found.append(prefixes(held.buffers()[1].slice(start, len(held) * FINGERPRINT_BYTES)))
    once = pc.unique(pa.chunked_array(found, pa.uint64()))
    return once.take(pc.sort_indices(once))


def _encoded(keys: Keys) -> bytes:
    told = {"runware.answers.format": str(FORMAT), "partition": keys.partition, "job_id": keys.job_id.hex()}
    table = pa.table({_PREFIX: keys.prefixes}).replace_schema_metadata(told)
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="none",  # hashes
        use_dictionary=False,
        column_encoding={_PREFIX: "DELTA_BINARY_PACKED"},
        write_page_checksum=True,
    )
    return bytes(sink.getvalue())


def _read(storage: Storage, path: str) -> Keys | None:
    try:
        with storage.open(path) as source:
            return _keys(pq.ParquetFile(source, page_checksum_verification=True))
    except (OSError, pa.ArrowException, ValueError, LookupError, OverflowError, RecursionError) as error:
        told = f"{path} is passed over, and what it tells of is asked anew ({type(error).__name__})."
        for line in wrapped("Warning", told):
            log.warning("%s", line)
        return None


def _keys(file: pq.ParquetFile) -> Keys:
    told = {key.decode(): value.decode() for key, value in (file.schema_arrow.metadata or {}).items()}
    if told["runware.answers.format"] != str(FORMAT) or not is_partition(told["partition"]):
        raise ValueError(told)
    held = file.read([_PREFIX], use_threads=False).column(_PREFIX).cast(pa.uint64())
    return Keys(told["partition"], bytes.fromhex(told["job_id"]), held.combine_chunks())


def is_partition(folder: str) -> bool:
    """Whether this can be a partition's state folder below the state root."""
    return _PARTITION.fullmatch(folder) is not None


def _numbers(data: bytes) -> list[int]:
    try:
        held: Any = json.loads(data)
        refuse_newer(_SHARED, held["format"], FORMAT)
        return [int(number) for number in held["files"]]
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return []  # then everything is said once more


def _path(storage: Storage, state_root: str, number: int) -> str:
    return storage.join(state_root, FOLDER, f"{number:08d}.keys")
