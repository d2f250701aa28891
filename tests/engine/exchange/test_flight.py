from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api.error_families import Family
from runware_provider.engine.attempt import FORGOTTEN, Attempt, History, Kind
from runware_provider.engine.exchange.flight import Flight
from runware_provider.engine.exchange.inference import OUTSTANDING, Inference, Phase
from runware_provider.engine.identity import Key, task_uuid
from runware_provider.engine.outcome.standing import MOST_SPENT, is_final, may_have_been_sent, standing
from runware_provider.engine.turns import as_turns

if TYPE_CHECKING:
    import random

JOB = bytes(range(16))
QUEUED = {Phase.READY, Phase.ASK, Phase.WAITING, Phase.LOOK_UP}


def inference(number: int = 0, **fields: Any) -> Inference:
    key = Key(number.to_bytes(16, "big"), 0, 0)
    made = {"size": 100, "attempt": 1, "counted": 0} | fields
    return Inference(key=key, turns=as_turns("x"), task_uuid=task_uuid(JOB, key, 1), **made)


def flight_of(*inferences: Inference, now: float = 0.0) -> Flight:
    flight = Flight()
    for one in inferences:
        flight.add(one, now)
    return flight


def numbers(chunk: list[Inference]) -> list[int]:
    return [int.from_bytes(one.key.fingerprint, "big") for one in chunk]


def assert_exact(flight: Flight) -> None:
    held = list(flight)
    assert flight.outstanding == sum(one.phase in OUTSTANDING for one in held)
    assert all(one.phase is not Phase.DONE for one in held)
    true = [
        one
        for queue in flight._queues.values()
        for _, ticket, one in queue
        if ticket == one.ticket and one.phase in QUEUED
    ]
    assert sorted(map(id, true)) == sorted(id(one) for one in held if one.phase in QUEUED)
    assert len(set(map(id, true))) == len(true)


# the flight


def test_what_is_added_is_held_until_it_is_done() -> None:
    one = inference()
    flight = flight_of(one)
    assert (len(flight), list(flight), flight.get(one.key)) == (1, [one], one)
    flight.move(one, Phase.DONE, 1)
    assert (len(flight), list(flight), flight.get(one.key), flight.outstanding) == (0, [], None, 0)


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (Phase.READY, 0),
        (Phase.SENDING, 1),
        (Phase.ASK, 1),
        (Phase.WAITING, 1),
        (Phase.LOOK_UP, 1),
        (Phase.BUSY, 1),
        (Phase.SETTLING, 0),
        (Phase.DONE, 0),
    ],
)
def test_outstanding_is_what_the_vendor_may_be_working_at(phase: Phase, expected: int) -> None:
    one = inference()
    flight = flight_of(one)
    flight.move(one, phase, 0)
    assert flight.outstanding == expected


def test_an_inference_of_unknown_fate_is_outstanding_from_the_start() -> None:
    flight = flight_of(inference(phase=Phase.ASK))
    assert flight.outstanding == 1
    assert flight.due(Phase.ASK) == flight.due(Phase.WAITING) == 0.0
    assert flight.take_to_send(0, 10, 10_000) == []


def test_inferences_are_sent_in_the_order_in_which_they_came() -> None:
    flight = flight_of(*map(inference, range(5)))
    assert numbers(flight.take_to_send(0, 3, 10_000)) == [0, 1, 2]
    assert numbers(flight.take_to_send(0, 3, 10_000)) == [3, 4]
    assert flight.take_to_send(0, 3, 10_000) == []
    assert flight.outstanding == 5


def test_nothing_is_taken_before_it_is_due() -> None:
    flight = flight_of(
        inference(0), inference(1, phase=Phase.WAITING), inference(2, phase=Phase.LOOK_UP), now=5
    )
    assert flight.due(Phase.READY) == flight.due(Phase.WAITING, Phase.LOOK_UP) == 5
    assert flight.take_to_send(4.9, 10, 10_000) == []
    assert flight.take_to_ask(4.9, 10) == []
    assert flight.take_to_look_up(4.9, 10) == []
    assert numbers(flight.take_to_send(5, 10, 10_000)) == [0]
    assert numbers(flight.take_to_ask(5, 10)) == [1]
    assert numbers(flight.take_to_look_up(5, 10)) == [2]
    assert flight.due(Phase.READY, Phase.WAITING, Phase.LOOK_UP) is None


