"""What this project assumes of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from from_code.markdown import code, sentence
from runware_provider.engine.service_check.assumptions import ASSUMPTIONS

if TYPE_CHECKING:
    from runware_provider.engine.service_check.assumptions import Assumption


def assumption_rows() -> list[str]:
    """The rows of the table of assumptions, in their order."""
    return [_row(assumption) for assumption in ASSUMPTIONS]


def _row(assumption: Assumption) -> str:
    cells = [
        code(assumption.id),
        assumption.place,
        sentence(assumption.claim),
        sentence(assumption.if_so),
        sentence(assumption.if_not),
        sentence(assumption.remedy),
    ]
    return f"| {' | '.join(cells)} |"
