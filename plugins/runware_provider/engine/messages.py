"""A conversation as the user describes it: messages whose contents are templates, or one template that gives them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from pydantic import Field

from runware_provider.engine.encodable import is_encodable
from runware_provider.engine.errors import BadInput
from runware_provider.engine.field_types import Text
from runware_provider.engine.plain_text import with_article
from runware_provider.engine.roles import NOT_THE_USERS_LAST, Role, as_role, role_problem
from runware_provider.engine.value_object import ValueObject, is_template

FIELD: Final = "messages"
_LIKE: Final = 'Write a list such as [{"role": "user", "content": "Read: {{ record.body }}"}]'
_PARTS: Final = frozenset({"role", "content"})
_PARTS_OF_TOOLS: Final = frozenset({"tools", "toolCalls", "tool_calls", "tool_call_id", "id", "name"})


class Message(ValueObject):
    """One turn of a conversation."""

    argument: ClassVar[str] = FIELD

    role: Role
    """Whose turn it is. The last one is the user's; what the system says is `system_prompt`."""
    content: Text = Field(repr=False)
    """Jinja, rendered once per record, as a prompt is."""


def as_messages(value: object) -> tuple[Message, ...] | str | None:
    """The messages that were given, or the one template that gives all of a record's.

    Raises:
        BadInput: they are no conversation that the API answers; the message holds nothing of what they say.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return _one_template(value)
    if not isinstance(value, Sequence) or isinstance(value, bytes | bytearray):
        raise BadInput(FIELD, f"it is {with_article(type(value).__name__)}", _LIKE)
    if not value:
        raise BadInput(FIELD, "there is no message in it", _LIKE)
    messages = tuple(_message(number, part) for number, part in enumerate(value, start=1))
    if messages[-1].role != "user":
        raise BadInput(FIELD, NOT_THE_USERS_LAST, "End with a message of the role 'user'")
    return messages


def of_message(number: int, problem: str) -> str:
    """The problem of one message of several, numbered from 1."""
    return f"message {number}: {problem}"


def _one_template(text: str) -> str:
    if not text.strip():
        raise BadInput(FIELD, "it is empty", _LIKE)
    if not is_template(text):
        raise BadInput(
            FIELD,
            "a text is one template that gives all messages of a record, and this one names no column",
            "Write '{{ record.<column> }}', or a list of messages",
        )
    if not is_encodable(text):
        raise BadInput(FIELD, "it holds half of a surrogate pair, which UTF-8 cannot hold", "Take it out")
    return text


def _message(number: int, part: object) -> Message:
    if isinstance(part, Message):
        return part
    if not isinstance(part, Mapping):
        raise BadInput(FIELD, of_message(number, f"it is {with_article(type(part).__name__)}"), _LIKE)
    role = _role(number, part)
    _check_parts(number, part)
    return Message(role=role, content=_content(number, part.get("content")))


def _role(number: int, part: Mapping[Any, Any]) -> Role:
    given = part.get("role")
    if not isinstance(given, str):
        raise BadInput(FIELD, of_message(number, "it has no role"), "Give 'user' or 'assistant'")
    role = as_role(given)
    if role is None:
        raise BadInput(FIELD, of_message(number, role_problem(given)), "Take 'user' or 'assistant' as roles")
    return role


def _check_parts(number: int, part: Mapping[Any, Any]) -> None:
    for name in part:
        if name in _PARTS:
            continue
        if name in _PARTS_OF_TOOLS:
            raise BadInput(FIELD, of_message(number, role_problem("tool")), "Give its role and content alone")
        raise BadInput(
            FIELD, of_message(number, f"{name!r:.60} is no part of it"), "Give its role and content alone"
        )


def _content(number: int, content: object) -> str:
    if not isinstance(content, str):
        given = "nothing" if content is None else with_article(type(content).__name__)
        raise BadInput(FIELD, of_message(number, f"its content is {given}"), "Give a text")
    if not content.strip():
        raise BadInput(FIELD, of_message(number, "its content is empty"), "Give a text, or leave it out")
    if not is_encodable(content):
        problem = "its content holds half of a surrogate pair, which UTF-8 cannot hold"
        raise BadInput(FIELD, of_message(number, problem), "Take it out")
    return content
