"""What the pages with texts show: the record, its answer with what is wrong marked, what was asked; whatever the files hold."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from runware_provider.engine.job.run_examples import examples_path
from runware_provider.engine.job.run_record import RunRecord
from runware_provider.engine.job.run_records import record_path, write_record
from runware_provider.engine.job.run_request import request_path, write_request
from runware_provider.engine.outcome.rows import INFERENCE_TYPE
from runware_provider.engine.spec import Spec
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.pages import text_files, texts
from runware_provider.pages.opened_place import OpenedPlace
from runware_provider.pages.record_parts import MENDS
from runware_provider.pages.run_view import TaskAt
from runware_provider.quality.parts import Command, Passage, html_of, markdown_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STORAGE = LocalStorage(lambda _: None)
RUN = "dag/task/run/-1"
DOCS = Path(__file__).resolve().parents[2] / "docs"
REPEATED, LONG_CHARS = 1_000, 4 * 2**20
HOSTILE = [
    "</pre><script>alert(1)</script>",
    "</code></details></main><img src=x onerror=alert(1)>",
    "`code` | **bold** | <b>x</b> [a](javascript:alert(1)) @everyone",
    "\u202egnp.exe\u2066",
    "\x1b[31mred\x1b[0m\x07",
    "nul\x00nul",
    "x" * 10_000_000,
    "\n" * 100_000,
    "```\n# heading\n| a | b |\n---",
    '"><svg/onload=alert(1)>',
]


def opened(folder: Path, shard: int | None = None) -> OpenedPlace:
    return OpenedPlace(TaskAt("dag", "run", "task"), {}, STORAGE, str(folder), RUN, shard)


def inference(code: str = "schema", **facts: Any) -> dict[str, Any]:
    usual = {
        "outcome": "invalid",
        "error_code": code,
        "error_message": "$.lines[1].amount: 'x' is not of type 'number'; $: 'total' is a required property",
        "attempts": 2,
        "reasks": 1,
        "task_uuid": "11111111-2222-4333-8444-555555555555",
        "sample": 0,
        "model": "m",
        "cost_usd": 0.00123,
        "latency_s": 4.5,
        "mends": ["fence"],
        "raw": json.dumps({"text": '{"lines": [{"amount": 1}, {"amount": "x"}]}', "reasoningContent": "Hm."}),
    }
    return {**usual, **facts}


def put(path: str, rows: Sequence[dict[str, Any]]) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    columns = {name: [row[name] for row in rows] for name in rows[0] if name != "inference"}
    table = pa.table(columns)
    if "inference" in rows[0]:
        table = table.append_column("inference", pa.array([row["inference"] for row in rows], INFERENCE_TYPE))
    pq.write_table(table, path)


def fail(folder: Path, rows: Sequence[dict[str, Any]], **noted: Any) -> OpenedPlace:
    put(examples_path(STORAGE, str(folder), RUN), rows)
    note(folder, **noted)
    return opened(folder)


def note(folder: Path, spec: dict[str, Any] | None = None, **noted: Any) -> None:
    given = {"source": "in", "destination": "out", "prompt": "Read {{ record.body }}", **(spec or {})}
    request = write_request(STORAGE, str(folder), Spec(**given), {"model": "x"})
    usual = {
        "run": RUN,
        "state": "published",
        "started_at": "2026-01-01T00:00:00+00:00",
        "at": "2026-01-01T00:00:00+00:00",
        "source": "in",
        "destination": "out",
        "model": "m",
        "rows": 9,
        "rows_done": 9,
        "reasons": {"schema": 3},
        "request": request,
    }
    write_record(STORAGE, str(folder), RunRecord(**{**usual, **noted}))


def row(number: int, code: str = "schema", **facts: Any) -> dict[str, Any]:
    return {
        "id": f"doc-{number}",
        "body": f"Text of document {number}\nsecond line",
        "inference": inference(code, **facts),
    }


def commands(parts: Sequence[Any]) -> list[str]:
    return [part.text for part in parts if isinstance(part, Command)]


def passages(parts: Sequence[Any]) -> dict[str, list[tuple[str, bool]]]:
    return {part.title: list(part.pieces) for part in parts if isinstance(part, Passage)}


# failures


def test_a_record_that_failed_is_named_with_its_text_its_answer_and_what_is_wrong_in_it(
    tmp_path: Path,
) -> None:
    parts = texts.failed_parts(fail(tmp_path, [row(1)]), None)
    told = markdown_of(parts)
    assert "## 1. `id` = `doc-1`" in told
    assert "3 rows failed. These are 1 of the first; 2 rows more are left out." in told
    assert "`11111111-2222-4333-8444-555555555555`" in told
    assert "0.00123 USD" in told
    assert "4.50 s" in told
    assert "`fence`: a code fence around the JSON was dropped" in told
    assert "| `$.lines[1].amount` | `'x' is not of type 'number'` |" in told
    assert "| `$` | `'total' is a required property` |" in told
    shown = passages(parts)
    assert [piece for piece, is_marked in shown["Answer, as it came"] if is_marked] == ['"x"']
    assert shown["Input, column body"] == [("Text of document 1\nsecond line", False)]
    assert "What the model thought" in told


def test_there_are_at_most_twenty_and_of_one_reason_where_one_is_asked_for(tmp_path: Path) -> None:
    place = fail(
        tmp_path,
        [*(row(n) for n in range(30)), row(99, "truncated")],
        reasons={"schema": 40, "truncated": 1, "empty": 7},
    )
    told = markdown_of(texts.failed_parts(place, None))
    assert told.count("\n## ") == 20
    assert "41 rows failed. These are 20 of the first; 21 rows more are left out." in told
    told = markdown_of(texts.failed_parts(place, "truncated"))
    assert re.findall(r"(?m)^## .*", told) == ["## 1. `id` = `doc-99`"]
    assert 'href="failed?reason=schema"' in html_of(texts.failed_parts(place, "truncated"))


def test_the_command_asks_everything_that_failed_or_the_records_that_are_shown(tmp_path: Path) -> None:
    place = fail(
        tmp_path,
        [row(1), row(2, "truncated", task_uuid="22222222-2222-4333-8444-555555555555")],
        reasons={"schema": 1, "truncated": 1},
    )
    path = request_path(STORAGE, str(tmp_path), next((tmp_path / "requests").iterdir()).stem)
    run = f"runware run --request {path}"
    assert commands(texts.failed_parts(place, None)) == [f"{run} --retry-failed"]
    assert commands(texts.failed_parts(place, "truncated")) == [
        f"runware forget --destination out --task-uuid 22222222-2222-4333-8444-555555555555 && \\\n{run}"
    ]


def test_a_run_that_stopped_says_that_the_command_goes_on(tmp_path: Path) -> None:
    parts = texts.failed_parts(fail(tmp_path, [row(1)], state="stopped"), None)
    (command,) = (part for part in parts if isinstance(part, Command))
    assert command.title == "Ask again everything that failed, and go on with what is not asked yet"


def test_of_a_run_at_work_it_says_that_the_command_waits(tmp_path: Path) -> None:
    told = markdown_of(texts.failed_parts(fail(tmp_path, [row(1)], state="running"), None))
    assert "The run may still be at work" in told


def test_a_shard_shows_its_own_and_its_group_those_of_all_shards(tmp_path: Path) -> None:
    split = {
        "format": 1,
        "split": "ab",
        "state": "ready",
        "turn": "t",
        "old": [],
        "shards": [[], []],
        "bytes": [0, 0],
        "wish": {"request": {}, "rows": "", "generation": 0},
        "folders": 2,
    }
    (tmp_path / "split.json").write_text(json.dumps(split), encoding="utf-8")
    for number in (0, 1):
        put(examples_path(STORAGE, str(tmp_path / "shards" / f"{number:04d}"), RUN), [row(number)])
    note(tmp_path)
    assert "doc-1" not in markdown_of(texts.failed_parts(opened(tmp_path, 0), None))
    whole = markdown_of(texts.failed_parts(opened(tmp_path), None))
    assert "doc-0" in whole
    assert "doc-1" in whole


@pytest.mark.parametrize(
    ("reasons", "reason", "said"),
    [
        ({}, None, "No row of this run has failed."),
        ({"schema": 1}, "other", "No row of this run has failed with this code."),
        ({"empty": 3}, "empty", "were never sent"),
        ({"schema": 3}, "schema", "No example of these rows was kept"),
    ],
)
def test_without_examples_it_says_why(
    tmp_path: Path, reasons: dict[str, int], reason: str | None, said: str
) -> None:
    note(tmp_path, reasons=reasons)
    assert said in markdown_of(texts.failed_parts(opened(tmp_path), reason))


def test_without_any_record_it_says_so(tmp_path: Path) -> None:
    assert "Nothing is noted of this run." in markdown_of(texts.failed_parts(opened(tmp_path), None))
    assert "not noted" in markdown_of(texts.asked_parts(opened(tmp_path)))
    assert "No misses are noted" in markdown_of(texts.missed_parts(opened(tmp_path), None))
    assert "There are no sample answers" in markdown_of(texts.samples_parts(opened(tmp_path)))


def test_every_repair_of_the_documentation_is_known_by_its_name() -> None:
    told = (DOCS / "output.md").read_text(encoding="utf-8").partition("## Mends")[2]
    assert set(re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE)) == set(MENDS)


# misses


def missed(folder: Path, rows: Sequence[tuple[str, Any, Any]]) -> OpenedPlace:
    put(
        f"{folder}/reports/misses.parq",
        [
            {
                "record": f"doc-{number}",
                "sample": 0,
                "field": field,
                "got": json.dumps(got),
                "expected": json.dumps(wanted),
                "task_uuid": f"{number:08d}-2222-4333-8444-555555555555",
                "input": {"id": number, "body": "Read this"},
            }
            for number, (field, got, wanted) in enumerate(rows)
        ],
    )
    note(folder, {"partition": {"ds": "2026-01-01"}, "memory": {"state": str(folder)}})
    return opened(folder)


def test_a_miss_shows_got_beside_expected_with_what_differs_marked_and_what_it_was_read_from(
    tmp_path: Path,
) -> None:
    parts = texts.missed_parts(
        missed(tmp_path, [("vendor.name", "Max GmbH", "Moritz GmbH"), ("total", 1, 2)]), "vendor.name"
    )
    shown = passages(parts)
    assert shown["Got"] == [("Max", True), (" GmbH", False)]
    assert shown["Expected"] == [("Moritz", True), (" GmbH", False)]
    told = markdown_of(parts)
    assert "## 1. `id` = `0`" in told
    assert "`Read this`" in told
    assert 'href="missed?field=total"' in html_of(parts)
    (command,) = commands(parts)
    assert command.startswith(
        f"runware forget --destination out --state {tmp_path} --partition ds=2026-01-01"
        " --task-uuid 00000000-2222-4333-8444-555555555555 && \\\nrunware run --request "
    )


def test_of_many_misses_twenty_are_shown_and_the_rest_is_counted(tmp_path: Path) -> None:
    told = markdown_of(texts.missed_parts(missed(tmp_path, [("total", n, -n) for n in range(1, 46)]), None))
    assert told.count("\n## ") == 20
    assert (
        "45 values of the published dataset differ from what was expected; these are the first, 25 more are left out."
        in told
    )


def test_of_twenty_thousand_misses_those_of_a_field_at_their_end_are_found(tmp_path: Path) -> None:
    note(tmp_path)
    table = pa.table(
        {
            "record": [str(n) for n in range(20_000)],
            "field": ["total"] * 19_990 + ["name"] * 10,
            "got": ["1"] * 20_000,
            "expected": ["2"] * 20_000,
            "input": [{"body": f"text {n} " * 100} for n in range(20_000)],
        }
    )
    (tmp_path / "reports").mkdir()
    pq.write_table(table, tmp_path / "reports" / "misses.parq", store_schema=False)
    told = markdown_of(texts.missed_parts(opened(tmp_path), "name"))
    assert re.findall(r"(?m)^## .*", told) == [f"## {n + 1}. `{19_990 + n}`" for n in range(10)]
    assert "text 19999" in told


# what was asked


def test_what_was_asked_shows_prompt_schema_tools_and_the_commands(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"total": {"type": "number"}}}
    note(
        tmp_path,
        {
            "system_prompt": "Be exact.",
            "output_type": schema,
            "variables": {"api_token": "hush", "ds": "x"},
            "settings": {"temperature": 0.5},
        },
    )
    parts = texts.asked_parts(opened(tmp_path))
    shown = passages(parts)
    assert shown["Prompt, rendered once per record"] == [("Read {{ record.body }}", False)]
    assert shown["System prompt"] == [("Be exact.", False)]
    assert json.loads(shown["JSON Schema that every answer must fit"][0][0]) == schema
    told = markdown_of(parts)
    assert "`settings.temperature`" not in told
    assert "settings.temperature | `0.5`" in told
    assert "`variables.api_token`" in told
    assert "hush" not in told
    assert [command.split()[1] for command in commands(parts)] == ["run", "plan"]


def test_messages_are_shown_one_by_one(tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "A"},
        {"role": "assistant", "content": "B"},
        {"role": "user", "content": "{{ record.x }}"},
    ]
    note(tmp_path, {"prompt": None, "messages": messages})
    assert list(passages(texts.asked_parts(opened(tmp_path))))[:3] == [
        "Message 1, of the user",
        "Message 2, of the model",
        "Message 3, of the user",
    ]


# samples


def samples(folder: Path, content: str) -> OpenedPlace:
    path = Path(record_path(STORAGE, str(folder), RUN).replace("/runs/", "/samples/"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return opened(folder)


def test_sample_answers_are_shown_with_what_they_were_read_from(tmp_path: Path) -> None:
    row = {
        "input": {"id": 7, "body": "Read\nthis"},
        "result": {"total": 1.5},
        "inference": {"outcome": "succeeded", "cost_usd": 0.1},
    }
    parts = texts.samples_parts(samples(tmp_path, json.dumps({"format": 1, "rows": [row]})))
    assert json.loads(passages(parts)["Result"][0][0]) == {"total": 1.5}
    assert "## 1. `id` = `7`" in markdown_of(parts)


# hostile, damaged, huge, foreign


class Tags(HTMLParser):
    """Collects what a browser would make elements of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.hrefs += [value or "" for name, value in attrs if name == "href"]


