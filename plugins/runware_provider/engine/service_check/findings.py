"""What was found of an assumption. Values, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from runware_provider.engine.service_check.assumptions import ASSUMPTIONS, BY_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runware_provider.engine.service_check.assumptions import Assumption


class Verdict(StrEnum):
    """What the service turned out to do."""

    HOLDS = "as assumed"
    DIFFERS = "differs"
    UNSEEN = "not seen"
    """It was to be seen, and was not: no reply, no time, no money, or the moment had passed."""
    SKIPPED = "skipped"
    """Nobody asked for it, or this version has no use for it."""


@dataclass(frozen=True)
class Finding:
    """One assumption, what became of it, and what was seen, in words of ours.

    Raises:
        KeyError: there is no such assumption.
    """

    id: str
    verdict: Verdict
    seen: str
    shape: Any = None
    """What the reply looked like: names and kinds, without texts and UUIDs; None where nothing came."""

    def __post_init__(self) -> None:
        _ = BY_ID[self.id]

    @property
    def assumption(self) -> Assumption:
        """What was assumed."""
        return BY_ID[self.id]


def holds(name: str, seen: str, shape: Any = None) -> Finding:
    """It is as assumed."""
    return Finding(name, Verdict.HOLDS, seen, shape)


def differs(name: str, seen: str, shape: Any = None) -> Finding:
    """The service does something else."""
    return Finding(name, Verdict.DIFFERS, seen, shape)


def unseen(name: str, why: str, shape: Any = None) -> Finding:
    """It could not be seen."""
    return Finding(name, Verdict.UNSEEN, why, shape)


def skipped(name: str, why: str) -> Finding:
    """It was not looked for."""
    return Finding(name, Verdict.SKIPPED, why)


def judged(name: str, complaint: str | None, seen: str, shape: Any = None) -> Finding:
    """It is as assumed unless there is a complaint, which then says what is otherwise."""
    return holds(name, seen, shape) if complaint is None else differs(name, complaint, shape)


def complete(findings: Iterable[Finding], why: str) -> list[Finding]:
    """A finding for each assumption, in their order: of several about one, the gravest; for what is missing, why.

    Args:
        findings: in any order.
        why: said of an assumption of which nothing was found.
    """
    by_id: dict[str, Finding] = {}
    for finding in findings:
        known = by_id.get(finding.id)
        if known is None or _GRAVITY[finding.verdict] > _GRAVITY[known.verdict]:
            by_id[finding.id] = finding
    return [by_id.get(assumption.id) or unseen(assumption.id, why) for assumption in ASSUMPTIONS]


_GRAVITY = {Verdict.SKIPPED: 0, Verdict.UNSEEN: 1, Verdict.HOLDS: 2, Verdict.DIFFERS: 3}
