from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.engine.dataset.destination import dataset_folder
from runware_provider.engine.errors import BadInput, PublishConflict, StateUnreadable
from runware_provider.engine.outcome import rows
from runware_provider.engine.outcome.flattening import RESULT
from runware_provider.quality.figures import FIELDS
from runware_provider.quality.looking import look_at
from runware_provider.quality.page import OUTCOMES
from runware_provider.quality.profile import PLAIN
from runware_provider.quality.published import INFERENCE, place_of, reading


def rows_of(lake, first=0, count=10):
    return [lake.row(first + n, {"vendor": "A", "total": 1.0}) for n in range(count)]


def keys(published):
    return [key for table in published.tables(["key"]) for key in table["key"].to_pylist()]


def test_the_rows_come_in_order_however_many_files_there_are(lake):
    lake.put(rows_of(lake), parts=4)
    assert reading([lake.place()], lambda found: keys(found[0])) == list(range(10))


def test_files_that_the_manifest_does_not_name_are_not_read(lake):
    lake.put(rows_of(lake))
    pq.write_table(pa.table({"key": [99]}), Path(lake.folder()) / "part-00001-other.parquet")
    assert reading([lake.place()], lambda found: keys(found[0])) == list(range(10))


def replaced_by(lake, publish_id, *, long_ago):
    """Another publish with other rows; perhaps so long ago that the parts before are gone."""
    lake.put(rows_of(lake, first=100 + int(publish_id[1:])), parts=2, publish_id=publish_id)
    if long_ago:
        shutil.rmtree(Path(lake.folder() + ".state", "replaced"))


def test_a_dataset_that_is_replaced_meanwhile_is_read_to_its_end_as_it_was(lake):
    lake.put(rows_of(lake), parts=2)

    def work(found):
        if found[0].manifest["publish_id"] == "p1":
            replaced_by(lake, "p2", long_ago=False)
        return keys(found[0])

    assert reading([lake.place()], work) == list(range(10))
    assert reading([lake.place()], work) == list(range(102, 112))


def test_a_dataset_that_was_replaced_long_ago_is_read_anew(lake):
    lake.put(rows_of(lake), parts=2)

    def work(found):
        if found[0].manifest["publish_id"] == "p1":
            replaced_by(lake, "p2", long_ago=True)
        return keys(found[0])

    assert reading([lake.place()], work) == list(range(102, 112))


def test_a_dataset_that_is_replaced_again_and_again_is_given_up(lake):
    lake.put(rows_of(lake), publish_id="p0")

    def work(found):
        number = int(found[0].manifest["publish_id"][1:]) + 1
        replaced_by(lake, f"p{number}", long_ago=True)
        return keys(found[0])

    with pytest.raises(PublishConflict, match="replaced 3 times"):
        reading([lake.place()], work)


def test_a_missing_file_is_an_error_and_not_an_empty_one(lake):
    lake.put(rows_of(lake), parts=2)
    next(Path(lake.folder()).glob("part-00001*")).unlink()
    with pytest.raises(StateUnreadable, match="is gone, though the manifest names it"):
        lake.look()


def test_a_file_with_other_rows_than_the_manifest_says_is_an_error(lake):
    lake.put(rows_of(lake))
    path = next(Path(lake.folder()).glob("*.parquet"))
    pq.write_table(pq.read_table(path).slice(0, 3), path)
    with pytest.raises(StateUnreadable, match="has 3 rows, but the manifest says 10"):
        lake.look()


def test_a_damaged_file_is_an_error_that_names_it(lake):
    lake.put(rows_of(lake))
    next(Path(lake.folder()).glob("*.parquet")).write_bytes(b"no Parquet at all")
    with pytest.raises(StateUnreadable, match=r"part-00000-p1\.parquet is damaged"):
        lake.look()


def test_where_nothing_is_published_the_remedy_is_said(lake):
    with pytest.raises(BadInput, match=r"nothing is published in .*Run the job first"):
        lake.look("nowhere")


def test_a_partition_and_a_state_folder_elsewhere_are_found(lake, tmp_path):
    lake.put(rows_of(lake))
    folder = dataset_folder(lake.storage, str(tmp_path / "root"), {"ds": "2026-01-01"})
    state = dataset_folder(lake.storage, str(tmp_path / "memory"), {"ds": "2026-01-01"})
    for source, target in ((lake.folder(), folder), (lake.folder() + ".state", state)):
        Path(target).parent.mkdir(parents=True)
        Path(source).rename(target)
    place = place_of(lake.storage, str(tmp_path / "root"), {"ds": "2026-01-01"}, str(tmp_path / "memory"))
    assert look_at(place).figures.rows == 10
    assert place.state_folder == state


def test_the_names_in_a_dataset_are_those_that_the_engine_writes():
    assert (INFERENCE, PLAIN) == (rows.INFERENCE, RESULT)
    assert set(FIELDS) <= {field.name for field in rows.INFERENCE_TYPE}
    assert set(rows.Outcome) == OUTCOMES
