from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api import request_bodies
from runware_provider.engine.api.output_mode import Forced, force_schema, offer_tools
from runware_provider.engine.spec import Settings, Tool, ToolChoice
from runware_provider.engine.turns import Turn, as_turns

if TYPE_CHECKING:
    from collections.abc import Mapping

A = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
B = "bbbbbbbb-bbbb-4bbb-9bbb-bbbbbbbbbbbb"
SCHEMA = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "total": {"type": "number"}},
    "required": ["total"],
}
FREE = Forced("text")
MODEL = "deepseek-v4-pro"


def template(forced: Forced = FREE, model: str = MODEL, **of_settings: Any) -> request_bodies.RequestTemplate:
    return request_bodies.RequestTemplate(model=model, settings=Settings(**of_settings), forced=forced)


def task(
    made: request_bodies.RequestTemplate, prompt: str = "Hello", sample: int = 0, delivery: Any = "poll"
) -> Any:
    return json.loads(made.task(as_turns(prompt), sample, A, delivery))


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


def test_a_further_question_shows_the_answer_and_ends_with_the_users_turn() -> None:
    made = template(temperature=0.5)
    plain = task(made)
    further = json.loads(
        made.task(as_turns("Hello"), 0, A, "poll", request_bodies.FollowUp("no", "Say yes", 200))
    )
    assert further["messages"] == [
        *plain["messages"],
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": "Say yes"},
    ]
    assert further["settings"] == {"temperature": 0.5, "maxTokens": 200}
    assert {**further, "messages": 0, "settings": 0} == {**plain, "messages": 0, "settings": 0}
    assert task(made) == plain


def test_more_room_alone_changes_nothing_else() -> None:
    made = template(max_tokens=100)
    further = json.loads(made.task(as_turns("Hello"), 0, A, "poll", request_bodies.FollowUp(max_tokens=200)))
    assert further == {**task(made), "settings": {"maxTokens": 200}}


def test_json_mode_is_sent_as_output_format_and_schema() -> None:
    sent = task(template(force_schema("auto", "gpt-5-mini", None, SCHEMA, "Invoice"), model="gpt-5-mini"))
    assert sent["outputFormat"] == "JSON"
    assert sent["jsonSchema"] == SCHEMA
    assert not {"tools", "toolChoice", "settings"} & set(sent)


@pytest.mark.parametrize(
    ("delivery", "method"),
    [("poll", "async"), ("webhook", "async"), ("sync", "sync"), ("stream", "stream")],
)
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
    one = template().task(as_turns("Hello"), 0, A, "poll")
    assert json.loads(request_bodies.body([one] * number)) == [json.loads(one)] * number


def test_questions_to_the_api_are_arrays_with_one_task_each() -> None:
    assert json.loads(request_bodies.get_response([A, B])) == [
        {"taskType": "getResponse", "taskUUID": A},
        {"taskType": "getResponse", "taskUUID": B},
    ]
    assert json.loads(request_bodies.get_task_details([A])) == [{"taskType": "getTaskDetails", "taskUUID": A}]
    assert json.loads(request_bodies.authentication("key")) == [
        {"taskType": "authentication", "apiKey": "key"}
    ]


@given(st.text(st.characters(codec="utf-8")))
def test_any_prompt_arrives_as_it_is(prompt: str) -> None:
    assert task(template(), prompt)["messages"] == [{"role": "user", "content": prompt}]


def test_half_a_surrogate_pair_in_a_prompt_is_sent_escaped() -> None:
    made = template(Forced("text", {}, "system \udfff"))
    sent = task(made, "half \ud800 pair")
    assert sent["messages"][0]["content"] == "half \ud800 pair"
    assert sent["settings"]["systemPrompt"] == "system \udfff"
    assert len(made.fingerprint(as_turns("half \ud800 pair"), 0)) == 16


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
    assert made.fingerprint(as_turns("Größe: 5 €"), 2) == by_the_page(fixed, "Größe: 5 €")


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
def test_a_fingerprint_never_changes(made: request_bodies.RequestTemplate, golden: str) -> None:
    assert made.fingerprint(as_turns("Hello, Größe €"), 0).hex() == golden


CONVERSATION = (Turn("user", "Größe?"), Turn("assistant", '{"total": 5}'), Turn("user", "And €?"))


def test_the_fingerprint_of_a_conversation_never_changes() -> None:
    assert template().fingerprint(CONVERSATION, 0).hex() == "76159693e683c9b03de57ebe3a3740c5"


TURNS = st.lists(
    st.builds(
        Turn, st.sampled_from(["user", "assistant"]), st.text(st.characters(codec="utf-8"), max_size=5)
    ),
    max_size=3,
).map(tuple)