def assert_harmless(parts: Sequence[Any]) -> None:
    page = html_of(parts)
    page.encode()
    found = Tags()
    found.feed(page)
    assert found.tags <= {
        "h1",
        "h2",
        "p",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "div",
        "code",
        "strong",
        "em",
        "figure",
        "figcaption",
        "pre",
        "mark",
        "details",
        "summary",
        "button",
        "a",
        "ul",
        "ol",
        "li",
        "small",
        "br",
    }
    assert not [name for name in found.attributes if name.startswith("on") or name in {"src", "style"}]
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\ud800-\udfff]", page)
    assert all(
        re.fullmatch(r"(\.\./){4}dag/run/task/-1|(failed|missed)(\?[a-z]+=[\w%.+~-]*)?", href)
        for href in found.hrefs
    )
    assert len(page) < 2_000_000


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_in_every_field_changes_nothing(tmp_path: Path, text: str) -> None:
    short = text[:50_000]
    failed = {
        "id": short,
        f"column {short[:200]}": text,
        "list": [short[:9]] * 100_000,
        "inference": inference(
            short[:300],
            error_message=f"$.a: {short}; $.{short}: b",
            raw=json.dumps({"text": text}),
            mends=[short],
            task_uuid=short[:90],
            outcome=short,
        ),
    }
    place = fail(tmp_path, [failed], reasons={short[:300]: 1})
    assert_harmless(texts.failed_parts(place, None))
    assert_harmless(texts.failed_parts(place, short))
    assert_harmless(texts.failed_parts(fail(tmp_path, [{**failed, "inference": inference(raw=text)}]), None))
    put(
        f"{tmp_path}/reports/misses.parq",
        [
            {
                "record": short,
                "sample": 0,
                "field": short,
                "got": json.dumps([text] * 3),
                "expected": text,
                "task_uuid": short,
                "input": {"body": text},
            }
        ],
    )
    assert_harmless(texts.missed_parts(place, None))
    assert_harmless(texts.missed_parts(place, short))
    note(
        tmp_path,
        {
            "prompt": f"x{text[:800_000]}",
            "system_prompt": f"x{short}",
            "variables": {short: short},
            "output_type": {"type": "object", "title": short},
            "model": f"x{short}",
        },
    )
    assert_harmless(texts.asked_parts(place))
    row = {"input": {short: text}, "result": {short: text}, "inference": inference(raw=text, outcome=text)}
    assert_harmless(
        texts.samples_parts(samples(tmp_path, json.dumps({"format": 1, "rows": [row]})[:15_000_000]))
    )


