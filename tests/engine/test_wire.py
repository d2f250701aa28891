from __future__ import annotations

import hashlib
import json
import struct
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runware_provider.engine import wire
from runware_provider.engine.forcing import Forced, force_schema, offer_tools
from runware_provider.engine.spec import Settings, Tool, ToolChoice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

A = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
B = "bbbbbbbb-bbbb-4bbb-9bbb-bbbbbbbbbbbb"
C = "cccccccc-cccc-4ccc-accc-cccccccccccc"
D = "dddddddd-dddd-4ddd-bddd-dddddddddddd"
SCHEMA = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "total": {"type": "number"}},
    "required": ["total"],
}
FREE = Forced("text")
MODEL = "deepseek-v4-pro"


def template(forced: Forced = FREE, model: str = MODEL, **of_settings: Any) -> wire.RequestTemplate:
    return wire.RequestTemplate(model=model, settings=Settings(**of_settings), forced=forced)


def task(made: wire.RequestTemplate, prompt: str = "Hello", sample: int = 0, delivery: Any = "poll") -> Any:
    return json.loads(made.task(prompt, sample, A, delivery))


def item(name: Any = A, **fields: Any) -> dict[str, Any]:
    return {"taskType": "textInference", "taskUUID": name, **fields}


def error(code: str = "providerError", name: Any = A, **fields: Any) -> dict[str, Any]:
    named = {} if name is None else {"taskUUID": name}
    return {"code": code, "message": "what went wrong", **named, **fields}


def reply(data: Any = None, errors: Any = None, status: int = 200) -> wire.Reply:
    parts = {"data": data, "errors": errors}
    return wire.read_reply(status, as_json({key: one for key, one in parts.items() if one is not None}))


def said_by(told: wire.Reply) -> set[str]:
    """In which ways a reply speaks of anything."""
    kinds = ("results", "failures", "unnamed", "acknowledged", "processing")
    return {kind for kind in kinds if getattr(told, kind)}


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def archive(*items: Any, errors: Sequence[Any] = (), status: int = 200) -> wire.Reply:
    return wire.read_archive(status, as_json({"data": list(items), "errors": list(errors)}))


# what is sent


def test_a_plain_task_is_sent_with_nothing_that_nobody_asked_for() -> None:
    assert task(template()) == {
        "taskType": "textInference",
        "taskUUID": A,
        "model": "deepseek-v4-pro",
        "messages": [{"role": "user", "content": "Hello"}],
        "outputFormat": "TEXT",
        "deliveryMethod": "async",
        "includeCost": True,
        "includeUsage": True,
        "numberResults": 1,
    }


def test_a_full_task_is_sent_exactly_as_the_vendors_page_has_it() -> None:
    tools = (
        Tool(name="book", description="Book it.", schema=SCHEMA),
        Tool(type="search"),
        Tool(type="codeInterpreter"),
    )
    made = template(
        offer_tools(tools, ToolChoice(type="tool", name="book"), "Be brief."),
        temperature=0.25,
        top_p=0.9,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        max_tokens=1000,
        stop_sequences=("END", "\n\n"),
        thinking_level="high",
        seed=7,
        extra={"repetitionPenalty": 1.1},
    )
    assert task(made, sample=2) == {
        "taskType": "textInference",
        "taskUUID": A,
        "model": "deepseek-v4-pro",
        "messages": [{"role": "user", "content": "Hello"}],
        "outputFormat": "TEXT",
        "seed": 9,
        "settings": {
            "systemPrompt": "Be brief.",
            "temperature": 0.25,
            "topP": 0.9,
            "frequencyPenalty": 0.1,
            "presencePenalty": 0.2,
            "maxTokens": 1000,
            "stopSequences": ["END", "\n\n"],
            "thinkingLevel": "high",
            "repetitionPenalty": 1.1,
        },
        "tools": [
            {"type": "function", "name": "book", "description": "Book it.", "schema": SCHEMA},
            {"type": "search"},
            {"type": "codeInterpreter"},
        ],
        "toolChoice": {"type": "tool", "name": "book"},
        "deliveryMethod": "async",
        "includeCost": True,
        "includeUsage": True,
        "numberResults": 1,
    }


def test_json_mode_is_sent_as_output_format_and_schema() -> None:
    sent = task(template(force_schema("auto", "gpt-5-mini", None, SCHEMA, "Invoice"), model="gpt-5-mini"))
    assert sent["outputFormat"] == "JSON"
    assert sent["jsonSchema"] == SCHEMA
    assert not {"tools", "toolChoice", "settings"} & set(sent)


