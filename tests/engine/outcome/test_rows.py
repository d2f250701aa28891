from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api.output_mode import Forced, force_schema, offer_tools
from runware_provider.engine.api.results import read_result
from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.identity import Key, task_uuid
from runware_provider.engine.outcome.answer import read_json
from runware_provider.engine.outcome.flattening import ResultColumns, result_columns
from runware_provider.engine.outcome.rows import (
    INFERENCE_TYPE,
    Counts,
    Judge,
    Judgement,
    Outcome,
    assemble,
    output_schema_of,
)
from runware_provider.engine.schema.answer_schema import output_schema, tool_schema
from runware_provider.engine.spec import Tool, ToolChoice
from runware_provider.engine.templates.prompt import Skip

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JOB = bytes(range(16))
KEY = Key(bytes(16), 0, 0)
SCHEMA = {
    "type": "object",
    "properties": {"total": {"type": "number"}},
    "required": ["total"],
    "additionalProperties": False,
}
BOOK = Tool(name="book", schema=SCHEMA)
CANCEL = Tool(name="cancel", schema={"type": "object", "properties": {}})
GOOD = '{"total": 5}'
OBJECT = {"total": 5.0}


def judge_of(reading: str = "text", *, keep_raw: bool = False, choice: ToolChoice | None = None) -> Judge:
    check: Any = None
    forced = Forced("text")
    if reading == "json":
        forced, check = force_schema("native", "m", None, SCHEMA, "T"), output_schema(SCHEMA)
    elif reading == "arguments":
        forced, check = force_schema("tool", "m", None, SCHEMA, "Invoice"), output_schema(SCHEMA)
    elif reading == "calls":
        forced, check = offer_tools((BOOK, CANCEL), choice, None), tool_schema((BOOK, CANCEL))
    assert forced.reading == reading
    return Judge(forced, check, model="m", job_id=JOB, keep_raw=keep_raw)


def answered(**item: Any) -> Entry:
    return Entry(KEY, 1, Kind.ANSWERED, item=json.dumps({"taskUUID": "u", **item}).encode())


def call(name: str = "Invoice", arguments: Any = None) -> dict[str, Any]:
    return {"id": "1", "name": name, "input": {"total": 5} if arguments is None else arguments}


def judged(reading: str, **item: Any) -> Judgement:
    return judge_of(reading).judge(answered(**item), 1)


# the struct


def test_the_inference_struct_is_the_one_that_the_architecture_names() -> None:
    names = (
        "outcome error_code error_message attempts reasks task_uuid sample model finish_reason prompt_tokens cached_tokens"
        " completion_tokens cost_usd latency_s mends raw"
    )
    assert [INFERENCE_TYPE.field(index).name for index in range(INFERENCE_TYPE.num_fields)] == names.split()
    assert INFERENCE_TYPE.field("cost_usd").type == pa.float64()
    assert INFERENCE_TYPE.field("prompt_tokens").type == pa.int64()
    assert INFERENCE_TYPE.field("mends").type == pa.list_(pa.string())


def test_the_outcomes_are_the_five_that_the_architecture_names() -> None:
    assert [outcome.value for outcome in Outcome] == ["succeeded", "invalid", "refused", "failed", "skipped"]


# answers


