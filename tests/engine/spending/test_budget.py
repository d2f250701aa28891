from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.spec import Budget
from runware_provider.engine.spending.budget import UNPRICED, Account, Prices, Spend

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LIST = Prices(1e-6, 2e-6)
PROMPT, COMPLETION = 1_000, 250
EACH = LIST.of(PROMPT, COMPLETION)
ESTIMATES = st.integers(0, 5_000)


def account(
    *,
    usd: float | None = None,
    tokens: int | None = None,
    prices: Prices | None = LIST,
    spent: Spend | None = None,
    completion: float = COMPLETION,
    sd: float = 50.0,
    output_retries: int = 0,
) -> Account:
    budget = Budget(usd=usd, tokens=tokens)
    return Account(budget, prices, spent or Spend(), completion, sd, output_retries=output_retries)


@dataclass
class Job:
    """Sends whatever fits, and has what is under way answered in any order."""

    account: Account
    prompts: Sequence[int]
    answer: Callable[[random.Random, int], tuple[int, int]]
    charged: Prices = LIST
    window: int = 50
    reports_cost: bool = True
    seed: int = 0
    bill: Spend = field(default_factory=Spend)
    sent: int = 0
    unforeseen: Spend = field(default_factory=Spend)
    """By how much what was under way at the last send cost more than was set aside for it then."""

    def run(self) -> Job:
        chance = random.Random(self.seed)  # noqa: S311 - a repeatable stream, no secret
        under_way: list[tuple[int, int, int]] = []
        while True:
            room = self.window - len(under_way)
            following = self.prompts[self.sent : self.sent + room]
            fits = self.account.fits(following)
            assert fits == 0 or not self.account.exhausted
            for prompt in following[:fits]:
                self.account.sent(prompt)
                under_way.append((prompt, *self.answer(chance, prompt)))
            self.sent += fits
            if fits:
                self._expect(under_way)
            if not under_way:
                return self
            self._answered(*under_way.pop(chance.randrange(len(under_way))))

    def _expect(self, under_way: list[tuple[int, int, int]]) -> None:
        may_cost = {
            limit.unit: self.account._may_cost(limit, self.account._ahead) for limit in self.account._limits()
        }
        usd = sum(self.charged.of(prompt, completion) for _, prompt, completion in under_way)
        tokens = sum(prompt + completion for _, prompt, completion in under_way)
        self.unforeseen = Spend(
            max(0.0, usd - may_cost.get("USD", 0.0)), max(0, tokens - math.floor(may_cost.get("tokens", 0.0)))
        )

    def _answered(self, estimate: int, prompt: int, completion: int) -> None:
        usd = self.charged.of(prompt, completion)
        self.bill += Spend(usd, prompt + completion)
        self.account.ended(estimate)
        self.account.paid(estimate, usd if self.reports_cost else None, prompt, completion)


BESIDE = COMPLETION + 100
"""What an output retry says beside the prompt."""


@dataclass
class MisfittingJob:
    """A job in which some answers do not fit, and are asked again before anything new is."""

    account: Account
    questions: int
    misfits: float
    most: int = 1
    window: int = 50
    seed: int = 0
    bill: Spend = field(default_factory=Spend)
    sent: int = 0
    fitting: int = 0
    misfitting: int = 0
    """Questions whose last answer does not fit although they may be asked again."""
    retries: list[int] = field(default_factory=list)
    """To be sent: which output retry of its question each is."""

    def run(self) -> MisfittingJob:
        chance = random.Random(self.seed)  # noqa: S311 - a repeatable stream, no secret
        under_way: list[int] = []
        unread: list[int] = []
        while True:
            under_way += self._send(self.window - len(under_way))
            if not under_way and not unread:
                self.misfitting += len(self.retries)
                return self
            if unread and (not under_way or chance.random() < 0.5):
                self._read(unread.pop(0), misfits=chance.random() < self.misfits)
            else:
                answered = under_way.pop(chance.randrange(len(under_way)))
                self._answered(answered)
                unread.append(answered)

    def _send(self, room: int) -> list[int]:
        following = [*self.retries, *([0] * (self.questions - self.sent))][:room]
        fits = self.account.fits([self._prompt(one) for one in following], [one > 0 for one in following])
        for one in following[:fits]:
            self.account.sent(self._prompt(one), output_retry=one > 0)
        retried = min(fits, len(self.retries))
        self.retries = self.retries[retried:]
        self.sent += fits - retried
        return following[:fits]

    @staticmethod
    def _prompt(retry: int) -> int:
        return PROMPT + (BESIDE if retry else 0)

    def _answered(self, retry: int) -> None:
        prompt = self._prompt(retry)
        usd = LIST.of(prompt, COMPLETION)
        self.bill += Spend(usd, prompt + COMPLETION)
        self.account.ended(prompt, output_retry=retry > 0)
        self.account.paid(prompt, usd, prompt, COMPLETION)
        self.account.answered(prompt, output_retry=retry > 0)

    def _read(self, retry: int, *, misfits: bool) -> None:
        again = misfits and retry < self.most
        self.account.judged(self._prompt(retry), BESIDE if again else None, output_retry=retry > 0)
        self.fitting += not misfits
        if again:
            self.retries.append(retry + 1)


