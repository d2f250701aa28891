from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.job.run_record import Approval, PastRun, Waited
from runware_provider.pages.clipped import MOST_CHARS, MOST_ITEMS, MOST_NAME_CHARS, clipped
from tests.pages.stand_in import a_record

LONG = "x" * 100_000


def test_a_record_of_ours_stays_as_it_is() -> None:
    record = a_record(waits=[Waited("room", 3, 1.5)], approval=Approval(1, None, None, 1.0, "waiting"))
    assert clipped(record) == record


def test_of_many_counts_the_greatest_stay_in_their_order() -> None:
    reasons = {f"code{number}": number for number in range(100_000)}
    kept = clipped(a_record(reasons=reasons)).reasons
    assert kept == {f"code{number}": number for number in range(100_000 - MOST_ITEMS, 100_000)}


def test_whatever_is_long_is_short_wherever_it_stands() -> None:
    record = clipped(
        a_record(
            reason=LONG,
            outcomes={LONG: 1},
            waits=[Waited(LONG, 1, 1.0)] * 1000,
            approval=Approval(1, None, None, 1.0, "waiting", by=LONG),
        )
    )
    assert len(record.reason) == MOST_CHARS
    assert [len(name) for name in record.outcomes] == [MOST_NAME_CHARS]
    assert len(record.waits) == MOST_ITEMS
    assert len(record.waits[0].what) == MOST_CHARS
    assert record.approval is not None
    assert len(record.approval.by) == MOST_CHARS


@given(
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=40),
    st.dictionaries(
        st.text(max_size=4), st.dictionaries(st.text(max_size=2), st.integers(), max_size=25), max_size=25
    ),
)
def test_no_part_of_a_past_run_is_longer_than_a_page_shows(
    outcomes: dict[str, int], hits: dict[str, dict[str, int]]
) -> None:
    past = PastRun("r", "published", "", "", "m", 1, outcomes, 1.0, hits=hits)
    assert _longest(asdict(clipped(past))) <= max(MOST_ITEMS, len(asdict(past)))


def _longest(value: Any) -> int:
    if not isinstance(value, dict):
        return 0
    return max([len(value), *map(_longest, value.values())])
