from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.testing.api.catalogue import MODELS, Model
from runware_provider.testing.api.checks import check_text_inference

CATALOGUE = {model.id: model for model in MODELS}
UUID = "6f1c2d3e-4a5b-4c6d-8e7f-0a1b2c3d4e5f"
TASK = {
    "taskType": "textInference",
    "taskUUID": UUID,
    "model": "deepseek-v4-pro",
    "messages": [{"role": "user", "content": "Hello"}],
}
TOOL = {"type": "function", "name": "save", "schema": {"type": "object"}}
USER = {"role": "user", "content": "Hello"}


def codes(**changes):
    task = {name: value for name, value in {**TASK, **changes}.items() if value is not ...}
    return [refusal.code for refusal in check_text_inference(task, CATALOGUE)]


def of_settings(**settings):
    return codes(settings=settings)


def test_the_smallest_task_is_accepted():
    assert codes() == []


def test_a_task_with_every_field_is_accepted():
    assert (
        codes(
            outputFormat="TEXT",
            webhookURL="http://127.0.0.1:8000/hook?token=x",
            deliveryMethod="async",
            includeCost=True,
            includeUsage=False,
            numberResults=4,
            seed=9223372036854776000,
            tools=[TOOL],
            toolChoice={"type": "tool", "name": "save"},
            settings={
                "systemPrompt": "x" * 900_000,
                "temperature": 1.37,
                "topP": 0.29,
                "frequencyPenalty": 2,
                "presencePenalty": 0.0,
                "maxTokens": 100_000,
                "stopSequences": ["a", "b" * 50],
                "thinkingLevel": "high",
            },
        )
        == []
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [("taskUUID", "missingTaskUUID"), ("model", "missingModel"), ("messages", "missingMessages")],
)
def test_a_required_field_is_missed(name, code):
    assert codes(**{name: ...}) == [code]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        7,
        None,
        UUID[:-1],
        UUID + "0",
        UUID.replace("-4c6d-", "-1c6d-"),
        UUID.replace("-8e7f-", "-7e7f-"),
        f"{{{UUID}}}",
        UUID + "\n",
    ],
)
def test_a_task_uuid_is_the_text_of_a_version_4_uuid(value):
    assert codes(taskUUID=value) == ["invalidTaskUUID"]


@pytest.mark.parametrize(
    "name", ["temperature", "topP", "maxTokens", "systemPrompt", "stopSequences", "thinkingLevel"]
)
def test_a_sampling_field_at_top_level_is_unsupported(name):
    assert codes(**{name: 1}) == ["unsupportedParameter"]


def test_an_unknown_field_is_refused_at_top_level_and_in_settings():
    assert codes(temprature=1) == ["unknownParameter"]
    assert of_settings(temprature=1) == ["unknownParameter"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("temperature", [-0.01, 2.01, 0.005, 1.999, "1", True, None]),
        ("topP", [-0.01, 1.01, 0.333]),
        ("frequencyPenalty", [-1, 2.5]),
        ("presencePenalty", [-1, 2.5]),
        ("maxTokens", [0, 100_001, 1.5, 10.0, "1", True]),
        ("systemPrompt", ["", "x" * 900_001, 1, None]),
        ("thinkingLevel", ["", 1]),
        ("stopSequences", ["stop", [""], ["x" * 51], [1]]),
    ],
)
def test_a_setting_out_of_its_limits_is_refused(name, values):
    for value in values:
        assert of_settings(**{name: value}), f"{name}={value!r} was accepted"


@given(st.integers(0, 200))
def test_every_hundredth_up_to_two_is_a_temperature(hundredths):
    assert of_settings(temperature=hundredths / 100) == []


def test_more_than_five_stop_sequences_are_too_many():
    assert of_settings(stopSequences=list("abcdef")) == ["arrayTooLong"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("numberResults", 0),
        ("numberResults", 5),
        ("numberResults", 1.0),
        ("numberResults", True),
        ("seed", -1),
        ("seed", 9223372036854776001),
        ("seed", "1"),
        ("includeCost", 1),
        ("includeUsage", "true"),
        ("settings", []),
        ("deliveryMethod", "poll"),
        ("outputFormat", "XML"),
        ("model", ""),
    ],
)
def test_a_field_out_of_its_limits_is_refused(name, value):
    assert codes(**{name: value})[0].lower() in (f"invalid{name.lower()}", "modelnotfound")


def test_a_stream_brings_one_text():
    assert codes(deliveryMethod="stream") == []
    assert codes(deliveryMethod="stream", numberResults=2) == ["incompatibleParameters"]
    tools = [{"type": "function", "name": "save", "schema": {"type": "object"}}]
    assert codes(deliveryMethod="stream", tools=tools) == ["incompatibleParameters"]


def test_an_unknown_model_is_not_found():
    assert codes(model="gpt-2") == ["modelNotFound"]


def test_a_model_that_is_async_only_refuses_sync_and_the_default():
    assert codes(model="gpt-5.4-pro") == ["unsupportedDeliveryMethod"]
    assert codes(model="gpt-5.4-pro", deliveryMethod="sync") == ["unsupportedDeliveryMethod"]
    assert codes(model="gpt-5.4-pro", deliveryMethod="stream") == ["unsupportedDeliveryMethod"]
    assert codes(model="gpt-5.4-pro", deliveryMethod="async") == []


def test_json_mode_exists_only_for_the_listed_models():
    assert codes(outputFormat="JSON") == ["unsupportedOutputFormat"]
    assert codes(outputFormat="JSON", model="kimi-k2.6") == []


