from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api.output_mode import (
    KNOWN_MODELS,
    SYSTEM_PROMPT_MAX,
    Forced,
    chosen_mode,
    force_schema,
    known_profile,
    offer_tools,
    profile_of,
    tool_name,
)
from runware_provider.engine.errors import BadInput
from runware_provider.engine.model_profile import ModelProfile
from runware_provider.engine.spec import Tool, ToolChoice

PRO, FLASH = "deepseek-v4-pro", "deepseek-v4-flash"
SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}}}
WEATHER = Tool(name="get_weather", description="The weather.", schema=SCHEMA)
BOOK = Tool(name="book", schema=SCHEMA)
SEARCH = Tool(type="search")


def force(mode: Any = "auto", model: str = PRO, system: str | None = None, title: str = "Invoice") -> Forced:
    return force_schema(mode, model, system, SCHEMA, title)


# what models can do, typed from the contract, section 2


@pytest.mark.parametrize(
    "model",
    [
        "claude-fable-5",
        "gemini-3.1-flash-lite",
        "gemini-3.5-flash",
        "gpt-5-mini",
        "gpt-5-nano",
        "gpt-5.5",
        "deepseek-v4-flash",
        "kimi-k2.6",
    ],
)
def test_the_models_with_json_mode_are_known_in_any_version(model: str) -> None:
    shapes = [
        "{}",
        " {} ",
        "{}-latest",
        "{}-preview-06-17",
        "{}-2026-01-31",
        "{}@1",
        "vendor/{}",
        "vendor:{}@2",
    ]
    lower = [shape.format(model) for shape in shapes]
    names = lower + [name.upper() for name in lower]
    chosen = {name: chosen_mode("auto", name, known_profile(name)) for name in names}
    assert chosen == dict.fromkeys(names, "native")


@pytest.mark.parametrize(
    "model", ["deepseek-v4-pro", "DeepSeek-V4-Pro", "deepseek/deepseek-v4-pro", "deepseek-v4-pro@1"]
)
def test_deepseek_v4_pro_is_known_to_need_a_tool(model: str) -> None:
    assert chosen_mode("auto", model, known_profile(model)) == "tool"


@pytest.mark.parametrize(
    "model",
    [
        "",
        ":",
        "gpt-5",
        "gpt-5.5-pro",
        "gpt-5-minimal",
        "gpt-5-mini-high",
        "gemini-3.5-flash-lite",
        "kimi-k2",
        "kimi-k2x6",
        "deepseek-v4-prototype",
        "deepseek-v4",
        "my-gpt-5.5",
        "openai:1@1",
        "(",
    ],
)
def test_another_model_is_not_taken_for_a_known_one(model: str) -> None:
    assert known_profile(model) is None


# how a schema is forced


def test_json_mode_sends_the_schema_and_reads_the_text() -> None:
    forced = force("native", FLASH, "Be brief.")
    assert forced == Forced("json", {"outputFormat": "JSON", "jsonSchema": SCHEMA}, "Be brief.")
    assert not forced.calls_required


def test_a_forced_tool_sends_the_schema_and_reads_its_arguments() -> None:
    forced = force("tool", "any-model", "Be brief.")
    (tool,) = forced.fields["tools"]
    assert tool == {
        "type": "function",
        "name": "Invoice",
        "description": tool["description"],
        "schema": SCHEMA,
    }
    assert tool["description"]
    assert forced.fields["toolChoice"] == {"type": "tool", "name": "Invoice"}
    assert (forced.reading, forced.tool_name, forced.calls_required) == ("arguments", "Invoice", True)
    assert forced.system_prompt == "Be brief."


def test_the_schemas_own_description_is_the_tools() -> None:
    forced = force_schema("tool", PRO, None, {**SCHEMA, "description": "What it costs."}, "T")
    assert forced.fields["tools"][0]["description"] == "What it costs."


@pytest.mark.parametrize("system", [None, "Be brief."])
def test_asking_in_the_prompt_puts_the_schema_behind_the_system_prompt(system: str | None) -> None:
    forced = force("prompt", PRO, system)
    assert (forced.reading, dict(forced.fields)) == ("json", {})
    said = forced.system_prompt or ""
    assert said.startswith("Be brief.\n\nAnswer with" if system else "Answer with")
    assert json.loads(said.rsplit("\n", 1)[1]) == SCHEMA