@pytest.mark.parametrize(("delivery", "method"), [("poll", "async"), ("sync", "sync")])
def test_the_delivery_is_always_said(delivery: str, method: str) -> None:
    assert task(template(), delivery=delivery)["deliveryMethod"] == method


def test_the_system_prompt_is_a_setting_and_no_message() -> None:
    sent = task(template(Forced("text", {}, "Be brief.")))
    assert sent["settings"] == {"systemPrompt": "Be brief."}
    assert [message["role"] for message in sent["messages"]] == ["user"]


def test_zero_is_a_setting_and_not_the_absence_of_one() -> None:
    sent = task(template(temperature=0, top_p=0, seed=0))
    assert sent["settings"] == {"temperature": 0, "topP": 0}
    assert sent["seed"] == 0


def test_each_sample_has_its_seed_and_without_a_seed_none_has() -> None:
    seeded = template(seed=100)
    assert [task(seeded, sample=sample)["seed"] for sample in range(3)] == [100, 101, 102]
    assert all("seed" not in task(template(), sample=sample) for sample in range(3))


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_body_is_always_an_array(number: int) -> None:
    one = template().task("Hello", 0, A, "poll")
    assert json.loads(wire.body([one] * number)) == [json.loads(one)] * number


def test_questions_to_the_api_are_arrays_with_one_task_each() -> None:
    assert json.loads(wire.get_response([A, B])) == [
        {"taskType": "getResponse", "taskUUID": A},
        {"taskType": "getResponse", "taskUUID": B},
    ]
    assert json.loads(wire.get_task_details([A])) == [{"taskType": "getTaskDetails", "taskUUID": A}]
    assert json.loads(wire.authentication("key")) == [{"taskType": "authentication", "apiKey": "key"}]


@given(st.text(st.characters(codec="utf-8")))
def test_any_prompt_arrives_as_it_is(prompt: str) -> None:
    assert task(template(), prompt)["messages"] == [{"role": "user", "content": prompt}]


def test_half_a_surrogate_pair_in_a_prompt_is_sent_escaped() -> None:
    made = template(Forced("text", {}, "system \udfff"))
    sent = task(made, "half \ud800 pair")
    assert sent["messages"][0]["content"] == "half \ud800 pair"
    assert sent["settings"]["systemPrompt"] == "system \udfff"
    assert len(made.fingerprint("half \ud800 pair", 0)) == 16


# fingerprints and task UUIDs are formats: docs/decisions/0001 and 0002


def by_the_page(fixed: Mapping[str, Any], prompt: str) -> bytes:
    """The fingerprint as the decision page describes it."""
    first = json.dumps(fixed, separators=(",", ":"), ensure_ascii=True)
    second = json.dumps([{"role": "user", "content": prompt}], separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b((first + second).encode(), digest_size=16, person=b"runware-fp-1").digest()


def test_the_fingerprint_is_what_its_decision_page_says() -> None:
    made = template(
        force_schema("tool", MODEL, "Sei kürz.", SCHEMA, "Invoice"), temperature=0.5, seed=3, max_tokens=10
    )
    tool = {
        "type": "function",
        "name": "Invoice",
        "description": "Give the answer by calling this function.",
        "schema": SCHEMA,
    }
    fixed = {
        "model": MODEL,
        "outputFormat": "TEXT",
        "seed": 5,
        "settings": {"maxTokens": 10, "systemPrompt": "Sei kürz.", "temperature": 0.5},
        "toolChoice": {"type": "tool", "name": "Invoice"},
        "tools": [tool],
    }
    assert made.fingerprint("Größe: 5 €", 2) == by_the_page(fixed, "Größe: 5 €")


@pytest.mark.parametrize(
    ("made", "golden"),
    [
        (template(), "411a38a07d2abb11ea41fe04d9ec2a28"),
        (template(Forced("text", {}, "Be brief.")), "aeedeff8b00810a9241ead04856e8d07"),
        (template(temperature=0.5, seed=42), "caf2126aa5cfa1e308b6ce5866e0b741"),
        (template(force_schema("auto", MODEL, None, SCHEMA, "Invoice")), "788c3abd21465a166fb073211efbea7c"),
        (
            template(force_schema("auto", "gpt-5-mini", None, SCHEMA, "I"), model="gpt-5-mini"),
            "c8735eabef06a8b459f730a5a0d583e6",
        ),
        (
            template(force_schema("prompt", MODEL, "Hi", SCHEMA, "Invoice")),
            "c41274d94127fdf01e3d9deabf3eee65",
        ),
        (
            template(offer_tools((Tool(name="book", schema=SCHEMA),), None, None)),
            "e718063e7edf8ac9d7fea6fc36778218",
        ),
    ],
)
def test_a_fingerprint_never_changes(made: wire.RequestTemplate, golden: str) -> None:
    assert made.fingerprint("Hello, Größe €", 0).hex() == golden


@pytest.mark.parametrize(
    ("arguments", "golden"),
    [
        ((bytes(16), bytes(16), 0, 0, 1), "e24f9c2c-c1da-4a0d-aac3-3f40abb57d8d"),
        ((bytes(range(16)), bytes(range(16, 32)), 0, 0, 1), "98729695-781e-4229-98cc-d3d80465dc34"),
        ((bytes(range(16)), bytes(range(16, 32)), 1, 2, 3), "505cb346-7f33-4481-a847-bf35e2177c4f"),
        ((b"\xff" * 16, b"\xff" * 16, 99, 2**32 - 1, 20), "9c2e236c-36a2-4b1d-a631-98cf1a931d2f"),
    ],
)
def test_a_task_uuid_never_changes(arguments: Any, golden: str) -> None:
    assert wire.task_uuid(*arguments) == golden


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), st.integers(0, 2**32 - 1))
def test_a_task_uuid_is_a_v4_and_what_its_decision_page_says(job: bytes, asked: bytes, number: int) -> None:
    made = uuid.UUID(wire.task_uuid(job, asked, number, 2, 3))
    assert (made.version, made.variant) == (4, uuid.RFC_4122)
    digest = hashlib.blake2b(
        job + asked + struct.pack(">III", number, 2, 3), digest_size=16, person=b"runware-uuid-1"
    ).digest()
    assert made == uuid.UUID(bytes=digest, version=4)


