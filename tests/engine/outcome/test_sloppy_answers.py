# ruff: noqa: RUF001 - the marks of models are written in such letters
"""What real models say in the place of an answer: which of it is read, and which is shown to them again."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api.output_mode import force_schema, offer_tools
from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.identity import Key
from runware_provider.engine.outcome.answer import MAX_CHARS, read_json
from runware_provider.engine.outcome.calls_in_text import calls_in
from runware_provider.engine.outcome.follow_up import Policy, follow_up, last_word, output_retry_after
from runware_provider.engine.outcome.rows import MAX_BYTES, Judge, Judgement, Outcome
from runware_provider.engine.schema.answer_schema import output_schema, tool_schema
from runware_provider.engine.schema.json_text import MAX_DEPTH, Fault
from runware_provider.engine.spec import Tool

KEY = Key(bytes(16), 0, 0)
OPEN = {
    "properties": {
        "vendor": {"type": "string"},
        "total": {"type": "number"},
        "tax": {"type": "object", "properties": {"total": {"type": "number"}}},
    }
}
STRICT = {**OPEN, "required": ["vendor", "total"]}
ACME = {"vendor": "Acme", "total": 12.5}
TEXT = json.dumps(ACME)
STORED = {**ACME, "tax": None}
TOOLS = (
    Tool(
        name="book",
        schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    ),
    Tool(name="cancel", schema={"type": "object", "properties": {}}),
)
DSML = (
    '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="answer">\n<｜DSML｜parameter name="vendor" string="true">Acme</｜DSML｜parameter>\n'
    '<｜DSML｜parameter name="total" string="false">12.5</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>'
)
DEEPSEEK = "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
CALL = json.dumps({"name": "answer", "arguments": ACME})


def judge_of(mode: Any = "tool", schema: Any = OPEN) -> Judge:
    check = output_schema(schema)
    forced = force_schema(mode, "m", None, check.wire(), "answer")
    return Judge(forced, check, model="m", job_id=bytes(16), keep_raw=False)


def judged(item: dict[str, Any], mode: Any = "tool", schema: Any = OPEN) -> Judgement:
    entry = Entry(KEY, 1, Kind.ANSWERED, item=json.dumps({"finishReason": "stop", **item}).encode())
    return judge_of(mode, schema).judge(entry, 1)


def offered(item: dict[str, Any]) -> Judgement:
    """What becomes of an answer where the user's own tools may be called."""
    judge = Judge(
        offer_tools(TOOLS, None, None), tool_schema(TOOLS), model="m", job_id=bytes(16), keep_raw=False
    )
    return judge.judge(Entry(KEY, 1, Kind.ANSWERED, item=json.dumps(item).encode()), 1)


def called(*arguments: Any, name: str = "answer", **item: Any) -> dict[str, Any]:
    return {"tools": [{"name": name, "input": one} for one in arguments], **item}