def test_a_command_holds_nothing_that_cannot_be_seen(tmp_path: Path) -> None:
    rows = [row(1, task_uuid="$(reboot)"), row(2, "other", task_uuid="\x1b[A;reboot")]
    place = fail(
        tmp_path,
        rows,
        spec={"destination": "out; reboot", "partition": {"ds": "'"}},
        reasons={"schema": 1, "other": 1},
    )
    (command,) = commands(texts.failed_parts(place, "other"))
    assert "reboot" not in command
    rows[1]["inference"]["task_uuid"] = "22222222-2222-4333-8444-555555555555"
    (command,) = commands(
        texts.failed_parts(
            fail(tmp_path, rows, spec={"destination": "out; reboot", "partition": {"ds": "'"}}), "other"
        )
    )
    assert shlex.split(command)[:7] == [
        "runware",
        "forget",
        "--destination",
        "out; reboot",
        "--partition",
        "ds='",
        "--task-uuid",
    ]
    parts = texts.failed_parts(fail(tmp_path, rows, spec={"destination": "out\u202e"}), "other")
    assert not commands(parts)
    assert "characters that cannot be seen" in markdown_of(parts)


def test_a_connection_of_airflow_is_none_for_a_terminal(tmp_path: Path) -> None:
    spec = {
        "source": "s3://lake@bucket/in",
        "destination": "s3://lake@bucket/out",
        "publish": {"if_exists": "error"},
    }
    (command,) = commands(texts.failed_parts(fail(tmp_path, [row(1)], spec=spec), None))
    assert command.endswith(
        " --source s3://bucket/in --destination s3://bucket/out --if-exists overwrite --retry-failed"
    )


