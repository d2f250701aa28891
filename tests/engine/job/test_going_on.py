"""A job that is half done first asks what is left, and reads what was answered before after that."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.errors import TooManyFailed
from runware_provider.engine.job.run import run_job
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.engine.storage.stores import Stores
from runware_provider.testing import Fault

if TYPE_CHECKING:
    from runware_provider.engine.storage.stores import Storage

ROWS, BATCH = 60, 6
"""Ten batches."""
LIMITS = {"batch_rows": BATCH}
ONE_RETRY = {"output_retries": 1}


class Counted(LocalStorage):
    """Counts how often a segment of the ledger is opened again: for the answers, after it was opened for the index."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: Counter[str] = Counter()
        self.before_source = 0
        """How often by the time that the source was opened last."""

    def open(self, path: str) -> Any:
        if path.endswith(".segment"):
            self.opened[path] += 1
        elif path.endswith("a.parquet"):
            self.before_source = self.again()
        return super().open(path)

    def again(self) -> int:
        return self.opened.total() - len(self.opened)


class OneStore(Stores):
    def __init__(self, storage: Storage) -> None:
        super().__init__()
        self.storage = storage

    def open(self, url: str, *, field: str = "destination") -> Storage:  # noqa: ARG002 - the same for all
        return self.storage


def documents(place: Any, rows: int) -> None:
    """One in seven of them empty."""
    place.fill([None if n % 7 == 6 else f"Invoice {n}\nTotal: {n}.50 EUR" for n in range(rows)])


async def test_what_is_left_is_asked_before_the_rest_is_gone_through(place: Any) -> None:
    place.fill(ROWS - BATCH)
    await place.run(limits=LIMITS, answers=ONE_RETRY)
    place.fill(ROWS)
    storage = Counted()
    spec = place.spec(limits=LIMITS, answers=ONE_RETRY)
    manifest = await run_job(spec, place.endpoint, stores=OneStore(storage))
    # The answers of the first batch are read in the first pass, which brings what is left into the flight, and those of
    # the others in the second one.
    assert 0 < storage.before_source < storage.again()
    assert place.executed() == ROWS
    place.audit(manifest, ROWS)


async def test_rows_that_are_gone_through_later_are_counted_once_and_asked_further_where_they_have_to_be(
    place: Any,
) -> None:
    documents(place, ROWS - BATCH)
    place.server.script(Fault("break_schema", contains="Invoice 40\n"))
    await place.run(limits=LIMITS)  # nothing is asked further: the answer stays as it is
    place.server.clear_faults()
    documents(place, ROWS)
    manifest = await place.run(limits=LIMITS, answers=ONE_RETRY)
    skipped = ROWS // 7
    assert manifest["outcomes"] == {"skipped": skipped, "succeeded": ROWS - skipped}
    assert manifest["reasks"] == 1
    assert place.executed() == ROWS - skipped + 1
    assert [row["n"] for row in place.rows()] == list(range(ROWS))


async def test_a_job_of_which_too_much_failed_before_stops_before_it_asks_anything_more(place: Any) -> None:
    """The failures lie in batches that ask nothing."""
    place.fill(ROWS - BATCH)
    place.server.script(*(Fault("break_schema", contains=f"Shop {n} ") for n in (20, 21, 30, 31)))
    await place.run(limits=LIMITS, answers=ONE_RETRY)
    executed = place.executed()
    place.fill(ROWS)
    with pytest.raises(TooManyFailed):
        await place.run(limits=LIMITS, answers=ONE_RETRY, failures={"most": 3})
    assert place.executed() == executed
    manifest = await place.run(limits=LIMITS, answers=ONE_RETRY, failures={"most": 4})
    assert manifest["outcomes"] == {"invalid": 4, "succeeded": ROWS - 4}
    assert place.executed() == executed + BATCH
