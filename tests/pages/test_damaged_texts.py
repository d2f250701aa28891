"""What the pages with texts show of what is hostile, damaged, huge or foreign: a sentence, or the text and nothing else."""

from __future__ import annotations

import json
import shlex
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from runware_provider.engine.job.run_examples import examples_path
from runware_provider.engine.job.run_records import record_path
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.pages import text_files, texts
from runware_provider.pages.opened_place import OpenedPlace
from runware_provider.pages.run_view import TaskAt
from runware_provider.quality.parts import markdown_of
from tests.pages.kept_texts import (
    RUN,
    STORAGE,
    assert_harmless,
    commands,
    fail,
    inference,
    note,
    opened,
    put,
    row,
    samples,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

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
