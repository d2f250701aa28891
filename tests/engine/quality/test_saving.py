from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from runware_provider.engine.errors import PublishConflict
from runware_provider.engine.quality.saving import save
from runware_provider.engine.storage.local import LocalStorage


@dataclass
class Page:
    html: str
    name: str = "p1"

    def to_html(self):
        return self.html

    def to_markdown(self):
        return f"# {self.html}"


class Contested(LocalStorage):
    """Somebody else is always faster."""

    def replace_if(self, path, data, version):
        super().replace_if(path, data + str(version).encode(), version)
        return False


def test_a_page_is_kept_beside_the_dataset_and_replaces_the_one_before(tmp_path):
    storage, folder = LocalStorage(), str(tmp_path / "a.state")
    paths = save(Page("one"), storage, folder)
    assert paths == {"html": f"{folder}/reports/p1.html", "markdown": f"{folder}/reports/p1.md"}
    assert save(Page("tŵo"), storage, folder) == paths
    assert Path(paths["html"]).read_text(encoding="utf-8") == "tŵo"
    assert Path(paths["markdown"]).read_text(encoding="utf-8") == "# tŵo"


def test_the_same_page_is_not_written_twice(tmp_path):
    paths = save(Page("one"), LocalStorage(), str(tmp_path))
    assert save(Page("one"), Contested(), str(tmp_path)) == paths


def test_a_page_that_others_keep_writing_is_given_up(tmp_path):
    with pytest.raises(PublishConflict, match="written by others"):
        save(Page("one"), Contested(), str(tmp_path))


def test_a_report_takes_the_place_of_the_one_on_the_publish_before(lake):
    for publish_id in ("p1", "p2"):
        lake.put([lake.row(1, {"vendor": "A", "total": 1.0})], publish_id=publish_id)
        found = lake.report()
        paths = save(found, lake.storage, found.state_folder)
    assert paths["html"] == f"{lake.folder()}.state/reports/report.html"
    assert Path(paths["html"]).read_text(encoding="utf-8") == found.to_html()
    kept = lake.storage.list(f"{lake.folder()}.state/reports")
    assert {entry.path for entry in kept} == set(paths.values())
