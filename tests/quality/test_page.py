from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from runware_provider.engine.job.run_record import PastRun
from runware_provider.engine.outcome.rows import INFERENCE_TYPE
from runware_provider.quality.expected import Expected, Hits
from runware_provider.quality.figures import FIELDS, Figures, Rows
from runware_provider.quality.input_text import text_beside
from runware_provider.quality.page import body_of, framed, title_of
from runware_provider.quality.parts import html_of, markdown_of
from runware_provider.quality.profile import Profiler
from runware_provider.quality.report_charts import LEAST_ROWS
from runware_provider.quality.report_document import report_document, report_parts
from runware_provider.quality.report_remarks import Findings
from runware_provider.quality.room import BRIEF, WHOLE
from runware_provider.quality.wording import code, visible


def page_of(markdown):
    """A document as a page of its own."""
    return framed(title_of(markdown), body_of(markdown))


HOSTILE = [
    *(
        "<b>",
        "</td>",
        "<!--",
        '"',
        "'",
        " onload=x ",
        ">",
        "&lt;",
        "&#96;",
        "|",
        "\\",
        "`",
        "``",
        "\n",
        "\r\n\r\n",
        "{{ 1 }}",
        "]]>",
    ),
    *(
        "[a](javascript:alert(1))",
        "![a](https://a.example/b.png)",
        "https://a.example",
        "<https://a.example>",
        "**",
        "# ",
        "- ",
    ),
    *(
        "\u202e",
        "\u2066",
        "\x00",
        "\x1b[31m",
        "\u05d0",
        "\u2028",
        "12 %",
        "\u2581\u2588",
        "succeeded",
        "~~~",
        "| --- |",
    ),
]
ANY = st.text(st.characters(exclude_categories=["Cs"])) | st.lists(st.sampled_from(HOSTILE)).map("".join)
NAMES = ANY.filter(lambda name: name not in {"b", "key"})
VOID = {"meta", "br", "wbr", "rect", "line"}