def test_each_part_of_an_attempts_name_is_in_its_uuid() -> None:
    base = (bytes(16), bytes(16), 0, 0, 1)
    others = [
        (b"\1" + bytes(15), bytes(16), 0, 0, 1),
        (bytes(16), b"\1" + bytes(15), 0, 0, 1),
        (bytes(16), bytes(16), 1, 0, 1),
        (bytes(16), bytes(16), 0, 1, 1),
        (bytes(16), bytes(16), 0, 0, 2),
    ]
    assert len({wire.task_uuid(*one) for one in [base, *others]}) == 6


@pytest.mark.parametrize("delivery", ["poll", "sync"])
def test_the_delivery_is_no_part_of_the_fingerprint(delivery: str) -> None:
    used, unused = template(), template()
    task(used, delivery=delivery)
    assert used.fingerprint("Hello", 0) == unused.fingerprint("Hello", 0)


def test_the_seed_of_a_sample_is_part_of_the_fingerprint() -> None:
    seeded = template(seed=5)
    assert len({seeded.fingerprint("Hello", sample) for sample in range(3)}) == 3
    assert seeded.fingerprint("Hello", 1) == template(seed=6).fingerprint("Hello", 0)
    assert seeded.fingerprint("Hello", 0) != template().fingerprint("Hello", 0)


def test_the_order_of_settings_and_of_the_top_level_means_nothing() -> None:
    one = Forced("text", {"toolChoice": {"type": "auto"}, "tools": []})
    other = Forced("text", {"tools": [], "toolChoice": {"type": "auto"}})
    assert template(one).fingerprint("x", 0) == template(other).fingerprint("x", 0)
    first, second = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert template(extra=first).fingerprint("x", 0) == template(extra=second).fingerprint("x", 0)


@pytest.mark.parametrize("forcing", ["tool", "json_schema", "prompt"])
def test_the_order_inside_a_schema_is_part_of_the_question(forcing: Any) -> None:
    turned = {**SCHEMA, "properties": dict(reversed(SCHEMA["properties"].items()))}  # type: ignore[attr-defined]
    assert turned == SCHEMA
    asked = [
        template(force_schema(forcing, "some-model", None, one, "T")).fingerprint("x", 0)
        for one in (SCHEMA, turned)
    ]
    assert asked[0] != asked[1]


def test_the_order_of_tools_is_part_of_the_question() -> None:
    tools = (Tool(name="one", schema=SCHEMA), Tool(name="two", schema=SCHEMA))
    asked = [template(offer_tools(one, None, None)).fingerprint("x", 0) for one in (tools, tools[::-1])]
    assert asked[0] != asked[1]


