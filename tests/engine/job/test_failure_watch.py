from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runware_provider.engine.job.failure_watch import CHANCE, FEWEST, WINDOW, FailureWatch, _too_many

SHARES = st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.07, 0.1, 0.29, 0.5, 1.0])


def fed(watch: FailureWatch, *, failed: int = 0, fine: int = 0) -> FailureWatch:
    for bad, times in ((True, failed), (False, fine)):
        for _ in range(times):
            watch.saw(bad)
    return watch


def stopped_after(watch: FailureWatch, answers: list[bool]) -> int | None:
    for number, failed in enumerate(answers, 1):
        watch.saw(failed)
        if watch.beyond():
            return number
    return None


def evenly(failed: int, rows: int) -> list[bool]:
    return [(i + 1) * failed // rows > i * failed // rows for i in range(rows)]


def tail(answers: int, share: float, fewest: int) -> Fraction:
    p = Fraction(share)
    return sum(
        (math.comb(answers, k) * p**k * (1 - p) ** (answers - k) for k in range(fewest, answers + 1)),
        Fraction(0),
    )


def test_a_prompt_that_always_fails_is_stopped_after_a_few_dozen_answers() -> None:
    watch = FailureWatch(0.1, 1_000_000)
    assert stopped_after(watch, [True] * WINDOW) == FEWEST
    assert watch.beyond() == "20 of the last 20 answers failed, where 10 % may"
    assert stopped_after(FailureWatch(0.5, 1_000_000), [True] * WINDOW) == 30


def test_a_prompt_that_begins_to_fail_is_stopped_soon() -> None:
    watch = fed(FailureWatch(0.1, 1_000_000), fine=10_000)
    assert stopped_after(watch, [True] * WINDOW) == 33
    assert watch.beyond() == "33 of the last 100 answers failed, where 10 % may"


def test_old_failures_leave_the_window() -> None:
    watch = fed(FailureWatch(0.1, 1_000_000), failed=33, fine=67)
    assert watch.beyond() is not None
    assert fed(watch, fine=1).beyond() is None


def test_a_count_knows_no_window() -> None:
    watch = fed(FailureWatch(60, 1_000), failed=60)
    assert watch.beyond() is None
    assert fed(watch, failed=1).beyond() == "61 of 1000 rows failed already, where 60 may"


@pytest.mark.parametrize("most", [0, 0.0])
def test_where_none_may_fail_the_first_failure_stops(most: float) -> None:
    watch = fed(FailureWatch(most, 80), fine=8, failed=1)
    assert watch.beyond() == "1 of 80 rows failed already, where none may"
    assert watch.beyond_at_the_end() == "1 of 9 rows failed, where none may"


@pytest.mark.parametrize("most", [None, 1.0])
def test_where_all_may_fail_nothing_stops(most: float | None) -> None:
    watch = FailureWatch(most, 1_000)
    assert stopped_after(watch, [True] * 1_000) is None
    assert watch.beyond_at_the_end() is None


def test_one_row_and_all_of_them_are_written_differently() -> None:
    assert fed(FailureWatch(1, 80), failed=2).beyond() is not None
    assert fed(FailureWatch(1.0, 80), failed=2).beyond() is None


def test_at_the_end_what_counts_is_the_share_of_what_was_asked() -> None:
    watch = FailureWatch(0.1, 100)
    watch.left_out(20)
    fed(watch, failed=8, fine=72)
    assert watch.beyond_at_the_end() is None
    watch = FailureWatch(0.125, 100)
    watch.left_out(20)
    fed(watch, failed=12, fine=68)
    assert watch.beyond_at_the_end() == "12 of 80 rows failed, where 12.5 % may"


def test_a_dataset_of_which_nothing_was_asked_is_fine() -> None:
    watch = FailureWatch(0.0, 10)
    watch.left_out(10)
    assert watch.beyond() is None
    assert watch.beyond_at_the_end() is None


def test_rows_that_turn_out_not_to_be_asked_make_it_certain_earlier() -> None:
    watch = fed(FailureWatch(0.1, 100), failed=6)
    assert watch.beyond() is None
    watch.left_out(41)
    assert watch.beyond() == "6 of 59 rows failed already, where 10 % may"


def test_an_answer_for_many_rows_is_one_in_the_window_and_many_in_the_whole() -> None:
    watch = fed(FailureWatch(0.1, 10_000), fine=99)
    watch.saw(failed=True, times=900)
    assert watch.beyond() is None
    watch.saw(failed=True, times=101)
    assert watch.beyond() == "1001 of 10000 rows failed already, where 10 % may"


def test_a_share_is_the_one_that_was_written_not_the_double_beside_it() -> None:
    assert fed(FailureWatch(0.29, 100), failed=29, fine=71).beyond_at_the_end() is None
    assert fed(FailureWatch(0.07, 100), failed=7, fine=93).beyond_at_the_end() is None
    assert fed(FailureWatch(1e-05, 100_000), failed=1, fine=99_999).beyond_at_the_end() is None


@pytest.mark.parametrize("most", [-1, -0.1, 1.5, 2.0, math.nan, math.inf])
def test_what_is_neither_count_nor_share_is_refused(most: float) -> None:
    with pytest.raises(ValueError, match="neither a count nor a share"):
        FailureWatch(most, 10)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.3, 0.5, 0.8, 0.9])
