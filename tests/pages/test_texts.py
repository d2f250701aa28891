"""What the pages with texts show: the record, its answer with what is wrong marked, what was asked; whatever the files hold."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.engine.job.run_examples import examples_path
from runware_provider.engine.job.run_request import request_path
from runware_provider.pages import texts
from runware_provider.pages.record_parts import MENDS
from runware_provider.quality.parts import Command, html_of, markdown_of
from tests.pages.kept_texts import (
    RUN,
    STORAGE,
    commands,
    fail,
    missed,
    note,
    opened,
    passages,
    put,
    row,
    samples,
)

DOCS = Path(__file__).resolve().parents[2] / "docs"


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


def test_sample_answers_are_shown_with_what_they_were_read_from(tmp_path: Path) -> None:
    row = {
        "input": {"id": 7, "body": "Read\nthis"},
        "result": {"total": 1.5},
        "inference": {"outcome": "succeeded", "cost_usd": 0.1},
    }
    parts = texts.samples_parts(samples(tmp_path, json.dumps({"format": 1, "rows": [row]})))
    assert json.loads(passages(parts)["Result"][0][0]) == {"total": 1.5}
    assert "## 1. `id` = `7`" in markdown_of(parts)


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
