"""What the local API server knows in tests: what their documents say themselves, or the tables of `include/answers`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runware_provider.testing.answer_table import AnswerTable, first_known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.testing.answering import Answers

TABLES = Path(__file__).resolve().parents[1] / "include" / "answers"
TOTAL = re.compile(r"Total: (-?[\d.]+)")


def total_of(task: Mapping[str, Any]) -> dict[str, float] | None:
    """The total that the document in a task's first turn says; None where it says none."""
    said = TOTAL.search(task["messages"][0]["content"])
    return None if said is None else {"total": float(said[1])}


def committed() -> Answers:
    """What the pages' commands give the server: `--answers include/answers/*.parquet`."""
    return first_known([AnswerTable.read(path) for path in sorted(TABLES.glob("*.parquet"))])
