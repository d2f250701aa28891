"""What records ask, and where it stands by the ledger. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runware_provider.engine.identity import Key
    from runware_provider.engine.outcome.standing import Standing
    from runware_provider.engine.turns import Turns


@dataclass(frozen=True, slots=True)
class Request:
    """What one sample of a record asks."""

    turns: Turns = field(repr=False)
    fingerprint: bytes
    sample: int
    tokens: int
    """Of the prompt side, by estimate."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request, and where it stands."""

    key: Key
    request: Request
    standing: Standing
    anew: Question | None = None
    """The same in this run's generation, where the user may want it asked again."""
