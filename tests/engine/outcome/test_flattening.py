from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import BadInput
from runware_provider.engine.outcome.flattening import flat_columns, flattened, result_columns
from runware_provider.engine.schema.answer_schema import output_schema

LINE = pa.struct({"name": pa.string(), "amount": pa.int64()})
RESULT = pa.struct(
    [
        pa.field("total", pa.float64(), metadata={"description": "with tax"}),
        pa.field("line", LINE),
        pa.field("lines", pa.list_(pa.field("element", LINE))),
    ]
)


def test_the_fields_of_a_result_become_columns_and_structs_inside_stay() -> None:
    fields = flattened(RESULT, ["id", "inference"])
    assert [(field.name, field.type) for field in fields] == [(field.name, field.type) for field in RESULT]
    assert fields[0].metadata == {b"description": b"with tax"}


def test_where_there_is_no_result_all_columns_are_null() -> None:
    line = {"name": "a", "amount": 1}
    rows = [{"total": 1.5, "line": line, "lines": [line]}, None, {"total": None, "line": None, "lines": []}]
    columns = flat_columns(pa.array(rows, RESULT))
    assert [column.to_pylist() for column in columns] == [
        [1.5, None, None],
        [line, None, None],
        [[line], None, []],
    ]


def test_a_slice_of_results_is_flattened_by_itself() -> None:
    rows = pa.array([{"total": 1.0}, None, {"total": 3.0}], RESULT)
    assert flat_columns(rows.slice(1))[0].to_pylist() == [None, 3.0]


@pytest.mark.parametrize("taken", [["total"], ["id", "TOTAL"], ["Lines"], ["inference", "line"]])
def test_a_field_with_the_name_of_another_column_is_refused(taken: list[str]) -> None:
    with pytest.raises(BadInput, match="has the name of the column") as refused:
        flattened(RESULT, taken)
    assert (refused.value.field, repr(taken[-1]) in refused.value.problem) == ("publish.flatten", True)
    assert "columns=[...]" in refused.value.remedy


def test_two_fields_that_differ_by_case_only_are_refused() -> None:
    with pytest.raises(BadInput, match="'Total' has the name of the field 'total'"):
        flattened(pa.struct({"total": pa.int64(), "Total": pa.int64()}), [])


@pytest.mark.parametrize(
    ("result", "called"),
    [
        (pa.string(), "text"),
        (output_schema(["a", "b"]).arrow_type, "text"),
        (pa.list_(LINE), "list of calls"),
    ],
)
def test_a_result_without_fields_is_refused(result: pa.DataType, called: str) -> None:
    with pytest.raises(BadInput, match=called):
        flattened(result, [])


@given(
    st.lists(st.none() | st.fixed_dictionaries({"total": st.none() | st.floats(allow_nan=False)}), max_size=5)
)
def test_flat_columns_are_read_back_from_parquet(rows: list[dict[str, float | None] | None]) -> None:
    table = pa.Table.from_arrays(
        flat_columns(pa.array(rows, RESULT)), schema=pa.schema(list(flattened(RESULT, [])))
    )
    file = io.BytesIO()
    pq.write_table(table, file)
    read = pq.read_table(file)
    assert read.column("total").to_pylist() == [row and row["total"] for row in rows]
    assert read.schema.field("total").metadata[b"description"] == b"with tax"


def test_without_a_wish_results_stand_in_one_column_with_its_description() -> None:
    columns = result_columns(RESULT, ["id"], flatten=False, description="An invoice.")
    (field,) = columns.fields
    assert (columns.names, field.type, columns.flat) == (["result"], RESULT, False)
    assert field.metadata == {b"description": b"An invoice."}
    results = pa.array([None, {"total": 1.0}], RESULT)
    assert columns.arrays(results) == [results]


def test_flattened_results_stand_in_a_column_for_each_field() -> None:
    columns = result_columns(RESULT, ["id"], flatten=True, description="An invoice.")
    assert (columns.names, columns.flat) == (["total", "line", "lines"], True)
    first, *_ = columns.arrays(pa.array([None, {"total": 1.0}], RESULT))
    assert first.to_pylist() == [None, 1.0]