def test_what_was_moved_again_is_taken_at_its_new_time_only() -> None:
    one = inference()
    flight = flight_of(one)
    flight.move(one, Phase.READY, 9)
    flight.move(one, Phase.READY, 7)
    assert flight.due(Phase.READY) == 7
    assert flight.take_to_send(6, 1, 1000) == []
    assert flight.take_to_send(8, 1, 1000) == [one]
    assert flight.take_to_send(10, 5, 1000) == []


def test_a_count_of_a_queue_is_an_upper_bound() -> None:
    one = inference(phase=Phase.ASK)
    flight = flight_of(one)
    assert flight.count(Phase.ASK) == flight.count(Phase.WAITING) >= 1
    assert flight.count(Phase.READY) == 0


@pytest.mark.parametrize("most", [0, -3])
def test_without_room_nothing_is_taken(most: int) -> None:
    flight = flight_of(inference())
    assert flight.take_to_send(0, most, 10_000) == []
    assert flight.due(Phase.READY) == 0


def test_a_request_stays_below_its_bytes_but_holds_at_least_one_task() -> None:
    flight = flight_of(
        inference(0, size=40), inference(1, size=60), inference(2, size=1), inference(3, size=999)
    )
    assert numbers(flight.take_to_send(0, 10, 100)) == [0, 1]
    assert numbers(flight.take_to_send(0, 10, 100)) == [2]
    assert numbers(flight.take_to_send(0, 10, 100)) == [3]


def test_what_was_too_large_together_goes_in_smaller_company() -> None:
    flight = flight_of(
        inference(0), inference(1, together=1), inference(2, together=2), inference(3), inference(4)
    )
    sent = [numbers(flight.take_to_send(0, 10, 10_000)) for _ in range(4)]
    assert sent == [[0], [1], [2, 3], [4]]


def test_intents_are_written_once_and_ahead_of_the_sends() -> None:
    inferences = [inference(number) for number in range(6)]
    inferences[1].intended = True
    flight = flight_of(*inferences)
    flight.move(inferences[2], Phase.READY, 0.5)
    assert numbers(flight.without_intent(3)) == [0, 3, 4]
    assert numbers(flight.without_intent(100)) == [0, 3, 4, 5, 2]
    assert flight.without_intent(0) == flight.without_intent(-5) == []
    flight.take_to_send(0, 2, 10_000)
    assert numbers(flight.without_intent(100)) == [3, 4, 5, 2]


def test_an_intent_that_could_not_be_withdrawn_is_not_written_ahead() -> None:
    inferences = [inference(number) for number in range(4)]
    inferences[1].rejected = inferences[2].withdrawn = True
    assert numbers(flight_of(*inferences).without_intent(100)) == [0, 3]


def test_a_new_attempt_knows_nothing_of_the_old_one() -> None:
    one = inference(counted=1, together=3)
    one.accepted = one.rejected = one.intended = True
    one.deadline = one.sent_at = one.doubted_at = 5.0
    one.verdict_if_not_found = one.entry(Kind.SPENT)
    one.failed_requests = 4
    one.start_attempt(JOB, 2)
    assert one.task_uuid == task_uuid(JOB, one.key, 2)
    assert (one.accepted, one.rejected, one.intended, one.failed_requests) == (False, False, False, 0)
    assert (one.deadline, one.sent_at, one.doubted_at, one.verdict_if_not_found) == (None, None, None, None)
    assert (one.attempt, one.counted, one.together) == (2, 1, 3)


def test_no_prompt_is_in_the_repr_of_an_inference() -> None:
    one = inference()
    one.turns = as_turns("secret")
    assert "secret" not in repr(one) + repr(one.turns)