@pytest.mark.parametrize("answers", [FEWEST, 37, WINDOW])
def test_the_windows_bound_is_the_lowest_that_chance_does_not_reach(share: float, answers: int) -> None:
    fewest = _too_many(share)[answers]
    if math.isfinite(fewest):
        assert tail(answers, share, int(fewest)) < CHANCE
    below = answers if math.isinf(fewest) else int(fewest) - 1
    assert tail(answers, share, below) >= CHANCE


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.6])
def test_failures_at_the_allowed_share_by_chance_do_not_stop_a_long_job(share: float) -> None:
    chance = random.Random(f"watch {share}")  # noqa: S311 - a repeatable stream, no secret
    watch = FailureWatch(share, 1_000_000)
    assert stopped_after(watch, [chance.random() < share for _ in range(100_000)]) is None


@pytest.mark.parametrize(("share", "true"), [(0.01, 0.3), (0.1, 0.5), (0.3, 0.8)])
def test_failures_far_above_the_allowed_share_stop_within_a_few_windows(share: float, true: float) -> None:
    for seed in range(20):
        chance = random.Random(seed)  # noqa: S311 - a repeatable stream, no secret
        answers = [chance.random() < true for _ in range(5 * WINDOW)]
        assert stopped_after(FailureWatch(share, 1_000_000), answers) is not None


@given(SHARES, st.integers(1, 600), st.data())
def test_failures_spread_evenly_within_the_allowed_share_never_stop(
    share: float, rows: int, data: st.DataObject
) -> None:
    allowed = math.floor(Fraction(repr(share)) * rows)
    failed = data.draw(st.integers(0, allowed))
    watch = FailureWatch(share, rows)
    assert stopped_after(watch, evenly(failed, rows)) is None
    assert watch.beyond_at_the_end() is None


@given(
    st.integers(0, 10) | SHARES,
    st.lists(st.tuples(st.sampled_from(["failed", "fine", "left out"]), st.integers(1, 9)), max_size=80),
    st.integers(0, 300),
)
def test_certain_is_exactly_what_no_rest_can_mend(
    most: float, events: list[tuple[str, int]], rest: int
) -> None:
    rows = rest + sum(times for _, times in events)
    watch, failed, asked, out = FailureWatch(most, rows), 0, 0, 0
    for event, times in events:
        if event == "left out":
            watch.left_out(times)
            out += times
        else:
            watch.saw(event == "failed", times)
            failed, asked = failed + times * (event == "failed"), asked + times
    share = Fraction(repr(most)) if isinstance(most, float) else None
    doomed = failed > (most if share is None else share * (rows - out))
    safe = failed + rest <= (most if share is None else share * (rows - out))
    said = watch.beyond()
    assert (said is not None and "already" in said) == doomed
    assert not (said and safe)
    mended = fed(watch, fine=rest)
    assert (mended.beyond_at_the_end() is not None) == doomed


@given(SHARES, st.lists(st.booleans(), max_size=300), st.integers(0, 1_000))
def test_what_is_certain_stays_so(share: float, answers: list[bool], rest: int) -> None:
    watch, certain = FailureWatch(share, len(answers) + rest), False
    for failed in answers:
        watch.saw(failed)
        now = "already" in (watch.beyond() or "")
        assert now or not certain
        certain = now


@given(st.floats(0, 1))
def test_more_answers_never_lower_the_bound_of_the_window(share: float) -> None:
    assume(share > 1e-6)
    bounds = [bound for bound in _too_many(share)[FEWEST:] if math.isfinite(bound)]
    assert all(before <= after for before, after in pairwise(bounds))


@given(
    most=SHARES | st.integers(0, 30),
    failed=st.integers(0, 20),
    fine=st.integers(0, 20),
    more=st.integers(0, 20),
    behind=st.integers(0, 20),
)
def test_a_watch_bears_as_many_failures_as_do_not_make_it_certain_that_too_much_fails(
    most: float, failed: int, fine: int, more: int, behind: int
) -> None:
    watch = fed(FailureWatch(most, failed + fine + more + behind), failed=failed, fine=fine)
    bears = watch.bears(more)
    reason = fed(watch, failed=more).beyond()
    assert bears == (reason is None or "already" not in reason)
