"""docs/quality.md: its numbers are those of the code. Its blocks run in tests/docs/test_pages.py."""

from __future__ import annotations

from pathlib import Path

from runware_provider.quality.chance import SIGNIFICANT, wilson
from runware_provider.quality.counting import BYTES_HELD, VALUES_HELD
from runware_provider.quality.misses import KEPT, KEPT_BYTES, KEPT_OF_A_FIELD
from runware_provider.quality.report_charts import LEAST_ROWS
from runware_provider.quality.room import WHOLE
from runware_provider.quality.sameness import BILLIONTH
from runware_provider.quality.spec import FOLDER, MISSES

PAGE = " ".join(
    (Path(__file__).resolve().parents[1] / "docs" / "quality.md").read_text(encoding="utf-8").split()
)


def test_the_example_of_an_interval_is_right() -> None:
    assert "With 40 records, 90 % may as well be 77 %" in PAGE
    assert round(100 * wilson(36, 40)[0]) == 77


def test_the_rules_are_those_of_the_code() -> None:
    assert f"the first {WHOLE.misses} of each field" in PAGE
    assert f"in less than {100 * SIGNIFICANT:.0f} of 100 cases" in PAGE
    assert "numbers to a billionth of their size" in PAGE
    assert BILLIONTH == 1e-9
    assert f"`{FOLDER}/report.html`" in PAGE
    assert f"`{FOLDER}/{MISSES}`" in PAGE
    assert (
        f"the first {KEPT_OF_A_FIELD:,} of each field, {KEPT:,} and {KEPT_BYTES // 1_000_000} MB of values"
        in PAGE
    )
    assert f"from {LEAST_ROWS} rows on" in PAGE
    assert f"more than {VALUES_HELD:,} different values (or {BYTES_HELD // 1_000_000} MB of them)" in PAGE