def test_a_json_schema_is_an_object_or_the_text_of_one():
    json_mode = {"outputFormat": "JSON", "model": "gpt-5.5"}
    assert codes(jsonSchema={"type": "object"}, **json_mode) == []
    assert codes(jsonSchema='{"type": "object"}', **json_mode) == []
    for wrong in ("[]", "not json", 1, []):
        assert codes(jsonSchema=wrong, **json_mode) == ["invalidJsonSchema"]


def test_a_json_schema_needs_json_mode():
    assert codes(jsonSchema={}, model="gpt-5.5") == ["incompatibleParameters"]


@pytest.mark.parametrize(
    "url", ["", "no url", "ftp://127.0.0.1/x", "http://", "http://127.0.0.1:x/", 1, "http://127.0.0.1/ a"]
)
def test_a_webhook_url_is_an_http_uri(url):
    assert codes(webhookURL=url) == ["invalidWebhookURL"]


@pytest.mark.parametrize("url", ["https://example.com/hook", "http://10.0.0.1/", "http://169.254.169.254/"])
def test_a_webhook_to_another_machine_is_refused(url):
    assert codes(webhookURL=url) == ["invalidWebhookURL"]


@pytest.mark.parametrize(
    "url", ["http://localhost:1/x", "http://127.1.2.3/", "http://[::1]:8080/hook?token=1"]
)
def test_a_webhook_to_this_machine_is_accepted(url):
    assert codes(webhookURL=url) == []


def test_a_system_message_is_refused_by_its_role():
    assert codes(messages=[{"role": "system", "content": "x"}, USER]) == ["invalidMessageRole"]


@pytest.mark.parametrize("role", ["assistant", "tool"])
def test_the_final_message_must_be_the_users(role):
    last = {"role": role, "content": "x"} | ({"id": "1"} if role == "tool" else {})
    assert codes(messages=[USER, last]) == ["invalidMessages"]


def test_a_tool_turn_is_accepted():
    call = {"id": "1", "name": "save", "input": {}}
    turn = [{"role": "assistant", "tools": [call]}, {"role": "tool", "id": "1", "content": "done"}]
    assert codes(messages=[USER, *turn, USER]) == []


@pytest.mark.parametrize(
    "messages",
    [
        [],
        "Hello",
        {},
        ["Hello"],
        [{"role": "user"}],
        [{"role": "user", "content": 1}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": "x", "name": "y"}],
        [{"content": "x"}],
        [{"role": ["user"], "content": "x"}],
        [{"role": "assistant"}, USER],
        [{"role": "assistant", "tools": "x"}, USER],
        [{"role": "assistant", "tools": [{"id": 1}]}, USER],
        [{"role": "tool", "content": "x"}, USER],
    ],
)
def test_malformed_messages_are_refused(messages):
    assert codes(messages=messages)


@pytest.mark.parametrize("name", ["save", "a" * 64, "A-b_9"])
def test_a_tool_name_of_letters_digits_hyphens_and_underscores_is_accepted(name):
    assert codes(tools=[{**TOOL, "name": name}]) == []


@pytest.mark.parametrize("name", ["", "a" * 65, "sa ve", "säve", "save.it", 1, "save\n"])
def test_another_tool_name_is_refused(name):
    assert codes(tools=[{**TOOL, "name": name}]) == ["invalidToolName"]


@pytest.mark.parametrize(
    "tools",
    [
        [],
        {},
        [1],
        [{"type": "search"}],
        [{"type": "codeInterpreter"}],
        [{"name": "save", "schema": {}}],
        [{"type": "function", "schema": {}}],
        [{"type": "function", "name": "save"}],
        [{**TOOL, "schema": "x"}],
        [{**TOOL, "description": 1}],
        [{**TOOL, "parameters": {}}],
        [TOOL, TOOL],
    ],
)
def test_malformed_tools_are_refused(tools):
    assert codes(tools=tools)


@pytest.mark.parametrize("kind", ["auto", "any", "none"])
def test_a_tool_choice_without_a_name_is_accepted(kind):
    assert codes(tools=[TOOL], toolChoice={"type": kind}) == []


@pytest.mark.parametrize(
    "choice",
    [
        "auto",
        {},
        {"type": "save"},
        {"type": "tool"},
        {"type": "tool", "name": "other"},
        {"type": "any", "x": 1},
    ],
)
def test_a_malformed_tool_choice_is_refused(choice):
    assert codes(tools=[TOOL], toolChoice=choice)


def test_a_tool_choice_has_no_effect_without_tools():
    assert codes(toolChoice={"type": "tool", "name": "save"}) == []


def test_every_fault_of_a_task_is_reported():
    assert codes(seed=-1, settings={"topP": 2}) == ["invalidSeed", "invalidTopP"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from([*TASK, "settings", "tools", "toolChoice", "seed", "webhookURL", "x"]), JSON
    )
)
def test_no_json_makes_the_checks_fail(changes):
    codes(**changes)


@pytest.mark.parametrize("kind", ["search", "codeInterpreter"])
def test_the_vendors_own_tools_are_taken_by_models_that_have_them_and_no_other(kind):
    task = {**TASK, "tools": [{"type": kind}]}
    models = {"has": Model("has", "H", server_tools=(kind,)), "lacks": Model("lacks", "L")}
    assert check_text_inference({**task, "model": "has"}, models) == []
    (refusal,) = check_text_inference({**task, "model": "lacks"}, models)
    assert refusal.parameter == "tools[0].type"