@given(TURNS, TURNS)
def test_a_conversation_is_sent_as_it_is_and_its_fingerprint_is_what_the_page_says(
    one: Any, other: Any
) -> None:
    made = template()
    sent = json.loads(made.task(one, 0, A, "poll"))["messages"]
    assert sent == [{"role": turn.role, "content": turn.content} for turn in one]
    fixed = {"model": MODEL, "outputFormat": "TEXT"}
    texts = [json.dumps(part, separators=(",", ":"), ensure_ascii=True) for part in (fixed, sent)]
    by_hand = hashlib.blake2b("".join(texts).encode(), digest_size=16, person=b"runware-fp-1").digest()
    assert made.fingerprint(one, 0) == by_hand
    assert (made.fingerprint(one, 0) == made.fingerprint(other, 0)) == (one == other)


def test_a_further_question_follows_the_whole_conversation() -> None:
    further = json.loads(
        template().task(CONVERSATION, 0, A, "poll", request_bodies.FollowUp("no", "Say yes", 200))
    )
    roles = [message["role"] for message in further["messages"]]
    assert roles == ["user", "assistant", "user", "assistant", "user"]
    assert further["messages"][3]["content"] == "no"


def test_where_the_answer_is_to_be_brought_is_said_of_each_task_and_is_no_part_of_the_fingerprint() -> None:
    url = "https://example.com/hook?j=ab&e=1&token=0123"
    used, untouched = template(), template()
    before = untouched.fingerprint(as_turns("Hello"), 0)
    assert json.loads(used.task(as_turns("Hello"), 0, A, "webhook", webhook_url=url))["webhookURL"] == url
    assert "webhookURL" not in json.loads(used.task(as_turns("Hello"), 0, A, "webhook"))
    assert used.fingerprint(as_turns("Hello"), 0) == before


@pytest.mark.parametrize("delivery", ["poll", "sync", "stream", "webhook"])
def test_the_delivery_is_no_part_of_the_fingerprint(delivery: str) -> None:
    used, unused = template(), template()
    task(used, delivery=delivery)
    assert used.fingerprint(as_turns("Hello"), 0) == unused.fingerprint(as_turns("Hello"), 0)


def test_the_seed_of_a_sample_is_part_of_the_fingerprint() -> None:
    seeded = template(seed=5)
    assert len({seeded.fingerprint(as_turns("Hello"), sample) for sample in range(3)}) == 3
    assert seeded.fingerprint(as_turns("Hello"), 1) == template(seed=6).fingerprint(as_turns("Hello"), 0)
    assert seeded.fingerprint(as_turns("Hello"), 0) != template().fingerprint(as_turns("Hello"), 0)


def test_the_order_of_settings_and_of_the_top_level_means_nothing() -> None:
    one = Forced("text", {"toolChoice": {"type": "auto"}, "tools": []})
    other = Forced("text", {"tools": [], "toolChoice": {"type": "auto"}})
    assert template(one).fingerprint(as_turns("x"), 0) == template(other).fingerprint(as_turns("x"), 0)
    first, second = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert template(extra=first).fingerprint(as_turns("x"), 0) == template(extra=second).fingerprint(
        as_turns("x"), 0
    )


@pytest.mark.parametrize("mode", ["tool", "native", "prompt"])
def test_the_order_inside_a_schema_is_part_of_the_question(mode: Any) -> None:
    turned = {**SCHEMA, "properties": dict(reversed(SCHEMA["properties"].items()))}  # type: ignore[attr-defined]
    assert turned == SCHEMA
    asked = [
        template(force_schema(mode, "some-model", None, one, "T")).fingerprint(as_turns("x"), 0)
        for one in (SCHEMA, turned)
    ]
    assert asked[0] != asked[1]


def test_the_order_of_tools_is_part_of_the_question() -> None:
    tools = (Tool(name="one", schema=SCHEMA), Tool(name="two", schema=SCHEMA))
    asked = [
        template(offer_tools(one, None, None)).fingerprint(as_turns("x"), 0) for one in (tools, tools[::-1])
    ]
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


@given(REQUESTS, REQUESTS)
def test_fingerprints_are_equal_exactly_when_the_requests_are(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    def asked(wish: dict[str, Any]) -> tuple[bytes, Any]:
        wish = dict(wish)
        prompt, sample, model = wish.pop("prompt"), wish.pop("sample", 0), wish.pop("model")
        made = template(Forced("text", {}, wish.pop("system", None)), model, **wish)
        return made.fingerprint(as_turns(prompt), sample), task(made, prompt, sample)

    (first, sent), (second, sent_too) = asked(one), asked(other)
    assert (first == second) == (sent == sent_too)
