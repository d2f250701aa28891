"""What is asked next about an answer that does not fit, and which answer has the last word."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api.output_mode import Forced
from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.identity import Key
from runware_provider.engine.outcome.follow_up import (
    COMPLAINT_TOKENS,
    MOST_SHOWN,
    NOTHING_SAID,
    Ceiling,
    OutputRetry,
    Policy,
    ceiling,
    ended_with,
    follow_up,
    last_word,
    output_retry_after,
)
from runware_provider.engine.outcome.rows import Judgement, Outcome

KEY = Key(b"f" * 16, 0, 0)


def judged(outcome: Outcome = Outcome.INVALID, *, cut: bool = False, **facts: Any) -> Judgement:
    usual = {"finish_reason": "stop", "error_message": "$.total: it is missing", "mends": []}
    return Judgement(outcome, None, {**usual, **facts}, answered=True, cut=cut)


FITS, UNFIT = judged(Outcome.SUCCEEDED), judged()
CUT = judged(cut=True, finish_reason="length")
LOOKS_CUT = judged(cut=True)
FILTERED = judged(Outcome.REFUSED)


@pytest.mark.parametrize(
    ("answers", "policy", "step"),
    [
        ([], Policy(1), None),
        ([FITS], Policy(1), None),
        ([FILTERED], Policy(1), None),
        ([UNFIT], Policy(0), None),
        ([UNFIT], Policy(1), OutputRetry(shows=0)),
        ([UNFIT, UNFIT], Policy(1), None),
        ([UNFIT, UNFIT], Policy(2), OutputRetry(shows=1)),
        ([UNFIT, FITS], Policy(2), None),
        ([FITS, UNFIT], Policy(2), None),
        ([CUT], Policy(1), None),
        ([CUT], Policy(0, 100, 150), OutputRetry(max_tokens=150)),
        ([CUT], Policy(0, 100, 400), OutputRetry(max_tokens=200)),
        ([CUT, CUT], Policy(0, 100, 400), OutputRetry(max_tokens=400)),
        ([CUT, CUT, CUT], Policy(3, 100, 400), None),
        ([LOOKS_CUT], Policy(1), OutputRetry(shows=0)),
        ([LOOKS_CUT], Policy(1, 100, 200), OutputRetry(max_tokens=200)),
        ([LOOKS_CUT, LOOKS_CUT], Policy(1, 100, 200), OutputRetry(1, 200)),
        ([UNFIT, CUT], Policy(1, 100, 200), OutputRetry(0, 200)),
        ([CUT, UNFIT], Policy(1, 100, 200), OutputRetry(1, 200)),
    ],
)
def test_the_next_question_follows_from_the_answers(
    answers: list[Judgement], policy: Policy, step: OutputRetry | None
) -> None:
    assert output_retry_after(answers, policy) == step


def test_the_first_of_more_tokens_is_twice_what_the_api_gives_by_default() -> None:
    assert output_retry_after([CUT], Policy(0, most_tokens=100_000)) == OutputRetry(max_tokens=65_536)


def test_at_most_every_answer_is_as_long_as_it_may_be_and_every_output_retry_is_used() -> None:
    assert ceiling(Policy(0, 200), 3, 30) == Ceiling(3, 30, 600)
    assert ceiling(Policy(1, 200), 3, 30) == Ceiling(6, 60 + 3 * (200 + COMPLAINT_TOKENS), 1200)
    assert ceiling(Policy(0, 100, 350), 1, 10) == Ceiling(3, 30, 100 + 200 + 350)
    assert ceiling(Policy(2, 100, 200), 0, 0) == Ceiling(0, 0, 0)


@given(
    st.lists(st.sampled_from([UNFIT, LOOKS_CUT]), min_size=30, max_size=30),
    st.builds(Policy, st.integers(0, 5), st.integers(1, 1000), st.none() | st.integers(1, 10_000)),
)
def test_no_course_of_answers_comes_to_more(answers: list[Judgement], policy: Policy) -> None:
    asked, tokens, shown = 1, policy.max_tokens, 0
    while (step := output_retry_after(answers[:asked], policy)) is not None:
        asked += 1
        tokens += step.max_tokens or policy.max_tokens
        if step.shows is not None:
            shown += (policy.most_tokens or policy.max_tokens) + COMPLAINT_TOKENS
    most = ceiling(policy, 1, 7)
    assert asked <= most.inferences
    assert tokens <= most.completion_tokens
    assert 7 * asked + shown <= most.prompt_tokens


ANSWERS = st.lists(st.sampled_from([FITS, UNFIT, CUT, LOOKS_CUT, FILTERED]), max_size=20)
POLICIES = st.builds(
    Policy, st.integers(0, 5), st.integers(1, 1000), st.one_of(st.none(), st.integers(1, 100_000))
)


@given(st.sampled_from([UNFIT, CUT, LOOKS_CUT]), POLICIES)
def test_whatever_keeps_being_wrong_comes_to_an_end(answer: Judgement, policy: Policy) -> None:
    answers, steps = [answer], 0
    while (step := output_retry_after(answers, policy)) is not None:
        assert step.shows is None or step.shows < len(answers)
        assert step.max_tokens is None or step.max_tokens <= (policy.most_tokens or 0)
        answers.append(answer)
        steps += 1
        assert steps <= policy.output_retries + 17  # so often can one be doubled up to 100,000


@given(ANSWERS, POLICIES)
def test_a_larger_policy_never_asks_less(answers: list[Judgement], policy: Policy) -> None:
    if policy.most_tokens is None and output_retry_after(answers, policy) is not None:
        assert output_retry_after(answers, Policy(policy.output_retries + 1, policy.max_tokens)) is not None


@given(ANSWERS.filter(bool), POLICIES)
def test_an_answer_that_fits_as_a_whole_is_used_and_nothing_is_asked_after_it(
    answers: list[Judgement], policy: Policy
) -> None:
    chosen = last_word(answers, 0)
    if FITS in answers:
        assert chosen.outcome is Outcome.SUCCEEDED
        assert output_retry_after(answers, policy) is None


def test_the_last_word_adds_up_what_all_answers_took() -> None:
    first = judged(attempts=1, prompt_tokens=10, completion_tokens=5, cached_tokens=None, cost_usd=0.25)
    second = judged(
        Outcome.SUCCEEDED, attempts=1, prompt_tokens=30, completion_tokens=None, cost_usd=0.5, raw="x"
    )
    facts = last_word([first, second], 2).facts
    assert (facts["attempts"], facts["reasks"], facts["raw"]) == (4, 1, "x")
    assert (facts["prompt_tokens"], facts["completion_tokens"], facts["cached_tokens"]) == (40, 5, None)
    assert facts["cost_usd"] == 0.75


@pytest.mark.parametrize(
    ("answers", "place"),
    [([UNFIT], 0), ([UNFIT, judged(n=1)], 1), ([UNFIT, FILTERED], 0), ([FILTERED], 0), ([FITS, UNFIT], 0)],
)
def test_the_last_that_fits_counts_or_else_the_last(answers: list[Judgement], place: int) -> None:
    facts = last_word(answers, 0).facts
    assert {**facts, **answers[place].facts} == facts
    assert last_word(answers, 0).outcome is answers[place].outcome


def test_a_note_says_why_an_answer_was_not_asked_about_further_unless_it_fits() -> None:
    told = last_word([UNFIT], 1, ended_with("provider")).facts["error_message"]
    assert told == "$.total: it is missing; asked again, it ended in an error (provider)"
    assert last_word([FITS], 1, ended_with("provider")).facts["error_message"] == FITS.facts["error_message"]


def said(item: dict[str, Any], reading: Any = "json", step: OutputRetry | None = None) -> Any:
    entry = Entry(KEY, 1, Kind.ANSWERED, item=json.dumps(item).encode())
    forced = Forced(reading, tool_name="Invoice")
    return follow_up(step or OutputRetry(shows=0), [(entry, UNFIT)], forced)


def test_more_room_says_nothing_else() -> None:
    made = said({}, step=OutputRetry(max_tokens=7))
    assert (made.words, made.max_tokens) == ((), 7)


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        ({"text": '{"a": 1}'}, '{"a": 1}'),
        ({"text": "<think>hm</think>\n{}"}, "{}"),
        ({"text": ""}, NOTHING_SAID),
        ({"text": None}, NOTHING_SAID),
        ({"text": "", "tools": [{"name": "Invoice", "input": {"ä": 1}}]}, '{"ä": 1}'),
        ({"toolCalls": [{"name": "Invoice", "arguments": '{"a": 1}'}]}, '{"a": 1}'),
        ({"toolCalls": [{"name": "Invoice", "arguments": '{"a": '}]}, '"{\\"a\\": "'),
        (
            {"tools": [{"name": "a", "input": {}}, {"name": "b", "input": {"x": 1}}]},
            '[{"name": "a", "arguments": {}}, {"name": "b", "arguments": {"x": 1}}]',
        ),
    ],
)
def test_the_model_is_shown_what_it_said(item: dict[str, Any], shown: str) -> None:
    assert said(item).answer == shown


def test_a_very_long_answer_is_shown_in_part() -> None:
    assert len(said({"text": "x" * (MOST_SHOWN + 1)}).answer) < MOST_SHOWN + 10


@pytest.mark.parametrize(
    ("reading", "words"),
    [("json", "JSON"), ("arguments", "Call Invoice again"), ("calls", "Call the tools"), ("text", "Answer")],
)
def test_the_complaint_holds_the_errors_and_what_to_do(reading: str, words: str) -> None:
    complaint = said({"text": "no"}, reading).complaint
    assert "$.total: it is missing" in complaint
    assert words in complaint


def test_the_texts_are_in_no_repr() -> None:
    assert "total" not in repr(said({"text": "total"}))


@pytest.mark.parametrize(
    ("answers", "errors", "cost"),
    [
        ([0.1], None, 0.1),
        ([0.1, 0.2], 0.4, 0.7),
        ([None], 0.4, 0.4),
        ([None], None, None),
        ([0.1, None], 0.2, 0.3),
    ],
)
def test_a_row_costs_what_all_its_attempts_cost(
    answers: list[float | None], errors: float | None, cost: float | None
) -> None:
    facts = last_word([judged(cost_usd=one) for one in answers], 2, errors_usd=errors).facts
    assert facts["cost_usd"] == cost
