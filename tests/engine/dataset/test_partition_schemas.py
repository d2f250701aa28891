from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from runware_provider.engine.dataset.partition_schemas import (
    MOST_KEPT,
    NAME,
    changes_of,
    check_schema,
    note_schema,
    published_schema,
)
from runware_provider.engine.dataset.schema_text import schema_text
from runware_provider.engine.errors import BadInput, PublishConflict, StateUnreadable
from runware_provider.engine.storage.local import LocalStorage

if TYPE_CHECKING:
    from pathlib import Path


def of(**fields: pa.DataType) -> pa.Schema:
    return pa.schema({"id": pa.int64(), "result": pa.struct(fields)})


PLAIN = of(total=pa.float64())
WIDE = of(total=pa.float64(), note=pa.string())
OTHER = of(total=pa.string())


class Dataset:
    def __init__(self, root: Path, storage: LocalStorage | None = None) -> None:
        self.root = root
        self.storage = storage or LocalStorage()

    def check(self, schema: pa.Schema, *, allowed: bool = False) -> list[str]:
        return [str(one) for one in check_schema(self.storage, str(self.root), schema, allowed=allowed)]

    def note(self, schema: pa.Schema, day: int = 1, **how: Any) -> None:
        told = {"partition": f"ds={day}", "at": "2026-01-01T00:00:00Z", "allowed": False, **how}
        note_schema(self.storage, str(self.root), schema, **told)

    @property
    def noted(self) -> list[str]:
        record = json.loads((self.root / NAME).read_text(encoding="utf-8"))
        return [one["partition"] for one in record["schemas"]]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return Dataset(tmp_path / "state")


def test_the_first_partition_is_held_against_nothing(dataset: Dataset) -> None:
    assert dataset.check(PLAIN) == []


def test_a_schema_is_noted_once_with_the_partition_that_brought_it(dataset: Dataset) -> None:
    for day, schema in enumerate([PLAIN, PLAIN, WIDE, PLAIN], 1):
        dataset.note(schema, day)
    assert dataset.noted == ["ds=1", "ds=3"]


def test_what_breaks_nobody_is_told(dataset: Dataset) -> None:
    dataset.note(PLAIN)
    assert dataset.check(WIDE) == ["against ds=1, $.result.note is added (string)"]


def test_what_breaks_readers_is_refused_with_path_types_readers_and_remedy(dataset: Dataset) -> None:
    dataset.note(PLAIN)
    with pytest.raises(BadInput) as refused:
        dataset.check(OTHER)
    assert refused.value.problem == (
        "against ds=1, $.result.total was double and becomes string, which breaks pyarrow, DuckDB, Polars, Spark"
    )
    assert "if_schema_breaks='allow'" in refused.value.remedy
    assert "another destination" in refused.value.remedy
    with pytest.raises(BadInput):
        dataset.note(OTHER, 2)
    assert dataset.noted == ["ds=1"]


def test_of_many_changes_a_few_are_named(dataset: Dataset) -> None:
    dataset.note(of(**{name: pa.int64() for name in "abcde"}))
    with pytest.raises(BadInput, match="; and 2 more"):
        dataset.check(of(**{name: pa.string() for name in "abcde"}))


def test_a_field_that_comes_back_with_another_type_is_held_against_the_partitions_that_had_it(
    dataset: Dataset,
) -> None:
    dataset.note(WIDE, 1)
    dataset.note(PLAIN, 2)
    with pytest.raises(BadInput, match=r"against ds=1, \$\.result\.note was string"):
        dataset.check(of(total=pa.float64(), note=pa.int64()))


def test_an_allowed_break_is_told_and_the_record_begins_anew(dataset: Dataset) -> None:
    dataset.note(PLAIN, 1)
    assert "breaks pyarrow" in dataset.check(OTHER, allowed=True)[0]
    dataset.note(OTHER, 2, allowed=True)
    assert dataset.noted == ["ds=2"]
    assert dataset.check(OTHER) == []
    with pytest.raises(BadInput):
        dataset.check(PLAIN)


def test_an_unchanged_partition_is_noted_only_where_nothing_is(dataset: Dataset) -> None:
    dataset.note(OTHER, 2)
    dataset.note(PLAIN, 1, unchanged=True)
    assert dataset.noted == ["ds=2"]
    fresh = Dataset(dataset.root / "fresh")
    fresh.note(PLAIN, 1, unchanged=True)
    assert fresh.noted == ["ds=1"]


def test_the_record_stays_small(dataset: Dataset) -> None:
    for day in range(MOST_KEPT + 3):
        dataset.note(of(**{f"field_{day}": pa.int64()}), day)
    assert dataset.noted == [f"ds={day}" for day in range(3, MOST_KEPT + 3)]


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"format": 1}', '{"format": 1, "schemas": [{"schema": "x", "partition": "a", "since": ""}]}'],
)
def test_a_damaged_record_stops_the_run(dataset: Dataset, content: str) -> None:
    dataset.root.mkdir()
    (dataset.root / NAME).write_text(content, encoding="utf-8")
    with pytest.raises(StateUnreadable, match="is damaged"):
        dataset.check(PLAIN)


def test_a_record_of_a_newer_format_stops_the_run(dataset: Dataset) -> None:
    dataset.root.mkdir()
    (dataset.root / NAME).write_text('{"format": 2, "schemas": []}', encoding="utf-8")
    with pytest.raises(StateUnreadable, match="upgrade"):
        dataset.check(PLAIN)


class Raced(LocalStorage):
    """Another partition notes its schema between our read and our write."""

    def __init__(self, others: list[pa.Schema]) -> None:
        super().__init__()
        self.others = others

    def replace_if(self, path: str, data: Any, version: str | None) -> bool:
        if self.others:
            other = self.others.pop(0)
            note_schema(
                LocalStorage(), path.rpartition("/")[0], other, partition="ds=x", at="now", allowed=True
            )
        return super().replace_if(path, data, version)


def test_of_two_at_once_both_are_noted(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path, Raced([PLAIN]))
    dataset.note(WIDE)
    assert dataset.noted == ["ds=x", "ds=1"]


def test_of_two_at_once_that_do_not_go_together_the_later_is_refused(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path, Raced([PLAIN]))
    with pytest.raises(BadInput, match="against ds=x"):
        dataset.note(OTHER)
    assert dataset.noted == ["ds=x"]


def test_a_record_that_others_change_again_and_again_is_given_up(tmp_path: Path) -> None:
    others = [of(**{f"field_{number}": pa.int64()}) for number in range(100)]
    with pytest.raises(PublishConflict, match="again and again"):
        Dataset(tmp_path, Raced(others)).note(PLAIN)


def test_a_manifest_says_its_schema_or_nothing() -> None:
    assert published_schema({}) is None
    assert changes_of(None, PLAIN) == []
    assert changes_of(published_schema({"schema": schema_text(PLAIN)}), PLAIN) == []
    with pytest.raises(StateUnreadable, match="damaged"):
        published_schema({"schema": "x"})