@pytest.mark.parametrize(
    ("text", "mends"),
    [
        pytest.param(f"{TEXT}\n\nSources: [1], [2, 3], [^4] and 【5†source】", ["surrounding_text"], id="citations"),
        pytest.param(f"As [1] says: {TEXT}", ["surrounding_text"], id="a citation in front"),
        pytest.param(f"{TEXT}\nSee [the page](https://example.org/a_(b)).", ["surrounding_text"], id="a link"),
        pytest.param(f"I left {{currency}} away.\n{TEXT}", ["surrounding_text"], id="a name in braces"),
        pytest.param(f"<answer>{TEXT}</answer>", ["surrounding_text"], id="a tag around it"),
        pytest.param(f"{TEXT}<|im_end|>", ["surrounding_text"], id="a token of the template"),
        pytest.param(f"\ufeff{TEXT}", ["surrounding_text"], id="a byte order mark"),
        pytest.param(f"```json\n{TEXT}\n```\n```json\n{TEXT}\n```", ["fence", "surrounding_text", "repeated"], id="fenced twice"),
        pytest.param(f"{TEXT}\n{TEXT}", ["repeated"], id="said twice"),
        pytest.param(TEXT + "}", ["repaired"], id="a brace too many around what is flat"),
        pytest.param(TEXT.replace("}", ",}"), ["repaired"], id="a trailing comma"),
        pytest.param(TEXT.replace('"', "'"), ["repaired"], id="single quotes"),
        pytest.param("{“vendor”: “Acme”, “total”: 12.5}", ["repaired"], id="smart quotes"),
        pytest.param("{vendor: 'Acme', total: 12.5}", ["repaired"], id="JavaScript"),
        pytest.param(f'<thinking>maybe {{"vendor": "X"}}?</thinking>{TEXT}', ["think"], id="thinking"),
        pytest.param(f"<Reasoning>so {{</Reasoning>\n<answer>{TEXT}</answer>", ["think", "surrounding_text"], id="reasoning"),
        pytest.param(f"[THINK]{{}}[/THINK]{TEXT}", ["think"], id="Magistral's thoughts"),
        pytest.param(f"◁think▷{{}}◁/think▷{TEXT}", ["think"], id="Kimi's thoughts"),
        pytest.param(
            f"<|channel|>analysis<|message|>{{}}<|end|><|start|>assistant<|channel|>final<|message|>{TEXT}<|return|>",
            ["think", "surrounding_text"],
            id="channels",
        ),
        pytest.param(f"[{TEXT}]", ["list_of_one"], id="a list of one"),
        pytest.param(json.dumps(TEXT), ["json_string"], id="a string"),
        pytest.param('{"Vendor": "Acme", "TOTAL": 12.5}', ["key_style"], id="keys in another case"),
        pytest.param('{"ｖｅｎｄｏｒ": "Acme", "to\u200btal\ufeff": 12.5}', ["key_style"], id="keys of another width, and with what has none"),
        pytest.param('{"vendor": "Acme", "Vendor": "Acme", "total": 12.5}', ["key_style"], id="a key in two styles that say the same"),
        pytest.param('{"vendor": "Acme", "total": "12.5"}', ["number_from_text"], id="a number as text"),
        pytest.param('{"vendor": "Acme", "total": 12.5, "tax": "{}", "note": 1}', ["unknown_keys", "json_text"], id="an object as text"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["tool", "native"])
def test_what_needs_no_guess_is_read_and_recorded(mode: str, text: str, mends: list[str]) -> None:
    said = judged({"text": text}, mode)
    assert (said.outcome, said.facts.get("error_message")) == (Outcome.SUCCEEDED, None)
    assert said.result in (STORED, {**STORED, "tax": {"total": None}})
    assert said.facts["mends"] == (["text_instead_of_call", *mends] if mode == "tool" else mends)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"<tool_call>\n{CALL}\n</tool_call>", id="Hermes"),
        pytest.param(f"I call it.\n<tool_call>\n{CALL}\n</tool_call><|im_end|>", id="Hermes behind words"),
        pytest.param(f"<think>{{</think><tool_call>{CALL}</tool_call>", id="Hermes behind thoughts"),
        pytest.param(DSML, id="DSML"),
        pytest.param(DEEPSEEK.format(f"answer<｜tool▁sep｜>{TEXT}"), id="DeepSeek V3.1"),
        pytest.param(DEEPSEEK.format(f"function<｜tool▁sep｜>answer\n```json\n{TEXT}\n```"), id="DeepSeek V3"),
        pytest.param(f"[TOOL_CALLS][{CALL}]</s>", id="Mistral"),
        pytest.param(f"[TOOL_CALLS]answer[ARGS]{TEXT}", id="Mistral, newer"),
        pytest.param(f"<|python_tag|>{CALL.replace('arguments', 'parameters')}<|eom_id|>", id="Llama"),
        pytest.param(f"<function=answer>{TEXT}</function>", id="Llama, of one's own"),
        pytest.param(
            f"<|tool_calls_section_begin|><|tool_call_begin|>functions.answer:0<|tool_call_argument_begin|>{TEXT}"
            "<|tool_call_end|><|tool_calls_section_end|>",
            id="Kimi",
        ),
        pytest.param(f"<|channel|>commentary to=functions.answer <|constrain|>json<|message|>{TEXT}<|call|>", id="gpt-oss"),
        pytest.param(CALL, id="JSON"),
        pytest.param(json.dumps({"type": "function", "function": {"name": "answer", "arguments": TEXT}}), id="OpenAI"),
        pytest.param(f"<tool_call>{CALL}</tool_call><tool_call>{CALL}</tool_call>", id="twice the same"),
    ],
)  # fmt: skip
def test_a_call_that_is_written_into_the_text_is_read_as_one(text: str) -> None:
    said = judged({"text": text}, schema=STRICT)
    assert (said.outcome, said.result) == (Outcome.SUCCEEDED, STORED)
    assert said.facts["mends"][0] == "call_in_text"