@given(st.randoms(use_true_random=False), st.integers(1, 12))
def test_whatever_is_done_nothing_is_lost_and_the_count_is_exact(rng: random.Random, size: int) -> None:
    flight = flight_of(*(inference(number, size=rng.randint(1, 60)) for number in range(size)))
    for now in range(60):
        taken = rng.choice(
            [
                lambda: flight.take_to_send(now, rng.randint(1, 5), 100),  # noqa: B023 - called at once
                lambda: flight.take_to_ask(now, rng.randint(1, 5)),  # noqa: B023 - called at once
                lambda: flight.take_to_look_up(now, rng.randint(1, 5)),  # noqa: B023 - called at once
            ]
        )()
        assert all(one.phase in {Phase.SENDING, Phase.BUSY} for one in taken)
        assert sum(one.size for one in taken) <= 100 or len(taken) == 1 or taken[0].phase is Phase.BUSY
        for one in (*taken, *rng.sample(list(flight), min(1, len(flight)))):
            if one.phase is Phase.DONE:  # it was among the taken, too
                continue
            flight.move(one, rng.choice(list(Phase)), now + rng.randint(0, 9))
            if rng.random() < 0.2 and one.phase is not Phase.DONE:
                flight.move(one, rng.choice(sorted(QUEUED, key=str)), now)
        assert_exact(flight)


# where an inference stands by the ledger


def attempt(number: int, kind: Kind, family: str | None = None) -> Attempt:
    if kind is Kind.ERROR and family is None:
        family = "provider"
    return Attempt(number, kind, family, segment=0, row=number)


SENT, R, AGAIN, S, E, A = (
    Kind.INTENT,
    Kind.REJECTED,
    Kind.SENT_AGAIN,
    Kind.SPENT,
    Kind.ERROR,
    Kind.ANSWERED,
)


def test_of_what_was_never_tried_nothing_is_known() -> None:
    for history in (None, History(0, ())):
        known = standing(history, 3)
        assert (known.attempt, known.counted, known.spent, known.shown) == (1, 0, 0, None)
        assert not known.fate_unknown
        assert not known.rejected


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        # attempts: (attempt, counted, spent, fate unknown, rejected)
        ([SENT], (1, 0, 0, True, False)),
        ([R], (1, 0, 0, True, True)),
        ([AGAIN], (1, 0, 0, True, True)),
        ([S], (2, 0, 1, False, False)),
        ([E], (2, 1, 0, False, False)),
        ([S, SENT], (2, 0, 1, True, False)),
        ([E, R], (2, 1, 0, True, True)),
        ([E, S, E], (4, 2, 1, False, False)),
        ([E, S, SENT], (3, 1, 1, True, False)),
        ([S] * 5, (6, 0, 5, False, False)),
    ],
)
def test_the_next_attempt_follows_from_the_verdicts(kinds: list[Kind], expected: tuple[Any, ...]) -> None:
    history = History(0, tuple(attempt(number, kind) for number, kind in enumerate(kinds, 1)))
    known = standing(history, 3)
    assert known.shown is None
    assert (known.attempt, known.counted, known.spent, known.fate_unknown, known.rejected) == expected
    assert known.sent_again == (kinds[-1] is AGAIN)


@pytest.mark.parametrize(
    ("attempts", "settled"),
    [
        ([attempt(1, A)], 1),
        ([attempt(1, E), attempt(2, A)], 2),
        ([attempt(1, S), attempt(2, E), attempt(3, A)], 3),
        ([attempt(1, A), attempt(2, E, "validation")], 1),
        ([attempt(1, E), attempt(2, E), attempt(3, E)], 3),
        ([attempt(1, E, "validation")], 1),
        ([attempt(1, E), attempt(2, E, "safety")], 2),
        ([attempt(1, E, "too_large")], 1),
        ([attempt(1, E, "provider_final")], 1),
        ([attempt(1, E, "lost"), attempt(2, E, "lost"), attempt(3, E, "lost")], 3),
        ([attempt(1, E, "of a later version")] * 1 + [attempt(2, E), attempt(3, E, "new")], 3),
        ([attempt(1, E), attempt(2, E, "auth"), attempt(3, E, "auth")], 3),
        ([attempt(number, S) for number in range(1, MOST_SPENT + 2)], MOST_SPENT + 1),
    ],
)
def test_the_last_word_is_known_again(attempts: list[Attempt], settled: int) -> None:
    known = standing(History(0, tuple(attempts)), 3)
    assert known.shown is not None
    assert known.shown.number == settled
    assert known.attempt == (
        settled if known.ended_by else settled + 1
    )  # an answer may be asked about further
    assert not known.fate_unknown


