from __future__ import annotations

import pyarrow as pa
import pytest

from runware_provider.engine.dataset.names import look_alikes


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (pa.struct({"fee": pa.int8(), "Fee": pa.int8(), "FEE": pa.int8()}), ["'fee' and 'Fee' and 'FEE'"]),
        (pa.struct({"Ä": pa.int8(), "ä": pa.int8()}), ["'Ä' and 'ä'"]),
        (pa.struct({"a": pa.struct({"b": pa.int8(), "B": pa.int8()})}), ["'a.b' and 'a.B'"]),
        (pa.struct({"a": pa.list_(pa.struct({"b": pa.int8(), "B": pa.int8()}))}), ["'a.b' and 'a.B'"]),
        (
            pa.struct({"a": pa.map_(pa.string(), pa.struct({"b": pa.int8(), "B": pa.int8()}))}),
            ["'a.value.b' and 'a.value.B'"],
        ),
        (pa.struct({"a": pa.struct({"x": pa.int8()}), "b": pa.struct({"X": pa.int8()})}), []),
        (pa.struct([("twice", pa.int8()), ("twice", pa.int8())]), []),
        (pa.struct({"a": pa.list_(pa.field("A", pa.int8()))}), []),
    ],
)
def test_names_that_differ_in_case_only_are_told(kind: pa.StructType, told: list[str]) -> None:
    found = list(look_alikes(kind))
    assert [warning.partition(" differ")[0] for warning in found] == [f"the names {names}" for names in told]
    assert all("DuckDB, Spark, Trino and Hive" in warning for warning in found)