@pytest.mark.parametrize(
    ("reading", "item", "value", "mends"),
    [
        ("text", {"text": "Hi"}, "Hi", []),
        ("text", {"text": "<think>well</think>Hi"}, "Hi", ["think"]),
        ("text", {"text": "Hi", "tools": [call()]}, "Hi", []),
        ("json", {"text": GOOD}, OBJECT, []),
        ("json", {"text": f"```json\n{GOOD}\n```"}, OBJECT, ["fence"]),
        ("json", {"text": f"<think>{{}}</think>{GOOD}"}, OBJECT, ["think"]),
        ("json", {"text": f"Here it is: {GOOD}"}, OBJECT, ["surrounding_text"]),
        ("json", {"text": {"total": 5}}, OBJECT, []),
        ("arguments", {"tools": [call()]}, OBJECT, []),
        ("arguments", {"tools": [call()], "text": "I call it."}, OBJECT, []),
        ("arguments", {"toolCalls": [{"name": "Invoice", "arguments": GOOD}]}, OBJECT, ["arguments_string"]),
        ("arguments", {"tools": [call(), call()]}, OBJECT, ["further_calls"]),
        ("arguments", {"tools": [call("other"), call()]}, OBJECT, ["further_calls"]),
        ("arguments", {"text": GOOD}, OBJECT, ["text_instead_of_call"]),
        ("arguments", {"text": f"```\n{GOOD}\n```"}, OBJECT, ["text_instead_of_call", "fence"]),
        ("calls", {"tools": [call("book")]}, [{"name": "book", "arguments": {"book": OBJECT}}], []),
        (
            "calls",
            {"toolCalls": [{"function": {"name": "book", "arguments": GOOD}}, call("cancel", {})]},
            [{"name": "book", "arguments": {"book": OBJECT}}, {"name": "cancel", "arguments": None}],
            ["arguments_string"],
        ),
        ("calls", {"text": "No call is needed."}, [], []),
    ],
)
def test_an_answer_that_fits_succeeds_whatever_its_finish(
    subtests: pytest.Subtests, reading: str, item: dict[str, Any], value: Any, mends: list[str]
) -> None:
    for finish in (None, "stop", "length", "tool_calls", "tool_use", "unknown", "new"):
        with subtests.test(finish=finish):
            said = judged(reading, **item, finishReason=finish)
            assert (said.outcome, said.result, said.facts["mends"]) == (Outcome.SUCCEEDED, value, mends)
            assert said.facts["finish_reason"] == finish
            assert "error_code" not in said.facts
            assert ("raw" in said.facts) == (value == []), (
                "words instead of calls were paid for, and are kept"
            )


@pytest.mark.parametrize(
    ("reading", "item", "code", "says"),
    [
        ("text", {"text": ""}, "unreadable", "the answer is empty"),
        ("text", {"text": None}, "unreadable", "the answer is empty"),
        ("text", {"text": " \n"}, "unreadable", "the answer is empty"),
        ("text", {"text": "<think>I wonder"}, "unreadable", "stops inside of <think>"),
        ("json", {"text": None}, "unreadable", "the answer is empty"),
        ("json", {"text": '{"total": 5'}, "unreadable", "truncated"),
        ("json", {"text": "I cannot."}, "unreadable", "no JSON object"),
        ("json", {"text": '{"total": "five"}'}, "schema", "$.total"),
        ("json", {"text": "{}"}, "schema", "total"),
        ("json", {"text": "null"}, "schema", "$"),
        ("json", {"text": '{"total": 5, "x": 1}'}, "schema", "x"),
        ("arguments", {}, "unreadable", "neither a tool call nor text"),
        ("arguments", {"text": ""}, "unreadable", "neither a tool call nor text"),
        ("arguments", {"text": "I cannot."}, "unreadable", "no JSON object"),
        ("arguments", {"tools": [call("other")]}, "unreadable", "called 'other' instead of 'Invoice'"),
        ("arguments", {"tools": [call("b"), call("a")]}, "unreadable", "called 'a, b' instead of 'Invoice'"),
        ("arguments", {"tools": [call(arguments=[1])]}, "unreadable", "a list, not an object"),
        ("arguments", {"tools": [call(arguments="{")]}, "unreadable", "truncated"),
        ("arguments", {"tools": [call(arguments={})]}, "schema", "total"),
        ("calls", {"tools": [call("other")]}, "schema", "no tool"),
        ("calls", {"tools": [call("book"), call("book", {"total": "x"})]}, "schema", "$[1].arguments.total"),
        ("calls", {"tools": [call("book", [])]}, "unreadable", "the call of 'book'"),
    ],
)
def test_an_answer_that_does_not_fit_is_invalid_and_kept(
    subtests: pytest.Subtests, reading: str, item: dict[str, Any], code: str, says: str
) -> None:
    for finish in ("stop", "length", None):
        with subtests.test(finish=finish):
            said = judged(reading, **item, finishReason=finish)
            assert (said.outcome, said.result) == (Outcome.INVALID, None)
            assert said.facts["error_code"] == ("truncated" if finish == "length" else code)
            assert says in said.facts["error_message"]
            assert json.loads(said.facts["raw"]) == {"taskUUID": "u", **item, "finishReason": finish}


@pytest.mark.parametrize("reading", ["text", "json", "arguments", "calls"])
@pytest.mark.parametrize("text", [None, "", GOOD])
def test_a_filtered_answer_is_refused_and_kept(reading: str, text: str | None) -> None:
    said = judged(reading, text=text, finishReason="content_filter")
    assert (said.outcome, said.result, said.facts["error_code"]) == (Outcome.REFUSED, None, "content_filter")
    assert "raw" in said.facts


