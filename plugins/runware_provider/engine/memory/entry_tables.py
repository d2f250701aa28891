"""Entries of the ledger as columns, out of the table that a segment is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.engine.attempt import FORGOTTEN, Kind
from runware_provider.engine.identity import FINGERPRINT_BYTES
from runware_provider.engine.memory.entry_columns import UNKNOWN, EntryColumns, halves_of, slots_of, tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runware_provider.engine.memory.entry_columns import Words


def of_table(table: pa.Table, segment: int, run: str | None, words: Words) -> EntryColumns:
    """Return the entries of a segment, in its order.

    Args:
        table: the index columns of all of its rows.
        segment: its place in the ledger's list.
        run: the run whose entries are fresh.
        words: gets the words that are new.

    Raises:
        ValueError: a number is too large to be one of ours.
    """
    family, copied = _numbers(words, table["family"]), _numpy(pc.is_valid(table["origin"])).astype(bool)
    kind = _numpy(table["kind"]).astype(np.uint8)
    forgotten = family == words.number(FORGOTTEN)
    was = np.where(forgotten, _numbers(words, table["code"]) if forgotten.any() else 0, 0).astype(np.uint16)
    own_run = np.zeros(len(kind), bool)
    if run is not None:
        own_run = _numpy(pc.fill_null(pc.equal(table["run"], run), False))  # noqa: FBT003 - Arrow's own
    high, low = halves_of(_fixed_bytes(table["fingerprint"]))
    return EntryColumns(
        high=high,
        low=low,
        slot=slots_of(
            _numpy(table["sample"]).astype(np.int64),
            _numpy(table["generation"]).astype(np.int64),
            _numpy(table["attempt"]).astype(np.int64),
            copied,
        ),
        kind=kind,
        family=family,
        was=was,
        cost=_known(table["cost_pico_usd"]),
        prompt_tokens=tokens(_known(table["prompt_tokens"])),
        cached_tokens=tokens(_known(table["cached_tokens"])),
        completion_tokens=tokens(_known(table["completion_tokens"])),
        segment=np.full(len(kind), segment, np.uint32),
        row=np.arange(len(kind), dtype=np.uint32),
        fresh=own_run & (kind != Kind.REJECTED),
        used=np.zeros(len(kind), bool),
    )


def _numbers(words: Words, column: pa.ChunkedArray) -> NDArray[np.uint16]:
    """The numbers of a column of words, each of which is looked up once."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    number_of = np.array([*map(words.number, encoded.dictionary.to_pylist()), 0], np.uint16)
    places = pc.fill_null(encoded.indices, len(number_of) - 1).to_numpy(zero_copy_only=False)
    return np.asarray(number_of[places], np.uint16)


def _numpy(column: pa.ChunkedArray) -> NDArray[np.generic]:
    return np.asarray(column.combine_chunks().to_numpy(zero_copy_only=False))


def _known(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return _numpy(pc.fill_null(column, UNKNOWN)).astype(np.int64)


def _fixed_bytes(column: pa.ChunkedArray) -> memoryview:
    array = column.combine_chunks()
    start = array.offset * FINGERPRINT_BYTES
    return memoryview(array.buffers()[1])[start : start + len(array) * FINGERPRINT_BYTES]
