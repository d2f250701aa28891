"""What can be said of an attempt: the words of the ledger, and of everything that decides by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runware_provider.engine.identity import Key

FORGOTTEN = "forgotten"
"""Family of a spent attempt whose answer or error was erased at somebody's wish; its `code` says what it was."""
WITHDRAWN = "withdrawn"
"""Family of a rejected attempt that was meant to be sent and was handed to no request before its run ended."""


class Kind(IntEnum):
    """What an entry says of an attempt; of two entries for one attempt the higher one holds."""

    INTENT = 1
    """It is about to be sent."""
    REJECTED = 2
    """The API refused it without running it, or it was never sent; the same attempt may be sent again."""
    SENT_AGAIN = 3
    """Refused once, and sent besides, or about to be: if the UUID is in use, it may well have been run."""
    SPENT = 4
    """Its UUID is used up and nothing is known of an answer; it counts as no attempt."""
    ERROR = 5
    """Verdict: it ended without an answer."""
    ANSWERED = 6
    """Verdict: it was answered."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact about one attempt."""

    key: Key
    attempt: int
    kind: Kind
    family: str | None = None
    code: str | None = None
    message: str | None = field(default=None, repr=False)
    cost: float | None = None
    """USD."""
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    latency_s: float | None = None
    item: bytes | None = field(default=None, repr=False)
    """The API's item as JSON, as it came."""
    origin: bytes | None = None
    """The job_id of another partition whose attempt this was, where the entry is a copy of that partition's."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the index knows of one attempt."""

    number: int
    kind: Kind
    family: str | None
    segment: int
    row: int
    cost: float | None = None
    """USD, as it was reported."""
    of_this_run: bool = field(default=False, compare=False)
    """Whether the run that looks on asked for it, in whatever try."""


@dataclass(frozen=True, slots=True)
class History:
    """All attempts of one inference, the oldest first."""

    generation: int
    attempts: tuple[Attempt, ...]
