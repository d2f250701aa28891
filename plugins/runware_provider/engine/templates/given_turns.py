"""Messages that somebody else's data holds, read as turns: nothing in them is trusted, and nothing of them is quoted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from runware_provider.engine.encodable import is_encodable
from runware_provider.engine.messages import of_message
from runware_provider.engine.roles import NOT_THE_USERS_LAST, as_role, role_problem
from runware_provider.engine.templates.compiled import is_blank
from runware_provider.engine.templates.prompt import Skip
from runware_provider.engine.turns import Turn, Turns

if TYPE_CHECKING:
    from collections.abc import Sequence


_EmptyText = Annotated[str, msgspec.Meta(max_length=0)]


class _Said(msgspec.Struct):
    """One message as it is held: other fields, such as a time, do not matter; what a tool was told or said does.

    A column has a field for tools in each of its messages, which is null or empty where there was none.
    """

    role: str
    content: str | None = None
    tools: tuple[()] | _EmptyText | None = None
    tool_calls: tuple[()] | _EmptyText | None = None
    toolCalls: tuple[()] | _EmptyText | None = None  # noqa: N815 - as it is written
    tool_call_id: _EmptyText | None = None


_KIND: Final = list[_Said | None]
_decode = msgspec.json.Decoder(_KIND).decode


def given_turns(value: Any, max_chars: int) -> Turns | Skip:
    """The turns that a value holds, or why it holds none that can be asked; it never raises.

    Args:
        value: a list of structs with `role` and `content`, or such a list as JSON text.
        max_chars: more in all are too long.
    """
    if is_blank(value):
        return Skip("empty", "there is no message")
    try:
        messages = _decode(value) if isinstance(value, str) else msgspec.convert(value, _KIND)
    # msgspec names places and types in its messages, never values.
    except msgspec.DecodeError as error:
        return Skip("prompt_error", f"it is no list of messages with role and content: {error}")
    except (UnicodeEncodeError, RecursionError) as error:
        return Skip(
            "prompt_error", f"it is no list of messages with role and content ({type(error).__name__})"
        )
    return _turns(messages, max_chars)


def _turns(messages: Sequence[_Said | None], max_chars: int) -> Turns | Skip:
    if not messages:
        return Skip("empty", "there is no message")
    turns: list[Turn] = []
    size = 0
    for number, message in enumerate(messages, start=1):
        turn = _turn(number, message)
        if isinstance(turn, Skip):
            return turn
        size += len(turn.content)
        if size > max_chars:
            return Skip("too_long", f"the messages have more than {max_chars:,} characters")
        turns.append(turn)
    if turns[-1].role != "user":
        return Skip("prompt_error", NOT_THE_USERS_LAST)
    return tuple(turns)


def _turn(number: int, message: _Said | None) -> Turn | Skip:
    # Nothing stands there, as in a message whose content is null: the record is skipped, and counts as no failure.
    if message is None:
        return Skip("empty", of_message(number, "it is blank"))
    role = as_role(message.role)
    if role is None:
        return Skip("prompt_error", of_message(number, role_problem(message.role)))
    content = message.content
    if content is None or is_blank(content):
        return Skip("empty", of_message(number, "it is blank"))
    if not is_encodable(content):
        problem = "it holds half of a surrogate pair, which UTF-8 cannot hold"
        return Skip("prompt_error", of_message(number, problem))
    return Turn(role, content)
