"""docs/schema-evolution.md: its table is what the code says, and its example works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.engine.dataset.evolution import ALL_READERS, evolution
from runware_provider.engine.spec import Publish
from runware_provider.operators import TextInferenceOperator

PROJECT = Path(__file__).resolve().parents[1]
PAGE = (PROJECT / "docs" / "schema-evolution.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if re.match(r"\| (?!change)[^-]", line)
]
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
RECIPES = [one for one in BLOCKS if "TextInferenceOperator" not in one]
LINE = {"text": pa.string()}
OLD = {"vendor": pa.string(), "gone": pa.int64(), "lines": pa.list_(pa.struct(list(LINE.items())))}
NEW = {
    "vendor": pa.string(),
    "due": pa.date32(),
    "lines": pa.list_(pa.struct(list({**LINE, "tax": pa.float64()}.items()))),
}
PAIRS: dict[str, list[tuple[dict[str, pa.DataType], dict[str, pa.DataType]]]] = {
    "a field is added": [({"a": pa.int64()}, {"a": pa.int64(), "b": pa.string()})],
    "a field is removed": [({"a": pa.int64(), "b": pa.string()}, {"a": pa.int64()})],
    "another order": [({"a": pa.int64(), "b": pa.string()}, {"b": pa.string(), "a": pa.int64()})],
    "decimal, more digits before": [({"a": pa.decimal128(10, 2)}, {"a": pa.decimal128(20, 2)})],
    "decimal, more digits behind": [({"a": pa.decimal128(10, 2)}, {"a": pa.decimal128(12, 4)})],
    "a wider integer": [({"a": pa.int32()}, {"a": pa.int64()}), ({"a": pa.float32()}, {"a": pa.float64()})],
    "integer to float": [({"a": pa.int64()}, {"a": pa.float64()})],
    "integer to a decimal": [({"a": pa.int64()}, {"a": pa.decimal128(38, 18)})],
    "upper and lower case": [({"total": pa.int64()}, {"Total": pa.int64()})],
    "any other type": [({"a": pa.string()}, {"a": pa.date32()}), ({"a": pa.float64()}, {"a": pa.int64()})],
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_of_the_table_is_what_the_code_says(row: list[str]) -> None:
    change, *readers, verdict = row
    (name,) = [name for name in PAIRS if change.startswith(name)]
    breaks = {reader for reader, said in zip(ALL_READERS, readers, strict=True) if said != "reads"}
    for old, new in PAIRS[name]:
        found = evolution(
            pa.schema({"result": pa.struct(list(old.items()))}),
            pa.schema({"result": pa.struct(list(new.items()))}),
        )
        assert {reader for one in found for reader in one.breaks} == breaks
        assert verdict == ("refused" if breaks else "told" if found else "no change")


def test_the_table_names_every_kind_of_change() -> None:
    assert len(ROWS) == len(PAIRS)


@pytest.mark.parametrize("flatten", [False, True], ids=["struct", "flat"])
@pytest.mark.parametrize("recipe", RECIPES, ids=["pyarrow", "DuckDB", "Polars"])
def test_each_recipe_reads_partitions_of_unlike_schemas_together(
    recipe: str, *, flatten: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = {
        "2026-01-01": (OLD, {"vendor": "a", "gone": 7, "lines": [{"text": "x"}]}),
        "2026-01-02": (NEW, {"vendor": "b", "due": None, "lines": [{"text": "y", "tax": 1.5}]}),
    }
    for day, (fields, row) in days.items():
        folder = tmp_path / "out" / "invoices" / f"ds={day}"
        folder.mkdir(parents=True)
        (folder / "_SUCCESS").touch()
        columns = {name: pa.array([row[name]], kind) for name, kind in fields.items()}
        if not flatten:
            columns = {"result": pa.StructArray.from_arrays(columns.values(), names=list(columns))}
        pq.write_table(pa.table({"id": [day], **columns}), folder / "part-00000-x.parquet")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(recipe, "schema-evolution.md", "exec"), names)  # noqa: S102 - the page's own example
    table = names["table"]
    rows = table.to_dicts() if hasattr(table, "to_dicts") else table.to_pylist()
    first, second = sorted(({**row, **(row.pop("result", {}))} for row in rows), key=lambda row: row["id"])
    assert (first["vendor"], first["due"], first["lines"]) == ("a", None, [{"text": "x", "tax": None}])
    assert (second["vendor"], second["lines"]) == ("b", [{"text": "y", "tax": 1.5}])
    assert str(first["ds"]) == "2026-01-01"


def test_there_is_a_recipe_for_each_reader_that_runs_here() -> None:
    assert len(RECIPES) == 3
    assert "mergeSchema" in PAGE


def test_the_example_makes_an_operator() -> None:
    (code,) = [one for one in BLOCKS if "TextInferenceOperator" in one]
    last = code.rindex("TextInferenceOperator(")
    names: dict[str, object] = {}
    exec(compile(f"{code[:last]}made = {code[last:]}", "schema-evolution.md", "exec"), names)  # noqa: S102 - the page's own example
    made = names["made"]
    assert isinstance(made, TextInferenceOperator)
    assert made.publish == Publish(if_schema_breaks="allow")


def test_every_link_leads_to_a_file() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (PROJECT / "docs" / target).exists(), target