@pytest.mark.parametrize("choice", [ToolChoice(type="any"), ToolChoice(type="tool", name="book")])
def test_words_are_invalid_where_a_call_was_required(choice: ToolChoice) -> None:
    said = judge_of("calls", choice=choice).judge(answered(text="No."), 1)
    assert (said.outcome, said.facts["error_message"]) == (Outcome.INVALID, "the model called no tool")


@pytest.mark.parametrize("item", [None, b"", b"[]", b"17", b"not JSON", b'{"text": null}'])
@pytest.mark.parametrize("reading", ["text", "json", "arguments"])
def test_an_answer_of_which_nothing_is_left_is_invalid(reading: str, item: bytes | None) -> None:
    assert judge_of(reading).judge(Entry(KEY, 1, Kind.ANSWERED, item=item), 1).outcome is Outcome.INVALID


@pytest.mark.parametrize("keep_raw", [True, False])
def test_raw_answers_of_good_rows_are_kept_on_request_only(keep_raw: bool) -> None:  # noqa: FBT001 - a parameter of the test
    said = judge_of("json", keep_raw=keep_raw).judge(answered(text=GOOD), 1)
    assert said.outcome is Outcome.SUCCEEDED
    assert ("raw" in said.facts) == keep_raw


def test_many_problems_are_counted_and_long_ones_cut() -> None:
    @dataclass
    class Wrong:
        path: str
        message: str

    @dataclass
    class Unfit:
        value: Any = None
        mends: tuple[str, ...] = ()
        doubt: str | None = None
        problems: list[Wrong] = field(
            default_factory=lambda: [Wrong(f"$.a{n}", "\ud800" * 10) for n in range(15)]
        )

    class Never:
        arrow_type = pa.string()

        def fit(self, _value: Any) -> Unfit:
            return Unfit()

        described: frozenset[str] = frozenset()
        parameters: Mapping[str, frozenset[str]] = MappingProxyType({})

    judge = Judge(Forced("json"), Never(), model="m", job_id=JOB, keep_raw=False)
    said = judge.judge(answered(text="{}"), 1)
    assert said.facts["error_message"].endswith("and 5 more")
    said.facts["error_message"].encode()


def test_an_answer_that_utf8_cannot_hold_is_kept_escaped() -> None:
    item = b'{"text": "\\ud800 half"}'
    said = judge_of("text").judge(Entry(KEY, 1, Kind.ANSWERED, item=item), 1)
    assert said.outcome is Outcome.INVALID
    assert "surrogate" in said.facts["error_message"]
    assert said.facts["raw"] == item.decode()
    broken = judge_of("text").judge(Entry(KEY, 1, Kind.ANSWERED, item=b'{"text": ""}\xff'), 1)
    broken.facts["raw"].encode()


# other verdicts


@pytest.mark.parametrize(
    ("kind", "family", "outcome"),
    [
        (Kind.ERROR, "provider", Outcome.FAILED),
        (Kind.ERROR, "validation", Outcome.FAILED),
        (Kind.ERROR, "too_large", Outcome.FAILED),
        (Kind.ERROR, "lost", Outcome.FAILED),
        (Kind.ERROR, None, Outcome.FAILED),
        (Kind.SPENT, "conflict", Outcome.FAILED),
        (Kind.SPENT, None, Outcome.FAILED),
        (Kind.ERROR, "safety", Outcome.REFUSED),
    ],
)
def test_an_error_is_a_failed_or_a_refused_record(kind: Kind, family: str | None, outcome: Outcome) -> None:
    entry = Entry(
        KEY, 2, kind, family=family, code="theCode", message="why", cost=0.5, item=b'{"code":"theCode"}'
    )
    said = judge_of().judge(entry, 3)
    assert (said.outcome, said.result) == (outcome, None)
    assert (said.facts["error_code"], said.facts["error_message"]) == ("theCode", "why")
    assert (said.facts["attempts"], said.facts["cost_usd"]) == (3, 0.5)
    assert ("raw" in said.facts) == (family != "lost")