def test_what_no_command_can_ask_is_said(tmp_path: Path) -> None:
    class Exact(BaseModel):
        amount: Decimal

    parts = texts.failed_parts(fail(tmp_path, [row(1)], spec={"output_type": Exact}), None)
    assert not commands(parts)
    assert "Run the task again with `retry_failed=True`" in markdown_of(parts)

    class Loose(BaseModel):
        amount: float

    parts = texts.failed_parts(fail(tmp_path, [row(1)], spec={"output_type": Loose}), None)
    assert commands(parts)
    assert "without its validators" in markdown_of(parts)
    parts = texts.failed_parts(fail(tmp_path, [row(1)], spec={"source": "s3://me:hush@bucket/in"}), None)
    assert "write it behind the command" in markdown_of(parts)


def test_half_a_surrogate_is_spelled_out(tmp_path: Path) -> None:
    row = {
        "input": {"a\ud800": "b\ud800" * 99},
        "result": "\ud800",
        "inference": inference(raw='{"text": "\\ud800"}', error_message="\ud800"),
    }
    assert_harmless(texts.samples_parts(samples(tmp_path, json.dumps({"format": 1, "rows": [row]}))))


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1" * 1_000, b"\x00" * 10_000, b"PAR1\xff\xff\xff\xffPAR1"], ids=range(5)
)
def test_a_damaged_file_is_told_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    place = fail(tmp_path, [row(1)])
    for path in (examples_path(STORAGE, str(tmp_path), RUN), f"{tmp_path}/reports/misses.parq"):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_bytes(content)
    for parts in (texts.failed_parts(place, None), texts.missed_parts(place, None)):
        assert "damaged, or none that this package wrote" in markdown_of(parts)


