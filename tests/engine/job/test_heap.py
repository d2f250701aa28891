"""While many records come and go, what was there before is left alone by the garbage collector; for few that is not worth it."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.job.opening import LARGE_ROWS
from runware_provider.engine.job.run import run_job

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def unfrozen() -> Iterator[None]:
    """Undo for a while what the tests themselves have frozen."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.mark.usefixtures("unfrozen")
@pytest.mark.parametrize(("samples", "is_frozen"), [(1, False), (100, True)])
async def test_a_large_job_freezes_the_heap_and_a_small_one_does_not(
    place: Any, samples: int, *, is_frozen: bool
) -> None:
    frozen: list[bool] = []
    place.fill([None] * (LARGE_ROWS // 100))  # nothing is asked about an empty record
    spec = place.spec(samples=samples)
    await run_job(spec, place.endpoint, report=lambda _: frozen.append(gc.get_freeze_count() > 0))
    assert set(frozen) == {is_frozen}
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("unfrozen")
async def test_a_heap_that_was_frozen_before_stays_so(place: Any) -> None:
    gc.freeze()
    place.fill([None] * (LARGE_ROWS // 100))
    await run_job(place.spec(samples=100), place.endpoint)
    assert gc.get_freeze_count() > 0