@pytest.mark.parametrize(
    ("item", "says"),
    [
        pytest.param({"text": json.dumps({"Invoice": ACME})}, "`Invoice`", id="an envelope"),
        pytest.param(called({"data": [ACME]}), "`data`", id="an envelope with a list"),
        pytest.param({"text": json.dumps({"name": "other", "arguments": ACME})}, "`name`", id="the envelope of another tool"),
        pytest.param(called({"vendor": "ok", "data": {"vendor": "Acme", "total": 1}}), "inside of `data`", id="half an envelope"),
        pytest.param(called({"vendor": None, "total": None, "Invoice": ACME}), "inside of `Invoice`", id="an envelope beside nulls"),
        pytest.param(called({"vendor": "A", "invoices": [ACME]}), "inside of `invoices`", id="an envelope with a list beside a part"),
        pytest.param(called({"type": "object", "properties": OPEN["properties"]}), "nobody asked", id="the schema"),
        pytest.param({"text": '{"error": "The document is empty."}'}, "`error`", id="an error"),
        pytest.param(called({"vendor": "A", "tax": {"Tax": {"rate": 5}}}), "$.tax", id="an envelope inside"),
        pytest.param(called({"Vendor": "A", "VENDOR": "B", "total": 1}), "the same key", id="a key in two styles"),
        pytest.param(called({"vendor": "A", "Vendor": "B"}), "the same key", id="a key and another of its style"),
        pytest.param(called(ACME, {**ACME, "total": 99}), "differ", id="two calls"),
        pytest.param(called(ACME, "{"), "truncated", id="a call and half of one"),
        pytest.param(called(ACME, text='{"vendor": "Zeta"}'), "differ", id="a call and another object"),
        pytest.param({"text": f"<tool_call>{CALL}</tool_call><tool_call>{CALL.replace('12', '13')}</tool_call>"}, "differ", id="two calls in the text"),
        pytest.param({"text": '{"vendor": "Acme"}, "total": 12.5}'}, "closed before its end", id="a brace too early"),
        pytest.param({"text": '{"vendor": "Acme"}, "total": 12.5'}, "closed before its end", id="a brace too early and none at the end"),
        pytest.param({"text": '{"vendor": "Acme", "tax": {"total": 1}, "total": 2}}'}, "closed before its end", id="an inner brace too early"),
        pytest.param({"text": '{"vendor": "Acme"}\ntotal: 12.5'}, "`total` stands beside", id="the rest as YAML"),
        pytest.param({"text": f'{TEXT} or {{"vendor": "B"}}'}, "more than one", id="two objects"),
        pytest.param({"text": '{"total": 1} {"total": true}'}, "more than one", id="1 and true"),
        pytest.param({"text": f'{TEXT} ["a"]'}, "more than one", id="an object and a list"),
        pytest.param({"text": '<vendor>Acme</vendor><tax>{"total": 1}</tax>'}, "markup", id="XML"),
        pytest.param({"text": DSML.replace("12.5", "twelve")}, "cannot be read", id="DSML that is no JSON"),
        pytest.param({"text": DSML.replace('"false">12.5', '"false">{"total": 1}').replace("</｜DSML｜invoke>", "")}, "cannot be read", id="DSML that is cut"),
        pytest.param({"text": '<function_calls><invoke name="answer"><parameter name="tax">{"total": 1}</parameter></invoke></function_calls>'}, "cannot be read", id="markup without types"),
        pytest.param({"text": '<tool_call>\n{"name": "answer", "arguments": {"vendor": "Acme"'}, "cannot be read", id="half a call"),
        pytest.param({"text": "answer(vendor='Acme', total=12.5)"}, "cannot be read", id="Python"),
        pytest.param({"text": '{"vendor": "Acme", "total": NaN}'}, "NaN", id="NaN"),
        pytest.param({"text": '{"vendor": "Acme", "vendor": "Zeta"}'}, "occurs twice", id="a key twice"),
        pytest.param({"text": '{"vendor": "Acme", "total": 12.5 // or 13\n}'}, "not valid JSON", id="a comment"),
        pytest.param({"text": "{'vendor': 'Acme', 'total': 12345678901234567.89}"}, "not valid JSON", id="digits that a repair would lose"),
        pytest.param({"text": '{"vendor": "A" null "B"}'}, "not valid JSON", id="missing commas"),
        pytest.param({"text": None, "reasoningContent": f"Perhaps {TEXT}?"}, "empty", id="an object among thoughts"),
        pytest.param({"text": None, "reasoningContent": TEXT, "finishReason": "length"}, "empty", id="thoughts that were cut"),
        pytest.param({"text": "[" * 50_000}, "nested too deeply", id="deep"),
        pytest.param(called(json.loads("[" * 150 + "]" * 150)), "not an object", id="deep arguments that are a list"),
        pytest.param(called({"vendor": json.loads("[" * 150 + "]" * 150)}), "nested too deeply", id="deep arguments"),
        pytest.param({"text": "x" * (MAX_CHARS + 1)}, "are read", id="long"),
    ],
)  # fmt: skip
def test_what_does_not_answer_is_shown_to_the_model_and_kept(item: dict[str, Any], says: str) -> None:
    said = judged(item)
    assert (said.outcome, said.result) == (Outcome.INVALID, None)
    assert says in said.facts["error_message"]
    assert json.loads(said.facts["raw"])
    if item.get("finishReason") != "length":
        assert output_retry_after([said], Policy(output_retries=1)) is not None