def test_a_part_that_was_cut_in_the_middle_is_told_in_a_sentence(tmp_path: Path) -> None:
    place = fail(tmp_path, [row(n) for n in range(50)])
    path = Path(examples_path(STORAGE, str(tmp_path), RUN))
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size] + bytes(len(whole) - size)[: len(whole) - size - 400] + whole[-400:])
        assert_harmless(texts.failed_parts(place, None))


@pytest.mark.parametrize(
    "rows", [[{"a": 1}], [{"record": "x", "field": "y"}], [{"inference": None, "a": 1}]], ids=range(3)
)
def test_a_foreign_file_is_told_in_a_sentence(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    note(tmp_path)
    for path in (examples_path(STORAGE, str(tmp_path), RUN), f"{tmp_path}/reports/misses.parq"):
        put(path, rows)
    assert_harmless(texts.failed_parts(opened(tmp_path), None))
    assert "damaged, or none" in markdown_of(texts.missed_parts(opened(tmp_path), None))


def test_columns_of_odd_types_do_no_harm(tmp_path: Path) -> None:
    note(tmp_path)
    table = pa.table(
        {
            "record": [1],
            "field": [{"a": 1}],
            "got": [b"\xff"],
            "expected": [[1]],
            "task_uuid": [2.5],
            "input": ["x"],
            "sample": ["y"],
        }
    )
    (tmp_path / "reports").mkdir()
    pq.write_table(table, tmp_path / "reports" / "misses.parq")
    assert_harmless(texts.missed_parts(opened(tmp_path), None))
    path = examples_path(STORAGE, str(tmp_path), RUN)
    pq.write_table(
        pa.table({"day": pa.array([2**31 - 1], pa.int32()).cast(pa.date32()), "inference": ["x"]}), path
    )
    assert_harmless(texts.failed_parts(opened(tmp_path), None))


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    place = fail(tmp_path, [row(1)])
    with Path(examples_path(STORAGE, str(tmp_path), RUN)).open("wb") as file:
        file.truncate(text_files.MOST_BYTES + 1)
    assert "too large to be shown here" in markdown_of(texts.failed_parts(place, None))
    path = samples(tmp_path, "x")
    (file_of_samples,) = (tmp_path / "samples").iterdir()
    with file_of_samples.open("wb") as file:
        file.truncate(text_files.MOST_JSON_BYTES + 1)
    assert "too large to be shown here" in markdown_of(texts.samples_parts(path))


def test_a_small_file_that_holds_very_much_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runware_provider.pages.text_files.MOST_DECODED", 100_000)
    place = fail(tmp_path, [row(1)])
    huge = pa.table({"body": ["x" * 2_000] * 60, "inference": ["y"] * 60})
    pq.write_table(huge, examples_path(STORAGE, str(tmp_path), RUN), compression="zstd", use_dictionary=False)
    assert "too large to be shown here" in markdown_of(texts.failed_parts(place, None))


@pytest.fixture
def arrow_memory() -> Iterator[pa.MemoryPool]:
    """What Arrow takes from now on."""
    usual = pa.default_memory_pool()
    counted = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(counted)
    yield counted
    pa.set_memory_pool(usual)


def test_a_text_that_a_file_repeats_a_thousand_times_is_held_once(
    tmp_path: Path, arrow_memory: pa.MemoryPool
) -> None:
    """567 bytes that are 4 GB where each row has a text of its own."""
    note(tmp_path)
    path = Path(examples_path(STORAGE, str(tmp_path), RUN))
    path.parent.mkdir(exist_ok=True)
    places = pa.array([0] * REPEATED, pa.int32())
    long = pa.DictionaryArray.from_arrays(places, pa.array(["x" * LONG_CHARS]))
    code = pa.array([{"error_code": "schema"}] * REPEATED)
    for columns, told in (
        ({"inference": pa.StructArray.from_arrays([long], ["error_code"])}, "too large to be shown here"),
        ({"body": long, "inference": code}, "These are 20 of the first"),
    ):
        pq.write_table(
            pa.table(columns),
            path,
            compression="zstd",
            dictionary_pagesize_limit=2**30,
            write_statistics=False,
            store_schema=False,
        )
        assert path.stat().st_size < 3_000
        held = arrow_memory.bytes_allocated()
        assert told in markdown_of(texts.failed_parts(opened(tmp_path), None))
        assert arrow_memory.max_memory() - held < 10 * LONG_CHARS


def test_a_value_that_is_nested_without_end_is_told_in_a_sentence(tmp_path: Path) -> None:
    for depth, told in ((450, "nested too deeply"), (100_000, "is damaged")):
        nested = "[" * depth + "]" * depth
        place = samples(tmp_path, f'{{"rows": [{{"input": {{"a": 1}}, "result": {nested}}}]}}')
        assert told in markdown_of(texts.samples_parts(place))


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"rows": 1}', '{"rows": [1, null, {"input": 5, "inference": []}]}', "[" * 100_000],
    ids=range(6),
)
def test_damaged_samples_and_records_are_told_in_a_sentence(tmp_path: Path, content: str) -> None:
    place = samples(tmp_path, content)
    assert_harmless(texts.samples_parts(place))
    record = Path(record_path(STORAGE, str(tmp_path), RUN))
    record.parent.mkdir()
    record.write_text(content, encoding="utf-8")
    for show in (texts.failed_parts, texts.missed_parts):
        assert_harmless(show(place, None))
    assert "is damaged" in markdown_of(texts.asked_parts(place))


