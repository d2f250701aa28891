"""A table of answers: which row answers, in which shape, and which tables are refused."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.testing import AnswerTable, LocalServer, ServerSettings
from runware_provider.testing.__main__ import main, parser, settings_of

if TYPE_CHECKING:
    from pathlib import Path


def asked(*prompts: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": prompt} for prompt in prompts]}


def test_a_row_answers_where_its_text_stands_in_the_prompt_and_the_longest_text_wins() -> None:
    table = AnswerTable(
        pa.table(
            {
                "text": ["Total: 5", "Invoice 1\nTotal: 5", "ok", " What is the matter? "],
                "answer": ["short", "long", "word", "stripped"],
            }
        )
    )
    assert len(table) == 4
    assert table(asked("Read: Invoice 1\nTotal: 5\nThanks")) == "long"
    assert table(asked("Read: Invoice 2\nTotal: 5")) == "short"
    assert table(asked("Is it:ok")) == "word"
    assert table(asked("(What is the matter?)")) == "stripped"
    assert table(asked("Nothing of it")) is None
    said = [{"role": "assistant", "content": "Total: 5"}]
    assert table({"messages": [*asked("Read")["messages"], *said]}) is None
    assert table({"messages": [*asked("Read ok")["messages"], *said, *asked("Again")["messages"]]}) == "word"


def test_the_last_turn_with_a_text_counts_since_those_before_it_may_be_examples() -> None:
    table = AnswerTable(pa.table({"text": ["a long example", "ok"], "answer": ["example", "asked"]}))
    assert table(asked("Such as: a long example", "Now: ok")) == "asked"
    assert table(asked("Such as: a long example", "Now: ok", "That does not fit")) == "asked"
    assert table(asked("Such as: a long example", "Now: else")) == "example"


@given(
    st.lists(st.text("ab .", min_size=1, max_size=12).filter(str.strip), min_size=1, max_size=20),
    st.text("ab .", max_size=12),
    st.text("ab .", max_size=12),
    st.data(),
)
def test_whatever_text_stands_anywhere_in_a_prompt_is_matched(
    texts: list[str], before: str, after: str, data: st.DataObject
) -> None:
    unique = list({text.strip(): text for text in texts}.values())
    table = AnswerTable(pa.table({"text": unique, "answer": [text.strip() for text in unique]}))
    prompt = before + data.draw(st.sampled_from(unique)) + after
    answer = table(asked(prompt))
    assert answer in prompt
    assert len(answer) == max(len(text.strip()) for text in unique if text.strip() in prompt)


def test_the_columns_of_a_parquet_file_are_the_fields_of_an_answer(
    tmp_path: Path, connect: Any, make: Any
) -> None:
    rows = [
        {
            "id": 7,
            "body": "The sun is shining.",
            "day": dt.date(2026, 1, 2),
            "total": Decimal("12.50"),
            "due": None,
            "lines": [{"name": "x", "amount": Decimal("12.50")}],
        }
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "gold.parquet")
    line = {"type": "object", "properties": {"amount": {"type": "number"}, "name": {"type": "string"}}}
    schema = {
        "type": "object",
        "properties": {
            "day": {"type": "string", "format": "date"},
            "total": {"type": "number"},
            "due": {"type": ["string", "null"], "format": "date"},
            "lines": {"type": "array", "items": line},
            "currency": {"enum": ["EUR", "USD"]},
        },
        "required": ["day", "total", "due", "lines", "currency"],
        "additionalProperties": False,
    }
    tools = [{"type": "function", "name": "save", "description": "x", "schema": schema}]
    answers = AnswerTable.read(tmp_path / "gold.parquet", "body")
    with LocalServer(ServerSettings(latency=0, answers=answers)) as server:
        (item,) = connect(server).post("", json=[make(deliveryMethod="sync", tools=tools)]).json()["data"]
    assert item["tools"][0]["input"] == {
        "day": "2026-01-02",
        "total": 12.5,
        "due": None,
        "lines": [{"name": "x", "amount": 12.5}],
        "currency": "EUR",
    }


def test_a_table_that_is_none_is_refused_and_no_text_is_shown() -> None:
    bad = [
        ({"body": ["secret"], "answer": ["a"]}, "no column 'text'.*only body, answer"),
        ({"text": [5], "answer": ["a"]}, "holds int64, not texts"),
        ({"text": ["secret"]}, "no answers"),
        ({"text": ["secret", "  "], "answer": ["a", "b"]}, "row 1 has no text"),
        ({"text": ["secret", None], "answer": ["a", "b"]}, "row 1 has no text"),
        (
            {"text": ["x", "secret", "secret "], "answer": ["a", "b", "c"]},
            "rows 1 and 2 have the same text in 'text' and differ in 'answer'",
        ),
    ]
    bad.append(({"text": ["secret"] * 2, "id": [1, 2], "total": [5, 5]}, "differ in 'id'"))
    for columns, told in bad:
        with pytest.raises(ValueError, match=told) as refused:
            AnswerTable(pa.table(columns))
        assert "secret" not in str(refused.value)
    assert len(AnswerTable(pa.table({"text": ["same", "same"], "answer": ["a", "a"]}))) == 1


def test_rows_of_one_text_that_have_no_number_in_a_field_have_the_same_answer() -> None:
    nan = float("nan")
    assert len(AnswerTable(pa.table({"text": ["secret"], "answer": [nan]}))) == 1
    rows = {"text": ["secret"] * 2, "parts": [[nan, 1.0]] * 2, "of": [{"total": nan}] * 2}
    assert len(AnswerTable(pa.table(rows))) == 1
    with pytest.raises(ValueError, match="differ in 'vat';"):
        AnswerTable(pa.table({**rows, "vat": [nan, 1.0]}))


def test_the_command_takes_tables_and_the_first_that_knows_a_text_answers(tmp_path: Path) -> None:
    first, second = tmp_path / "first.parquet", tmp_path / "sec:ond.parquet"
    pq.write_table(pa.table({"body": ["a text"], "answer": ["from the first"]}), first)
    pq.write_table(pa.table({"text": ["a text", "another"], "answer": ["no", "from the second"]}), second)
    settings = settings_of(parser().parse_args(["--answers", f"{first}:body", str(second)]))
    assert settings.answers is not None
    assert settings.answers(asked("It is a text.")) == "from the first"
    assert settings.answers(asked("It is another.")) == "from the second"
    assert settings.answers(asked("It is none.")) is None


def test_the_command_says_in_one_line_what_is_wrong_with_a_table(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "broken.parquet").write_text("no Parquet", encoding="utf-8")
    pq.write_table(pa.table({"text": ["a"], "answer": ["b"]}), tmp_path / "good.parquet")
    for words in ("none.parquet", "broken.parquet", "good.parquet:body"):
        assert main(["--answers", str(tmp_path / words)]) == 1
        told = capsys.readouterr().err
        assert told.startswith("cannot start:")
        assert words.partition(":")[0] in told
        assert told.count("\n") == 1
        assert ("there is no file or folder" in told) == (words == "none.parquet")


def test_a_callable_that_fails_fails_its_task_alone_and_its_traceback_is_logged(
    connect: Any, make: Any, caplog: Any
) -> None:
    def known(task: Any) -> Any:
        return {"a": 1}[task["messages"][0]["content"]]

    with LocalServer(ServerSettings(latency=0, answers=known)) as server:
        bad = make(deliveryMethod="sync")
        good = make(messages=[{"role": "user", "content": "a"}], deliveryMethod="sync")
        reply = connect(server).post("", json=[bad, good])
        assert server.bill_summary()["executed"] == 2
    assert reply.status_code == 500
    assert "connection" not in reply.headers
    (error,), (item,) = reply.json()["errors"], reply.json()["data"]
    assert (error["code"], error["taskUUID"]) == ("internalServerError", bad["taskUUID"])
    assert (item["text"], item["taskUUID"]) == ("1", good["taskUUID"])
    (logged,) = (record for record in caplog.records if record.exc_text)  # uvicorn speaks, too
    assert "KeyError" in logged.exc_text
