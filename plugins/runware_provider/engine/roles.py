"""Whose turns a conversation has: the API knows the user and the assistant; what others say has a place of its own."""

from __future__ import annotations

from typing import Final, Literal, cast, get_args

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


def as_role(role: str) -> Role | None:
    """The role, if it is one that the API takes from us."""
    return cast("Role", role) if role in ROLES else None


def role_problem(role: str) -> str:
    """What is wrong with a role that is none of ours; a stranger's word is not repeated."""
    return _INSTEAD.get(role.strip().lower(), "the role is neither 'user' nor 'assistant'")
