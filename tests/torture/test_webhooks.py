"""The proof of webhooks in short: `webhooks.py` says what it is, and runs it with ten thousand calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.torture.webhooks import prove

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = 600


def test_while_receivers_die_and_the_store_fails_every_answer_comes_into_the_output_once(
    tmp_path: Path,
) -> None:
    proof = prove(tmp_path, RECORDS, rate=300, away_s=2.0, overdue_s=5.0)
    assert proof.manifest["outcomes"] == {"succeeded": RECORDS}
    assert (proof.executed, proof.executed_again) == (RECORDS, 0)
    assert proof.acknowledged_and_not_stored == 0
    assert proof.refused > 0
