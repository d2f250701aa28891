from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import runware_provider
from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.errors import BadInput
from runware_provider.engine.spec import Limits, Message, Settings, Spec, Tool, ToolChoice
from runware_provider.engine.turns import as_turns

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "key-that-nobody-may-see"
OBJECT = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"name": "get_weather", "schema": OBJECT}


class Invoice(BaseModel):
    total: float


def spec(**changes: Any) -> Spec:
    return Spec(**{"source": "in", "destination": "out", "prompt": "{{ record.body }}", **changes})


def refusal(make: Callable[..., object], **values: Any) -> BadInput:
    with pytest.raises(BadInput) as caught:
        make(**values)
    return caught.value


# settings


def test_settings_are_the_apis_defaults_unless_given() -> None:
    assert set(Settings().model_dump(exclude={"extra"}).values()) == {None}
    assert Settings().extra == {}


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"temperature": -0.01}, "settings.temperature", "-0.01 is too small. Choose 0 or more"),
        ({"temperature": 2.01}, "settings.temperature", "2.01 is too large. Choose 2 or less"),
        ({"top_p": 1.01}, "settings.top_p", "1.01 is too large. Choose 1 or less"),
        ({"frequency_penalty": 3}, "settings.frequency_penalty", "3 is too large. Choose 2 or less"),
        ({"presence_penalty": -1}, "settings.presence_penalty", "-1 is too small. Choose 0 or more"),
        ({"temperature": 0.005}, "settings.temperature", "0.005 is not a multiple of 0.01"),
        ({"temperature": math.nan}, "settings.temperature", "nan is not a multiple"),
        ({"temperature": math.inf}, "settings.temperature", "inf is not a multiple"),
        ({"temperature": 1e308}, "settings.temperature", "is not a multiple"),
        ({"temperature": "warm"}, "settings.temperature", "'warm' does not fit. Give a number"),
        ({"temperature": []}, "settings.temperature", "a list does not fit. Give a number"),
        ({"max_tokens": 0}, "settings.max_tokens", "0 is too small. Choose 1 or more"),
        ({"max_tokens": 1.5}, "settings.max_tokens", "1.5 does not fit. Give a whole number"),
        ({"stop_sequences": ["a"] * 6}, "settings.stop_sequences", "it has 6 entries. Keep at most 5"),
        ({"stop_sequences": [""]}, "settings.stop_sequences.0", "it is empty. Give a text, or leave it out"),
        (
            {"stop_sequences": ["x" * 51]},
            "settings.stop_sequences.0",
            "51 characters. Shorten it to at most 50",
        ),
        ({"stop_sequences": "END"}, "settings.stop_sequences", "'END' does not fit. Give a list or a tuple"),
        ({"thinking_level": 3}, "settings.thinking_level", "3 does not fit. Give a text"),
        ({"seed": -1}, "settings.seed", "-1 is too small. Choose 0 or more"),
        ({"seed": 2**63}, "settings.seed", "is too large. Choose 9223372036854775807 or less"),
        ({"seed": 10**5000}, "settings.seed", "many digits"),
        ({"extra": 1}, "settings.extra", "1 does not fit. Give a dict"),
        ({"extra": {"a": {1, 2}}}, "settings.extra", "not plain JSON. Use dicts, lists"),
        ({"extra": {"a": math.nan}}, "settings.extra", "not plain JSON"),
        ({"extra": {"topP": 1}}, "settings.extra", "'topP' has an argument of its own. Use settings.top_p"),
        ({"extra": {"systemPrompt": "x"}}, "settings.extra", "Use the job's system_prompt"),
        (
            {"temprature": 1},
            "settings.temprature",
            "there is no such argument. Settings takes: temperature, top_p",
        ),
    ],
)
def test_a_setting_that_cannot_be_sent_is_refused(values: dict[str, Any], field: str, said: str) -> None:
    refused = refusal(Settings, **values)
    assert refused.field == field
    assert said in str(refused)
    assert refused.remedy
    nested = refusal(spec, settings=values)
    assert str(nested) == str(refused)


STEPPED = ["temperature", "frequency_penalty", "presence_penalty"]


@given(st.sampled_from(STEPPED), st.integers(0, 200))
def test_every_hundredth_in_range_is_taken_and_sent_as_written(field: str, hundredths: int) -> None:
    taken = getattr(Settings(**{field: hundredths / 100}), field)
    assert taken == hundredths / 100
    assert repr(taken) == repr(hundredths / 100)
    assert getattr(Settings(**{field: str(hundredths / 100)}), field) == taken