def test_the_facts_of_an_inference_are_in_its_row() -> None:
    entry = Entry(
        Key(b"f" * 16, 2, 3),
        4,
        Kind.ANSWERED,
        cost=0.25,
        prompt_tokens=10,
        cached_tokens=5,
        completion_tokens=2,
        latency_s=1.5,
        item=b'{"text": "Hi", "finishReason": "stop"}',
    )
    assert judge_of().judge(entry, 3).facts == {
        "attempts": 3,
        "reasks": 0,
        "task_uuid": task_uuid(JOB, Key(b"f" * 16, 2, 3), 4),
        "model": "m",
        "finish_reason": "stop",
        "prompt_tokens": 10,
        "cached_tokens": 5,
        "completion_tokens": 2,
        "cost_usd": 0.25,
        "latency_s": 1.5,
        "mends": [],
    }


@pytest.mark.parametrize("code", ["empty", "too_long", "prompt_error"])
def test_a_record_that_was_never_sent_is_skipped_for_a_reason(code: Any) -> None:
    said = judge_of("json").skipped(Skip(code, "why"))
    assert (said.outcome, said.result) == (Outcome.SKIPPED, None)
    assert said.facts == {
        "error_code": code,
        "error_message": "why",
        "attempts": 0,
        "reasks": 0,
        "model": "m",
        "mends": [],
    }


def test_what_the_schema_mended_is_told_behind_what_the_reading_did() -> None:
    check = output_schema(SCHEMA, lenient_numbers=True)
    judge = Judge(
        force_schema("native", "m", None, SCHEMA, "T"), check, model="m", job_id=JOB, keep_raw=False
    )
    said = judge.judge(answered(text='```json\n{"total": "1,005"}\n```'), 1)
    assert (said.outcome, said.result) == (Outcome.SUCCEEDED, {"total": 1005})
    assert said.facts["mends"] == ["fence", "number_from_text"]


# tables


def key(number: int, sample: int = 0) -> Key:
    return Key(number.to_bytes(16, "big"), sample, 0)


def one_column(judge: Judge) -> ResultColumns:
    return result_columns(judge.result_type, ["id", "inference"], flatten=False)


def table_of(slots: Sequence[Sequence[Key | Skip]], judge: Judge) -> tuple[pa.Table, Counts]:
    kept = pa.table({"id": pa.array(range(len(slots)), pa.int32())})
    keys = {slot for record in slots for slot in record if isinstance(slot, Key)}
    judgements = {one: judge.judge(Entry(one, 1, Kind.ANSWERED, item=item_of(one)), 1) for one in keys}
    return assemble(kept, slots, judgements, judge, one_column(judge))


def item_of(one: Key) -> bytes:
    return json.dumps({"text": f"{int.from_bytes(one.fingerprint, 'big')}/{one.sample}"}).encode()


def test_rows_stand_in_the_inputs_order_with_their_columns_beside_them() -> None:
    slots = [[key(2)], [Skip("empty", "it is null")], [key(0)], [key(2)]]
    table, counts = table_of(slots, judge_of())
    assert table.schema.equals(output_schema_of(pa.schema([("id", pa.int32())]), one_column(judge_of())))
    assert table.column("id").to_pylist() == [0, 1, 2, 3]
    assert table.column("result").to_pylist() == ["2/0", None, "0/0", "2/0"]
    inference = table.column("inference").to_pylist()
    assert [row["outcome"] for row in inference] == ["succeeded", "skipped", "succeeded", "succeeded"]
    assert inference[1] == {
        **dict.fromkeys(inference[1]),
        "outcome": "skipped",
        "error_code": "empty",
        "error_message": "it is null",
        "attempts": 0,
        "reasks": 0,
        "sample": 0,
        "model": "m",
        "mends": [],
    }
    assert (counts.records, counts.rows, dict(counts.reasons)) == (4, 4, {"empty": 1})
    assert counts.outcomes == {"succeeded": 3, "skipped": 1}


def test_the_samples_of_a_record_stand_side_by_side() -> None:
    skip = Skip("too_long", "it is long")
    slots: list[list[Key | Skip]] = [[key(0, 0), key(0, 1)], [skip, skip], [key(1, 0), key(1, 1)]]
    table, counts = table_of(slots, judge_of())
    assert table.column("id").to_pylist() == [0, 0, 1, 1, 2, 2]
    assert table.column("result").to_pylist() == ["0/0", "0/1", None, None, "1/0", "1/1"]
    assert [row["sample"] for row in table.column("inference").to_pylist()] == [0, 1, 0, 1, 0, 1]
    assert (counts.records, counts.rows) == (3, 6)


