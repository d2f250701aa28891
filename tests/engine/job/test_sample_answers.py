"""Sample answers are kept as JSON that any reader takes, and go as a whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runware_provider.engine.job.sample_answers import (
    MOST_CHARS,
    forget_samples,
    remove_samples,
    samples_path,
    write_samples,
)
from runware_provider.engine.storage.local import LocalStorage

RUN = "dag/task/run/-1"


def kept(folder: Path, shown: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    write_samples(LocalStorage(), str(folder), RUN, inputs=[shown], rows=[row])
    text = Path(samples_path(LocalStorage(), str(folder), RUN)).read_text(encoding="utf-8")
    (sample,) = json.loads(text)["rows"]
    return dict(sample)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (b"\x00" * 2_000, "2,000 bytes"),
        (Decimal("4.00"), "4.00"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
        ([{"a": (1, float("-inf"))}], [{"a": [1, "-inf"]}]),
        ("x" * (MOST_CHARS + 1), "x" * MOST_CHARS),
        ("<b>\u2028</b>", "<b>\u2028</b>"),
    ],
)
def test_any_value_of_a_document_is_kept_as_json_can_say_it(tmp_path: Path, value: Any, shown: Any) -> None:
    row = {"result": {"total": value}, "inference": {"outcome": "succeeded"}}
    assert kept(tmp_path, {"body": value}, row) == {
        "input": {"body": shown},
        "result": {"total": shown},
        "inference": {"outcome": "succeeded"},
    }


def test_a_result_in_columns_of_its_own_is_put_together(tmp_path: Path) -> None:
    assert kept(tmp_path, {}, {"total": 1, "currency": "EUR", "inference": {}})["result"] == {
        "total": 1,
        "currency": "EUR",
    }


def test_the_samples_of_one_run_go_and_those_of_others_stay_until_all_are_forgotten(tmp_path: Path) -> None:
    storage, folder = LocalStorage(), str(tmp_path)
    for run in (RUN, "another"):
        write_samples(storage, folder, run, inputs=[{}], rows=[{"result": "a", "inference": {}}])
    remove_samples(storage, folder, RUN)
    remove_samples(storage, folder, RUN)
    kept = [Path(samples_path(storage, folder, run)).exists() for run in (RUN, "another")]
    assert kept == [False, True]
    assert (forget_samples(storage, folder), forget_samples(storage, folder)) == (1, 0)