@given(st.sampled_from(STEPPED), st.integers(0, 100), st.integers(0, 100))
def test_a_hundredth_that_was_added_up_is_taken_for_what_it_is(field: str, one: int, other: int) -> None:
    assert getattr(Settings(**{field: one / 100 + other / 100}), field) == (one + other) / 100


@given(st.sampled_from(STEPPED), st.floats())
def test_any_number_is_taken_to_the_hundredth_or_refused(field: str, value: float) -> None:
    try:
        taken = getattr(Settings(**{field: value}), field)
    except BadInput as refused:
        assert refused.field == f"settings.{field}"  # noqa: PT017 - either is right
        assert refused.remedy  # noqa: PT017 - either is right
    else:
        assert 0 <= taken <= 2
        assert abs(taken - value) < 1e-7
        assert taken == round(taken, 2)


# tools


@pytest.mark.parametrize("kind", ["search", "codeInterpreter"])
def test_a_tool_that_the_vendor_runs_needs_neither_name_nor_schema(kind: Any) -> None:
    assert Tool(type=kind).name is None


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"name": "x"}, "tools.schema", "a function tool needs a name and a schema. Give its schema"),
        ({"schema": OBJECT}, "tools.name", "a function tool needs a name and a schema. Give its name"),
        ({"name": "a b", "schema": OBJECT}, "tools.name", "'a b' is no name that the API takes. Use 1 to 64"),
        ({"name": "x" * 65, "schema": OBJECT}, "tools.name", "Use 1 to 64 letters"),
        ({"name": "größe", "schema": OBJECT}, "tools.name", "Use 1 to 64 letters"),
        ({"name": "x\n", "schema": OBJECT}, "tools.name", "Use 1 to 64 letters"),
        ({"name": "", "schema": OBJECT}, "tools.name", "Use 1 to 64 letters"),
        ({"name": "x", "schema": "{}"}, "tools.schema", "'{}' does not fit. Give a dict"),
        ({"name": "x", "schema": {"default": {1}}}, "tools.schema", "not plain JSON"),
        ({"type": "magic"}, "tools.type", "'magic' is not one of its values. Choose 'function', 'search' or"),
    ],
)
def test_a_tool_that_cannot_be_sent_is_refused(values: dict[str, Any], field: str, said: str) -> None:
    refused = refusal(Tool, **values)
    assert refused.field == field
    assert said in str(refused)
    assert refused.remedy


def test_a_null_inside_a_tools_schema_stays() -> None:
    schema = {
        "type": "object",
        "default": None,
        "properties": {"a": {"enum": [None, 1]}, "b": {"const": None}},
    }
    sent = Tool(name="x", schema=schema).model_dump(by_alias=True, exclude_none=True)
    assert sent == {"type": "function", "name": "x", "schema": schema}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("any", ("any", None)),
        ("auto", ("auto", None)),
        ("none", ("none", None)),
        ("get_weather", ("tool", "get_weather")),
        ({"type": "tool", "name": "get_weather"}, ("tool", "get_weather")),
        (ToolChoice(type="any"), ("any", None)),
        (None, None),
    ],
)
def test_a_tool_choice_is_a_word_or_a_tools_name(choice: Any, expected: Any) -> None:
    taken = spec(tools=[WEATHER], tool_choice=choice).tool_choice
    assert (taken and (taken.type, taken.name)) == expected


# limits


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"requests": 0}, "limits.requests", "0 is too small. Choose 1 or more"),
        ({"requests": 4_001}, "limits.requests", "4001 is too large. Choose 4000 or less"),
        ({"attempts": 21}, "limits.attempts", "Choose 20 or less"),
        ({"attempts": "many"}, "limits.attempts", "'many' does not fit. Give a whole number"),
        ({"request_bytes": 5}, "limits.request_bytes", "Choose 10000 or more"),
        ({"deadline_s": 0}, "limits.deadline_s", "0 is too small. Choose more than 0"),
        ({"deadline_s": math.inf}, "limits.deadline_s", "Give a finite number"),
        ({"poll_interval_s": math.nan}, "limits.poll_interval_s", "Give a finite number"),
        (
            {"retries": 3},
            "limits.retries",
            "there is no such argument. Limits takes: requests, max_outstanding",
        ),
    ],
)
def test_a_limit_that_limits_nothing_is_refused(values: dict[str, Any], field: str, said: str) -> None:
    refused = refusal(Limits, **values)
    assert refused.field == field
    assert said in str(refused)


