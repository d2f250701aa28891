from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runware_provider.engine.memory.learnt_pace import Learnt, read_pace, write_pace
from runware_provider.engine.storage.local import LocalStorage

if TYPE_CHECKING:
    from pathlib import Path

LEARNT = Learnt(480, 12.5, met_a_limit=False)


def test_the_last_writer_wins(tmp_path: Path) -> None:
    storage, folder = LocalStorage(), str(tmp_path)
    write_pace(storage, folder, "deepseek:v4@pro", Learnt(64, 3.0))
    write_pace(storage, folder, "deepseek:v4@pro", LEARNT)
    assert read_pace(storage, folder, "deepseek:v4@pro") == LEARNT


def test_another_model_has_another_capacity(tmp_path: Path) -> None:
    storage, folder = LocalStorage(), str(tmp_path)
    write_pace(storage, folder, "deepseek:v4@pro", LEARNT)
    assert read_pace(storage, folder, "deepseek:v4@flash") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"format": 3, "model": "m", "window": 5, "latency_s": 1.0}',
        b'{"format": 1, "model": "m", "window": 0, "latency_s": 1.0}',
        b'{"format": 1, "model": "m", "window": true, "latency_s": 1.0}',
        b'{"format": 1, "model": "m", "window": 5, "latency_s": NaN}',
        b'{"format": 1, "model": "m", "window": 5, "latency_s": "1.0"}',
        b'{"format": 1, "model": "m", "window": 1e400, "latency_s": 1.0}',
    ],
)
def test_what_cannot_be_read_is_as_good_as_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pace.json").write_bytes(content)
    assert read_pace(LocalStorage(), str(tmp_path), "m") is None


def test_what_the_first_format_says_is_taken_for_a_limit(tmp_path: Path) -> None:
    (tmp_path / "pace.json").write_bytes(b'{"format": 1, "model": "m", "window": 5, "latency_s": 1.0}')
    assert read_pace(LocalStorage(), str(tmp_path), "m") == Learnt(5, 1.0, met_a_limit=True)


def test_a_missing_file_is_nothing(tmp_path: Path) -> None:
    assert read_pace(LocalStorage(), str(tmp_path), "m") is None