REQUESTS = st.fixed_dictionaries(
    {"model": st.sampled_from(["a", "b", "ab"]), "prompt": st.sampled_from(["", "x", "é", "x\n", '"}]'])},
    optional={
        "temperature": st.sampled_from([0, 0.5, 1]),
        "max_tokens": st.integers(1, 3),
        "seed": st.integers(0, 2),
        "stop_sequences": st.sampled_from([("a",), ("a", "b"), ("b", "a")]),
        "system": st.sampled_from(["s", "t"]),
        "sample": st.integers(0, 2),
    },
)


@settings(max_examples=150)
@given(REQUESTS, REQUESTS)
def test_fingerprints_are_equal_exactly_when_the_requests_are(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    def asked(wish: dict[str, Any]) -> tuple[bytes, Any]:
        wish = dict(wish)
        prompt, sample, model = wish.pop("prompt"), wish.pop("sample", 0), wish.pop("model")
        made = template(Forced("text", {}, wish.pop("system", None)), model, **wish)
        return made.fingerprint(prompt, sample), task(made, prompt, sample)

    (first, sent), (second, sent_too) = asked(one), asked(other)
    assert (first == second) == (sent == sent_too)


# replies


def test_bare_items_are_acknowledgements_and_no_results() -> None:
    told = reply([item(A), item(B)])
    assert told.acknowledged == {A, B}
    assert not told.results
    assert not told.failures


def test_processing_items_are_under_way() -> None:
    told = reply([item(A, status="processing"), item(B, status="processing", progress=40)])
    assert told.processing == {A, B}
    assert not told.results


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "success", "text": "Hi"},
        {"text": "Hi"},
        {"text": ""},
        {"status": "success", "text": None},
        {"text": None, "finishReason": "length"},
        {"tools": [{"id": "1", "name": "f", "input": {}}]},
        {"toolCalls": [{"name": "f", "arguments": "{}"}], "text": None},
        {"status": "completed", "text": "Hi"},
        {"status": "success", "text": "Hi", "error": None},
        {"status": "success", "text": "Hi", "error": {}},
        {"status": "success", "text": "Hi", "error": {"code": "warning"}},
        {"text": "Hi", "error": ""},
    ],
)
def test_an_item_with_an_answer_is_a_result(fields: dict[str, Any]) -> None:
    told = reply([item(A, **fields)])
    assert told.results == {A: item(A, **fields)}
    assert not told.acknowledged
    assert not told.failures


@pytest.mark.parametrize("status", ["processing", "queued", "pending", "running"])
def test_a_text_that_is_still_growing_is_no_result(status: str) -> None:
    told = reply([item(A, status=status, text="Once upon")])
    assert told.processing == {A}
    assert not told.results


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "error", "error": {"code": "providerError", "message": "no"}},
        {"error": {"code": "providerError", "message": "no"}},
        {"status": "error", "code": "providerError", "message": "no"},
        {"status": "error", "error": {"code": "providerError", "message": "no", "taskUUID": B}},
    ],
)
def test_an_error_among_the_data_is_a_failure_of_its_task(fields: dict[str, Any]) -> None:
    told = reply([item(A, **fields)])
    assert list(told.failures) == [A]
    assert (told.failures[A].code, told.failures[A].message) == ("providerError", "no")
    assert not told.results
    assert not told.acknowledged


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"status": "error"}, "unknownError", ""),
        ({"status": "error", "error": "it broke"}, "unknownError", "it broke"),
        ({"error": "it broke"}, "unknownError", "it broke"),
        ({"status": "error", "error": ["x"]}, "unknownError", "['x']"),
        ({"error": {"code": None, "message": None}}, "unknownError", ""),
        ({"error": {"code": 17, "message": {"a": 1}}}, "17", "{'a': 1}"),
    ],
)
def test_an_error_without_a_code_is_an_unknown_one(fields: dict[str, Any], code: str, message: str) -> None:
    told = reply([item(A, **fields)])
    assert (told.failures[A].code, told.failures[A].message) == (code, message)


def test_errors_are_sorted_by_the_task_that_they_name() -> None:
    told = reply([], [error("providerError", A), error("invalidApiKey", None)], status=400)
    assert told.failures[A].task_uuid == A
    assert [one.code for one in told.unnamed] == ["invalidApiKey"]
    assert told.status == 400


@pytest.mark.parametrize("name", [None, 5, ["a"], {"a": 1}, True])
def test_an_error_whose_uuid_is_none_names_no_task(name: Any) -> None:
    told = reply([], [{**error(name=None), "taskUUID": name}])
    assert not told.failures
    assert len(told.unnamed) == 1