# the spec


def test_a_spec_needs_three_things_and_has_a_default_for_the_rest() -> None:
    made = spec()
    assert (made.model, made.delivery, made.samples, made.answers.output_mode) == (
        "deepseek-v4-pro",
        "poll",
        1,
        "auto",
    )
    assert (made.limits, made.settings, made.tools) == (Limits(), Settings(), ())
    for name in ("source", "destination"):
        with pytest.raises(BadInput, match="Give it; there is no default") as refused:
            Spec(**{key: "x" for key in ("source", "destination", "prompt") if key != name})
        assert refused.value.field == name
    with pytest.raises(BadInput, match=r"^prompt: it is missing\. Write prompt=.* or messages="):
        Spec(source="x", destination="x")


USER = {"role": "user", "content": "{{ record.body }}"}


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([USER], None),
        ([Message(**USER), {"role": "assistant", "content": "Yes"}, USER], None),
        ("{{ record.chat }}", None),
        ([], "there is no message in it"),
        ("", "it is empty"),
        ("record.chat", "this one names no column"),
        ("{{ record.chat }} \ud800", "half of a surrogate pair"),
        (7, "it is an int"),
        (b"x", "it is a bytes"),
        ({"role": "user"}, "it is a dict"),
        (["x"], "message 1: it is a str"),
        ([{"content": "x"}], "message 1: it has no role"),
        ([{"role": 7, "content": "x"}], "message 1: it has no role"),
        (
            [USER, {"role": "system", "content": "secret"}],
            "message 2: the API takes no message of the system: say it",
        ),
        ([{"role": "developer", "content": "secret"}, USER], "message 1: .*system_prompt"),
        ([{"role": "secret", "content": "x"}], "message 1: the role is neither 'user' nor 'assistant'"),
        ([USER, {"role": "tool", "id": "1", "content": "x"}, USER], "message 2: turns of tools are not sent"),
        (
            [{"role": "assistant", "tools": [], "content": "x"}, USER],
            "message 1: turns of tools are not sent",
        ),
        ([{"role": "user", "content": "x", "weight": 1}], "message 1: 'weight' is no part of it"),
        ([{"role": "user"}], "message 1: its content is nothing"),
        ([{"role": "user", "content": ["secret"]}], "message 1: its content is a list"),
        ([{"role": "user", "content": " \n"}, USER], "message 1: its content is empty"),
        ([{"role": "user", "content": "secret \ud800"}], "message 1: .*half of a surrogate pair"),
        ([USER, {"role": "assistant", "content": "secret"}], "the last message is not the user's"),
    ],
)
def test_messages_are_a_conversation_that_the_api_answers_or_are_refused_without_being_quoted(
    messages: Any, said: str | None
) -> None:
    if said is None:
        assert Spec(source="a", destination="b", messages=messages).prompt is None
        return
    with pytest.raises(BadInput, match=said) as refused:
        Spec(source="a", destination="b", messages=messages)
    assert refused.value.field == "messages"
    assert "secret" not in str(refused.value)


def test_a_prompt_and_messages_exclude_each_other() -> None:
    with pytest.raises(BadInput, match="prompt and messages exclude each other"):
        spec(messages=[USER])


