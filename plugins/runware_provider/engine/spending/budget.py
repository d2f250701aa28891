"""How many inferences a budget still pays for: decided from what came back and what is under way. Pure.

What is under way cannot be taken back, so an inference is sent only if what was spent, what is under way and it
itself are expected to stay within the budget, with two standard deviations to spare. Once nothing more is sent, the
total can exceed the budget only by as much as the answers then under way cost more than was expected of them, less
that margin.

Answers that do not fit may be asked again (`kept_back`): what that will come to, for the answers under way and the one
to be sent, is kept back, so that money is not spent on answers that nobody can have mended.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from runware_provider.engine.money import usd
from runware_provider.engine.spending.kept_back import KeptBack
from runware_provider.engine.spending.learned import PRIOR_ANSWERS, Learned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.spec import Budget

MARGIN_SD = 2.0
"""Standard deviations of the sum that are kept free."""
PRIOR_TOKENS = 1_000.0
"""For how many tokens of prompts the rule of thumb counts that estimates them."""
PRIOR_SPREAD = 0.2
"""By how much of itself an estimate of a prompt is off, until answers tell."""
RECENT = 0.95
"""What the latest prices still count for after one more answer: the last twenty answers, about."""
UNPRICED = 5
"""After so many answers without a price, where none is known, no price is expected any more."""
USD = "USD"
NEXT_TO_NOTHING_USD = 1e-12
"""What a budget is that is spent: none would bound nothing."""


@dataclass(frozen=True, slots=True)
class Prices:
    """USD per token."""

    prompt: float
    completion: float

    def of(self, prompt_tokens: float, completion_tokens: float) -> float:
        """USD."""
        return self.prompt * prompt_tokens + self.completion * completion_tokens


@dataclass(frozen=True, slots=True)
class Spend:
    """Money and tokens, prompts and completions together."""

    usd: float = 0.0
    tokens: int = 0

    def __add__(self, other: Spend) -> Spend:
        return Spend(self.usd + other.usd, self.tokens + other.tokens)


class _Load(NamedTuple):
    """Inferences as far as their cost depends on them: how many, their prompts' estimates, the squares of these."""

    inferences: int = 0
    prompts: int = 0
    squares: int = 0

    def plus(self, *prompts: int) -> _Load:
        return self._moved(1, prompts)

    def minus(self, *prompts: int) -> _Load:
        return self._moved(-1, prompts)

    def _moved(self, sign: int, prompts: Sequence[int]) -> _Load:
        return _Load(
            self.inferences + sign * len(prompts),
            self.prompts + sign * sum(prompts),
            self.squares + sign * sum(prompt * prompt for prompt in prompts),
        )


class _Ahead(NamedTuple):
    """What is still to be paid for."""

    under_way: _Load = _Load()
    first: _Load = _Load()
    """First answers that are under way or not judged yet: they may need output retries."""
    again: _Load = _Load()
    """Answers to output retries, likewise."""

    def sent(self, prompt: int, *, output_retry: bool) -> _Ahead:
        return self._replace(under_way=self.under_way.plus(prompt)).open(prompt, output_retry=output_retry)

    def ended(self, prompt: int, *, output_retry: bool) -> _Ahead:
        return self._replace(under_way=self.under_way.minus(prompt)).closed(prompt, output_retry=output_retry)

    def open(self, prompt: int, *, output_retry: bool) -> _Ahead:
        if output_retry:
            return self._replace(again=self.again.plus(prompt))
        return self._replace(first=self.first.plus(prompt))

    def closed(self, prompt: int, *, output_retry: bool) -> _Ahead:
        if output_retry:
            return self._replace(again=self.again.minus(prompt))
        return self._replace(first=self.first.minus(prompt))


class _Limit(NamedTuple):
    """One of the budget's limits, with what a token costs of it."""

    unit: str
    most: float
    spent: float
    prompt: float
    completion: float

    def shown(self, amount: float) -> str:
        return usd(amount) if self.unit == USD else f"{math.ceil(amount):,} {self.unit}"

    @property
    def budget(self) -> str:
        # A run that has spent all of its budget elsewhere goes on with next to none.
        if self.unit == USD and self.most <= NEXT_TO_NOTHING_USD:
            return "the budget, of which nothing is left,"
        return f"the budget of {self.shown(self.most)}"


