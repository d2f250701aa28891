"""Whatever a record, a name or a trouble says, a page has no element and no attribute but ours."""

from __future__ import annotations

from typing import get_args

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from runware_provider.engine.job.run_record import Approval, PastRun, RunRecord, State, Verdict, Waited
from runware_provider.pages.frame import page
from runware_provider.pages.job_document import job_parts, job_title, renews
from runware_provider.pages.links_between import ON_LIST
from runware_provider.pages.list_document import list_parts
from runware_provider.pages.pushed import MOST_ID_CHARS
from runware_provider.pages.run_view import DatasetView, RunView, ShardView, TaskAt, TaskNow
from runware_provider.quality.parts import markdown_of
from tests.pages.seen import ATTRIBUTES, TAGS, Seen

HOSTILE = [
    *(
        "<script>alert(1)</script>",
        "</main>",
        "</title>",
        "<!--",
        "]]>",
        '"',
        "'",
        "' onload=x ",
        '"><img src=x onerror=y>',
    ),
    *(
        "&lt;",
        "&#60;script&#62;",
        "javascript:alert(1)",
        "[a](javascript:alert(1))",
        "![a](https://a.example)",
        "| a |",
        "`",
        "``",
    ),
    *(
        "\x00",
        "\x1b[31m",
        "\u202e",
        "\u2066",
        "\u2028",
        "\u05d0",
        "\n\n# a",
        "{body}",
        "{0}",
        "%s",
        "2026-11-30T14:00:00",
        "9999-12-31",
    ),
    10_000 * "x",
    3_000 * "<b>",
]
TEXT = st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=3).map("".join) | st.text(max_size=30)
NUMBER = st.sampled_from([0, 1, 7, -1, 10**15, -(10**15)])
AMOUNT = NUMBER | st.floats(-1e15, 1e15)
STATES = st.sampled_from(get_args(State))
TASK_STATES = st.none() | st.sampled_from(["running", "failed", "success", "deferred", "queued", "<b>"])


def record_of(text, state, number, amount, verdict) -> RunRecord:
    """A record in which this text, these numbers stand everywhere."""
    return RunRecord(
        run=text,
        state=state,
        started_at=text,
        at=text,
        source=text,
        destination=text,
        model=text,
        rows=number,
        rows_done=number,
        reused=number,
        outcomes={text: number, "succeeded": number},
        reasons={text: number},
        under_way=number,
        window=number,
        window_reason=text,
        rows_a_second=amount,
        left_s=amount,
        quiet_s=amount,
        latency_median_s=amount,
        latency_slow_s=amount,
        asked_again=number,
        waits=[Waited(text, number, amount)],
        paid_usd=amount,
        foreseen_usd=amount,
        budget_usd=amount,
        budget_tokens=number,
        trouble=text,
        reason=text,
        remedy=text,
        publish_id=text,
        request=text,
        approval=Approval(number, amount, amount, amount, verdict, text, text, number) if verdict else None,
    )


def past_of(text, state, number, amount) -> PastRun:
    hits = {text: {"hits": number, "of": number}}
    return PastRun(text, state, text, text, text, number, {text: number}, amount, amount, text, hits)


RECORDS = st.builds(record_of, TEXT, STATES, NUMBER, AMOUNT, st.none() | st.sampled_from(get_args(Verdict)))
PASTS = st.lists(st.builds(past_of, TEXT, STATES, NUMBER, AMOUNT), max_size=2).map(tuple)
IDS = TEXT.map(lambda text: text[:MOST_ID_CHARS])
"""Whatever is longer names no task (`pushed.task_at`), and every link has them."""
TASKS = st.builds(TaskAt, IDS, IDS, IDS, st.integers(-1, 9))
SHARDS = st.lists(st.builds(ShardView, st.integers(0, 3), st.none() | RECORDS), max_size=2).map(tuple)
VIEWS = st.builds(
    RunView,
    at=TASKS,
    task=st.builds(TaskNow, TASK_STATES),
    places=st.builds(lambda text: {"output": text, "state": text}, TEXT),
    record=st.none() | RECORDS,
    shard=st.none() | st.integers(0, 1),
    shards=SHARDS,
    past=PASTS,
    may_read_texts=st.booleans(),
    has_report=st.booleans(),
    trouble=TEXT,
    read_at=TEXT,
)
MARKDOWN = MarkdownIt("commonmark").enable("table")
OWN_CLASSES = {
    *(
        "below",
        "state",
        "says",
        "notice",
        "tiles",
        "beside",
        "scroll",
        "wide",
        "cards",
        "narrow",
        "n",
        "empty",
        "this",
        "renewal",
    ),
    *(
        "money",
        "beyond",
        "rail",
        "foreseen",
        "paid",
        "budget",
        "legend",
        "shards",
        "ways",
        "to-do",
        "bar",
        "mark",
        "share",
        "spark",
        "past",
    ),
    *(
        "dot",
        "idle",
        "running",
        "waiting",
        "partly",
        "asking",
        "done",
        "stopped",
        "silent",
        "slow",
        "succeeded-share",
        "failed-share",
    ),
    *("outcomes", "succeeded", "invalid", "refused", "failed", "skipped", "to-come", "other"),
}


def assert_only_ours(html):
    told = Seen(html)
    assert set(told.tags) <= TAGS
    assert told.attributes <= ATTRIBUTES
    assert told.classes <= OWN_CLASSES
    assert told.tags.count("script") == 1
    assert not {sign for sign in "\x00\x1b\u202e\u2066" if sign in html}
    assert not [
        link
        for link in told.links
        if ":" in link.partition("?")[0] and link.startswith(("javascript", "data", "http"))
    ]
    assert len(html) < 200_000


@given(VIEWS)
def test_a_page_of_a_task_has_no_element_but_ours(view):
    assert_only_ours(page(job_title(view), job_parts(view), renew_s=1))


@given(VIEWS)
def test_whether_a_page_renews_itself_is_decided_for_every_view(view):
    assert renews(view) in {True, False}


@given(VIEWS)
def test_the_same_as_markdown_holds_no_markup_of_a_strangers(view):
    tokens = MARKDOWN.parse(markdown_of(job_parts(view)))
    inside = [token for block in tokens for token in block.children or []]
    kinds = {token.type for token in [*tokens, *inside]}
    assert not kinds & {
        "html_block",
        "html_inline",
        "link_open",
        "image",
        "fence",
        "code_block",
        "blockquote_open",
    }


DATASETS = st.builds(DatasetView, TASKS, TEXT, st.none() | RECORDS, PASTS, TEXT)


@given(st.lists(DATASETS, max_size=3), TEXT)
@example([], "")
def test_the_list_has_no_element_but_ours(datasets, read_at):
    parts = list_parts(datasets, left_out=2, read_at=read_at)
    assert_only_ours(page("Datasets", parts, links=ON_LIST))