def honest(chance: random.Random, prompt: int) -> tuple[int, int]:
    return round(prompt * chance.uniform(0.9, 1.1)), max(1, round(chance.gauss(COMPLETION, 50)))


def test_what_one_inference_costs_is_its_prompt_and_an_answer_at_the_list_price() -> None:
    assert account(usd=1.0).estimate(PROMPT, 1) == Spend(pytest.approx(EACH), PROMPT + COMPLETION)
    assert account(usd=1.0).estimate(10 * PROMPT, 10).usd == pytest.approx(10 * EACH)


def test_an_ample_budget_lets_everything_through() -> None:
    ample = account(usd=1_000.0, tokens=10**10)
    assert ample.fits([PROMPT] * 5_000) == 5_000
    assert not ample.exhausted


def test_what_is_under_way_counts_until_it_has_ended() -> None:
    tight = account(usd=10 * EACH)
    first = tight.fits([PROMPT] * 20)
    assert 5 <= first <= 9
    for _ in range(first):
        tight.sent(PROMPT)
    assert tight.fits([PROMPT]) == 0
    tight.ended(PROMPT)
    assert tight.fits([PROMPT]) == 1


def test_a_long_prompt_stops_those_behind_it_since_the_order_holds() -> None:
    assert account(tokens=5_000).fits([1_000, 100_000, 10]) == 1


def test_both_limits_hold() -> None:
    assert account(usd=100.0, tokens=500).fits([PROMPT]) == 0
    assert account(usd=EACH / 2, tokens=10**9).fits([PROMPT]) == 0
    assert account(usd=100.0, tokens=10**9).fits([PROMPT]) == 1


def test_a_budget_smaller_than_one_answer_sends_nothing_and_says_so() -> None:
    small = account(usd=0.0001)
    assert small.fits([PROMPT]) == 0
    assert small.exhausted
    assert small.reason(PROMPT).startswith(
        "the budget of 0.0001 USD does not pay for one inference, which may cost 0.00"
    )
    assert account(tokens=100).reason(PROMPT).startswith("the budget of 100 tokens does not pay for one")


def test_the_reason_says_what_is_spent_and_what_is_still_being_billed() -> None:
    used = Account(Budget(usd=5.0), LIST, Spend(4.9731, 0), 1_000.0, 0.0)
    for _ in range(12):
        used.sent(0)
    assert used.reason() == (
        "the budget of 5.00 USD is used up: 4.9731 USD are spent and 12 inferences under way may cost 0.024 USD"
    )


def test_the_reason_names_the_next_inference_where_nothing_is_under_way() -> None:
    used = Account(Budget(usd=0.5), LIST, Spend(0.4999, 0), 1_000.0, 0.0)
    assert used.fits([0]) == 0
    assert used.reason() == (
        "the budget of 0.50 USD is used up: 0.4999 USD are spent and the next inference may cost 0.002 USD"
    )


def test_the_reason_speaks_of_the_limit_that_binds() -> None:
    used = Account(Budget(usd=5.0, tokens=2_000), LIST, Spend(0.001, 1_500), 600.0, 0.0)
    assert used.reason() == (
        "the budget of 2,000 tokens is used up: 1,500 tokens are spent and the next inference may cost 600 tokens"
    )


@given(st.integers(0, 200), st.integers(0, 2_000), st.integers(0, 2))
def test_a_budget_of_what_is_kept_free_lets_all_of_it_go_at_once_and_a_smaller_one_does_not(
    inferences: int, each: int, output_retries: int
) -> None:
    unbounded = account(usd=1, tokens=1, output_retries=output_retries)
    free = unbounded.reserve(inferences * each, inferences)
    prompts = [each] * inferences
    enough = account(
        usd=max(free.usd, 1e-12) * (1 + 1e-9), tokens=free.tokens + 1, output_retries=output_retries
    )
    assert enough.fits(prompts) == inferences
    if inferences:
        assert account(usd=free.usd * 0.99, output_retries=output_retries).fits(prompts) < inferences