def test_the_parameters_of_an_error_may_be_a_list() -> None:
    told = reply([], [error(parameter=["settings", "temperature"]), error(name=B, parameter="model")])
    assert told.failures[A].parameter == "settings, temperature"
    assert told.failures[B].parameter == "model"
    assert reply([], [error()]).failures[A].parameter is None


def test_a_400_may_carry_results_for_sibling_tasks() -> None:
    told = reply([item(A, text="Hi"), item(B)], [error(name=C)], status=400)
    assert set(told.results) == {A}
    assert told.acknowledged == {B}
    assert set(told.failures) == {C}
    assert told.readable


@pytest.mark.parametrize("status", [200, 400, 429, 500, 503])
def test_a_body_is_read_whatever_the_status(status: int) -> None:
    assert set(reply([item(A, text="Hi")], status=status).results) == {A}


def test_a_repeated_item_counts_once_and_a_result_outweighs_all_else() -> None:
    told = reply([item(A), item(A, status="processing"), item(A, text="Hi"), item(A, text="Ho")], [error()])
    assert told.results == {A: item(A, text="Hi")}
    assert not told.acknowledged
    assert not told.processing
    assert not told.failures


@pytest.mark.parametrize(
    "content", [b'{"data":[]}', b'{"errors":[]}', b'{"data":[],"errors":[]}', b"{}", b"[]"]
)
def test_an_empty_reply_is_readable_and_says_nothing(content: bytes) -> None:
    told = wire.read_reply(200, content)
    assert told.readable
    assert said_by(told) == set()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"<html>502 Bad Gateway</html>",
        b'{"data":[{"taskUUID":"a","te',
        b'{"data":[{"taskUUID":"a","text":"x"}]',
        b"null",
        b"true",
        b"17",
        b'"text"',
        b"\xff\xfe\x00",
        b"\x1f\x8b\x08",
        b"[" * 100_000,
        b'{"data":' * 5_000,
    ],
)
def test_garbage_and_half_a_body_are_not_readable(content: bytes) -> None:
    assert not wire.read_reply(200, content).readable
    assert not wire.read_archive(200, content).readable


@pytest.mark.parametrize("data", [None, 5, "text", [None, 5, "x", [], {}, True], {}, [[[]]], {"a": 1}])
def test_what_is_no_item_is_passed_over(data: Any) -> None:
    told = wire.read_reply(200, as_json({"data": data, "errors": data}))
    assert told.readable
    assert said_by(told) <= {"unnamed"}


def test_a_lone_object_may_stand_where_a_list_belongs() -> None:
    told = wire.read_reply(200, as_json({"data": item(A, text="Hi"), "errors": error(name=B)}))
    assert set(told.results) == {A}
    assert set(told.failures) == {B}


@pytest.mark.parametrize(
    ("body", "results", "failures", "unnamed"),
    [
        (item(A, text="Hi"), [A], [], 0),
        ([item(A, text="Hi"), item(B, text="Ho")], [A, B], [], 0),
        ({"data": [item(A, text="Hi")]}, [A], [], 0),
        ([{"data": [item(A, text="Hi")]}, {"errors": [error(name=B)]}], [A], [B], 0),
        ({"errors": [error(name=A)]}, [], [A], 0),
        (item(A, error={"code": "x"}), [], [A], 0),
        ({"error": error(name=A)}, [], [A], 0),
        ({"error": error(name=None)}, [], [], 1),
        ({"code": "invalidApiKey", "message": "no"}, [], [], 1),
        (item(A, status="processing"), [], [], 0),
    ],
)
def test_a_webhooks_body_may_have_any_of_the_known_shapes(
    body: Any, results: list[str], failures: list[str], unnamed: int
) -> None:
    told = wire.read_reply(200, as_json(body))
    assert list(told.results) == results
    assert list(told.failures) == failures
    assert len(told.unnamed) == unnamed


@pytest.mark.parametrize("strange", [[], {}, 5, True, ["processing"], {"a": []}, ""])
@pytest.mark.parametrize("field", ["status", "taskUUID", "error", "tools", "usage", "cost", "code", "text"])
def test_a_field_of_a_strange_type_costs_no_sibling(field: str, strange: Any) -> None:
    odd = {**item(B, text="odd"), field: strange}
    assert reply([odd, item(A, text="Hi")], [{**error(name=C), field: strange}]).results[A]["text"] == "Hi"
    for one in ({**item(B), "response": odd}, {**item(B), "response": strange}, odd):
        assert archive(one, {**item(A), "response": item(A, text="Hi")}).results[A]["text"] == "Hi"


