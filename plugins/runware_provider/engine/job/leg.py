"""A leg: one of several processes that share a run, one after the other. Between two of them nobody is at work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runware_provider.engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Leg:
    """What the process before left to this one, and when this one may leave in its turn.

    Args:
        worth_s: seconds for which the answers have to be expected to stay away, for it to be worth leaving; None for a
            leg that stays to the end.
        goes_on: whether there was a leg before this one.
        published: the version of the manifest that the first leg found; None where it found none.
    """

    worth_s: float | None = None
    goes_on: bool = False
    published: str | None = None


WHOLE: Final = Leg()
"""One process that does the whole run."""


class AllSent(EngineError):  # noqa: N818 - named by what is the case
    """Everything is sent, and the answers stay away for so long that this leg leaves them to the next one; no error.

    Args:
        task_uuids: of the inferences that the API has accepted and not answered.
        expected_s: seconds until what was accepted last is answered, as far as one can tell.
        given_up_s: seconds until all of it would be given up.
        published: as of `Leg`, for the next one.
        inbox: the folder into which the vendor brings the answers; None where they are asked for.
    """

    def __init__(
        self,
        task_uuids: Sequence[str],
        *,
        expected_s: float,
        given_up_s: float,
        published: str | None,
        inbox: str | None = None,
    ) -> None:
        self.task_uuids = tuple(task_uuids)
        self.expected_s = expected_s
        self.given_up_s = given_up_s
        self.published = published
        self.inbox = inbox
        super().__init__(f"everything is sent, and {len(self.task_uuids):,} answers are still to come")