def test_neither_spec_nor_message_nor_turn_shows_what_is_said() -> None:
    secret = [{"role": "user", "content": "secret {{ record.body }}"}]
    made = Spec(source="a", destination="b", messages=secret)
    assert "secret" not in f"{made!r} {made} {made.messages!r} {as_turns('secret')!r}"


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"source": ""}, "source", "it is empty. Give a text that is not blank"),
        ({"source": None}, "source", "a NoneType does not fit. Give a text"),
        ({"destination": " "}, "destination", "it is empty"),
        ({"model": "\t"}, "model", "it is empty"),
        ({"prompt": " \n"}, "prompt", "it is empty"),
        ({"system_prompt": ""}, "system_prompt", "it is empty"),
        (
            {"system_prompt": "x" * 900_001},
            "system_prompt",
            "it has 900001 characters. Shorten it to at most 900000",
        ),
        (
            {"partition": {"a b": "1"}},
            "partition",
            "'a b' is no partition key. Use letters, digits and underscores",
        ),
        ({"partition": {"1a": "1"}}, "partition", "'1a' is no partition key"),
        (
            {"partition": {"ds": " "}},
            "partition",
            "the value of 'ds' is empty. Give one, for example {'ds': ",
        ),
        ({"partition": {"n": 1}}, "partition.n", "1 does not fit. Give a text"),
        ({"output_type": 3}, "output_type", "of type int, which says nothing about the answer"),
        (
            {"output_type": int},
            "output_type",
            "it is int. An answer is an object: wrap it, like class Answer(BaseModel)",
        ),
        ({"output_type": Invoice(total=1)}, "output_type", "Give the class Invoice"),
        (
            {"answers": {"output_mode": "magic"}},
            "answers.output_mode",
            "Choose 'auto', 'native', 'tool' or 'prompt'",
        ),
        (
            {"answers": {"output_mode": "tool"}},
            "answers.output_mode",
            "'tool' needs an output_type. Add an output_type, or leave",
        ),
        ({"tools": 3}, "tools", "3 does not fit. Give a list or a tuple"),
        ({"tools": [3]}, "tools.0", "3 does not fit. Give a Tool, or a dict of its arguments"),
        (
            {"tools": [WEATHER, {**WEATHER, "name": "Get_Weather"}]},
            "tools",
            "'get_weather' and 'Get_Weather' differ by case only",
        ),
        ({"tools": [WEATHER, WEATHER]}, "tools", "'get_weather' is used twice. Give each tool its own name"),
        (
            {"tools": [WEATHER], "output_type": Invoice},
            "tools",
            "exclude each other: a result is either. Drop one",
        ),
        ({"tool_choice": "any"}, "tool_choice", "there are no tools to choose from. Add tools, or drop it"),
        (
            {"tools": [WEATHER], "tool_choice": "get_wether"},
            "tool_choice",
            "there is no tool 'get_wether'. Choose from: get_weather",
        ),
        (
            {"tools": [{"type": "search"}], "tool_choice": "search"},
            "tool_choice",
            "Choose from: none with a name",
        ),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "tool"}},
            "tool_choice.name",
            "needs the tool's name. Give it",
        ),
        (
            {"tools": [WEATHER], "tool_choice": {"name": "x"}},
            "tool_choice.name",
            "type 'auto' takes no name. Drop",
        ),
        ({"tools": [WEATHER], "tool_choice": 3}, "tool_choice", "3 does not fit"),
        (
            {"settings": {"max_tokens": 100_001}},
            "settings.max_tokens",
            "takes at most 100000. Choose 1 to 100000",
        ),
        ({"answers": {"output_retries": 6}}, "answers.output_retries", "6 is too large. Choose 5 or less"),
        (
            {"answers": {"output_retries": True}},
            "answers.output_retries",
            "True does not fit. Give a whole number",
        ),
        ({"limits": {"attempts": True}}, "limits.attempts", "True does not fit. Give a whole number"),
        ({"budget": {"tokens": True}}, "budget.tokens", "True does not fit. Give a whole number"),
        ({"samples": True}, "samples", "True does not fit. Give a whole number"),
        ({"limit": True}, "limit", "True does not fit. Give a whole number"),
        ({"answers": {"output_retries": -1}}, "answers.output_retries", "-1 is too small. Choose 0 or more"),
        ({"answers": {"retries": 1}}, "answers.retries", "Answers takes: output_mode, output_retries"),
        (
            {"answers": {"max_tokens_if_truncated": 100_001}},
            "answers.max_tokens_if_truncated",
            "takes at most 100000. Choose at most 100000",
        ),
        (
            {"answers": {"max_tokens_if_truncated": 9}, "settings": {"max_tokens": 9}, "model": "another"},
            "answers.max_tokens_if_truncated",
            "it is 9, and the first answer may have 9 tokens. Choose more than settings.max_tokens",
        ),
        ({"settings": 3}, "settings", "3 does not fit. Give a Settings, or a dict"),
        ({"budget": 5}, "budget", "5 does not fit. Give a Budget, or a dict"),
        ({"tools": [{"nme": "x"}]}, "tools.nme", "Tool takes: type, name, description, schema"),
        (
            {"delivery": "owl"},
            "delivery",
            "'owl' is not one of its values. Choose 'poll', 'sync', 'stream' or 'webhook'",
        ),
        ({"samples": 0}, "samples", "0 is too small. Choose 1 or more"),
        ({"samples": 101}, "samples", "101 is too large. Choose 100 or less"),
        ({"limit": "ten"}, "limit", "'ten' does not fit. Give a whole number"),
        ({"limit": 0}, "limit", "0 is too small. Choose 1 or more"),
        (
            {"publish": {"columns": "body"}},
            "publish.columns",
            "'body' does not fit. Give a list or a tuple",
        ),
        ({"publish": {"columns": [1]}}, "publish.columns.0", "1 does not fit. Give a text"),
        ({"publish": {"on_empty": "x"}}, "publish.on_empty", "Choose 'write', 'skip' or 'fail'"),
        (
            {"publish": {"if_exists": "append"}},
            "publish.if_exists",
            "'append' is not one of its values. Choose 'overwrite' or 'error'",
        ),
        ({"publish": {"keep_raw": "maybe"}}, "publish.keep_raw", "'maybe' does not fit. Give True or False"),
        ({"variables": 3}, "variables", "3 does not fit. Give a dict"),
        ({"promt": "x"}, "promt", "there is no such argument. Spec takes: source, destination"),
    ],
)
def test_a_wish_that_cannot_be_carried_out_is_refused(changes: dict[str, Any], field: str, said: str) -> None:
    refused = refusal(spec, **changes)
    assert refused.field == field
    assert said in str(refused)
    assert str(refused).startswith(f"{field}: ")
    assert refused.problem
    assert refused.remedy


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text(), max_size=2)


