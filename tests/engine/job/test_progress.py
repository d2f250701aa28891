from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.exchange.flight import Flight
from runware_provider.engine.exchange.inference import Inference, Phase
from runware_provider.engine.exchange.waits import AGES_S, Wait, waits
from runware_provider.engine.identity import Key
from runware_provider.engine.job.progress import BESIDE_A_BAR, Progress
from runware_provider.engine.plain_text import WIDTH


def progress(**fields: Any) -> Progress:
    return Progress(**{"done": 0, "total": 1_000, "elapsed_s": 0.0, "outstanding": 0, "cost": 0.0, **fields})


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "0 of 1,000 rows done (0 %), 0 USD so far"),
        (
            {"done": 250, "elapsed_s": 50.0, "outstanding": 1_200, "cost": 0.12344},
            (
                "250 of 1,000 rows done (25 %), 5.0 a second, about 2 min 30 s left, 1,200 under way,"
                " 0.1234 USD so far, about 0.4938 in all"
            ),
        ),
        (
            {"done": 600, "reused": 500, "elapsed_s": 10.0},
            (
                "600 of 1,000 rows done (60 %), 500 answered before, 10.0 a second, about 40 s left,"
                " 0 USD so far"
            ),
        ),
        (
            {"done": 1_000, "elapsed_s": 10.0},
            "1,000 of 1,000 rows done (100 %), 100.0 a second, 0 USD so far",
        ),
        (
            {"done": 999, "elapsed_s": 999},
            "999 of 1,000 rows done (99 %), 1.0 a second, about 1 s left, 0 USD so far",
        ),
        ({"total": 0}, "0 of 0 rows done, 0 USD so far"),
        (
            {"outstanding": 3, "streamed_chars": 12_345},
            "0 of 1,000 rows done (0 %), 3 under way, 12,345 characters streaming in, 0 USD so far",
        ),
        (
            {"outstanding": 3, "brought": 1_180, "fetched": 20},
            "0 of 1,000 rows done (0 %), 3 under way, 1,180 brought by webhook, 20 fetched, 0 USD so far",
        ),
        (
            {"done": 1, "elapsed_s": 30.0},
            "1 of 1,000 rows done (0 %), 2.0 a minute, about 8 h 19 min left, 0 USD so far",
        ),
        (
            {"done": 1_000, "reused": 1_000, "elapsed_s": 3.0},
            "1,000 of 1,000 rows done (100 %), 1,000 answered before, 0 USD so far",
        ),
    ],
)
def test_a_line_says_what_a_person_wants_to_know(fields: dict[str, Any], line: str) -> None:
    assert progress(**fields).line() == line


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3599.6, "1 h 0 min"), (90_000, "25 h 0 min")],
)
def test_the_time_left_is_rounded_to_what_matters(seconds: float, said: str) -> None:
    assert f"about {said} left" in progress(done=500, elapsed_s=seconds).line()


def test_the_rate_counts_only_what_this_run_worked_for() -> None:
    assert progress(done=600, reused=500, elapsed_s=10.0).rate == 10.0
    assert progress(done=600, reused=600, elapsed_s=10.0).left_s is None
    assert progress(done=5).rate == 0.0


@given(
    st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0, 1e9), st.floats(0, 1e6)
)
def test_there_is_always_a_line(one: int, other: int, reused: int, elapsed_s: float, cost: float) -> None:
    done, total = sorted((one, other))
    line = progress(done=done, total=total, reused=min(reused, done), elapsed_s=elapsed_s, cost=cost).line()
    assert "\n" not in line
    assert "-" not in line
    assert f"{done:,} of {total:,} rows done" in line


@pytest.mark.parametrize(
    ("fields", "foreseen"),
    [
        ({"done": 4, "cost": 0.4}, None),
        ({"done": 5, "cost": 0.5}, 100.0),
        ({"done": 105, "reused": 100, "cost": 0.5, "cost_here": 0.5}, 0.5 + 895 * 0.1),
        ({"done": 105, "reused": 100, "cost": 8.5, "cost_here": 0.5}, 8.5 + 895 * 0.1),
        ({"done": 104, "reused": 100, "cost": 8.4, "cost_here": 0.4}, None),
        ({"done": 1_000, "cost": 100.0}, None),
        ({"done": 500, "cost": 0.0}, None),
        # 60 answers fit, and 440 of as many cents do not: 500 rows will have cost 940 answers.
        (
            {"done": 60, "cost": 5.0, "asked_again": 440, "paid_of_asked_again": 4.4},
            5.0 + 4.4 + 500 * 9.4 / 500,
        ),
        ({"done": 560, "cost": 10.0, "asked_again": 440, "paid_of_asked_again": 4.4}, 10.0 + 4.4),
    ],
)
def test_the_bill_is_foreseen_from_what_was_paid_in_this_run(
    fields: dict[str, Any], foreseen: float | None
) -> None:
    assert progress(**fields).foreseen_cost == pytest.approx(foreseen)


