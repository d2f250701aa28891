"""What was missed, as a file to open elsewhere."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.engine.storage.stores import Stores
from runware_provider.quality import misses
from runware_provider.quality.beside_misses import TEXTS_SHOWN
from runware_provider.quality.keeping import keep_report, report_on
from runware_provider.quality.misses import KEPT, KEPT_OF_A_FIELD, SHOWN, KeptMisses, Miss, json_text
from runware_provider.quality.spec import Report

LINES = pa.struct({"vendor": pa.string(), "lines": pa.list_(pa.struct({"amount": pa.float64()}))})
COLUMNS = ["record", "sample", "field", "got", "expected", "task_uuid", "input"]


def kept(lake, expected, name="a"):
    """The path of the file of misses."""
    paths = keep_report(lake.place(name), lake.look(name, expected=expected, key="key"))
    return paths.get("misses")


def put_two(lake, **options):
    rows = [
        lake.row("r1", {"vendor": "Got", "lines": [{"amount": 1.0}, {"amount": 2.0}]}, task_uuid="u1"),
        lake.row("r2", {"vendor": "Right", "lines": []}, task_uuid="u2"),
        lake.row("r3", {"vendor": None, "lines": [{"amount": 4.0}]}, task_uuid="u3"),
    ]
    lake.put(rows, result_type=LINES, texts=["one", None, "drei\u202e"], **options)
    wanted = [[{"amount": 1.0}, {"amount": 9.0}], [], [{"amount": 4.0}]]
    return pa.table(
        {
            "key": ["r1", "r2", "r3"],
            "vendor": ["Wanted"] * 3,
            "lines": pa.array(wanted, LINES.field("lines").type),
        }
    )


def test_each_miss_is_a_row_with_both_values_and_what_the_dataset_keeps_beside_it(lake):
    path = kept(lake, put_two(lake, parts=2))
    table = pq.read_table(path)
    assert table.column_names == COLUMNS
    told = [(row["record"], row["field"], row["got"], row["expected"]) for row in table.to_pylist()]
    assert told == [
        ("r1", "vendor", '"Got"', '"Wanted"'),
        ("r1", "lines", '[{"amount": 1}, {"amount": 2}]', '[{"amount": 1}, {"amount": 9}]'),
        ("r1", "lines[].amount", "2", "9"),
        ("r2", "vendor", '"Right"', '"Wanted"'),
        ("r3", "vendor", "null", '"Wanted"'),
    ]
    assert table["task_uuid"].to_pylist() == ["u1", "u1", "u1", "u2", "u3"]
    assert table["input"].to_pylist()[3:] == [
        {"key": "r2", "body": None},
        {"key": "r3", "body": "drei\u202e"},
    ]


def test_a_flattened_dataset_has_the_same_misses(lake):
    expected = put_two(lake)
    put_two(lake, name="b", flatten=True)
    nested, flat = (pq.read_table(kept(lake, expected, name)) for name in "ab")
    assert nested.equals(flat)


def test_other_readers_of_parquet_open_the_file(lake):
    path = kept(lake, put_two(lake))
    rows = (
        duckdb.read_parquet(path)
        .filter("field = 'vendor'")
        .project("record, input.body, got ->> '$'")
        .fetchall()
    )
    assert rows == [("r1", "one", "Got"), ("r2", None, "Right"), ("r3", "drei\u202e", None)]
    assert pl.read_parquet(path)["input"].struct.field("body").to_list() == ["one"] * 3 + [None, "drei\u202e"]
    frame = pd.read_parquet(path)
    assert list(frame.columns) == COLUMNS
    assert json.loads(frame["expected"][0]) == "Wanted"


def test_the_file_is_the_same_to_the_letter_each_time_and_goes_when_nothing_is_missed_any_more(lake):
    expected = put_two(lake)
    first = Path(kept(lake, expected)).read_bytes()
    path = kept(lake, expected)
    assert Path(path).read_bytes() == first
    assert kept(lake, {"key": ["r1"], "vendor": ["Got"]}) is None
    assert not Path(path).exists()


def test_a_report_without_expected_values_takes_the_misses_of_the_one_before_away(lake):
    path = kept(lake, put_two(lake))
    assert "misses" not in report_on(Report(), lake.folder(), None, None, Stores())
    assert not Path(path).exists()


def test_the_report_and_what_it_returns_name_the_file(lake, tmp_path):
    pq.write_table(put_two(lake), tmp_path / "right.parquet")
    wish = Report(expected=str(tmp_path / "right.parquet"), key="key")
    told = report_on(wish, lake.folder(), None, None, Stores())
    assert told["misses"] == f"{lake.folder()}.state/reports/misses.parq"
    for kind in ("html", "markdown"):
        assert "reports/misses.parq" in Path(told[kind]).read_text(encoding="utf-8")


def test_records_with_samples_are_named_with_them(lake):
    rows = [lake.row(n // 2, {"vendor": "A", "total": 1.0}, sample=n % 2) for n in range(4)]
    lake.put(rows, records=2)
    table = pq.read_table(kept(lake, {"key": [1], "vendor": ["B"]}))
    assert table.select(["record", "sample"]).to_pylist() == [
        {"record": "1, sample 0", "sample": 0},
        {"record": "1, sample 1", "sample": 1},
    ]


def test_there_is_room_for_the_first_of_each_field_and_for_those_that_are_shown_among_all():
    held = KeptMisses()
    for number in range(KEPT // KEPT_OF_A_FIELD):
        path = f"f{number}"
        assert held.room(path) == KEPT_OF_A_FIELD
        held.add(path, [Miss(row, row, 1, 2) for row in range(KEPT_OF_A_FIELD)])
        assert held.room(path) == 0
    assert len(held) == KEPT
    assert held.room("one more") == SHOWN


def test_long_values_end_the_file_before_they_fill_the_memory(lake, monkeypatch):
    monkeypatch.setattr(misses, "KEPT_BYTES", 5_000)
    lake.put([lake.row(n, {"vendor": "x" * 1000, "total": 1.0}) for n in range(50)])
    findings = lake.look(expected={"key": list(range(50)), "vendor": ["y"] * 50}, key="key")
    assert 0 < len(findings.hits.kept) <= 5
    assert findings.hits.fields[0].missed == 50


def test_long_inputs_end_the_file_and_the_text_stands_beside_a_miss_all_the_same(lake, monkeypatch):
    monkeypatch.setattr("runware_provider.quality.beside_misses.KEPT_BYTES", 20_000)
    lake.put(
        [lake.row(n, {"vendor": "x", "total": 1.0}) for n in range(10)],
        texts=[f"{n} Wanted {'long ' * 2000}" for n in range(10)],
    )
    findings = lake.look(expected={"key": list(range(10)), "vendor": ["Wanted"] * 10}, key="key")
    table = pq.read_table(pa.BufferReader(findings.misses))
    assert table.num_rows == 1
    assert [miss.text.value for miss in findings.hits.fields[0].misses] == ["Wanted"] * 10


def test_a_page_of_very_many_fields_ends_with_texts_at_a_bound(lake):
    names = [f"f{number}" for number in range(TEXTS_SHOWN // SHOWN + 1)]
    kind = pa.struct(dict.fromkeys(names, pa.string()))
    lake.put(
        [lake.row(n, dict.fromkeys(names, "x")) for n in range(SHOWN)],
        result_type=kind,
        texts=["text"] * SHOWN,
    )
    expected = {"key": list(range(SHOWN)), **{name: ["y"] * SHOWN for name in names}}
    fields = lake.look(expected=expected, key="key").hits.fields
    assert fields[-2].misses[0].text is not None
    assert fields[-1].misses[0].text is None


def test_row_groups_without_a_miss_are_not_read_again(lake, monkeypatch):
    lake.put([lake.row(n, {"vendor": "AB"[n // 5], "total": 1.0}) for n in range(10)], parts=2)
    opened = []
    place = type(lake.place())
    usual = place.open
    monkeypatch.setattr(place, "open", lambda self, part: opened.append(part) or usual(self, part))
    lake.look(expected={"key": list(range(10)), "vendor": ["A"] * 10}, key="key")
    assert len(opened) - len(set(opened)) == 2  # the first for the schema, the second for its misses
    assert opened[-1] == max(opened)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ("é\n", '"é\\n"'),
        (Decimal("4.00"), "4"),
        (Decimal("0.10"), "0.1"),
        (Decimal("12345678901234567890.12"), '"12345678901234567890.12"'),
        (float("nan"), '"nan"'),
        (4.0, "4"),
        (0.1, "0.1"),
        (True, "true"),
        (date(2026, 1, 2), '"2026-01-02"'),
        (datetime(2026, 1, 2, tzinfo=UTC), '"2026-01-02T00:00:00+00:00"'),
        (b"abc", '"3 bytes"'),
        ([{"a": Decimal(1)}], '[{"a": 1}]'),
    ],
)
def test_values_are_json_that_any_reader_understands(value, text):
    assert json_text(value) == text
    json.loads(text)


@pytest.mark.parametrize(
    "kind", [pa.string_view(), pa.dictionary(pa.int8(), pa.string()), pa.uuid(), pa.int64()]
)
def test_whatever_holds_the_input_the_file_holds_plain_values(lake, kind):
    keys = [uuid.UUID(int=n).bytes for n in range(4)] if kind == pa.uuid() else list(range(4))
    keys = keys if kind in {pa.uuid(), pa.int64()} else [f"k{n}" for n in range(4)]
    lake.put(
        [lake.row(key, {"vendor": "A", "total": 1.0}) for key in keys],
        key_type=kind,
        parts=2,
        texts=["t"] * 4,
    )
    names = [str(uuid.UUID(bytes=key)) for key in keys] if kind == pa.uuid() else keys
    path = kept(lake, {"key": names, "vendor": ["B"] * 4})
    assert duckdb.read_parquet(path).project("record").fetchall() == [(str(name),) for name in names]
    assert pl.read_parquet(path)["input"].struct.field("body").to_list() == ["t"] * 4


def test_a_moment_that_python_cannot_say_is_in_the_file_and_in_nobodys_way(lake):
    fine = pa.timestamp("ns")
    lake.put([lake.row(key, {"vendor": "A", "total": 1.0}) for key in (1, 2)], key_type=fine, texts=["t"] * 2)
    expected = pa.table({"key": pa.array([1, 2], pa.int64()).cast(fine), "vendor": ["B"] * 2})
    assert (
        pq.read_table(kept(lake, expected))["input"].combine_chunks().field("body").to_pylist() == ["t"] * 2
    )