@given(st.sampled_from([Spec, Settings, Limits, Tool, ToolChoice]), st.data())
def test_whatever_is_given_is_taken_or_refused_with_a_remedy(
    kind: type[BaseModel], data: st.DataObject
) -> None:
    names = [*kind.model_fields, "nonsense"]
    values = data.draw(st.dictionaries(st.sampled_from(names), VALUES | st.dictionaries(st.text(), VALUES)))
    try:
        kind(**values)
    except BadInput as refused:
        assert refused.field  # noqa: PT017 - either is right
        assert refused.problem  # noqa: PT017 - either is right
        assert refused.remedy  # noqa: PT017 - either is right


def test_a_long_value_is_not_quoted_back() -> None:
    assert "secret" not in str(refusal(spec, delivery="secret " * 20))
    assert "secret" not in str(refusal(spec, prompt=["secret"]))
    assert "secret" not in str(refusal(spec, variables=["secret"]))


@pytest.mark.parametrize(
    ("limit", "expected"), [(None, None), ("", None), ("None", None), (" 10 ", 10), ("null", None), ("1", 1)]
)
def test_a_limit_may_come_from_a_rendered_template(limit: Any, expected: int | None) -> None:
    assert spec(limit=limit).limit == expected


@pytest.mark.parametrize("model", ["deepseek-v4-flash", "gpt-5.5"])
def test_another_models_limits_are_its_own(model: str) -> None:
    assert spec(model=model, settings={"max_tokens": 384_000}).settings.max_tokens == 384_000


def test_the_state_lives_beside_the_destination_unless_told_otherwise() -> None:
    assert spec(destination="s3://lake/out/").state_folder == "s3://lake/out.state"
    assert spec(memory={"state": "elsewhere"}).state_folder == "elsewhere"


def test_a_refusal_survives_pickling() -> None:
    refused = refusal(spec, samples=0)
    again = pickle.loads(pickle.dumps(refused))  # noqa: S301 - our own
    assert (again.field, again.problem, again.remedy) == (refused.field, refused.problem, refused.remedy)


# reprs


def test_a_spec_shows_no_prompt_and_no_variable() -> None:
    secret = "what-no-log-may-hold"
    made = spec(
        prompt=secret,
        system_prompt=secret,
        variables={"a": secret},
        tools=[{**WEATHER, "description": secret}],
    )
    for shown in (repr(made), str(made), f"{made}", f"{[made]}"):
        assert secret not in shown
        assert "in" in shown
    assert secret not in str(refusal(spec, system_prompt=secret, delivery="x"))