STRANGE = {
    "half a surrogate pair": rb'"\ud800"',
    "a bare surrogate in bytes": b'"\xed\xa0\x80"',
    "bytes that are no UTF-8": b'"\xff\xfe"',
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "a number beyond a double": b"1e999",
    "ten thousand digits": b"9" * 10_000,
    "ten thousand negative digits": b"-" + b"9" * 10_000,
    "nested arrays": b"[" * 5_000 + b"]" * 5_000,
    "nested objects": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "rather deep": b"[" * 700 + b"]" * 700,
    "nesting with brackets in strings": b"[" * 5_000 + rb'"]\"]}"' + b"]" * 5_000,
    "an escaped control character": rb'"\u0000"',
}


@pytest.mark.parametrize("value", STRANGE.values(), ids=STRANGE.keys())
@pytest.mark.parametrize("field", ["text", "cost", "usage", "tools", "extra", "finishReason", "seed"])
def test_a_strange_value_hides_neither_its_item_nor_a_sibling(field: str, value: bytes) -> None:
    named = field.encode()
    odd = b'{"taskUUID":"%s","status":"success","%s":%s}' % (B.encode(), named, value)
    content = b'{"data":[%s,{"taskUUID":"%s","text":"Hi"}]}' % (odd, A.encode())
    told = wire.read_reply(200, content)
    assert told.results[A]["text"] == "Hi"
    assert B in told.results
    kept = wire.encode_item(told.results[B])
    assert wire.decode(kept)["taskUUID"] == B
    wire.read_result(told.results[B])
    assert wire.read_archive(200, content).results[A]["text"] == "Hi"


@pytest.mark.parametrize("value", STRANGE.values(), ids=STRANGE.keys())
def test_an_error_made_of_strange_values_is_still_an_error(value: bytes) -> None:
    content = b'{"errors":[{"taskUUID":"%s","code":%s,"message":%s,"parameter":[%s],"cost":%s}]}' % (
        A.encode(),
        value,
        value,
        value,
        value,
    )
    failure = wire.read_reply(400, content).failures[A]
    for text in (failure.code, failure.message, failure.parameter or ""):
        text.encode()
    assert wire.cost_of(failure.item) is None
    wire.encode_item(failure.item)


def test_what_is_cut_for_its_depth_is_cut_and_nothing_else() -> None:
    deep = b'{"before":[1,{"x":"[{"}],"deep":%s,"after":"]"}' % (b"[" * 3_000 + b"]" * 3_000)
    read = wire.decode(deep)
    assert (read["before"], read["after"]) == ([1, {"x": "[{"}], "]")


def test_a_byte_order_mark_is_passed_over() -> None:
    assert set(wire.read_reply(200, b"\xef\xbb\xbf" + as_json({"data": [item(A, text="Hi")]})).results) == {A}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from([A, B, C, D, "", None, 5]) | st.just(["a"])
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "taskUUID": NAMES,
        "taskType": st.just("textInference") | JSON,
        "status": st.sampled_from(["processing", "success", "error", "accepted", None, "new"]) | JSON,
        "text": st.text(max_size=3) | JSON,
        "error": st.fixed_dictionaries({"code": JSON}, optional={"taskUUID": NAMES}) | JSON,
        "code": JSON,
        "message": JSON,
        "parameter": JSON,
        "tools": st.lists(st.fixed_dictionaries({"name": JSON, "input": JSON})) | JSON,
        "toolCalls": JSON,
        "finishReason": JSON,
        "usage": JSON,
        "cost": JSON,
        "data": JSON,
        "errors": JSON,
        "response": JSON,
    },
)
BODIES = (
    st.fixed_dictionaries({}, optional={"data": st.lists(FIELDS | JSON), "errors": st.lists(FIELDS | JSON)})
    | st.lists(FIELDS | JSON)
    | FIELDS
    | JSON
)


def check_sorted(told: wire.Reply) -> None:
    assert not told.results.keys() & told.failures.keys()
    assert not told.results.keys() & (told.acknowledged | told.processing)
    for one in told.results.values():
        assert isinstance(wire.encode_item(one), bytes)
        result = wire.read_result(one)
        assert result.cost is None or 0 <= result.cost <= 1e6
        counts = (result.usage.prompt, result.usage.cached, result.usage.completion)
        assert all(count is None or 0 <= count < 2**63 for count in counts)
    for failure in (*told.failures.values(), *told.unnamed):
        (failure.code + failure.message + (failure.parameter or "")).encode()
        assert isinstance(wire.encode_item(failure.item), bytes)