class Seen(HTMLParser):
    """What a browser would see: tags that must be closed in turn, and text."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], set(), ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def findings_of(texts, name="field"):
    """A report in which these texts stand everywhere."""
    kind = pa.struct({name: pa.string(), "b": pa.list_(pa.string())})
    results = pa.array([{name: text, "b": [text]} for text in texts], kind)
    profiler = Profiler()
    profiler.add(results)
    figures = Figures(
        {
            **dict.fromkeys(("publish_id", "destination", "model", "finished_at"), texts[0]),
            "paid_usd": 0.5,
        }
    )
    rows = [
        {
            "outcome": "invalid" if number else "succeeded",
            "error_code": text,
            "error_message": f"$.{text}: {text}; {text}",
            "attempts": number,
            "finish_reason": text,
            "latency_s": 1.0 + number,
            "mends": [text, "unknown_keys"],
        }
        for number, text in enumerate(texts)
    ]
    keys = pa.array(texts, pa.string())
    counted = pa.schema([field for field in INFERENCE_TYPE if field.name in FIELDS])
    figures.add(pa.Table.from_pylist(rows, counted), keys)
    right = {
        "key": list(dict.fromkeys(texts)),
        name: ["?"] * len(set(texts)),
        "left out": ["x"] * len(set(texts)),
    }
    hits = Hits(Expected(right, "key", pa.schema({"key": pa.string()}), kind))
    hits.add(Rows(keys, keys, results, pa.array([True] * len(texts)), pa.table({})))
    for missed, text in zip(hits.fields[0].misses, texts, strict=False):
        missed.text = text_beside({text: text, "": ""}, text, text, key="key")
    return Findings(figures, profiler.fields(), hits, b"", past_of(texts[0], name))


def past_of(text, name):
    """A run before, all of whose texts are this one."""
    hits = {name: {"hits": 0, "of": 9}}
    return PastRun(text, "published", text, text, text, 9, {text: 9}, 0.5, 0.5, text, hits)


def page(*texts, name="field"):
    parts = report_parts(findings_of(texts, name), WHOLE)
    return framed(title_of(markdown_of(parts[:1])), html_of(parts))


HARMLESS = Seen(page("a", "b"))
CHARTED = Seen(page(*["a", "b"] * LEAST_ROWS))


@given(st.lists(ANY, min_size=2, max_size=4), NAMES)
@example(["|", "a|`b"], "`|`")
def test_no_text_adds_a_tag_or_an_attribute_to_the_page(texts, name):
    seen = Seen(page(*texts, name=name))
    assert set(seen.tags) <= set(HARMLESS.tags) | {"svg", "rect", "br", "wbr", "mark"}
    assert seen.attributes <= HARMLESS.attributes


@given(st.lists(ANY, min_size=2, max_size=2, unique=True), NAMES)
def test_no_text_adds_a_tag_or_an_attribute_to_a_chart(texts, name):
    seen = Seen(page(*texts * LEAST_ROWS, name=name))
    assert "figure" in seen.tags
    assert set(seen.tags) <= set(CHARTED.tags) | {"rect", "br", "wbr", "mark"}
    assert seen.attributes <= CHARTED.attributes


@given(st.lists(ANY, min_size=2, max_size=4), NAMES)
def test_no_text_breaks_a_table_of_the_markdown(texts, name):
    for block in report_document(findings_of(texts, name), BRIEF).split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        if rows:
            assert len(rows) == len(block.strip().splitlines())
            assert len({row.count("|") for row in rows}) == 1


def test_a_hostile_value_is_read_as_it_is_and_does_nothing():
    for hostile in [*HOSTILE, "".join(HOSTILE)]:
        text = f"x{hostile}y"  # a value of nothing but white space is quoted
        seen = Seen(page_of(f"# Title\n\n| value | end |\n| --- | --- |\n| {code(text, 1000)} | end |\n"))
        assert seen.tags.count("td") == 2
        assert set(seen.tags) <= set(HARMLESS.tags)
        assert not {"a", "img", "script", "b", "strong"} & set(seen.tags)
        assert visible(text) in seen.text


def test_nothing_is_drawn_of_a_value_that_looks_like_ours():
    seen = Seen(
        page_of(
            f"# Title\n\n| a | b | c |\n| --- | --- | --- |\n| {code('12 %')} | {code('▁█')} | {code('failed')} |\n"
        )
    )
    assert "svg" not in seen.tags


def test_long_values_are_clipped_and_those_that_run_from_right_to_left_isolated():
    markdown = report_document(findings_of(["x" * 1000, "שלום"]), WHOLE)
    assert "x" * 200 not in markdown
    assert "\u2068`שלום`\u2069" in markdown
    assert "unicode-bidi: isolate" in page_of(markdown)


def test_the_page_asks_for_nothing_and_runs_nothing():
    html = page("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>')
    policy = re.search(r"default-src 'none'; style-src 'sha256-([^']+)'", html)
    style = html[html.index("<style>") + len("<style>") : html.index("</style>")]
    assert base64.b64decode(policy[1]) == hashlib.sha256(style.encode()).digest()
    assert 'style="' not in html
    assert "script" not in Seen(html).tags
    assert "http://" not in html
    assert "https://" not in html


def test_shares_intervals_histograms_and_outcomes_are_drawn():
    html = page_of(
        "# Title\n\n| outcome | share | interval | spread | most frequent |\n| --- | ---: | --- | --- | --- |\n"
        "| failed | <0.1 % | 20\u201350 % | ▁▄█ 1 to 9 | `a` 2, `b` 1 |\n"
    )
    assert '<td data-name="outcome" class="failed">failed</td>' in html
    assert '&lt;0.1 %<svg class="bar share"' in html
    assert '<rect class="mark" x="20" width="30"' in html
    assert html.count('<rect class="mark"') == 4
    assert "<small>1 to 9</small>" in html
    assert "<code>a</code> 2<br><code>b</code> 1</td>" in html


def test_misses_are_folded_until_the_next_heading():
    html = page_of("# Title\n\n### `a`: 1 miss\n\nOne.\n\n### `b`: 2 misses\n\nTwo.\n\n## Fields\n\nAll.\n")
    folded = re.findall(r"<details><summary>(.*?)</summary>\n<p>(.*?)</p>\n</details>", html)
    assert folded == [("<code>a</code>: 1 miss", "One."), ("<code>b</code>: 2 misses", "Two.")]


def test_the_title_is_that_of_the_document():
    assert "<title>Quality of &lt;b&gt;</title>" in page_of("# Quality of `<b>`\n")


def test_a_field_breaks_between_its_words_on_a_narrow_page_and_a_value_is_left_as_it_is():
    page = page_of("# T\n\n| field | example |\n| --- | --- |\n| `lines[].unit_price` | `unit_price` |\n")
    assert "<code>lines[]<wbr>.unit_<wbr>price</code>" in page
    assert "<code>unit_price</code>" in page
