"""What a user's answers become on the wire, whichever way is asked; over a real socket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.testing import LocalServer, ServerSettings
from runware_provider.testing.answering import NOTHING_KNOWN

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = {
    "type": "object",
    "properties": {"vendor": {"type": "string"}, "total": {"type": "number"}},
    "required": ["vendor", "total"],
}
LABEL = {"type": "object", "properties": {"label": {"enum": ["bug", "other"]}}, "required": ["label"]}
TICKET = {"type": "object", "properties": {"queue": {"type": "string"}}, "required": ["queue"]}


def tool(name: str, schema: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, "description": "x", "schema": schema}


FORCED = {"tools": [tool("save", SCHEMA)], "toolChoice": {"type": "tool", "name": "save"}}
JSON_MODE = {"model": "gpt-5-mini", "outputFormat": "JSON"}


@pytest.fixture
def said(connect: Any, make: Any) -> Callable[..., dict[str, Any]]:
    """The result item of a task, from a server that has one answer to everything."""

    def ask(known: Any, **changes: Any) -> dict[str, Any]:
        with LocalServer(ServerSettings(latency=0, answers=lambda _: known)) as server:
            reply = connect(server).post("", json=[make(deliveryMethod="sync", **changes)]).json()
        assert "errors" not in reply
        return dict(reply["data"][0])

    return ask


def test_an_object_is_the_input_of_a_forced_tool_and_what_it_lacks_is_filled(said: Any) -> None:
    item = said({"total": 8.9, "no_field": 1}, **FORCED)
    assert [(call["name"], call["input"]) for call in item["tools"]] == [
        ("save", {"vendor": "", "total": 8.9})
    ]
    assert (item["text"], item["finishReason"]) == (None, "tool_calls")


def test_an_object_is_json_where_json_or_a_schema_in_a_prompt_asks_for_it(said: Any) -> None:
    written = f"Answer with JSON that fits:\n{json.dumps(SCHEMA, indent=1)}"
    inside = json.dumps({"type": "object", "properties": {"secret": {"type": "string"}}})
    document = f"Read it.\n<document>\n{inside}\n</document>"
    for asked in (
        {**JSON_MODE, "jsonSchema": SCHEMA},
        {**JSON_MODE, "jsonSchema": json.dumps(SCHEMA)},
        {"settings": {"systemPrompt": written}},
        {"settings": {"systemPrompt": written}, "messages": [{"role": "user", "content": document}]},
        {"messages": [{"role": "user", "content": f"{written}\n<document>\n{inside}\n</document>"}]},
    ):
        assert json.loads(said({"total": 8.9}, **asked)["text"]) == {"vendor": "", "total": 8.9}
    assert json.loads(said({"total": 8.9, "id": 1}, **JSON_MODE)["text"]) == {"total": 8.9, "id": 1}


def test_a_text_is_said_as_it_is_and_a_json_text_is_the_object(said: Any) -> None:
    wrong = '{"total": "none"}'
    assert said("It is sunny.")["text"] == "It is sunny."
    assert said(wrong, **JSON_MODE, jsonSchema=SCHEMA)["text"] == wrong
    assert said(wrong, **FORCED)["tools"][0]["input"] == {"total": "none"}
    assert said("{}", **FORCED)["tools"][0]["input"] == {}
    assert said("I cannot.", **JSON_MODE, jsonSchema=SCHEMA)["text"] == "I cannot."
    unwilling = said("I cannot.", **FORCED)
    assert (unwilling["text"], unwilling["finishReason"], "tools" in unwilling) == (
        "I cannot.",
        "stop",
        False,
    )


def test_a_label_is_said_alone_or_in_the_object_with_one_field_that_asks_for_it(said: Any) -> None:
    forced = {"tools": [tool("answer", LABEL)], "toolChoice": {"type": "any"}}
    for known in ("bug", {"label": "bug"}):
        assert said(known, **forced)["tools"][0]["input"] == {"label": "bug"}
        assert json.loads(said(known, **JSON_MODE, jsonSchema=LABEL)["text"]) == {"label": "bug"}
        assert said(known)["text"] == "bug"


def test_of_several_tools_the_one_with_the_known_fields_is_called(said: Any) -> None:
    tools = [tool("save", SCHEMA), tool("open_ticket", TICKET)]
    for choice in ("auto", "any"):
        asked = {"tools": tools, "toolChoice": {"type": choice}}
        assert said({"queue": "sales"}, **asked)["tools"][0]["name"] == "open_ticket"
        assert said({"total": 1}, **asked)["tools"][0]["name"] == "save"
        assert said(None, **asked)["tools"][0]["name"] == "save"
    assert said("Hello.", tools=tools)["text"] == "Hello."
    assert "tools" not in said({"queue": "sales"}, tools=tools, toolChoice={"type": "none"})


def test_what_is_not_known_is_filled_and_a_text_says_that_this_is_no_model(said: Any) -> None:
    assert said(None)["text"] == NOTHING_KNOWN
    assert "no language model" in NOTHING_KNOWN
    assert said(None, **FORCED)["tools"][0]["input"] == {"vendor": "", "total": 0}
    assert json.loads(said(None, **JSON_MODE, jsonSchema=SCHEMA)["text"]) == {"vendor": "", "total": 0}
    assert json.loads(said(None, **JSON_MODE)["text"]) == {"answer": NOTHING_KNOWN}


def test_the_callable_gets_the_task_as_it_was_sent(connect: Any, make: Any) -> None:
    tasks: list[Any] = []
    with LocalServer(ServerSettings(latency=0, answers=tasks.append)) as server:
        connect(server).post("", json=[task := make()])
    assert tasks == [task]