@settings(max_examples=150)
@given(BODIES, st.sampled_from([200, 400, 429, 500]))
def test_no_json_makes_reading_fail(body: Any, status: int) -> None:
    content = as_json(body)
    check_sorted(wire.read_reply(status, content))
    check_sorted(wire.read_archive(status, content))


@settings(max_examples=150)
@given(st.binary(max_size=200) | st.text('[]{}",:0a\\u', max_size=100).map(str.encode))
@example(b"\xef\xbb\xbf")
@example(b'{"data":[{"taskUUID":"\\ud800","text":""}]}')
def test_no_bytes_make_reading_fail(content: bytes) -> None:
    check_sorted(wire.read_reply(200, content))
    check_sorted(wire.read_archive(200, content))


@settings(max_examples=150)
@given(st.lists(FIELDS | JSON, max_size=4), st.lists(FIELDS | JSON, max_size=4), st.integers(0, 4))
def test_a_result_is_never_lost_among_strange_siblings(
    siblings: list[Any], errors: list[Any], position: int
) -> None:
    name = "eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee"
    mine = item(name, text="Hi")
    content = as_json({"data": [*siblings[:position], mine, *siblings[position:]], "errors": errors})
    assert wire.read_reply(200, content).results[name] == mine
    stored = {"taskUUID": name, "response": {"data": [mine]}}
    content = as_json({"data": [*siblings[:position], stored, *siblings[position:]], "errors": errors})
    assert wire.read_archive(200, content).results[name] == mine


# the archive


@pytest.mark.parametrize(
    "response",
    [
        {"data": [item(A, text="Hi")]},
        {"data": [{"text": "Hi"}]},
        {"data": [item(B, text="Not this"), item(A, text="Hi")], "errors": []},
        [item(A, text="Hi")],
        item(A, text="Hi"),
        {"text": "Hi", "finishReason": "stop"},
        json.dumps({"data": [item(A, text="Hi")]}),
        json.dumps(item(A, text="Hi")),
        {"data": [item(A, text="Hi")], "errors": [error(name=A)]},
    ],
)
def test_the_archives_response_may_have_any_shape(response: Any) -> None:
    told = archive(
        {"taskType": "getTaskDetails", "taskUUID": A, "request": {"text": "no"}, "response": response}
    )
    assert told.results[A]["text"] == "Hi"
    assert not told.processing
    assert not told.failures


def test_an_archive_that_gives_the_item_itself_is_understood() -> None:
    assert set(archive(item(A, text="Hi")).results) == {A}
    assert set(archive(item(A, status="error", error={"code": "taskFailed"})).failures) == {A}


@pytest.mark.parametrize("response", [None, {}, [], "", "nonsense", {"data": []}, {"data": [item(A)]}, 5])
def test_an_archive_that_knows_a_task_without_an_answer_says_that_it_is_known(response: Any) -> None:
    told = archive({"taskUUID": A, "request": {}, "response": response})
    assert told.processing == {A}
    assert not told.results


def test_a_task_that_is_listed_without_any_response_is_known_and_not_answered() -> None:
    told = archive({"taskUUID": A}, {"taskUUID": B, "status": "success", "request": {"text": "x"}})
    assert told.processing == {A, B}


@pytest.mark.parametrize(
    "response",
    [
        {"errors": [error("rateLimitExceeded", name=A)]},
        {"errors": [error("rateLimitExceeded", name=None)]},
        {"data": [item(A, status="error", error={"code": "rateLimitExceeded"})]},
        {"error": {"code": "rateLimitExceeded"}},
    ],
)
def test_the_archives_errors_are_failures_of_their_task(response: Any) -> None:
    told = archive({"taskUUID": A, "response": response})
    assert told.failures[A].code == "rateLimitExceeded"
    assert not told.processing


def test_errors_of_the_question_to_the_archive_are_told_apart() -> None:
    told = archive(errors=[error("taskNotFound", A), error("invalidApiKey", None)], status=400)
    assert told.failures[A].code == "taskNotFound"
    assert [one.code for one in told.unnamed] == ["invalidApiKey"]
    assert not told.processing


def test_an_archived_answer_outweighs_an_error_about_its_task() -> None:
    told = archive({"taskUUID": A, "response": {"data": [item(A, text="Hi")]}}, errors=[error(name=A)])
    assert set(told.results) == {A}
    assert not told.failures


# results