@pytest.mark.parametrize(
    ("model", "reading"),
    [(PRO, "arguments"), (FLASH, "json"), ("gpt-5-mini-2026-01-31", "json"), ("unheard-of", "arguments")],
)
def test_auto_takes_what_the_model_can_do_and_a_tool_where_that_is_unknown(model: str, reading: str) -> None:
    assert force("auto", model).reading == reading


@pytest.mark.parametrize("mode", ["native", "tool", "prompt"])
def test_the_users_word_outweighs_the_table(mode: Any) -> None:
    expected = {"native": "json", "tool": "arguments", "prompt": "json"}[mode]
    assert force(mode, FLASH).reading == force(mode, "unheard-of").reading == expected


def test_json_mode_is_refused_for_a_model_that_is_known_not_to_have_it() -> None:
    with pytest.raises(BadInput) as refused:
        force("native", PRO)
    assert refused.value.field == "answers.output_mode"
    assert "deepseek-v4-pro has no JSON mode" in str(refused.value)
    assert "'tool'" in refused.value.remedy


def test_a_schema_that_does_not_fit_behind_the_system_prompt_is_refused() -> None:
    room = SYSTEM_PROMPT_MAX - len(force("prompt", PRO, "x").system_prompt or "") + 1
    assert len(force("prompt", PRO, "x" * room).system_prompt or "") == SYSTEM_PROMPT_MAX
    with pytest.raises(BadInput) as refused:
        force("prompt", PRO, "x" * (room + 1))
    assert refused.value.field == "system_prompt"
    assert "900001 characters" in refused.value.problem
    assert "force a tool" in refused.value.remedy


def test_an_output_mode_leaves_the_schema_that_it_was_given_alone() -> None:
    schema = {"type": "object", "properties": {}}
    for mode in ("native", "tool", "prompt"):
        force_schema(mode, FLASH, None, schema, "T")
    assert schema == {"type": "object", "properties": {}}


# names


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Invoice", "Invoice"),
        ("Invoice of the shop", "Invoice_of_the_shop"),
        ("Rechnungsgröße", "Rechnungsgr_e"),
        ("a.b/c:d", "a_b_c_d"),
        ("__x__", "x"),
        ("x-1", "x-1"),
        ("", "answer"),
        ("   ", "answer"),
        ("☃☃☃", "answer"),
        ('"}],"tools":[{', "tools"),
        ("line\nbreak", "line_break"),
        ("x" * 100, "x" * 64),
        ("\x00\ud800", "answer"),
    ],
)
def test_a_tools_name_is_made_from_any_title(title: str, name: str) -> None:
    assert tool_name(title) == name
    assert force("tool", title=title).tool_name == name


@given(st.text())
def test_whatever_the_title_the_api_takes_the_name(title: str) -> None:
    name = tool_name(title)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name)
    assert Tool(name=name, schema=SCHEMA).name == name


# the user's own tools


@pytest.mark.parametrize(
    ("choice", "sent", "reading", "required", "named"),
    [
        (None, {"type": "auto"}, "calls", False, None),
        (ToolChoice(type="auto"), {"type": "auto"}, "calls", False, None),
        (ToolChoice(type="any"), {"type": "any"}, "calls", True, None),
        (ToolChoice(type="tool", name="book"), {"type": "tool", "name": "book"}, "calls", True, "book"),
        (ToolChoice(type="none"), {"type": "none"}, "text", False, None),
    ],
)
def test_the_users_tools_are_offered_with_any_of_the_four_choices(
    choice: ToolChoice | None,
    sent: dict[str, Any],
    reading: str,
    required: bool,  # noqa: FBT001 - a parameter of the test
    named: str | None,
) -> None:
    forced = offer_tools((WEATHER, BOOK, SEARCH), choice, "Be brief.")
    assert forced.fields["toolChoice"] == sent
    assert forced.fields["tools"] == [
        {"type": "function", "name": "get_weather", "description": "The weather.", "schema": SCHEMA},
        {"type": "function", "name": "book", "schema": SCHEMA},
        {"type": "search"},
    ]
    assert (forced.reading, forced.calls_required, forced.tool_name) == (reading, required, named)
    assert forced.system_prompt == "Be brief."


@pytest.mark.parametrize(
    "choice", [None, ToolChoice(type="any"), ToolChoice(type="auto"), ToolChoice(type="none")]
)
def test_tools_that_the_vendor_runs_leave_a_text_to_read(choice: ToolChoice | None) -> None:
    forced = offer_tools((SEARCH, Tool(type="codeInterpreter")), choice, None)
    assert (forced.reading, forced.calls_required) == ("text", False)
    assert forced.fields["tools"] == [{"type": "search"}, {"type": "codeInterpreter"}]


