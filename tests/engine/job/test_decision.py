"""What is done about a question: a table, and what holds whatever its history is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.attempt import FORGOTTEN, WITHDRAWN, Attempt, Entry, History, Kind
from runware_provider.engine.identity import Key
from runware_provider.engine.job.decision import PAID_FOR, Action, Earlier, RunWish, decide, needs_reading
from runware_provider.engine.job.question import Question, Request
from runware_provider.engine.outcome.follow_up import Policy, last_word
from runware_provider.engine.outcome.rows import Judgement, Outcome
from runware_provider.engine.outcome.standing import standing
from runware_provider.engine.turns import as_turns

FINGERPRINT = b"f" * 16
KEY = Key(FINGERPRINT, 0, 0)
REQUEST = Request(as_turns("What is the total?"), FINGERPRINT, 0, 5)
FITS = Judgement(Outcome.SUCCEEDED, {"total": 1.0}, {}, answered=True)
UNFIT = Judgement(Outcome.INVALID, None, {"error_message": "$.total: it is missing"}, answered=True)
FAILED = Judgement(Outcome.FAILED, None, {"error_code": "providerError"})
ALLOWED = 3
NONE, ONE, TWO = RunWish(Policy(0)), RunWish(Policy(1)), RunWish(Policy(2))
AGAIN = RunWish(Policy(1), retry_failed=True, generation=1)

ANSWER, ERROR, INTENT = (Kind.ANSWERED, None), (Kind.ERROR, "provider"), (Kind.INTENT, None)
FINAL, REFUSED, TAKEN_BACK = (Kind.ERROR, "validation"), (Kind.REJECTED, "rate"), (Kind.REJECTED, WITHDRAWN)


def question(
    *attempts: tuple[Kind, str | None], anew: list[tuple[Kind, str | None]] | None = None
) -> Question:
    other = None if anew is None else Question(Key(FINGERPRINT, 0, 1), REQUEST, stands(1, anew))
    return Question(KEY, REQUEST, stands(0, attempts), other)


def stands(generation: int, attempts: Any) -> Any:
    told = tuple(Attempt(n, kind, family, 0, n) for n, (kind, family) in enumerate(attempts, 1))
    return standing(History(generation, told) if told else None, ALLOWED)


def earlier(asked: Question, judgements: list[Judgement]) -> Earlier | None:
    """What was read of a question whose answers are judged so; those left over are not looked at."""
    if asked.standing.shown is None:
        return None
    answers = asked.standing.answers
    if not answers:
        return Earlier(FAILED)
    judged = judgements[: len(answers)]
    entries = [
        (Entry(KEY, answer.number, Kind.ANSWERED), one) for answer, one in zip(answers, judged, strict=True)
    ]
    return Earlier(last_word(judged, asked.standing.counted), entries)


@pytest.mark.parametrize(
    ("attempts", "judged", "wish", "action"),
    [
        ([], [], NONE, Action.ASK),
        ([INTENT], [], NONE, Action.LOOK_FOR),
        ([TAKEN_BACK], [], NONE, Action.ASK),
        ([REFUSED], [], NONE, Action.LOOK_FOR),
        ([ERROR], [], NONE, Action.ASK),
        ([ERROR, INTENT], [], NONE, Action.LOOK_FOR),
        ([FINAL], [], NONE, Action.ANSWERED),
        ([ERROR] * ALLOWED, [], NONE, Action.ANSWERED),
        ([ANSWER], [FITS], ONE, Action.ANSWERED),
        ([ANSWER], [UNFIT], NONE, Action.ANSWERED),
        ([ANSWER], [UNFIT], ONE, Action.RETRY_OUTPUT),
        ([ANSWER, INTENT], [UNFIT], ONE, Action.LOOK_FOR),
        ([ANSWER, INTENT], [UNFIT], NONE, Action.ONLY_LOOK_FOR),
        ([ANSWER, INTENT], [FITS], NONE, Action.ANSWERED),
        ([ANSWER, TAKEN_BACK], [UNFIT], NONE, Action.ANSWERED),
        ([ANSWER, ANSWER], [UNFIT, UNFIT], ONE, Action.ANSWERED),
        ([ANSWER, ANSWER], [UNFIT, UNFIT], TWO, Action.RETRY_OUTPUT),
        ([ANSWER, FINAL], [UNFIT], TWO, Action.ANSWERED),
    ],
)
def test_what_is_done_follows_from_history_answers_and_wish(
    attempts: Any, judged: list[Judgement], wish: RunWish, action: Action
) -> None:
    asked = question(*attempts)
    assert decide(asked, earlier(asked, judged), wish).action is action


@pytest.mark.parametrize(
    ("attempts", "judged", "anew", "action"),
    [
        ([ANSWER], [FITS], [], Action.ANSWERED),
        ([ANSWER], [UNFIT], [], Action.ASK_ANEW),
        ([FINAL], [], [], Action.ASK_ANEW),
        ([FINAL], [], [INTENT], Action.LOOK_FOR),
        ([ANSWER, INTENT], [UNFIT], [], Action.ASK_ANEW),
    ],
)
def test_a_wish_to_ask_again_is_about_what_did_not_succeed(
    attempts: Any, judged: list[Judgement], anew: Any, action: Action
) -> None:
    asked = question(*attempts, anew=anew)
    decision = decide(asked, earlier(asked, judged), AGAIN)
    assert decision.action is action
    assert decision.question is (asked if action is Action.ANSWERED else asked.anew)


kinds = st.sampled_from(
    [
        ANSWER,
        ERROR,
        INTENT,
        FINAL,
        REFUSED,
        TAKEN_BACK,
        (Kind.SPENT, None),
        (Kind.SPENT, FORGOTTEN),
        (Kind.SENT_AGAIN, "rate"),
    ]
)
histories = st.lists(kinds, max_size=5)
wishes = st.builds(RunWish, st.builds(Policy, st.integers(0, 3)), st.booleans(), st.integers(0, 1))
judgements = st.lists(st.sampled_from([FITS, UNFIT]), min_size=5, max_size=5)


@given(attempts=histories, anew=histories, wish=wishes, judged=judgements, may_ask=st.booleans())
def test_whatever_happened_before_money_is_spent_only_on_what_was_surely_not_sent(
    attempts: Any, anew: Any, wish: RunWish, judged: list[Judgement], *, may_ask: bool
) -> None:
    asked = question(*attempts, anew=[one for one in anew if one is not ANSWER and one is not FINAL])
    decision = decide(asked, earlier(asked, judged), wish, may_ask=may_ask)
    if decision.action in PAID_FOR:
        assert may_ask
        assert not decision.question.standing.fate_unknown
    if decision.action in {Action.ANSWERED, Action.SKIP}:
        assert decision.question is asked
    if decision.action is Action.RETRY_OUTPUT:
        assert len(asked.standing.answers) <= wish.follow_ups.output_retries


@given(histories, wishes, judgements)
def test_what_needs_no_reading_is_decided_alike_without_it(
    attempts: Any, wish: RunWish, judged: list[Judgement]
) -> None:
    asked = question(*attempts, anew=[])
    if not needs_reading(asked, wish):
        assert decide(asked, None, wish).action is decide(asked, earlier(asked, judged), wish).action