def result(**fields: Any) -> wire.Result:
    return wire.read_result(item(A, **fields))


def test_a_result_is_read_in_full() -> None:
    read = result(
        text="Hi",
        finishReason="stop",
        cost=0.00012,
        usage={"promptTokens": 10, "completionTokens": 5, "totalTokens": 15, "cachedTokens": 4},
        reasoningContent=["first", "second"],
    )
    assert read == wire.Result("Hi", (), "stop", wire.Usage(10, 4, 5), 0.00012)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"promptTokens": 1, "completionTokens": 2}, (1, None, 2)),
        ({"inputTokens": 1, "outputTokens": 2}, (1, None, 2)),
        ({"promptTokens": 0, "completionTokens": 0}, (0, None, 0)),
        ({"promptTokens": 9, "promptTokensDetails": {"cachedTokens": 3}}, (9, 3, None)),
        ({"promptTokens": 12.0}, (12, None, None)),
        ({"promptTokens": "12", "completionTokens": True}, (None, None, None)),
        ({"promptTokens": -1, "completionTokens": 2.5}, (None, None, None)),
        ({"promptTokens": 10**30}, (None, None, None)),
        ({"promptTokens": None, "inputTokens": 7}, (7, None, None)),
        (None, (None, None, None)),
        ([], (None, None, None)),
        ("many", (None, None, None)),
    ],
)
def test_usage_is_read_in_its_shapes(usage: Any, expected: tuple[Any, ...]) -> None:
    read = result(text="", usage=usage).usage
    assert (read.prompt, read.cached, read.completion) == expected


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        (0, 0.0),
        (0.5, 0.5),
        (3, 3.0),
        (None, None),
        ("0.5", None),
        (True, None),
        (-1, None),
        (float("nan"), None),
        (float("inf"), None),
        (1e300, None),
        (10**400, None),
        ([], None),
    ],
)
def test_only_a_cost_that_can_be_added_up_is_a_cost(cost: Any, expected: float | None) -> None:
    assert wire.cost_of({"cost": cost}) == expected


@pytest.mark.parametrize(
    ("fields", "calls"),
    [
        ({"tools": [{"id": "1", "name": "f", "input": {"a": 1}}]}, [("f", {"a": 1})]),
        ({"toolCalls": [{"name": "f", "arguments": '{"a": 1}'}]}, [("f", '{"a": 1}')]),
        ({"toolCalls": [{"function": {"name": "f", "arguments": "{}"}}]}, [("f", "{}")]),
        ({"tools": [], "toolCalls": [{"name": "f", "input": {}}]}, [("f", {})]),
        ({"tools": ["nonsense"], "toolCalls": [{"name": "f", "input": {}}]}, [("f", {})]),
        ({"tools": {"name": "f", "input": {}}}, [("f", {})]),
        ({"tools": [{"name": "f"}, {"name": "g", "input": {}}]}, [("f", {}), ("g", {})]),
        ({"tools": [{"input": {"a": 1}}]}, [("", {"a": 1})]),
        ({"tools": [{"name": 5, "input": [1]}]}, [("5", [1])]),
        ({"tools": [{"name": "f", "input": None, "arguments": None}]}, [("f", None)]),
        ({"tools": [{"name": "f", "function": "f", "input": {}}]}, [("f", {})]),
        ({"text": "no call"}, []),
    ],
)
def test_tool_calls_are_read_in_their_shapes(fields: dict[str, Any], calls: list[Any]) -> None:
    assert list(result(**fields).calls) == calls


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, None), ("", ""), ("Hi", "Hi"), ({"a": 1}, '{"a":1}'), (["a"], '["a"]'), (5, "5")],
)
def test_a_text_that_came_as_json_is_read_as_its_text(text: Any, expected: str | None) -> None:
    assert result(text=text).text == expected


def test_a_missing_text_is_no_text_and_an_unknown_finish_reason_stays() -> None:
    assert result(finishReason="tool_use").text is None
    assert result(finishReason="something_new").finish_reason == "something_new"
    assert result(finishReason=["x"]).finish_reason == "['x']"
    assert result(text="").finish_reason is None


@settings(max_examples=200)
@given(JSON, JSON)
def test_an_item_is_kept_so_that_it_can_be_read_again(text: Any, usage: Any) -> None:
    held = json.loads(json.dumps(item(A, text=text, usage=usage, status="success")))
    again = wire.decode(wire.encode_item(held))
    assert wire.read_result(again).calls == ()
    assert wire.read_result(again).usage == wire.read_result(held).usage
    assert again["taskUUID"] == A