# what the user says that a model can do


STRICT = {
    "type": "object",
    "properties": {"day": {"type": "string", "pattern": "^2", "format": "date"}},
    "additionalProperties": False,
}
IN_WORDS = {
    "type": "object",
    "properties": {
        "day": {
            "type": "string",
            "description": "It matches the regular expression `^2`. Its format is date, like 2026-01-31.",
        }
    },
    "description": "No other properties.",
}
FEW = ModelProfile(json_schema=True, unsupported=("pattern", "format", "additionalProperties"))


@pytest.mark.parametrize("model", list(KNOWN_MODELS))
def test_every_known_model_is_sent_the_schema_as_it_is(model: str) -> None:
    forced = force_schema("auto", model, None, STRICT, "T")
    sent = forced.fields["tools"][0]["schema"] if forced.tool_name else forced.fields["jsonSchema"]
    assert json.dumps(sent) == json.dumps(STRICT)


def test_the_longest_answer_of_deepseek_v4_pro_is_known() -> None:
    profile = known_profile("deepseek-v4-pro")
    assert profile is not None
    assert (profile.default_max_tokens, profile.max_tokens) == (32_768, 100_000)
    assert known_profile("unheard-of") is None


def test_keywords_that_a_model_does_not_take_are_sent_in_words() -> None:
    forced = force_schema("auto", "unheard-of", None, STRICT, "T", profile=FEW)
    assert forced.fields["jsonSchema"] == IN_WORDS
    forced = force_schema("tool", "unheard-of", None, STRICT, "T", profile=FEW)
    (tool,) = forced.fields["tools"]
    assert (tool["schema"], tool["description"]) == (IN_WORDS, "No other properties.")


def test_the_prompt_holds_the_whole_schema_whatever_the_model_takes() -> None:
    said = force_schema("prompt", "unheard-of", None, STRICT, "T", profile=FEW).system_prompt or ""
    assert json.loads(said.rsplit("\n", 1)[1]) == STRICT


def test_the_users_own_tools_are_restated_too() -> None:
    tool = Tool(name="f", schema=STRICT)
    assert offer_tools((tool, SEARCH), None, None, profile=FEW).fields["tools"][0]["schema"] == IN_WORDS
    assert offer_tools((tool,), None, None).fields["tools"][0]["schema"] == STRICT
    assert tool.input_schema == STRICT


@pytest.mark.parametrize(
    ("profile", "chosen"),
    [
        (ModelProfile(json_schema=True, tools=True), "native"),
        (ModelProfile(json_schema=True, tools=False), "native"),
        (ModelProfile(json_schema=False, tools=True), "tool"),
        (ModelProfile(json_schema=False, tools=False), "prompt"),
        (None, "tool"),
    ],
)
def test_auto_takes_json_mode_before_a_tool_before_the_prompt(
    profile: ModelProfile | None, chosen: str
) -> None:
    assert chosen_mode("auto", "m", profile) == chosen


@pytest.mark.parametrize(
    ("mode", "profile", "remedy"),
    [
        ("native", ModelProfile(json_schema=False), "'tool' or 'prompt'"),
        ("native", ModelProfile(json_schema=False, tools=False), "'prompt'"),
        ("tool", ModelProfile(json_schema=True, tools=False), "'prompt'"),
    ],
)
def test_what_a_model_is_said_not_to_have_is_refused(mode: Any, profile: ModelProfile, remedy: str) -> None:
    with pytest.raises(BadInput) as refused:
        force_schema(mode, "unheard-of", None, SCHEMA, "T", profile=profile)
    assert remedy in refused.value.remedy


def test_the_users_profile_outweigh_the_table() -> None:
    forced = force_schema("native", PRO, None, SCHEMA, "T", profile=ModelProfile(json_schema=True))
    assert forced.reading == "json"


def test_the_table_holds_where_the_user_says_nothing() -> None:
    said = ModelProfile(unsupported=("pattern",))
    assert profile_of("gpt-5-nano", said) == ModelProfile(json_schema=True, unsupported=("pattern",))
    assert profile_of("unheard-of", said) == said
    assert profile_of("unheard-of", None) is None
    forced = force_schema("auto", "gpt-5-nano", None, STRICT, "T", profile=said)
    assert forced.reading == "json"


def test_a_way_of_which_nothing_is_known_may_be_wished_for() -> None:
    forced = force_schema("native", "unheard-of", None, SCHEMA, "T", profile=ModelProfile(max_tokens=9))
    assert forced.fields["outputFormat"] == "JSON"