@pytest.mark.parametrize("kind", [SENT, R, AGAIN])
def test_an_answer_that_is_asked_about_further_is_known_with_what_is_under_way(kind: Kind) -> None:
    known = standing(History(0, (attempt(1, E), attempt(2, A), attempt(3, kind))), 3)
    assert known.shown == attempt(2, A)
    assert (known.attempt, known.counted, known.fate_unknown, known.ended_by) == (3, 1, True, None)
    assert may_have_been_sent(known) == (kind is not R)


def test_errors_after_an_answer_leave_it_the_last_word_once_no_attempt_is_left() -> None:
    answer, errors = attempt(1, A), [attempt(2, E), attempt(3, E)]
    known = standing(History(0, (answer, *errors)), 2)
    assert (known.shown, known.ended_by) == (answer, errors[-1])
    reopened = standing(History(0, (answer, *errors)), 3)
    assert (reopened.shown, reopened.ended_by, reopened.attempt) == (answer, None, 4)


def test_errors_before_an_answer_do_not_keep_it_from_being_asked_about_further() -> None:
    known = standing(History(0, (attempt(1, E), attempt(2, E), attempt(3, A))), 2)
    assert (known.ended_by, known.attempt, known.counted) == (None, 4, 2)


def test_what_was_forgotten_is_asked_again_under_a_new_number_and_counts_as_nothing() -> None:
    gone = [attempt(number, S, FORGOTTEN) for number in range(1, MOST_SPENT + 4)]
    known = standing(History(0, tuple(gone)), 3)
    assert (known.shown, known.counted, known.spent) == (None, 0, 0)
    assert (known.attempt, known.fate_unknown) == (MOST_SPENT + 4, False)
    others = [attempt(number, S, "conflict") for number in range(10, 10 + MOST_SPENT + 1)]
    assert standing(History(0, (*gone, *others)), 3).shown == others[-1]


def test_more_attempts_than_before_reopen_a_failed_record_and_fewer_close_it() -> None:
    history = History(0, (attempt(1, E), attempt(2, E)))
    assert standing(history, 2).shown is not None
    assert standing(history, 3).shown is None
    assert standing(history, 3).attempt == 3
    assert standing(history, 1).shown is not None


HISTORIES = st.lists(
    st.tuples(
        st.sampled_from(list(Kind)), st.sampled_from([None, *(family.value for family in Family), "new"])
    ),
    max_size=8,
).map(
    lambda held: [Attempt(number, kind, family, 0, number) for number, (kind, family) in enumerate(held, 1)]
)


@given(HISTORIES, st.randoms(use_true_random=False), st.integers(1, 4))
def test_the_order_in_which_attempts_are_read_means_nothing(
    attempts: list[Attempt], rng: random.Random, allowed: int
) -> None:
    known = standing(History(0, tuple(attempts)), allowed)
    shuffled = attempts.copy()
    rng.shuffle(shuffled)
    assert standing(History(0, tuple(shuffled)), allowed) == known
    answered = [one for one in attempts if one.kind is Kind.ANSWERED]
    if answered:
        assert known.shown == answered[-1]
        assert known.answers == tuple(answered)
    if known.shown is None:
        assert all(one.number != known.attempt or one.kind < Kind.SPENT for one in attempts)
        assert known.counted < allowed
        assert known.spent <= MOST_SPENT
        assert known.fate_unknown == any(one.number == known.attempt for one in attempts)
        assert not known.rejected or known.fate_unknown
    assert known.counted == sum(one.kind is Kind.ERROR for one in attempts)
    assert known.spent == sum(one.kind is Kind.SPENT for one in attempts)


@pytest.mark.parametrize("family", [None, "new", *(family.value for family in Family)])
def test_no_error_is_retried_for_ever(family: str | None) -> None:
    assert is_final(family, 3, 3)
    final = {"validation", "safety", "too_large", "provider_final", "conflict"}
    assert is_final(family, 1, 3) == (family in final)
