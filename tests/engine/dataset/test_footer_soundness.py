"""A footer that contradicts itself is an error, where Arrow would end the process."""

from __future__ import annotations

import base64
import contextlib
import io
import struct
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.parquet import encryption

from runware_provider.engine.dataset.batches import BatchReader
from runware_provider.engine.dataset.footer_soundness import check_columns, end_of
from runware_provider.engine.dataset.footer_statistics import check_statistics
from runware_provider.engine.dataset.footers import open_dataset
from runware_provider.engine.dataset.row_filter import RowFilter
from runware_provider.engine.dataset.source import first_rows
from runware_provider.engine.errors import BadInput
from runware_provider.engine.filters import normal_form
from runware_provider.engine.storage.local import LocalStorage

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = {"ds": ["1"] * 9, "n": range(9), "lines": [[1]] * 9}


def content(**options) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(COLUMNS), sink, row_group_size=3, **options)
    return sink.getvalue()


def broken(column: str) -> bytes:
    """The same file, of which what the last row group says of one column lies behind the end of the file."""
    whole = content(use_dictionary=False)
    metadata = pq.read_metadata(io.BytesIO(whole))
    chunk = metadata.row_group(metadata.num_row_groups - 1).column(list(COLUMNS).index(column))
    offset = chunk.data_page_offset
    written = _varint(2 * offset)  # as Thrift's compact protocol has it
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    place = whole.rindex(written, footer)
    far = _varint(2 * (offset + 1_000_000))
    changed = whole[footer:place] + far + whole[place + len(written) : -8]
    return whole[:footer] + changed + len(changed).to_bytes(4, "little") + b"PAR1"


def _varint(number: int) -> bytes:
    digits = []
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def check(whole: bytes, columns=None) -> None:
    source = pa.BufferReader(whole)
    check_columns(end_of(source), source.size(), columns)


@pytest.mark.parametrize(
    "options", [{}, {"compression": "none"}, {"data_page_version": "2.0"}, {"use_dictionary": False}]
)
def test_a_sound_footer_is_looked_at_without_its_data(options):
    whole = content(**options)
    check(whole)
    check(whole, ["n"])
    end = end_of(pa.BufferReader(whole))
    assert whole.endswith(end)
    check_columns(end, len(whole), ["lines"])


def test_a_footer_that_contradicts_itself_in_any_row_group_is_an_error():
    check(broken("n"), ["ds"])
    for columns in (["n"], ["ds", "n"], None):
        with pytest.raises((pa.ArrowException, OSError)):
            check(broken("n"), columns)


class Keys(encryption.KmsClient):
    """Wraps keys by writing them down."""

    def __init__(self, _: Any) -> None:
        super().__init__()

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
        return base64.b64encode(master_key_identifier.encode() + b":" + key_bytes)

    def unwrap_key(self, wrapped_key: bytes, master_key_identifier: str) -> bytes:
        return base64.b64decode(wrapped_key).removeprefix(master_key_identifier.encode() + b":")


def encrypt(path: Path, columns: list[str]) -> None:
    """A file whose footer everybody can read, and some columns of which nobody can without a key."""
    wish = encryption.EncryptionConfiguration(
        footer_key="footer", column_keys={"column": columns}, plaintext_footer=True
    )
    factory = encryption.CryptoFactory(Keys)
    properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), wish)
    path.parent.mkdir(parents=True)
    with pq.ParquetWriter(path, pa.table(COLUMNS).schema, encryption_properties=properties) as writer:
        writer.write_table(pa.table(COLUMNS), row_group_size=3)


def test_of_an_encrypted_column_the_footer_cannot_be_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "in" / "a.parquet"
    encrypt(path, ["n"])
    whole = path.read_bytes()
    check(whole, ["ds"])
    with pytest.raises(OSError, match="decrypt"):
        check(whole, ["n"])


def read_filtered(folder: Path) -> None:
    dataset = open_dataset(LocalStorage(), str(folder))
    made = BatchReader(
        storage=LocalStorage(),
        dataset=dataset,
        columns=["ds"],
        row_filter=RowFilter.of(normal_form([("n", ">", 7)]), dataset.schema),
        batch_rows=9,
        batch_bytes=1 << 20,
    )
    list(made.read(first_rows(dataset)))


@pytest.mark.parametrize(("folder", "encrypted"), [("ds=1", "ds"), ("in", "n")])
def test_where_a_folder_or_a_filter_asks_about_an_encrypted_column_the_source_is_refused(
    tmp_path: Path, folder: str, encrypted: str
) -> None:
    encrypt(tmp_path / folder / "a.parquet", [encrypted])
    with pytest.raises(BadInput, match=r"a\.parquet is encrypted"):
        read_filtered(tmp_path)


# statistics


