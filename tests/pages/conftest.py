from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.job.split_record import ShardsWish, Split, set_split
from runware_provider.engine.storage.local import LocalStorage

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def split_of() -> Callable[[Any, int], None]:
    """Writes into a state folder that its source is cut into so many shards."""

    def write(state: Any, shards: int) -> None:
        split = Split(
            split="s",
            state="ready",
            turn="t",
            old=[],
            shards=[[] for _ in range(shards)],
            bytes=[1] * shards,
            wish=ShardsWish({}, "", 0),
            folders=shards,
        )
        set_split(LocalStorage(), str(state), split)

    return write