def test_an_estimate_beyond_the_budget_is_named_with_what_is_spent() -> None:
    begun = account(usd=5.0, spent=Spend(0.9, 0))
    assert begun.exceeds(Spend(4.1, 0)) is None
    assert begun.exceeds(Spend(4.2, 0)) == (
        "an estimated 4.20 USD exceed the budget of 5.00 USD, of which 0.90 USD are spent"
    )
    assert account(tokens=999).exceeds(Spend(0.0, 1_000)) == (
        "an estimated 1,000 tokens exceed the budget of 999 tokens"
    )


def test_an_answer_without_a_reported_cost_is_not_free() -> None:
    one = account(usd=1.0)
    one.paid(PROMPT, None, None, None)
    assert one.spent == Spend(pytest.approx(EACH), PROMPT + COMPLETION)
    one.paid(PROMPT, None, 2_000, 500)
    assert one.spent == Spend(pytest.approx(3 * EACH), 3 * (PROMPT + COMPLETION))


def test_an_unreported_cost_counts_with_what_others_were_charged() -> None:
    one = account(usd=10.0)
    for _ in range(50):
        one.paid(PROMPT, 3 * EACH, PROMPT, COMPLETION)
    before = one.spent.usd
    one.paid(PROMPT, None, PROMPT, COMPLETION)
    assert one.spent.usd - before == pytest.approx(3 * EACH)


def test_a_cost_that_is_no_amount_of_money_counts_as_unreported() -> None:
    for usd in (math.nan, math.inf, -1.0):
        one = account(usd=1.0)
        one.paid(PROMPT, usd, PROMPT, COMPLETION)
        assert one.spent.usd == pytest.approx(EACH)


def test_the_length_of_prompts_and_answers_is_learned() -> None:
    one = account(usd=10.0)
    for _ in range(500):
        one.paid(PROMPT, LIST.of(2 * PROMPT, 800), 2 * PROMPT, 800)
    assert one.estimate(PROMPT, 1).usd == pytest.approx(LIST.of(2 * PROMPT, 800), rel=0.02)


def test_less_is_sent_while_little_is_known_of_the_answers() -> None:
    early, later = account(tokens=100_000, sd=250.0), account(tokens=100_000 + 400 * COMPLETION, sd=250.0)
    for number in range(400):
        later.paid(0, None, 0, 500 * (number % 2))
    assert later.estimate(0, 1).tokens == early.estimate(0, 1).tokens
    assert early.fits([0] * 1_000) < 0.75 * later.fits([0] * 1_000)


def test_a_list_that_is_too_low_is_corrected_and_one_that_is_too_high_is_kept() -> None:
    dearer, cheaper = account(usd=10.0), account(usd=10.0)
    dearer.paid(PROMPT, 2 * EACH, PROMPT, COMPLETION)
    cheaper.paid(PROMPT, EACH / 12, PROMPT, COMPLETION)
    assert dearer.estimate(PROMPT, 1).usd == pytest.approx(2 * EACH)
    assert cheaper.estimate(PROMPT, 1).usd == pytest.approx(EACH)


def test_a_price_that_rises_while_the_job_runs_is_followed() -> None:
    one = account(usd=1_000.0)
    for _ in range(10_000):
        one.paid(PROMPT, EACH, PROMPT, COMPLETION)
    for _ in range(60):
        one.paid(PROMPT, 2 * EACH, PROMPT, COMPLETION)
    assert one.estimate(PROMPT, 1).usd > 1.9 * EACH


@pytest.mark.parametrize("prices", [None, Prices(0.0, 0.0)])
def test_without_a_price_one_inference_goes_ahead_and_tells_it(prices: Prices | None) -> None:
    blind = account(usd=1.0, prices=prices)
    assert blind.estimate(PROMPT, 1).usd == 0
    assert blind.fits([PROMPT] * 9) == 1
    blind.sent(PROMPT)
    assert blind.fits([PROMPT] * 9) == 0
    blind.ended(PROMPT)
    blind.paid(PROMPT, None, PROMPT, COMPLETION)
    assert blind.fits([PROMPT] * 9) == 1
    blind.paid(PROMPT, EACH, PROMPT, COMPLETION)
    assert blind.fits([PROMPT] * 9) == 9
    assert blind.spent.usd == pytest.approx(2 * EACH)