@pytest.mark.parametrize(
    "made", [Settings(seed=1, extra={"b": 1, "a": [2]}), Limits(attempts=2), ToolChoice()]
)
def test_a_value_objects_repr_is_the_same_in_every_process(made: BaseModel) -> None:
    assert "0x" not in repr(made)
    assert repr(made) == repr(copy.deepcopy(made)) == repr(pickle.loads(pickle.dumps(made)))  # noqa: S301 - our own
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from runware_provider.engine.spec import *; print({type(made).__name__}(**{made.model_dump()!r}))",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(runware_provider.__file__).parents[1],
    )
    assert told.stdout.strip() == str(made)


def test_value_objects_are_compared_by_value_and_frozen() -> None:
    assert Settings(temperature=0.5) == Settings(temperature=0.5) != Settings(temperature=0.6)
    with pytest.raises(ValueError, match="frozen"):
        Settings().temperature = 1


# the endpoint


@pytest.mark.parametrize(
    "url",
    [
        "https://api.runware.ai/v1",
        "https://host:8443/proxy/v1",
        "http://127.0.0.1:8000/v1",
        "http://localhost",
        "http://LOCALHOST:1",
        "http://[::1]:80/v1",
        "http://127.8.9.10:80/v1",
        "HTTPS://API.EXAMPLE.COM",
    ],
)
def test_the_key_goes_over_https_or_stays_on_this_machine(url: str) -> None:
    assert Endpoint(url, KEY).base_url == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://api.runware.ai/v1", "http would send the key in clear text. Use https"),
        ("http://localhost.example.com", "clear text"),
        ("http://127.0.0.1.example.com", "clear text"),
        ("http://10.0.0.1", "clear text"),
        ("http://0.0.0.0", "clear text"),
        ("http://[::2]", "clear text"),
        ("http://128.0.0.1", "clear text"),
        ("http://2130706433", "clear text"),
        ("http://localhost.", "clear text"),
        ("ftp://api.runware.ai", "it is no https address of a host. Write it like https://api.runware.ai/v1"),
        ("api.runware.ai", "Write it like"),
        ("", "Write it like"),
        ("https://", "Write it like"),
        ("https:///v1", "Write it like"),
        ("https://a b", "Write it like"),
        (" https://api.runware.ai", "Write it like"),
        ("https://host\n", "Write it like"),
        ("http://[::1", "it cannot be read. Write it like"),
        ("https://host:port", "it cannot be read"),
        ("https://host:99999", "it cannot be read"),
        ("https://user:hidden@api.runware.ai", "it holds a user or a password. Give the key as the API key"),
        ("https://hidden@api.runware.ai", "it holds a user or a password"),
        ("http://127.0.0.1@hidden.example.com", "it holds a user or a password"),
        ("https://@api.runware.ai", "it holds a user or a password"),
    ],
)
def test_an_address_that_could_give_the_key_away_is_refused(url: str, said: str) -> None:
    refused = refusal(Endpoint, base_url=url, key=KEY)
    assert refused.field == "base URL"
    assert said in str(refused)
    assert "hidden" not in str(refused)
    assert KEY not in str(refused)


@given(st.text(max_size=30).map(lambda text: text) | st.text(max_size=20).map(lambda text: "https://" + text))
def test_any_address_is_taken_or_refused(url: str) -> None:
    try:
        Endpoint(url, KEY)
    except BadInput as refused:
        assert refused.field == "base URL"  # noqa: PT017 - either is right


@pytest.mark.parametrize("key", ["", " ", "\n"])
def test_a_missing_key_is_refused_with_where_to_put_it(key: str) -> None:
    refused = refusal(Endpoint, key=key)
    assert (refused.field, refused.problem) == ("API key", "it is missing")
    assert "RUNWARE_API_KEY" in refused.remedy
    assert "Airflow connection" in refused.remedy


def test_the_key_is_in_no_repr() -> None:
    endpoint = Endpoint(key=KEY)
    for shown in (repr(endpoint), str(endpoint), f"{endpoint}", f"{[endpoint]}"):
        assert KEY not in shown


def test_a_dag_file_may_import_the_spec_without_the_heavy_libraries() -> None:
    code = (
        "import sys, runware_provider.engine.spec;"
        "print(sorted({'httpx', 'pyarrow', 'jinja2', 'msgspec', 'airflow'} & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(runware_provider.__file__).parents[1],
    )
    assert told.stdout.strip() == "[]"
