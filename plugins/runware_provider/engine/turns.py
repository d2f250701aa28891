"""What is said to the model, turn by turn, as it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from runware_provider.engine.roles import Role  # noqa: TC001 - msgspec reads the types of a struct's fields

if TYPE_CHECKING:
    from collections.abc import Iterable


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