def test_without_any_price_at_all_a_budget_in_usd_is_not_spent_blindly() -> None:
    blind = account(usd=1.0, prices=None)
    for _ in range(UNPRICED):
        assert blind.fits([PROMPT]) == 1
        blind.paid(PROMPT, None, PROMPT, COMPLETION)
    assert blind.fits([PROMPT]) == 0
    assert blind.reason() == (
        "the budget of 1.00 USD cannot be kept: no price of the model is known, and its answers report no cost"
    )


def test_a_budget_in_tokens_needs_no_price() -> None:
    assert account(tokens=10**9, prices=None).fits([PROMPT] * 9) == 9


def test_more_endings_than_sendings_are_refused() -> None:
    with pytest.raises(ValueError, match="none was under way"):
        account(usd=1.0).ended(PROMPT)


@given(
    st.floats(1e-6, 1.0),
    st.lists(ESTIMATES, max_size=20),
    st.lists(ESTIMATES, max_size=20),
    st.lists(
        st.tuples(ESTIMATES, st.none() | st.floats(0, 0.01), st.none() | ESTIMATES, st.none() | ESTIMATES)
    ),
    st.integers(0, 20),
)
def test_more_budget_never_lets_fewer_through_and_more_under_way_never_more(
    usd: float,
    under_way: list[int],
    following: list[int],
    paid: list[tuple[int, float | None, int | None, int | None]],
    fewer: int,
) -> None:
    small, large = account(usd=usd), account(usd=2 * usd)
    for one in (small, large):
        for answer in paid:
            one.paid(*answer)
        for prompt in under_way:
            one.sent(prompt)
    fits = small.fits(following)
    assert fits <= large.fits(following)
    assert small.fits(following[:fewer]) == min(fits, len(following[:fewer]))
    assert not (small.exhausted and fits)
    small.sent(0)
    assert small.fits(following) <= fits
    assert small.reason()


@given(
    mean=st.integers(1, 3_000),
    spread=st.floats(0, 1),
    off=st.floats(0.3, 3.0),
    dearer=st.floats(0.1, 4.0),
    window=st.integers(1, 60),
    answers=st.integers(1, 120),
    seed=st.integers(0, 1_000),
)
def test_a_bill_exceeds_its_budget_by_no_more_than_what_was_unforeseen_of_the_inferences_under_way(
    *, mean: int, spread: float, off: float, dearer: float, window: int, answers: int, seed: int
) -> None:
    def answer(chance: random.Random, prompt: int) -> tuple[int, int]:
        around = chance.uniform(1 - spread, 1 + spread)
        return round(off * prompt), round(around * mean)

    charged = Prices(dearer * LIST.prompt, dearer * LIST.completion)
    budget = answers * charged.of(PROMPT, mean)
    job = Job(account(usd=budget), [PROMPT] * 300, answer, charged, window, seed=seed).run()
    assert job.bill.usd <= budget + job.unforeseen.usd + 1e-9
    assert job.account.spent.usd == pytest.approx(job.bill.usd)
    tokens = answers * (PROMPT + mean)
    job = Job(account(tokens=tokens), [PROMPT] * 300, answer, window=window, seed=seed).run()
    assert job.bill.tokens <= tokens + job.unforeseen.tokens + 1


def test_a_budget_is_nearly_used_up_and_rarely_exceeded() -> None:
    budget, exceeded = 300 * EACH, 0
    for seed in range(40):
        prompts = [random.Random(seed).randrange(200, 1_800) for _ in range(1_000)]  # noqa: S311 - no secret
        job = Job(account(usd=budget), prompts, honest, seed=seed).run()
        assert 0.985 * budget <= job.bill.usd <= 1.005 * budget
        exceeded += job.bill.usd > budget
    assert exceeded <= 4


def test_what_output_retries_may_need_is_kept_back_by_how_many_answers_do_not_fit() -> None:
    fits = {}
    for share in (0.0, 0.3, 0.9):
        learned = account(tokens=100_000 + 200 * (PROMPT + COMPLETION), output_retries=1)
        for number in range(200):
            learned.paid(PROMPT, None, PROMPT, COMPLETION)
            learned.answered(PROMPT)
            learned.judged(PROMPT, BESIDE if number % 10 < 10 * share else None)
        fits[share] = learned.fits([PROMPT] * 1_000)
    each, again = PROMPT + COMPLETION, PROMPT + BESIDE + COMPLETION
    assert 0.93 * 100_000 / each < fits[0.0] <= 100_000 / each
    assert 0.8 * 100_000 / (each + 0.3 * again) < fits[0.3] < 100_000 / (each + 0.3 * again)
    assert fits[0.9] < 100_000 / (each + 0.9 * again)


