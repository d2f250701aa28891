"""What is said to the model, turn by turn, as it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, cast, get_args

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

Role = Literal["user", "assistant"]
ROLES: Final = get_args(Role)
NOT_THE_USERS_LAST: Final = "the last message is not the user's, and the API answers the user"
_INSTEAD: Final = {
    "system": "the API takes no message of the system: say it in system_prompt",
    "developer": "the API takes no message of the developer: say it in system_prompt",
    "tool": "turns of tools are not sent: tell what the tool said in a message of the user",
    "function": "turns of tools are not sent: tell what the tool said in a message of the user",
}
"""Roles of other APIs, and what to do in their place."""


class Turn(msgspec.Struct, frozen=True, gc=False):
    """One message; its repr does not hold the text."""

    role: Role
    content: str

    def __repr__(self) -> str:
        return f"Turn({self.role!r})"


Turns = tuple[Turn, ...]
"""A conversation, whose last turn is the user's."""


def as_turns(prompt: str) -> Turns:
    """The conversation that a lone prompt is."""
    return (Turn("user", prompt),)


def contents_of(turns: Iterable[Turn]) -> tuple[str, ...]:
    """The texts, in order."""
    return tuple(turn.content for turn in turns)


def as_role(role: str) -> Role | None:
    """The role, if the API takes it from us."""
    return cast("Role", role) if role in ROLES else None


def role_problem(role: str) -> str:
    """What is wrong with a role that is none of ours; a stranger's word is not repeated."""
    return _INSTEAD.get(role.strip().lower(), "the role is neither 'user' nor 'assistant'")