def test_an_answer_that_is_all_that_was_thought_is_read() -> None:
    for thoughts in (TEXT, [TEXT[:9], TEXT[9:]], f"```json\n{TEXT}\n```"):
        said = judged({"text": None, "reasoningContent": thoughts}, "native")
        assert (said.outcome, said.result) == (Outcome.SUCCEEDED, STORED)
        assert said.facts["mends"][0] == "answer_in_reasoning"


def test_an_answer_of_too_many_bytes_is_kept_and_not_read() -> None:
    item = b'{"text": "' + b"x" * MAX_BYTES + b'"}'
    said = judge_of().judge(Entry(KEY, 1, Kind.ANSWERED, item=item), 1)
    assert (said.outcome, said.facts["error_code"]) == (Outcome.INVALID, "unreadable")
    assert str(MAX_BYTES) in said.facts["error_message"]


def test_an_empty_object_is_shown_to_the_model_which_may_say_it_again() -> None:
    item = json.dumps(called({})).encode()
    empty = judge_of().judge(Entry(KEY, 1, Kind.ANSWERED, item=item), 1)
    assert (empty.outcome, empty.result, empty.facts["mends"]) == (
        Outcome.SUCCEEDED,
        dict.fromkeys(STORED),
        ["empty_object"],
    )
    assert json.loads(empty.facts["raw"])
    policy = Policy(output_retries=1)
    retry = output_retry_after([empty], policy)
    assert retry is not None
    asked = follow_up(
        retry,
        [(Entry(KEY, 1, Kind.ANSWERED, item=item), empty)],
        force_schema("tool", "m", None, OPEN, "answer"),
    )
    assert "the object is empty" in str(asked.complaint)
    assert output_retry_after([empty, empty], policy) is None
    assert last_word([empty, empty], 0).outcome is Outcome.SUCCEEDED
    full = judged(called(ACME))
    assert last_word([empty, full], 0).result == STORED