def test_answers_that_do_not_fit_and_are_asked_for_again_are_told() -> None:
    line = progress(done=60, asked_again=1_026, paid_of_asked_again=0.07, cost=0.08).line()
    assert "1,026 asked again, as their answers do not fit" in line


def test_after_a_retry_the_bill_is_foreseen_as_it_was_before_it() -> None:
    """A try that paid 0.0073 for 37 rows died; the next one has paid 0.0057 for 29."""
    retried = {"done": 66, "total": 240, "elapsed_s": 5, "outstanding": 64, "cost": 0.0130, "reused": 37}
    assert progress(**retried).line() == (
        "66 of 240 rows done (27 %), 37 answered before, 5.8 a second, about 30 s left, 64 under way,"
        " 0.013 USD so far, about 0.04727 in all"
    )
    assert progress(**retried, cost_here=0.0057).line().endswith("0.013 USD so far, about 0.0472 in all")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"done": 999, "elapsed_s": 999, "outstanding": 1},
            "1.0 a second, waiting for the last 1, 1 under way",
        ),
        (
            {"done": 980, "elapsed_s": 3_000, "outstanding": 20, "quiet_s": 1_800},
            "waiting for 30 min 0 s for the last 20, 20 under way",
        ),
        (
            {"done": 600, "elapsed_s": 1_000, "outstanding": 200, "quiet_s": 800},
            "36.0 a minute, no row for 13 min 20 s, 200 under way",
        ),
        ({"elapsed_s": 40, "outstanding": 5, "quiet_s": 40}, "no row for 40 s, 5 under way"),
        ({"done": 600, "elapsed_s": 100, "outstanding": 400, "quiet_s": 3}, "about 1 min 7 s left"),
        ({"done": 990, "elapsed_s": 99, "outstanding": 9, "quiet_s": 2}, "10.0 a second, 9 under way"),
    ],
)
def test_a_time_is_said_only_where_the_rate_says_something_of_the_rest(
    fields: dict[str, Any], said: str
) -> None:
    assert said in progress(**fields).line()


def test_what_is_waited_for_is_named_while_no_row_is_done() -> None:
    told = [Wait("answers", 19, 1_805.0), Wait("replies to what was sent", 1, 40.0)]
    fields: dict[str, Any] = {"done": 980, "elapsed_s": 3_000, "outstanding": 20, "waits": told}
    assert (
        "20 under way, waiting for answers (19, the first for 30 min 5 s), waiting for replies to what was sent"
        " (1, the first for 40 s), 0 USD" in progress(**fields, quiet_s=1_800).line()
    )
    assert "answers" not in progress(**fields, quiet_s=3).line()


def test_how_much_may_be_under_way_is_told_with_the_reason_while_there_is_more_to_send() -> None:
    fields: dict[str, Any] = {"done": 250, "elapsed_s": 50, "outstanding": 480, "window": 500}
    fields["window_reason"] = "answers come as fast as before"
    said = "480 under way of at most 500 (answers come as fast as before)"
    assert said in progress(**fields).line()
    assert all(len(line) <= 100 for line in progress(**fields).lines())
    assert "480 under way," in progress(**{**fields, "done": 600}).line(), "all of the rest is under way"


def test_each_inference_under_way_waits_for_something() -> None:
    flight = Flight()
    states: list[dict[str, Any]] = [
        {"phase": Phase.WAITING, "accepted": True, "since": 10.0},
        {"phase": Phase.LOOK_UP, "accepted": True, "since": 40.0},
        {"phase": Phase.ASK, "doubted_at": 60.0},
        {"phase": Phase.SENDING, "sent_at": 95.0},
        {"phase": Phase.READY, "no_room_since": 90.0},
        {"phase": Phase.READY},
        {"phase": Phase.SETTLING, "accepted": True, "since": 0.0},
    ]
    for number, state in enumerate(states):
        key = Key(number.to_bytes(16, "big"), 0, 0)
        flight.add(Inference(key, (), 1, 1, 0, str(number), **state), 0.0)
    assert [(wait.what, wait.inferences, wait.longest_s) for wait in waits(flight, 100.0)] == [
        ("answers", 2, 90.0),
        ("word whether they arrived", 1, 40.0),
        ("room at the API", 1, 10.0),
        ("replies to what was sent", 1, 5.0),
    ]


