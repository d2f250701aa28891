"""A damaged segment is never read as less, or as something else, than was written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.identity import Key
from runware_provider.engine.memory import segments
from runware_provider.engine.memory.segment_catalogue import read_base
from runware_provider.engine.memory.segment_seal import MAGIC, SEAL_BYTES, SealBroken, is_sealed, sealed
from runware_provider.engine.storage.local import LocalStorage

if TYPE_CHECKING:
    from pathlib import Path

BITS = (0, 3, 7)
EVERY = 5
"""Bytes from one damage to the next."""


def entries() -> list[Entry]:
    return [
        Entry(Key(bytes([number]) * 16, 0, 0), 1, Kind.ANSWERED, cost=number / 1000, item=b'{"text": "yes"}')
        for number in range(1, 13)
    ]


def read(path: Path) -> list[Entry]:
    storage = LocalStorage()
    rows = segments.columns(storage, str(path), ["kind", "fingerprint"]).num_rows
    return segments.entries_at(storage, str(path), range(rows))


def damages(content: bytes) -> list[tuple[str, bytes]]:
    changed = [("cut short", content[:length]) for length in range(0, len(content), EVERY * 7)]
    for place in range(0, len(content), EVERY):
        for bit in BITS:
            flipped = content[place] ^ (1 << bit)
            changed.append(
                (f"bit {bit} of byte {place}", content[:place] + bytes([flipped]) + content[place + 1 :])
            )
    return changed


def without_seal(content: bytes) -> bytes:
    start = content.rindex(MAGIC)
    return content[:start] + content[start + SEAL_BYTES :]


def test_whatever_is_flipped_or_cut_the_segment_says_the_same_or_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "00000001.segment"
    content = segments.encoded(entries(), 0, ["run"] * len(entries()))
    path.write_bytes(content)
    right = read(path)
    assert right == entries()
    wrong = []
    for damage, changed in damages(content):
        path.write_bytes(changed)
        try:
            said = read(path)
        except StateUnreadable:
            continue
        if said != right:
            wrong.append(damage)
    assert wrong == []


def test_a_segment_whose_seal_was_taken_off_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "00000001.segment"
    path.write_bytes(without_seal(segments.encoded(entries(), 0, [None] * len(entries()))))
    with pytest.raises(StateUnreadable, match="its seal is missing"):
        read(path)


def test_a_segment_of_format_2_is_read_without_a_seal(tmp_path: Path) -> None:
    path = tmp_path / "00000001.segment"
    path.write_bytes(segments.encoded(entries(), 0, [None] * len(entries())))
    table = pq.read_table(path)
    metadata = {**table.schema.metadata, b"runware.ledger.format": b"2"}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    assert read(path) == entries()


def test_a_seal_is_of_one_length_and_one_footer() -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"n": [1, 2]}), sink)
    content = sink.getvalue().to_pybytes()
    whole = sealed(content)
    assert not is_sealed(pa.BufferReader(content))
    assert is_sealed(pa.BufferReader(whole))
    assert pq.read_table(pa.BufferReader(whole)).column("n").to_pylist() == [1, 2]
    for changed in (whole[:4] + b"more" + whole[4:], whole[:10], b"", content[:-1]):
        with pytest.raises(SealBroken):
            is_sealed(pa.BufferReader(changed))
    assert not is_sealed(pa.BufferReader(whole + whole[-8:]))


@pytest.mark.parametrize(
    "name", ["../../victim.txt", "/etc/victim.segment", "a/b.segment", ".segment", "base.json"]
)
def test_a_base_that_names_anything_but_segments_of_its_own_folder_is_damaged(
    tmp_path: Path, name: str
) -> None:
    for place in ("segments", "superseded"):
        named = {"segments": [], "superseded": []}
        named[place] = (
            [{"name": name, "bytes": 1}]
            if place == "segments"
            else [{"at": "2026-01-01T00:00:00+00:00", "erase": True, "segments": [name]}]
        )
        (tmp_path / "base.json").write_text(
            json.dumps({"format": 2, "through": 0, **named}), encoding="utf-8"
        )
        with pytest.raises(StateUnreadable, match=r"base\.json is damaged"):
            read_base(LocalStorage(), str(tmp_path))
