"""The documented limits of a textInference task, checked field by field.

Sources: the model page of ``deepseek-v4-pro`` for the fields, types, ranges, steps and enums;
section 2 of the contract's API page for what is refused (sampling fields at top level, the
``system`` role) and for which models know JSON mode. Where neither gives a code, the code is
``invalid<Field>`` or ``missing<Field>``, a guess within the documented families.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from runware_provider.testing.api.errors import Refusal

if TYPE_CHECKING:
    from runware_provider.testing.api.catalogue import Model

Check = Callable[[str, Any], Iterator[Refusal]]

is_uuid4 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE
).fullmatch
_is_tool_name = re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch

SERVER_TOOLS = ("search", "codeInterpreter")
MAX_SEED = 9_223_372_036_854_776_000
MAX_SYSTEM_PROMPT = 900_000
MAX_OUTPUT_TOKENS = 100_000


def check_text_inference(task: Mapping[str, Any], models: Mapping[str, Model]) -> list[Refusal]:
    """Return every reason to refuse a task; an empty list means that it is accepted.

    Args:
        task: The decoded task object.
        models: The catalogue by model id.
    """
    refusals: list[Refusal] = []
    for name, value in task.items():
        check = FIELDS.get(name)
        if check is not None:
            refusals.extend(check(name, value))
        elif name in SETTINGS_FIELDS:
            refusals.append(
                Refusal(
                    "unsupportedParameter", f"'{name}' is not supported here; put it into 'settings'.", name
                )
            )
        else:
            refusals.append(
                Refusal("unknownParameter", f"'{name}' is not a parameter of textInference.", name)
            )
    refusals.extend(_missing(name) for name in _REQUIRED if name not in task)
    refusals.extend(_across_fields(task))
    model = task.get("model")
    if isinstance(model, str):
        if model in models:
            refusals.extend(_model_rules(task, models[model]))
        else:
            refusals.append(Refusal("modelNotFound", f"There is no model '{model}'.", "model"))
    return refusals


def check_task_uuid(value: Any) -> Refusal | None:
    """Refuse a ``taskUUID`` that is not the text of a version 4 UUID."""
    if isinstance(value, str) and is_uuid4(value):
        return None
    return Refusal("invalidTaskUUID", "'taskUUID' must be a UUID v4.", "taskUUID")


def _missing(path: str) -> Refusal:
    return Refusal(f"missing{_pascal(path)}", f"'{path}' is required.", path)


def _invalid(path: str, wanted: str) -> Refusal:
    return Refusal(f"invalid{_pascal(path)}", f"'{path}' must be {wanted}.", path)


def _pascal(path: str) -> str:
    name = re.sub(r"\[\d+]", "", path).rsplit(".", 1)[-1]
    return name[:1].upper() + name[1:]


def _task_uuid(_path: str, value: Any) -> Iterator[Refusal]:
    refusal = check_task_uuid(value)
    if refusal is not None:
        yield refusal


def _text(least: int = 0, most: int | None = None) -> Check:
    def check(path: str, value: Any) -> Iterator[Refusal]:
        if not isinstance(value, str):
            yield _invalid(path, "a string")
        elif len(value) < least or (most is not None and len(value) > most):
            yield _invalid(
                path, f"a string of {least} to {most if most is not None else 'any number of'} characters"
            )

    return check


def _flag(path: str, value: Any) -> Iterator[Refusal]:
    if not isinstance(value, bool):
        yield _invalid(path, "a boolean")


def _integer(least: int, most: int) -> Check:
    def check(path: str, value: Any) -> Iterator[Refusal]:
        if isinstance(value, bool) or not isinstance(value, int):
            yield _invalid(path, "an integer")
        elif not least <= value <= most:
            yield _invalid(path, f"an integer from {least} to {most}")

    return check


def _hundredths(most: float) -> Check:
    def check(path: str, value: Any) -> Iterator[Refusal]:
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield _invalid(path, "a number")
        elif not 0 <= value <= most:
            yield _invalid(path, f"a number from 0 to {most:g}")
        elif abs(value * 100 - round(value * 100)) > 1e-6:
            yield _invalid(path, "a multiple of 0.01")

    return check


def _one_of(*allowed: str) -> Check:
    def check(path: str, value: Any) -> Iterator[Refusal]:
        if value not in allowed:
            yield _invalid(path, "one of " + ", ".join(allowed))

    return check


def _output_format(path: str, value: Any) -> Iterator[Refusal]:
    yield from _one_of("TEXT", "JSON")(path, value)


def _json_schema(path: str, value: Any) -> Iterator[Refusal]:
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            value = None
    if not isinstance(value, dict):
        yield _invalid(path, "a JSON Schema: an object, or the JSON text of one")


def _webhook_url(path: str, value: Any) -> Iterator[Refusal]:
    if not isinstance(value, str):
        yield _invalid(path, "a URI")
        return
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", value):
        yield _invalid(path, "an http or https URI")
    elif not _is_loopback(host):
        yield _invalid(path, "a loopback address, because this is a local server for tests")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _messages(path: str, value: Any) -> Iterator[Refusal]:
    if not isinstance(value, list):
        yield _invalid(path, "an array of messages")
        return
    if not value:
        yield Refusal("arrayTooShort", f"'{path}' must have at least one message.", path)
        return
    for place, message in enumerate(value):
        yield from _message(f"{path}[{place}]", message)
    last = value[-1]
    if isinstance(last, dict) and last.get("role") in ("assistant", "tool"):
        yield _invalid(path, "an array whose final message has the role 'user'")


def _message(path: str, message: Any) -> Iterator[Refusal]:
    if not isinstance(message, dict):
        yield _invalid(path, "an array of objects")
        return
    role = message.get("role")
    rules = _ROLES.get(role) if isinstance(role, str) else None
    if rules is None:
        yield Refusal(
            "invalidMessageRole",
            f"'{path}.role' must be user, assistant or tool; a system prompt belongs into 'settings.systemPrompt'.",
            f"{path}.role",
        )
        return
    for name, value in message.items():
        if name not in rules:
            yield Refusal(
                "unknownParameter", f"'{path}.{name}' is not part of a {role} message.", f"{path}.{name}"
            )
        elif name == "tools":
            yield from _tool_turn(f"{path}.tools", value)
        elif not isinstance(value, str) and not (role == "assistant" and value is None):
            yield _invalid(f"{path}.{name}", "a string")
    for name in rules[1:]:
        if name not in message and role != "assistant":
            yield _missing(f"{path}.{name}")
    if role == "assistant" and message.get("content") is None and not message.get("tools"):
        yield _missing(f"{path}.content")


def _tool_turn(path: str, calls: Any) -> Iterator[Refusal]:
    if not isinstance(calls, list):
        yield _invalid(path, "an array of tool calls")
        return
    for place, call in enumerate(calls):
        if not (
            isinstance(call, dict)
            and isinstance(call.get("id"), str)
            and isinstance(call.get("name"), str)
            and isinstance(call.get("input"), dict)
        ):
            yield _invalid(f"{path}[{place}]", "an object with 'id', 'name' and the object 'input'")


def _settings(path: str, value: Any) -> Iterator[Refusal]:
    if not isinstance(value, dict):
        yield _invalid(path, "an object")
        return
    for name, setting in value.items():
        check = SETTINGS_FIELDS.get(name)
        if check is None:
            yield Refusal(
                "unknownParameter", f"'{path}.{name}' is not a setting of textInference.", f"{path}.{name}"
            )
        else:
            yield from check(f"{path}.{name}", setting)


def _stop_sequences(path: str, value: Any) -> Iterator[Refusal]:
    if not isinstance(value, list):
        yield _invalid(path, "an array of strings")
        return
    if len(value) > 5:
        yield Refusal("arrayTooLong", f"'{path}' may have at most 5 items.", path)
    check = _text(1, 50)
    for place, item in enumerate(value):
        yield from check(f"{path}[{place}]", item)


def _tools(path: str, value: Any) -> Iterator[Refusal]:
    if not isinstance(value, list):
        yield _invalid(path, "an array of tools")
        return
    if not value:
        yield Refusal("arrayTooShort", f"'{path}' must have at least one tool.", path)
    names: set[str] = set()
    for place, tool in enumerate(value):
        at = f"{path}[{place}]"
        yield from _tool(at, tool)
        name = tool.get("name") if isinstance(tool, dict) else None
        if isinstance(name, str):
            if name in names:
                yield Refusal("duplicateToolName", f"'{at}.name' repeats '{name}'.", f"{at}.name")
            names.add(name)


def _tool(path: str, tool: Any) -> Iterator[Refusal]:
    if not isinstance(tool, dict):
        yield _invalid(path, "an array of objects")
        return
    if tool.get("type") == "function":
        yield from _function(path, tool)
    elif tool.get("type") not in SERVER_TOOLS:  # whether the model has one, its rules say
        yield _invalid(f"{path}.type", "'function', the only kind of tool of this model")


def _function(path: str, tool: Mapping[str, Any]) -> Iterator[Refusal]:
    for name in tool:
        if name not in ("type", "name", "description", "schema"):
            yield Refusal("unknownParameter", f"'{path}.{name}' is not part of a tool.", f"{path}.{name}")
    for name in ("name", "schema"):
        if name not in tool:
            yield _missing(f"{path}.{name}")
    name = tool.get("name", "x")
    if not isinstance(name, str) or not _is_tool_name(name):
        yield Refusal(
            "invalidToolName",
            f"'{path}.name' must be 1 to 64 letters, digits, hyphens or underscores.",
            f"{path}.name",
        )
    if not isinstance(tool.get("description", ""), str):
        yield _invalid(f"{path}.description", "a string")
    if not isinstance(tool.get("schema", {}), dict):
        yield _invalid(f"{path}.schema", "a JSON Schema object")


def _tool_choice(path: str, value: Any) -> Iterator[Refusal]:
    if not isinstance(value, dict):
        yield _invalid(path, "an object")
        return
    for name in value:
        if name not in ("type", "name"):
            yield Refusal(
                "unknownParameter", f"'{path}.{name}' is not part of a tool choice.", f"{path}.{name}"
            )
    if "type" not in value:
        yield _missing(f"{path}.type")
    else:
        yield from _one_of("auto", "tool", "any", "none")(f"{path}.type", value["type"])
    if not isinstance(value.get("name", ""), str):
        yield _invalid(f"{path}.name", "a string")
    elif value.get("type") == "tool" and not value.get("name"):
        yield _missing(f"{path}.name")


def _across_fields(task: Mapping[str, Any]) -> Iterator[Refusal]:
    choice, tools = task.get("toolChoice"), task.get("tools")
    if isinstance(choice, dict) and choice.get("type") == "tool" and isinstance(tools, list):
        names = [tool.get("name") for tool in tools if isinstance(tool, dict)]
        if isinstance(choice.get("name"), str) and choice["name"] not in names:
            yield _invalid("toolChoice.name", "the name of one of 'tools'")
    if task.get("deliveryMethod") == "stream":
        yield from _across_a_stream(task)
    if "jsonSchema" in task and task.get("outputFormat", "TEXT") != "JSON":
        yield Refusal(
            "incompatibleParameters",
            "'jsonSchema' needs outputFormat 'JSON'.",
            ["jsonSchema", "outputFormat"],
        )


def _across_a_stream(task: Mapping[str, Any]) -> Iterator[Refusal]:
    """Frames carry no index, and no shape of tool calls in them is shown anywhere."""
    if task.get("numberResults", 1) != 1:
        yield Refusal(
            "incompatibleParameters",
            "Only one result can be streamed.",
            ["numberResults", "deliveryMethod"],
        )
    if "tools" in task:
        yield Refusal(
            "incompatibleParameters",
            "This local server streams no tool calls.",
            ["tools", "deliveryMethod"],
        )


def _model_rules(task: Mapping[str, Any], model: Model) -> Iterator[Refusal]:
    tools = task.get("tools")
    for place, tool in enumerate(tools if isinstance(tools, list) else []):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind in SERVER_TOOLS and kind not in model.server_tools:
            yield _invalid(f"tools[{place}].type", "'function', the only kind of tool of this model")
    if task.get("outputFormat") == "JSON" and not model.json_mode:
        yield Refusal(
            "unsupportedOutputFormat", f"Model '{model.id}' knows only outputFormat 'TEXT'.", "outputFormat"
        )
    if model.async_only and task.get("deliveryMethod", "sync") != "async":
        yield Refusal(
            "unsupportedDeliveryMethod",
            f"Model '{model.id}' knows only deliveryMethod 'async'.",
            "deliveryMethod",
        )


# What a message of each role may have; what follows the role is required, except for the assistant's.
_ROLES: Mapping[str, tuple[str, ...]] = {
    "user": ("role", "content"),
    "assistant": ("role", "content", "tools"),
    "tool": ("role", "id", "content"),
}

SETTINGS_FIELDS: Mapping[str, Check] = {
    "systemPrompt": _text(1, MAX_SYSTEM_PROMPT),
    "temperature": _hundredths(2),
    "topP": _hundredths(1),
    "frequencyPenalty": _hundredths(2),
    "presencePenalty": _hundredths(2),
    "maxTokens": _integer(1, MAX_OUTPUT_TOKENS),
    "stopSequences": _stop_sequences,
    # Three values whose names are not documented; only the type can be checked.
    "thinkingLevel": _text(1),
}
"""Fields of a task's `settings`."""

FIELDS: Mapping[str, Check] = {
    "taskType": _one_of("textInference"),
    "taskUUID": _task_uuid,
    "model": _text(1),
    "messages": _messages,
    "outputFormat": _output_format,
    "jsonSchema": _json_schema,
    "deliveryMethod": _one_of("sync", "async", "stream"),
    "webhookURL": _webhook_url,
    "includeCost": _flag,
    "includeUsage": _flag,
    "numberResults": _integer(1, 4),
    "seed": _integer(0, MAX_SEED),
    "tools": _tools,
    "toolChoice": _tool_choice,
    "settings": _settings,
}
"""Fields of a task."""

_REQUIRED = ("taskUUID", "model", "messages")