@given(
    st.lists(st.floats(0.0, 10_000.0), min_size=1),
    st.lists(st.floats(0.0, 10_000.0)),
)
def test_stragglers_are_told_apart_by_age(answered: list[float], replied: list[float]) -> None:
    now, flight = 20_000.0, Flight()
    for number, age_s in enumerate([*answered, *replied]):
        began = now - age_s
        state: dict[str, Any] = {"phase": Phase.WAITING, "accepted": True, "since": began}
        if number >= len(answered):
            state = {"phase": Phase.SENDING, "sent_at": began}
        key = Key(number.to_bytes(16, "big"), 0, 0)
        flight.add(Inference(key, (), 1, 1, 0, str(number), **state), 0.0)
    told = {wait.what: wait for wait in waits(flight, now)}
    for what, begins in (("answers", answered), ("replies to what was sent", replied)):
        ages = [now - (now - age_s) for age_s in begins]
        older = {than_s: sum(age_s > than_s for age_s in ages) for than_s in AGES_S}
        if begins:
            assert dict(told[what].older) == {than_s: count for than_s, count in older.items() if count}
            assert (told[what].inferences, told[what].longest_s) == (len(ages), max(ages))


@given(
    st.integers(0, 1_000), st.integers(0, 1_000), st.floats(0, 1e5), st.floats(0, 1e5), st.integers(0, 1_000)
)
def test_the_time_left_is_never_shorter_than_the_silence_so_far(
    done: int, rest: int, elapsed_s: float, quiet_s: float, outstanding: int
) -> None:
    told = progress(
        done=done, total=done + rest, elapsed_s=elapsed_s, quiet_s=quiet_s, outstanding=outstanding
    )
    assert told.left_s is None or told.left_s >= quiet_s


def test_rows_that_are_never_sent_are_no_work_and_cost_nothing() -> None:
    """Three are skipped at sight, five are answered, and all others of the batch are under way."""
    told = progress(
        done=8, total=240, skipped=3, elapsed_s=2.5, outstanding=232, cost=0.0012, cost_here=0.0012
    )
    assert told.rate == 2.0
    assert told.foreseen_cost == pytest.approx(0.0012 + 232 * (1 - 3 / 240) * 0.00024)
    assert told.left_s == pytest.approx(232 * (1 - 3 / 240) / 2)


def test_of_a_source_of_which_half_is_skipped_half_of_the_rest_is_foreseen() -> None:
    told = progress(done=500, total=1_000, skipped=250, elapsed_s=25, cost=2.5)
    assert told.foreseen_cost == pytest.approx(2.5 + 2.5)
    assert told.left_s == pytest.approx(25)


@given(*[st.integers(0, 1_000)] * 5)
def test_less_is_never_foreseen_than_was_paid(
    reused: int, skipped: int, worked: int, rest: int, again: int
) -> None:
    done = reused + skipped + worked
    told = progress(
        done=done,
        total=done + rest,
        reused=reused,
        skipped=skipped,
        elapsed_s=9,
        cost=2,
        cost_here=1,
        asked_again=again,
        paid_of_asked_again=min(1.0, again / 1_000),
    )
    assert 0 <= told.to_ask <= told.rest
    assert told.foreseen_cost is None or told.foreseen_cost >= 2
    assert told.left_s is None or told.left_s >= 0


def test_a_bill_of_dollars_is_foreseen_in_cents() -> None:
    assert progress(done=500, cost=6.1234).line().endswith("6.1234 USD so far, about 12.25 in all")


FACTS = {
    "reused": st.integers(0, 10**9),
    "outstanding": st.integers(0, 10**6),
    "cost": st.floats(0, 1e6),
    "streamed_chars": st.integers(0, 10**9),
    "brought": st.integers(0, 10**9),
    "fetched": st.integers(0, 10**9),
    "quiet_s": st.floats(0, 1e5),
    "trouble": st.none() | st.text(max_size=300),
    "waits": st.lists(
        st.builds(
            Wait, st.sampled_from(["answers", "room at the API"]), st.integers(1, 10**6), st.floats(0, 1e5)
        )
    ),
}


@given(st.fixed_dictionaries(FACTS), st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0, 1e6))
def test_whatever_is_told_of_a_job_its_lines_are_short(
    facts: dict[str, Any], done: int, rest: int, elapsed_s: float
) -> None:
    told = progress(
        **{**facts, "reused": min(facts["reused"], done)}, done=done, total=done + rest, elapsed_s=elapsed_s
    )
    for line in told.lines():
        assert len(line) <= WIDTH or len(line.split()) == 1
    assert " ".join(" ".join(told.lines()).split()) == " ".join(told.line().split())
    assert len(told.short_line()) <= BESIDE_A_BAR


def test_a_line_ends_between_two_facts() -> None:
    retried = {"done": 66, "total": 240, "elapsed_s": 5, "outstanding": 64, "cost": 0.0130, "reused": 37}
    assert progress(**retried).lines() == [
        "66 of 240 rows done (27 %), 37 answered before, 5.8 a second,",
        "  about 30 s left, 64 under way,",
        "  0.013 USD so far, about 0.04727 in all",
    ]


def test_what_streams_in_is_told_beside_a_bar_too() -> None:
    told = progress(outstanding=3, total=3, streamed_chars=345)
    assert told.short_line() == "waiting for the last 3, 0 USD, 345 characters streaming in"