class _Charge:
    """What is charged, as a multiple of the list price; without a list, USD per token, once it is known.

    A list that is too low must not let the bill run over, so the highest holds of: the list, what was charged
    so far, and what was charged of late, since a price may rise. A charge below the list (cached prompts) is
    never counted on: it shows in what was spent, and only what is under way is priced too high, for a while.
    """

    def __init__(self, *, listed: bool) -> None:
        self._least = 1.0 if listed else 0.0
        self.known = listed
        self.factor = self._least
        self._charged = self._listed = 0.0
        self._recently_charged = self._recently_listed = 0.0

    def saw(self, charged: float, listed: float) -> None:
        if listed <= 0:
            return
        self.known = True
        self._charged += charged
        self._listed += listed
        self._recently_charged = RECENT * self._recently_charged + charged
        self._recently_listed = RECENT * self._recently_listed + listed
        recent = self._recently_charged / self._recently_listed
        self.factor = max(self._least, self._charged / self._listed, recent)


class Account:
    """What a budget has paid, is paying and can still pay.

    `sent` before an inference is on its way, `ended` when it no longer is, `paid` when it was billed or may have
    been; `answered` when an answer came, and `judged` when it was read. If nothing `fits` while something is under way, wait: it may cost less than expected. If nothing fits
    and nothing is under way, the budget is used up, and `reason` says so.

    Assumptions that are far off cost as much as is sent upon them, so a first chunk of a few inferences should go
    alone: what they cost corrects price and lengths.

    Without a price list, a budget in USD sends one inference at a time until the first charge tells the price
    per token; after a few answers without one it sends nothing more, since it could not be kept.

    Args:
        budget: the limits; both hold, where both are given.
        prices: the list price, corrected upwards by what is charged; nothing, or zeros, where none is known.
        spent: what counts against the budget already.
        completion_tokens: expected of an answer, worth two answers as evidence.
        completion_sd: its standard deviation.
        output_retries: of one question, at most.
    """

    def __init__(  # noqa: PLR0913 - each a fact of its own
        self,
        budget: Budget,
        prices: Prices | None,
        spent: Spend,
        completion_tokens: float,
        completion_sd: float,
        *,
        output_retries: int = 0,
    ) -> None:
        self._budget = budget
        priced = prices is not None and (prices.prompt > 0 or prices.completion > 0)
        self._prices = prices if prices is not None and priced else Prices(1.0, 1.0)
        self._charge = _Charge(listed=priced)
        self._spent_usd = spent.usd
        self._spent_tokens = float(spent.tokens)
        self._completion = Learned(completion_tokens, completion_sd, PRIOR_ANSWERS)
        self._prompt_ratio = Learned(1.0, PRIOR_SPREAD, PRIOR_TOKENS)
        self._ahead = _Ahead()
        self._kept_back = KeptBack(output_retries)
        self._unpriced = 0
        self._unpriced_listed = 0.0

    @property
    def spent(self) -> Spend:
        """What counts against the budget, what was counted as expected included."""
        return Spend(self._spent_usd, math.ceil(self._spent_tokens))

    @property
    def exhausted(self) -> bool:
        """Whether not even the shortest prompt may be sent now; final only when nothing is under way."""
        return not self.fits((0,))

    def sent(self, prompt_estimate: int, *, output_retry: bool = False) -> None:
        """An inference is about to be sent, whose prompt has about so many tokens."""
        self._ahead = self._ahead.sent(prompt_estimate, output_retry=output_retry)

    def ended(self, prompt_estimate: int, *, output_retry: bool = False) -> None:
        """It is no longer under way, with an answer or without; what is said of it is what was said when it was sent.

        Raises:
            ValueError: nothing is under way.
        """
        if not self._ahead.under_way.inferences:
            raise ValueError("an inference ended, and none was under way")
        self._ahead = self._ahead.ended(prompt_estimate, output_retry=output_retry)

    def answered(self, prompt_estimate: int, *, output_retry: bool = False) -> None:
        """It ended with an answer, which may have to be asked again: nobody knows before it is `judged`."""
        self._ahead = self._ahead.open(prompt_estimate, output_retry=output_retry)

    def judged(self, prompt_estimate: int, beside_tokens: int | None, *, output_retry: bool = False) -> None:
        """An answer was read.

        Args:
            prompt_estimate: as it was sent with.
            beside_tokens: what asking again says beside the prompt, by estimate; None where nothing is asked again.
            output_retry: whether it was the answer to one.
        """
        self._ahead = self._ahead.closed(prompt_estimate, output_retry=output_retry)
        self._kept_back.judged(beside_tokens, output_retry=output_retry)

    def paid(
        self,
        prompt_estimate: int,
        usd: float | None,
        prompt_tokens: int | None,
        completion_tokens: int | None,
    ) -> None:
        """An inference was billed, or may have been.

        What was not reported counts as expected: the cost by the list price of its tokens and what is usually
        charged on top, the tokens by what others had. Only what was reported is learned from.

        Args:
            prompt_estimate: tokens that its prompt was estimated at.
            usd: what was charged.
            prompt_tokens: tokens of the prompt, as counted by the API.
            completion_tokens: tokens of the answer.
        """
        prompt = self._prompt_ratio.mean * prompt_estimate if prompt_tokens is None else prompt_tokens
        completion = self._completion.mean if completion_tokens is None else completion_tokens
        self._spent_tokens += prompt + completion
        self._pay(usd, self._prices.of(prompt, completion))
        if prompt_tokens is not None and prompt_estimate > 0:
            self._prompt_ratio.saw(prompt_tokens / prompt_estimate, prompt_estimate)
        if completion_tokens is not None:
            self._completion.saw(completion_tokens)

    def _pay(self, usd: float | None, listed: float) -> None:
        if usd is not None and 0 <= usd < math.inf:
            self._spent_usd += usd
            self._charge.saw(usd, listed)
        elif self._charge.known:
            self._spent_usd += self._charge.factor * listed
        else:
            self._unpriced += 1
            self._unpriced_listed += listed
        if self._charge.known and self._unpriced_listed:
            self._spent_usd += self._charge.factor * self._unpriced_listed
            self._unpriced_listed = 0.0

    def estimate(self, prompts_total_tokens: int, inferences: int) -> Spend:
        """Of so many inferences together; their USD are 0 as long as no price is known."""
        return self._expected(_Load(inferences, prompts_total_tokens))

    def reserve(self, prompts_total_tokens: int, inferences: int) -> Spend:
        """What has to be free for so many inferences at once: what is expected of them and of their output retries, and the margin.

        Args:
            prompts_total_tokens: of all their prompts together, by estimate; they count as equally long.
            inferences: how many there are.
        """
        if not inferences:
            return Spend()
        load = _Load(inferences, prompts_total_tokens, round(prompts_total_tokens**2 / inferences))
        ahead = _Ahead(under_way=load, first=load)
        costs = {limit.unit: self._may_cost(limit, ahead) for limit in self._limits()}
        return Spend(costs.get(USD, 0.0), math.ceil(costs.get("tokens", 0.0)))

    def exceeds(self, spend: Spend) -> str | None:
        """Why so much more is too much, in a sentence without its full stop; nothing if it is not."""
        for limit in self._limits():
            more = spend.usd if limit.unit == USD else spend.tokens
            if limit.spent + more > limit.most:
                spent = f", of which {limit.shown(limit.spent)} are spent" if limit.spent else ""
                return f"an estimated {limit.shown(more)} exceed {limit.budget.rstrip(',')}{spent}"
        return None

    def fits(self, next_prompts: Sequence[int], output_retries: Sequence[bool] = ()) -> int:
        """How many of the next inferences may be sent now, in this order.

        Args:
            next_prompts: estimated tokens of each one's prompt.
            output_retries: which of them are some; without it, none.
        """
        most = self._allowed_by_price(len(next_prompts))
        limits, ahead = self._limits(), self._ahead
        steps: list[_Ahead] = []
        for number, prompt in enumerate(next_prompts[:most]):
            ahead = ahead.sent(prompt, output_retry=bool(output_retries) and output_retries[number])
            steps.append(ahead)
        if not steps or self._within(limits, ahead):
            return most
        return next(number for number, step in enumerate(steps) if not self._within(limits, step))

    def reason(self, next_prompt: int = 0) -> str:
        """Why nothing more is sent, in a sentence without its full stop.

        Args:
            next_prompt: estimated tokens of the prompt that did not fit.
        """
        ahead, alone = self._ahead, _Ahead().sent(next_prompt, output_retry=False)
        limits = self._limits()
        if limits[0].unit == USD and self._unpriced and not self._charge.known:
            return (
                f"{limits[0].budget} cannot be kept: "
                "no price of the model is known, and its answers report no cost"
            )
        with_next = ahead.sent(next_prompt, output_retry=False)
        limit = max(limits, key=lambda each: (each.spent + self._may_cost(each, with_next)) / each.most)
        used_up = f"{limit.budget} is used up: {limit.shown(limit.spent)} are spent"
        retries = ", output retries included" if self._kept_back.most else ""
        under_way = ahead.under_way.inferences
        if under_way:
            who = "1 inference" if under_way == 1 else f"{under_way} inferences"
            return (
                f"{used_up} and {who} under way may cost {limit.shown(self._may_cost(limit, ahead))}{retries}"
            )
        cost = f"{limit.shown(self._may_cost(limit, alone))}{retries}"
        if limit.spent:
            return f"{used_up} and the next inference may cost {cost}"
        return f"{limit.budget} does not pay for one inference, which may cost {cost}"

    def _limits(self) -> list[_Limit]:
        limits = []
        if self._budget.usd is not None:
            each = self._charge.factor * self._prices.prompt, self._charge.factor * self._prices.completion
            limits.append(_Limit(USD, self._budget.usd, self._spent_usd, *each))
        if self._budget.tokens is not None:
            limits.append(_Limit("tokens", self._budget.tokens, self._spent_tokens, 1.0, 1.0))
        return limits

    def _allowed_by_price(self, wanted: int) -> int:
        if self._budget.usd is None or self._charge.known:
            return wanted
        return 0 if self._ahead.under_way.inferences or self._unpriced >= UNPRICED else min(1, wanted)

    def _within(self, limits: Sequence[_Limit], ahead: _Ahead) -> bool:
        return all(limit.spent + self._may_cost(limit, ahead) <= limit.most for limit in limits)

    def _may_cost(self, limit: _Limit, ahead: _Ahead) -> float:
        """What is expected of what is under way, and of the output retries that it will need, and a margin."""
        load = ahead.under_way
        expected = limit.prompt * self._prompt_ratio.mean * load.prompts
        expected += limit.completion * self._completion.mean * load.inferences
        variance = limit.prompt**2 * self._prompt_ratio.variance_of_sum(load.prompts, load.squares)
        variance += limit.completion**2 * self._completion.variance_of_sum(load.inferences, load.inferences)
        for answers, reckoned in (
            (ahead.first, self._kept_back.after_first(ahead.first.inferences)),
            (ahead.again, self._kept_back.after_retry(ahead.again.inferences)),
        ):
            if answers.inferences:
                each = self._output_retry_cost(limit, answers)
                expected += each * reckoned.mean
                variance += each * each * reckoned.variance
        return expected + MARGIN_SD * math.sqrt(variance)

    def _output_retry_cost(self, limit: _Limit, answers: _Load) -> float:
        """What asking again about one of these answers is expected to cost."""
        prompt = answers.prompts / answers.inferences + self._kept_back.beside_tokens
        return limit.prompt * self._prompt_ratio.mean * prompt + limit.completion * self._completion.mean

    def _expected(self, load: _Load) -> Spend:
        prompt = self._prompt_ratio.mean * load.prompts
        completion = self._completion.mean * load.inferences
        return Spend(
            self._charge.factor * self._prices.of(prompt, completion), math.ceil(prompt + completion)
        )