@pytest.mark.parametrize("reading", ["text", "json", "arguments", "calls"])
def test_a_batch_without_rows_has_the_same_schema(reading: str) -> None:
    judge = judge_of(reading)
    table, counts = assemble(pa.table({"id": pa.array([], pa.int32())}), [], {}, judge, one_column(judge))
    assert table.schema.equals(output_schema_of(pa.schema([("id", pa.int32())]), one_column(judge)))
    assert (table.num_rows, counts.records, counts.rows) == (0, 0, 0)


@pytest.mark.parametrize("reading", ["text", "json", "arguments", "calls"])
def test_every_outcome_fits_into_one_table(reading: str) -> None:
    judge = judge_of(reading, keep_raw=True)
    good = (
        {"text": GOOD}
        if reading in {"text", "json"}
        else {"tools": [call("Invoice" if reading == "arguments" else "book")]}
    )
    verdicts = {
        key(0): judge.judge(Entry(key(0), 1, Kind.ANSWERED, item=json.dumps(good).encode()), 1),
        key(1): judge.judge(Entry(key(1), 1, Kind.ANSWERED, item=b'{"tools":[{"name":"zzz"}]}'), 1),
        key(2): judge.judge(Entry(key(2), 1, Kind.ERROR, family="safety", code="promptBlocked"), 1),
        key(3): judge.judge(Entry(key(3), 3, Kind.ERROR, family="provider", code="providerError"), 3),
    }
    slots: list[list[Key | Skip]] = [*([one] for one in verdicts), [Skip("empty", "")]]
    table, counts = assemble(pa.table({"id": range(5)}), slots, verdicts, judge, one_column(judge))
    assert [row["outcome"] for row in table.column("inference").to_pylist()] == [one.value for one in Outcome]
    assert counts.outcomes == dict.fromkeys([one.value for one in Outcome], 1)
    table.validate(full=True)
    assert table.column("result").null_count == 4


SLOTS = st.integers(1, 3).flatmap(
    lambda samples: st.lists(
        st.booleans().flatmap(
            lambda skipped: (
                st.just([Skip("empty", "")] * samples)
                if skipped
                else st.integers(0, 4).map(lambda number: [key(number, sample) for sample in range(samples)])
            )
        ),
        max_size=8,
    )
)


@given(SLOTS)
def test_every_record_and_sample_has_exactly_one_row(slots: list[list[Key | Skip]]) -> None:
    table, counts = table_of(slots, judge_of())
    expected = [(index, sample) for index, record in enumerate(slots) for sample in range(len(record))]
    rows = zip(table.column("id").to_pylist(), table.column("inference").to_pylist(), strict=True)
    assert [(number, inference["sample"]) for number, inference in rows] == expected
    assert (counts.records, counts.rows) == (len(slots), len(expected))
    assert sum(counts.outcomes.values()) == len(expected)


def test_counts_add_up() -> None:
    _, one = table_of([[key(0)], [Skip("empty", "")]], judge_of())
    _, other = table_of([[Skip("empty", "")], [Skip("too_long", "")]], judge_of())
    one.add(other)
    assert (one.records, one.rows) == (4, 4)
    assert one.outcomes == {"succeeded": 1, "skipped": 3}
    assert one.reasons == {"empty": 2, "too_long": 1}


def test_mends_are_counted_by_name() -> None:
    judge = judge_of("json")
    said = {key(0): judge.judge(Entry(key(0), 1, Kind.ANSWERED, item=b'{"text":"x {\\"total\\":1}"}'), 1)}
    _, counts = assemble(pa.table({"id": [0, 1]}), [[key(0)], [key(0)]], said, judge, one_column(judge))
    assert counts.mends == {"surrounding_text": 2}


def test_what_holds_an_answer_prints_nothing_of_it() -> None:
    secret = "zqanswer"
    raw = json.dumps({"text": json.dumps({"total": secret})}).encode()
    judged = judge_of("json").judge(Entry(KEY, 1, Kind.ANSWERED, item=raw), 1)
    assert judged.outcome is Outcome.INVALID
    assert secret in str(judged.facts)
    result = read_result(json.loads(raw))
    answer = read_json(result.text)
    fit = output_schema(SCHEMA).fit(answer.value)
    assert secret in str(fit.problems[0])
    assert secret not in repr([judged, result, answer, fit, fit.problems])
