from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.engine.errors import BadInput, PublishConflict
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.engine.storage.stores import Stores
from runware_provider.quality.keeping import FIELDS_TOLD, expected_table, keep_report, report_on
from runware_provider.quality.page import framed
from runware_provider.quality.parts import html_of
from runware_provider.quality.published import Place
from runware_provider.quality.report_document import report_document, report_parts
from runware_provider.quality.room import BRIEF, WHOLE
from runware_provider.quality.spec import Report


class Contested(LocalStorage):
    """Somebody else is always faster."""

    def replace_if(self, path, data, version):
        super().replace_if(path, data + str(version).encode(), version)
        return False


def test_a_report_takes_the_place_of_the_one_on_the_publish_before(lake):
    for publish_id in ("p1", "p2"):
        lake.put([lake.row(1, {"vendor": "Bistrô", "total": 1.0})], publish_id=publish_id)
        found = lake.look()
        paths = keep_report(lake.place(), found)
    folder = f"{lake.folder()}.state/reports"
    title = f"Quality of {lake.folder()}"
    assert paths == {"html": f"{folder}/report.html", "markdown": f"{folder}/report.md"}
    assert Path(paths["html"]).read_text(encoding="utf-8") == framed(
        title, html_of(report_parts(found, WHOLE))
    )
    assert Path(paths["markdown"]).read_text(encoding="utf-8") == report_document(found, BRIEF)
    assert {entry.path for entry in lake.storage.list(folder)} == set(paths.values())


def test_the_same_page_is_not_written_twice_and_one_that_others_keep_writing_is_given_up(lake):
    lake.put([lake.row(1, {"vendor": "A", "total": 1.0})])
    contested = Place(Contested(), lake.folder(), f"{lake.folder()}.state")
    with pytest.raises(PublishConflict, match="written by others"):
        keep_report(contested, lake.look())
    assert keep_report(lake.place(), lake.look()) == keep_report(contested, lake.look())


def test_expected_values_that_cannot_be_read_are_bad_input(tmp_path):
    (tmp_path / "right.csv").write_text("n,total", encoding="utf-8")
    for name, said in (("none.parquet", "no file"), ("right.csv", "no Parquet")):
        with pytest.raises(BadInput, match=said):
            expected_table(str(tmp_path / name), Stores(), field="--expected")


def test_a_run_tells_the_hits_of_the_fields_that_are_wrong_most_often_the_worst_first(lake, tmp_path):
    names = [f"f{number:02}" for number in range(12)]
    wrong = dict.fromkeys(names, 0) | {"f11": 3, "f05": 2, "f00": 1}
    rows = [{name: 0.0 if row < wrong[name] else 1.0 for name in names} for row in range(4)]
    lake.put(
        [lake.row(key, row) for key, row in enumerate(rows)],
        result_type=pa.struct(dict.fromkeys(names, pa.float64())),
    )
    right = pa.table({"key": range(4)} | {name: [1.0] * 4 for name in names})
    pq.write_table(right, tmp_path / "right.parquet")
    wish = Report(expected=str(tmp_path / "right.parquet"), key="key")
    told = report_on(wish, lake.folder(), None, None, Stores())
    assert list(told["hits"].items()) == [
        ("f11", {"hits": 1, "of": 4}),
        ("f05", {"hits": 2, "of": 4}),
        ("f00", {"hits": 3, "of": 4}),
    ]
    assert len(told["hits"]) == FIELDS_TOLD
    assert "hits" not in report_on(Report(), lake.folder(), None, None, Stores())
