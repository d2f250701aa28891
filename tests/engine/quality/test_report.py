from __future__ import annotations

from decimal import Decimal
from html.parser import HTMLParser

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runware_provider.engine.errors import BadInput
from runware_provider.engine.outcome.rows import INFERENCE_TYPE
from runware_provider.engine.quality.expected import Expected, HitCounter
from runware_provider.engine.quality.findings import Findings, Hits, Run
from runware_provider.engine.quality.profile import Profiler
from runware_provider.engine.quality.report_html import html_of
from runware_provider.engine.quality.report_markdown import markdown_of
from runware_provider.engine.quality.tally import FIELDS, Tally

HOSTILE = [
    "<b>",
    "</td>",
    "<!--",
    '"',
    "'",
    " onload=x ",
    ">",
    "&lt;",
    "|",
    "\\",
    "`",
    "\n",
    "{{ 1 }}",
    "]]>",
    "\u202e",
]
ANY = st.text(st.characters(exclude_categories=["Cs"])) | st.lists(st.sampled_from(HOSTILE)).map("".join)
VOID = {"meta", "br", "wbr", "rect"}


class Page(HTMLParser):
    """What a browser would see: tags that must be closed in turn, and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(html):
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page


def findings_of(texts, name="field"):
    """A report in which these texts stand everywhere."""
    kind = pa.struct({name: pa.string(), "b": pa.list_(pa.string())})
    schema = pa.schema({"key": pa.string(), "result": kind})
    results = pa.array([{name: text, "b": [text]} for text in texts], kind)
    profiler, tally = Profiler(), Tally()
    profiler.add(results)
    rows = [
        {
            "outcome": "invalid" if number else "succeeded",
            "error_code": text,
            "error_message": f"$.{text}: {text}; {text}",
            "attempts": number,
            "finish_reason": text,
            "latency_s": 1.0,
            "mends": [text],
        }
        for number, text in enumerate(texts)
    ]
    written = [one for one in INFERENCE_TYPE if one.name in FIELDS]
    tally.add(pa.Table.from_pylist(rows, pa.schema(written)))
    keys = list(dict.fromkeys(texts))
    wanted = Expected(pa.table({"key": keys, name: ["?"] * len(keys)}), "key", schema, kind)
    counter = HitCounter(wanted)
    counter.add(pa.array(texts, pa.string()), results, pa.array([True] * len(texts)))
    hits = Hits(counter.fields(), counter.compared, 0, len(keys), tuple(keys), 0.0)
    manifest = {"publish_id": "p1", "destination": texts[0], "model": texts[0], "finished_at": texts[0]}
    return Findings(Run(manifest, tally), profiler.fields(), hits)


NOTHING_HOSTILE = read(html_of(findings_of(["a", "b"])))


@settings(deadline=None, max_examples=60)
@given(st.lists(ANY, min_size=2, max_size=4), ANY.filter(lambda name: name not in {"b", "key"}))
def test_no_text_adds_a_tag_or_an_attribute_to_the_page(texts, name):
    page = read(html_of(findings_of(texts, name)))
    assert page.tags <= NOTHING_HOSTILE.tags | {"wbr", "svg", "rect", "title"}
    assert page.attributes <= NOTHING_HOSTILE.attributes


@settings(deadline=None, max_examples=60)
@given(st.lists(ANY, min_size=2, max_size=4), ANY.filter(lambda name: name not in {"b", "key"}))
def test_no_text_breaks_a_table_of_the_markdown(texts, name):
    for block in markdown_of(findings_of(texts, name)).split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        if rows:
            assert len(rows) == len(block.strip().splitlines())
            widths = {row.replace("\\\\", "").replace("\\|", "").count("|") for row in rows}
            assert len(widths) == 1


def test_the_page_asks_for_nothing_and_runs_nothing():
    html = html_of(findings_of(["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>']))
    assert "script" not in read(html).tags
    assert "img" not in read(html).tags
    assert "default-src 'none'" in html
    assert "http://" not in html
    assert "https://" not in html


def test_the_head_says_what_was_asked_what_came_and_what_it_cost(lake):
    row = lake.row
    rows = [row(1, {"vendor": "A", "total": 1.0}), row(2, None, error_message="$.total: Field required")]
    rows += [row(n, {"vendor": "A", "total": float(n)}, attempts=2) for n in range(3, 11)]
    lake.put(rows, parts=3, inferences=11)
    found = lake.report()
    markdown = found.to_markdown()
    for said in (
        "| rows | 10 |",
        "| succeeded | 90 % |",
        "| cost | 0.02 USD |",
        "| cost per 1,000 rows | 2.00 USD |",
        "| cost per 1,000 that succeeded | 2.222 USD |",
        "| tokens in (of them cached) | 1,200 (25 %) |",
        "| latency p50 / p90 / p99 / max | 1.50 s / 1.50 s / 1.50 s / 1.50 s |",
        "| asked more than once | 80 % |",
        "10 % invalid (1 row): mostly `schema`, above all `$.total: Field required`.",
        "| `total` | number | 100 % | 0 | 9 | `1 to 10` |",
    ):
        assert said in markdown
    assert "Field required" in read(found.to_html()).text


def test_the_same_dataset_gives_the_same_report_to_the_letter(lake):
    lake.put([lake.row(n, {"vendor": str(n % 3), "total": n / 7}) for n in range(50)], parts=4)
    first, second = lake.report(), lake.report()
    assert first.to_html() == second.to_html()
    assert first.to_markdown() == second.to_markdown()


def test_how_the_rows_are_spread_over_files_makes_no_difference(lake):
    rows = [lake.row(n, {"vendor": str(n % 3), "total": n / 7} if n % 5 else None) for n in range(50)]
    lake.put(rows, "a", parts=1)
    lake.put(rows, "b", parts=9)
    one, other = lake.report("a"), lake.report("b")
    assert one.fields == other.fields
    assert one.to_markdown().replace("/a`", "/b`") == other.to_markdown()


def test_only_rows_that_succeeded_count_in_the_fields(lake):
    lake.put([lake.row(1, {"vendor": None, "total": 1.0}), lake.row(2, None)])
    assert {one.path: (one.seen, one.null) for one in lake.report().fields} == {
        "vendor": (1, 1),
        "total": (1, 0),
    }


@pytest.mark.parametrize("rows", [0, 3])
def test_a_dataset_without_a_single_result_has_a_report(lake, rows):
    lake.put([lake.row(n, None) for n in range(rows)])
    found = lake.report()
    assert found.fields == ()
    text = "The dataset has no rows." if rows == 0 else "Not a single row succeeded."
    assert text in found.to_markdown()
    assert text in read(found.to_html()).text


def test_decimals_are_shown_without_the_zeros_of_their_type(lake):
    kind = pa.struct({"total": pa.decimal128(38, 18)})
    lake.put([lake.row(n, {"total": Decimal(n) / 10}) for n in (0, 1, 12_345_678_000)], "a", kind)
    expected = {"key": [1], "total": [Decimal("0.20")]}
    told = lake.report(expected=expected, key="key").to_markdown()
    assert "`0 to 1,234,567,800`" in told
    assert "| `total` | `1` | `0.1` | `0.2` |" in told
    assert "000000" not in told


def test_plain_texts_have_a_report(lake):
    lake.put([lake.row(1, "Hello"), lake.row(2, "Hello")], result_type=pa.string())
    assert (
        "| `result` | text | 100 % | 0 | 1 | `5 characters` |  | `Hello` 2 |" in lake.report().to_markdown()
    )


def test_expected_values_show_the_rate_its_interval_and_the_misses(lake):
    lake.put([lake.row(n, {"vendor": "A", "total": float(n)}) for n in range(10)])
    expected = pa.table({"key": list(range(10)), "total": [0.0] + [n + 0.001 for n in range(1, 9)] + [1.0]})
    strict, found = (lake.report(expected=expected, key="key", tolerance=one) for one in (0.0, 0.005))
    assert strict.hits.fields[0].hits == 1
    assert "0.005 besides" not in strict.to_markdown()
    assert "0.005 besides" in found.to_markdown()
    assert "0.005 besides" in found.to_html()
    assert "| `total` | 9 | 10 | 90 % | 59.6\u201398.2 % |" in found.to_markdown()
    assert "| `total` | `9` | `9` | `1` |" in found.to_markdown()
    assert "1 miss" in read(found.to_html()).text


def test_expected_values_may_be_a_dict_of_columns(lake):
    lake.put([lake.row(1, {"vendor": "A", "total": 1.0})])
    assert lake.report(expected={"key": [1], "vendor": ["A"]}, key="key").hits.fields[0].hits == 1


def test_expected_values_without_a_key_are_refused_and_the_shared_columns_named(lake):
    lake.put([lake.row(1, {"vendor": "A", "total": 1.0})])
    with pytest.raises(BadInput, match="both have: key"):
        lake.report(expected={"key": [1], "vendor": ["A"]})


def test_the_markdown_fits_into_150_lines_however_many_fields_there_are(lake):
    kind = pa.struct({f"f{n}": pa.string() for n in range(200)})
    messages = "; ".join(f"$.f{n}: Field required" for n in range(30))
    rows = [
        lake.row(n, {f"f{m}": "x" for m in range(200)}, mends=[f"mend {n}"], attempts=n) for n in range(30)
    ]
    rows += [lake.row(99 + n, None, error_code=f"code {n}", error_message=messages) for n in range(30)]
    lake.put(rows, result_type=kind)
    expected = {"key": list(range(30)), **{f"f{n}": ["y"] * 30 for n in range(200)}}
    found = lake.report(expected=expected, key="key")
    assert len(found.to_markdown().splitlines()) <= 150
    assert "170 more fields are in the HTML page." in found.to_markdown()
    assert "f199" in read(found.to_html()).text.replace("\n", "")


def test_the_short_report_has_what_stands_out_the_figures_and_the_rates(lake):
    lake.put([lake.row(number, {"vendor": "A", "total": 1.0}) for number in range(30)])
    expected = {"key": list(range(30)), "vendor": ["A"] * 29 + ["B"]}
    found = lake.report(expected=expected, key="key")
    short = found.to_short_markdown()
    assert "| `vendor` | 29 | 30 | 96.7 % |" in short
    assert "30 rows compared" in short
    assert "## Fields" not in short
    assert short.count("\n") <= 50


def findings_with_reasks(*reasks):
    written = [one for one in INFERENCE_TYPE if one.name in FIELDS and one.name != "reasks"]
    rows = [
        {"outcome": "succeeded", "attempts": 1 + number, "reasks": number, "latency_s": 1.0, "mends": []}
        for number in reasks
    ]
    tally = Tally()
    tally.add(pa.Table.from_pylist(rows, pa.schema([*written, pa.field("reasks", pa.int32())])))
    return Findings(Run({"publish_id": "p1"}, tally), (), None)


def test_rows_that_were_shown_what_did_not_fit_are_told():
    findings = findings_with_reasks(*[1] * 3, *[0] * 7)
    assert "re-asked once, as the answer did not fit" in read(html_of(findings)).text
    told = markdown_of(findings)
    assert (
        "30 % of the rows were asked again because the answer did not fit; that helped 100 % of them" in told
    )
    assert "| re-asked, as the answer did not fit | 30 % (100 % mended) |" in told
    assert "| re-asked 1 time, as the answer did not fit | 3 |" in told


def test_where_nothing_was_asked_again_nothing_is_said_of_it(lake):
    lake.put([lake.row(1, {"vendor": "A", "total": 1.0})])
    assert "re-asked 1" not in lake.report().to_markdown()
    assert "re-asked once" not in lake.report().to_html()


def test_with_samples_rows_and_records_are_told_apart(lake):
    rows = [lake.row(n // 2, {"vendor": "A", "total": 1.0}, sample=n % 2) for n in range(6)]
    lake.put(rows, records=3)
    assert "| rows | 6 of 3 records |" in lake.report().to_markdown()


def test_a_flattened_dataset_has_the_same_report(lake):
    rows = [lake.row(1, {"vendor": "a", "total": 1.5}), lake.row(2, None), lake.row(3, {"vendor": "b"})]
    told = []
    for name, flatten in (("a", False), ("b", True)):
        lake.put(rows, name, flatten=flatten)
        found = lake.report(name, expected={"key": [1, 3], "vendor": ["a", "x"]}, key="key")
        told.append((found.fields, found.hits))
    assert told[0] == told[1]
    assert [one.path for one in told[1][0]][:2] == ["vendor", "total"]
