"""Charts: what is drawn, and what is said of it."""

from __future__ import annotations

import math
import re

import pyarrow as pa
import pytest

from runware_provider.quality.charts import BarChart, Mark, RateAt, RateChart
from runware_provider.quality.counting import Spread
from runware_provider.quality.report_charts import LEAST_ROWS, latency_chart
from runware_provider.quality.report_document import report_parts
from runware_provider.quality.room import WHOLE

CHART = BarChart(
    "Length of `<b>`",
    [4, 0, 2, 1],
    [Mark(0, "1"), Mark(1, "9")],
    [Mark(0.9, 'median "7"')],
    "rows",
    "The middle 98 %.",
)


def test_a_chart_is_one_line_of_markdown():
    assert CHART.markdown() == ['Length of `<b>`: █▁▅▃ 1 to 9, median "7". The middle 98 %.', ""]


def test_a_chart_is_drawn_with_an_axis_and_said_in_words_and_every_text_is_escaped():
    drawn = CHART.html()
    assert drawn.count('<rect class="mark"') == 3
    assert "Length of <code>&lt;b&gt;</code>" in drawn
    assert (
        'aria-label="Length of &lt;b&gt;, at most 4 rows in a bar, from 1 to 9, median &quot;7&quot;. The middle 98 %."'
        in drawn
    )
    assert '<text x="90%" y="11" dx="-4" text-anchor="end">median &quot;7&quot;</text>' in drawn
    assert "style=" not in drawn


def test_a_rate_is_drawn_where_it_is_said_and_the_numbers_are_folded():
    chart = RateChart("`c`: right", [RateAt(0.25, "0.2 to 0.3", 1, 2, (0.1, 0.9))], "Note `x`.")
    assert '<circle class="mark" cx="25%" cy="105" r="5"/>' in chart.html()
    assert "<summary>The numbers</summary>" in chart.html()
    assert "| 0.2 to 0.3 | 2 | 50 % | 10\u201390 % |" in chart.markdown()


def test_latencies_far_apart_get_bars_that_grow_and_near_ones_the_same(lake):
    for name, last, is_growing in (("a", 100.0, True), ("b", 2.0, False)):
        lake.put([lake.row(n, {"total": 1.0}, latency_s=1.0 if n else last) for n in range(LEAST_ROWS)], name)
        chart = latency_chart(lake.look(name).figures)
        assert ("times as long as the one before" in chart.note) is is_growing
        assert (chart.ticks[0].text, chart.ticks[-1].text[:3]) == (
            "1.00 s",
            f"{last:.0f}"[:3] if is_growing else "2.0",
        )


def test_a_histogram_of_logarithms_counts_every_number_above_zero():
    spread = Spread()
    spread.add(pa.array([0.0, -1.0, 1.0, 10.0, 100.0, None, math.nan]))
    histogram = spread.log_histogram()
    assert (histogram.lowest, histogram.highest, sum(histogram.bars)) == (0.0, 2.0, 3)
    assert Spread().log_histogram() is None


@pytest.mark.parametrize("rows", [1, LEAST_ROWS])
def test_few_rows_have_no_charts(lake, rows):
    lake.put([lake.row(n, {"vendor": "x" * (70 + n), "total": 1.0}, latency_s=1.0 + n) for n in range(rows)])
    assert ("## How it is spread" in lake.report()) is (rows == LEAST_ROWS)


def test_lengths_labels_and_confidences_have_charts_and_names_and_totals_have_none(lake):
    kind = pa.struct(
        {
            "summary": pa.string(),
            "label": pa.string(),
            "urgent": pa.bool_(),
            "name": pa.string(),
            "total": pa.float64(),
            "share": pa.float64(),
            "tags": pa.list_(pa.string()),
        }
    )
    rows = [
        lake.row(
            n,
            {
                "summary": "word " * (n + 1),
                "label": "ab"[n % 2],
                "urgent": n % 3 == 0,
                "name": f"n{n}",
                "total": n * 10.0,
                "share": n / 50,
                "tags": ["t"] * (n % 4),
            },
        )
        for n in range(40)
    ]
    lake.put(rows, result_type=kind)
    told = lake.report(room=WHOLE).partition("## How it is spread")[2]
    titles = re.findall(r"^(?:Length of )?`(\w+)`", told, re.MULTILINE)
    assert titles == ["share", "summary", "tags"]
    assert re.findall(r"value of `([^`]+)`", told) == ["label", "urgent"]
    page = "".join(part.html() for part in report_parts(lake.look(), WHOLE))
    assert page.count('<figure class="chart">') == len(titles)