def test_an_answer_that_nobody_has_read_yet_may_need_an_output_retry() -> None:
    one = account(tokens=10**6, output_retries=1)
    free = one.fits([PROMPT] * 1_000)
    for _ in range(100):
        one.answered(PROMPT)
    assert one.fits([PROMPT] * 1_000) < free
    for _ in range(100):
        one.judged(PROMPT, None)
    assert one.fits([PROMPT] * 1_000) >= free


def test_an_output_retry_is_sent_with_the_money_that_was_kept_back_for_it() -> None:
    """Where a first question would not fit any more, since it might need one itself."""
    one = account(tokens=2_500, output_retries=1)
    assert one.fits([PROMPT]) == 0
    assert one.fits([PROMPT + BESIDE], [True]) == 1
    assert one.reason(PROMPT).endswith("tokens, output retries included")


@pytest.mark.parametrize("misfits", [0.1, 0.3, 0.6])
def test_a_budget_buys_hardly_an_answer_that_does_not_fit_and_is_asked_no_more(misfits: float) -> None:
    budget, unmended, without = 200 * EACH, 0, 0
    for seed in range(8):
        kept = MisfittingJob(account(usd=budget, output_retries=1), 1_000, misfits, seed=seed).run()
        spent = MisfittingJob(account(usd=budget), 1_000, misfits, seed=seed).run()
        assert 0.93 * budget <= kept.bill.usd <= 1.02 * budget
        unmended, without = unmended + kept.misfitting, without + spent.misfitting
    assert unmended < 0.2 * without
    assert without > 8 * 200 * misfits / 6


@given(st.floats(0, 1), st.integers(1, 5), st.integers(1, 60), st.integers(3, 200), st.integers(0, 1_000))
def test_a_budget_with_output_retries_is_exceeded_by_no_more_than_one_without(
    misfits: float, most: int, window: int, answers: int, seed: int
) -> None:
    """Every answer costs what is expected, so it is never exceeded."""
    budget = answers * EACH
    begun = account(usd=budget, sd=0.0, output_retries=most)
    job = MisfittingJob(begun, 300, misfits, most, window, seed).run()
    assert job.bill.usd <= budget + 1e-9
    assert begun.spent.usd == pytest.approx(job.bill.usd)


def test_a_price_list_of_half_the_true_price_hardly_matters() -> None:
    charged, budget = Prices(2 * LIST.prompt, 2 * LIST.completion), 600 * EACH
    job = Job(account(usd=budget), [PROMPT] * 1_000, honest, charged).run()
    assert 0.97 * budget <= job.bill.usd <= 1.01 * budget


def test_after_a_first_chunk_alone_even_wrong_assumptions_cost_little() -> None:
    for seed in range(60):
        chance = random.Random(seed)  # noqa: S311 - a repeatable stream, no secret
        mean, off, dearer = chance.randrange(1, 3_000), chance.uniform(0.3, 3.0), chance.uniform(0.1, 4.0)
        charged = Prices(dearer * LIST.prompt, dearer * LIST.completion)
        tokens = round(off * PROMPT), mean
        budget = 100 * charged.of(*tokens)
        begun = account(usd=budget, sd=COMPLETION)
        for _ in range(begun.fits([PROMPT] * 5)):
            begun.paid(PROMPT, charged.of(*tokens), *tokens)
        Job(begun, [PROMPT] * 200, lambda _chance, _prompt, tokens=tokens: tokens, charged, seed=seed).run()
        assert 0.9 * budget <= begun.spent.usd <= 1.02 * budget


def test_a_job_that_reports_no_cost_keeps_to_the_list() -> None:
    budget = 300 * EACH
    job = Job(account(usd=budget), [PROMPT] * 1_000, honest, reports_cost=False).run()
    assert 0.97 * budget <= job.bill.usd <= 1.01 * budget


def test_a_job_that_the_budget_pays_for_is_sent_as_a_whole() -> None:
    job = Job(account(usd=220 * EACH), [PROMPT] * 200, honest).run()
    assert job.sent == 200