@pytest.mark.parametrize(
    ("text", "calls", "mends"),
    [
        ('<tool_call>{"name": "book", "arguments": {"city": "Bern"}}</tool_call>', ["book"], ["call_in_text"]),
        ('[{"name": "book", "arguments": {"city": "Bern"}}, {"name": "cancel", "arguments": {}}]', ["book", "cancel"], ["call_in_text"]),
        ("I would not call anything.", [], []),
        ("You could call book(city) here.", [], []),
        ('{"name": "Acme"}', [], []),
        ('{"city": "Bern", "mood": "good"}', [], []),
        ("{}", [], []),
    ],
)  # fmt: skip
def test_calls_of_own_tools_are_read_from_the_text_too(text: str, calls: list[str], mends: list[str]) -> None:
    said = offered({"text": text})
    assert (said.outcome, [call["name"] for call in said.result]) == (Outcome.SUCCEEDED, calls)
    assert said.facts["mends"] == mends


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<tool_call>{", "cannot be read"),
        (DSML, "'answer' is no tool"),
        ('book(city="Bern")', "cannot be read"),
        ("<|python_tag|>book.call(1)", "cannot be read"),
        ('{"name": "cook", "arguments": {"city": "Bern"}}', "'cook' is no tool"),
        ('```json\n{"city": "Bern"}\n```', "call the tool"),
    ],
)
def test_a_call_of_own_tools_that_cannot_be_read_is_no_answer_in_words(text: str, says: str) -> None:
    said = offered({"text": text})
    assert (said.outcome, said.result) == (Outcome.INVALID, None)
    assert says in said.facts["error_message"]


def test_a_further_call_that_is_written_beside_those_that_were_made_is_not_lost() -> None:
    made = [{"name": "book", "input": {"city": "Bern"}}]
    bern, rome = (json.dumps({"name": "book", "arguments": {"city": city}}) for city in ("Bern", "Rome"))
    for text in ("Done.", f"<tool_call>{bern}</tool_call>", bern):
        said = offered({"tools": made, "text": text})
        assert (said.outcome, len(said.result)) == (Outcome.SUCCEEDED, 1)
    for text in (f"<tool_call>{rome}</tool_call>", rome, "<tool_call>{"):
        assert offered({"tools": made, "text": text}).outcome is Outcome.INVALID


@pytest.mark.parametrize("given", ["", " ", "null", {}, "{}"])
def test_a_tool_without_parameters_needs_no_arguments(given: Any) -> None:
    said = offered({"tools": [{"name": "cancel", "input": given}]})
    assert said.result == [{"name": "cancel", "arguments": None}]
    assert offered({"tools": [{"name": "book", "input": given}]}).outcome is Outcome.INVALID


def test_what_a_tool_without_parameters_is_given_all_the_same_is_counted_as_left_out() -> None:
    said = offered({"tools": [{"name": "cancel", "input": {"reason": "rain"}}]})
    assert (said.result, said.facts["mends"]) == ([{"name": "cancel", "arguments": None}], ["unknown_keys"])


PIECES = (
    *("<", "</", "<a ", "[", "[a", "[1,", "{", "{a", "}", "`", "```", "【", "<|a", "<｜a", "<tool_call>", "[TOOL_CALLS]", "<think>"),
    *("</think>", "[THINK]", '"', "\\", "a:", " ", "{} ", "[]", "“", "'", "<｜DSML｜invoke", "</think>x", "[{", '{"a": 1} ', '\\"'),
)  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_reading_takes_time_that_grows_with_the_length(piece: str) -> None:
    """A quadratic reading of 100,000 characters takes ten seconds and more; a linear one a tenth of a second."""
    many = piece * (100_000 // len(piece))
    started = time.process_time()
    for text in (f'{{"a": 1}} {many}', f'{many} {{"a": 1}}', f'{{"k": ["{many}"]}}', f'{{"k": [{many}],}}'):
        read_json(text)
        calls_in(text, ["a"])
    assert time.process_time() - started < 8


@given(st.text(alphabet='{}[]",:1a`<>/ \\|｜_call', max_size=60), st.sampled_from(["", "<tool_call>", "[TOOL_CALLS]", DSML[:40]]))  # fmt: skip
def test_any_text_holds_calls_or_none_or_a_fault(text: str, mark: str) -> None:
    found = calls_in(mark + text, ["a"])
    assert found is None or isinstance(found, list | Fault)


def test_the_levels_that_are_read_are_counted() -> None:
    assert read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH).problem is None
    assert "nested too deeply" in str(read_json("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)).problem)


@pytest.mark.parametrize("item", [{"text": "null"}, called("null")])
def test_null_is_a_row_that_does_not_fit(item: dict[str, Any]) -> None:
    assert judged(item).outcome is Outcome.INVALID