TYPED: dict[str, tuple[pa.Array, bytes]] = {
    "boolean": (pa.array([False, True]), b"\x01"),
    "int": (pa.array([1, 1234567], pa.int32()), (1234567).to_bytes(4, "little")),
    "long": (pa.array([1, 1234567], pa.int64()), (1234567).to_bytes(8, "little")),
    "double": (pa.array([1.5, 1234567.25], pa.float64()), struct.pack("<d", 1234567.25)),
    "decimal": (
        pa.array([Decimal("1.5"), Decimal("1234567.5")], pa.decimal128(38, 1)),
        b"\0" * 13 + b"\xbc\x61\x4b",
    ),
    "struct": (
        pa.array([{"a": {"b": 1}, "c": 1}, {"a": {"b": 2}, "c": 1234567}]),
        (1234567).to_bytes(8, "little"),
    ),
    "list": (pa.array([[1], [1234567]], pa.list_(pa.int64())), (1234567).to_bytes(8, "little")),
}
"""By type: values, and the greatest of them as a statistic has it."""


def typed(name: str) -> bytes:
    values, _ = TYPED[name]
    sink = io.BytesIO()
    table = pa.table({"before": ["x", "y"], "n": values, "after": [1, 2]})
    pq.write_table(table, sink, use_dictionary=False, compression="none", write_page_index=False)
    return sink.getvalue()


def with_statistic(whole: bytes, said: bytes, instead: bytes) -> bytes:
    """The same file, of which a statistic says something else."""
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    changed = whole[footer:-8].replace(bytes([len(said)]) + said, bytes([len(instead)]) + instead)
    assert changed != whole[footer:-8]
    return whole[:footer] + changed + len(changed).to_bytes(4, "little") + b"PAR1"


@pytest.mark.parametrize("name", [name for name in TYPED if name != "boolean"])
@pytest.mark.parametrize("left", [1, -1])
def test_a_statistic_of_too_few_bytes_is_an_error(name: str, left: int) -> None:
    whole, (_, said) = typed(name), TYPED[name]
    check(whole, ["n"])
    short = with_statistic(whole, said, said[:left])
    check(short, ["before", "after"])
    with pytest.raises(
        OSError, match=rf"a statistic of column n.* has {len(said[:left])} bytes, .* needs {len(said)}"
    ):
        check(short, ["n"])


@pytest.mark.parametrize("name", TYPED)
def test_a_statistic_of_no_bytes_or_of_too_many_is_left_to_arrow(name: str) -> None:
    whole, (_, said) = typed(name), TYPED[name]
    if name != "boolean":  # whose one byte stands elsewhere in the footer, too
        check(with_statistic(whole, said, b""), ["n"])
        check(with_statistic(whole, said, said + b"\0"), ["n"])
    check(whole, ["before", "n", "after"])


def test_a_source_whose_statistics_are_too_short_is_refused_where_a_filter_asks_for_them(
    tmp_path: Path,
) -> None:
    whole, (_, said) = typed("long"), TYPED["long"]
    (tmp_path / "a.parquet").write_bytes(with_statistic(whole, said, said[:1]))
    dataset = open_dataset(LocalStorage(), str(tmp_path))
    made = BatchReader(
        storage=LocalStorage(),
        dataset=dataset,
        columns=["before"],
        row_filter=RowFilter.of(normal_form([("n", ">", 7)]), dataset.schema),
        batch_rows=9,
        batch_bytes=1 << 20,
    )
    with pytest.raises(
        BadInput, match=r"a\.parquet is not a readable Parquet file .*a statistic of column n"
    ):
        list(made.read(first_rows(dataset)))


def test_a_partition_whose_statistics_are_too_short_is_refused(tmp_path: Path) -> None:
    whole, (_, said) = typed("long"), TYPED["long"]
    (tmp_path / "n=1234567").mkdir()
    (tmp_path / "n=1234567" / "a.parquet").write_bytes(with_statistic(whole, said, said[:3]))
    with pytest.raises(BadInput, match="a statistic of column n has 3 bytes, and its type needs 8"):
        open_dataset(LocalStorage(), str(tmp_path))


@given(st.data())
def test_of_a_footer_with_a_wrong_byte_the_statistics_are_read_or_it_is_an_error(data: st.DataObject) -> None:
    whole = typed("struct")
    footer = bytearray(whole[len(whole) - 8 - int.from_bytes(whole[-8:-4], "little") : -8])
    place = data.draw(st.integers(0, len(footer) - 1))
    footer[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(OSError):
        check_statistics(bytes(footer), ["n"])


def test_a_footer_that_is_nested_without_end_is_an_error() -> None:
    with pytest.raises(OSError, match="damaged"):
        check_statistics(b"\x1c" * 100_000, ["n"])
    with pytest.raises(OSError, match="damaged"):
        check_statistics(b"\x19" * 100_000, ["n"])