def test_a_store_that_fails_is_told_without_its_words(tmp_path: Path) -> None:
    class Failing(LocalStorage):
        def read_versioned(self, path: str) -> Any:
            raise PermissionError(13, "secret words", path)

    place = OpenedPlace(TaskAt("dag", "run", "task"), {}, Failing(), str(tmp_path), RUN, None)
    told = markdown_of(texts.failed_parts(place, None))
    assert "The store could not be read (`PermissionError`)." in told
    assert "secret" not in told


def test_a_page_of_texts_names_dataset_and_run_and_leads_back(tmp_path: Path) -> None:
    place = replace(opened(tmp_path, 2), places={"output": "s3://lake/invoices"})
    for parts in (
        texts.failed_parts(place, None),
        texts.missed_parts(place, None),
        texts.asked_parts(place),
        texts.samples_parts(place),
    ):
        page = html_of(parts)
        assert f'<a href="../../../..{place.at.path}">Back to the run</a>' in page
        told = markdown_of(parts)
        for named in ("`invoices`", "DAG `dag`", "task `task`", "run `run`", "shard 3"):
            assert named in told


def test_the_failures_of_a_group_are_counted_over_all_its_shards(tmp_path: Path, split_of: Any) -> None:
    split_of(tmp_path, 3)
    note(tmp_path, reasons={}, state="running")
    for number in (0, 1):
        fail(tmp_path / "shards" / f"{number:04d}", [row(number)], reasons={"schema": 500})
    assert "1,000 rows failed. These are 2 of the first" in markdown_of(
        texts.failed_parts(opened(tmp_path), None)
    )


def test_a_group_of_which_no_example_was_kept_does_not_say_that_nothing_failed(
    tmp_path: Path, split_of: Any
) -> None:
    split_of(tmp_path, 2)
    note(tmp_path, reasons={}, state="running")
    note(tmp_path / "shards" / "0000", reasons={"schema": 500})
    told = markdown_of(texts.failed_parts(opened(tmp_path), None))
    assert "No example of these rows was kept" in told


@pytest.mark.parametrize(
    ("state", "reasons", "titles"),
    [
        ("published", {"schema": 1}, ["Ask again everything that failed", "What that would cost"]),
        ("published", {"budget": 9}, ["Go on with what is not asked yet", "What that would cost"]),
        ("stopped", {}, ["Go on with what is not asked yet", "What that would cost"]),
        ("published", {}, []),
        ("published", {"empty": 9}, []),
    ],
)
def test_what_failed_is_asked_again_only_where_something_failed(
    tmp_path: Path, state: str, reasons: dict[str, int], titles: list[str]
) -> None:
    note(tmp_path, state=state, reasons=reasons)
    parts = texts.asked_parts(opened(tmp_path))
    assert [part.title for part in parts if isinstance(part, Command)] == titles
