"""How many inferences a budget still pays for: decided from what came back and what is under way. Pure.

What is under way cannot be taken back, so an inference is sent only if what was spent, what is under way and it
itself are expected to stay within the budget, with two standard deviations to spare. Once nothing more is sent, the
total can exceed the budget only by as much as the answers then under way cost more than was expected of them, less
that margin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from runware_provider.engine.spending.picodollars import PICO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.spec import Budget

MARGIN_SD = 2.0
"""Standard deviations of the sum that are kept free."""
PRIOR_ANSWERS = 2
"""For how many answers the assumptions count that an account begins with."""
PRIOR_TOKENS = 1_000.0
"""For how many tokens of prompts the rule of thumb counts that estimates them."""
PRIOR_SPREAD = 0.2
"""By how much of itself an estimate of a prompt is off, until answers tell."""
RECENT = 0.95
"""What the latest prices still count for after one more answer: the last twenty answers, about."""
UNPRICED = 5
"""After so many answers without a price, where none is known, no price is expected any more."""
USD = "USD"


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


class _Limit(NamedTuple):
    """One of the budget's limits, with what a token costs of it."""

    unit: str
    most: float
    spent: float
    prompt: float
    completion: float

    def shown(self, amount: float) -> str:
        return f"{_digits(amount) if self.unit == USD else math.ceil(amount)} {self.unit}"

    @property
    def shown_most(self) -> str:
        in_cents = self.unit == USD and round(self.most, 2) == self.most
        return f"{f'{self.most:.2f}' if in_cents else f'{Decimal(repr(self.most)):f}'} {self.unit}"


class _Learned:
    """A weighted mean and its spread, one value after the other (D. H. D. West, CACM 22(9), 1979, after Welford)."""

    def __init__(self, mean: float, sd: float, weight: float) -> None:
        self.mean = mean
        self._weight = weight
        self._squared_weights = weight * weight / PRIOR_ANSWERS
        self._squares = sd * sd * weight

    def saw(self, value: float, weight: float = 1.0) -> None:
        self._weight += weight
        self._squared_weights += weight * weight
        off = value - self.mean
        self.mean += off * weight / self._weight
        self._squares += weight * off * (value - self.mean)

    def variance_of_sum(self, total: float, squares: float) -> float:
        """Of a sum of unknown values, weighted; `total` and `squares` are those of their weights.

        Beside each value's own spread it holds that of the mean, which is off for all of them alike.
        """
        variance = self._squares / self._weight
        return variance * (squares + total * total * self._squared_weights / self._weight**2)


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
    been. If nothing `fits` while something is under way, wait: it may cost less than expected. If nothing fits
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
    """

    def __init__(
        self,
        budget: Budget,
        prices: Prices | None,
        spent: Spend,
        completion_tokens: float,
        completion_sd: float,
    ) -> None:
        self._budget = budget
        priced = prices is not None and (prices.prompt > 0 or prices.completion > 0)
        self._prices = prices if prices is not None and priced else Prices(1.0, 1.0)
        self._charge = _Charge(listed=priced)
        self._spent_usd = spent.usd
        self._spent_tokens = float(spent.tokens)
        self._completion = _Learned(completion_tokens, completion_sd, PRIOR_ANSWERS)
        self._prompt_ratio = _Learned(1.0, PRIOR_SPREAD, PRIOR_TOKENS)
        self._under_way = _Load()
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

    def sent(self, prompt_estimate: int) -> None:
        """An inference is about to be sent, whose prompt has about so many tokens."""
        self._under_way = self._under_way.plus(prompt_estimate)

    def ended(self, prompt_estimate: int) -> None:
        """It is no longer under way, with an answer or without; `prompt_estimate` is the one it was sent with.

        Raises:
            ValueError: nothing is under way.
        """
        if not self._under_way.inferences:
            raise ValueError("an inference ended, and none was under way")
        self._under_way = self._under_way.minus(prompt_estimate)

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

    def exceeds(self, spend: Spend) -> str | None:
        """Why so much more is too much, in a sentence without its full stop; nothing if it is not."""
        for limit in self._limits():
            more = spend.usd if limit.unit == USD else spend.tokens
            if limit.spent + more > limit.most:
                spent = f", of which {limit.shown(limit.spent)} are spent" if limit.spent else ""
                return f"an estimated {limit.shown(more)} exceed the budget of {limit.shown_most}{spent}"
        return None

    def fits(self, next_prompts: Sequence[int]) -> int:
        """How many of the next inferences may be sent now, in this order.

        Args:
            next_prompts: estimated tokens of each one's prompt.
        """
        most = self._allowed_by_price(len(next_prompts))
        limits = self._limits()
        if self._within(limits, self._under_way.plus(*next_prompts[:most])):
            return most
        load = self._under_way
        for number in range(most):
            load = load.plus(next_prompts[number])
            if not self._within(limits, load):
                return number
        return most

    def reason(self, next_prompt: int = 0) -> str:
        """Why nothing more is sent, in a sentence without its full stop.

        Args:
            next_prompt: estimated tokens of the prompt that did not fit.
        """
        load, one = self._under_way, _Load().plus(next_prompt)
        limits = self._limits()
        if limits[0].unit == USD and self._unpriced and not self._charge.known:
            return (
                f"the budget of {limits[0].shown_most} cannot be kept: "
                "no price of the model is known, and its answers report no cost"
            )
        limit = max(
            limits, key=lambda each: (each.spent + self._may_cost(each, load.plus(next_prompt))) / each.most
        )
        used_up = f"the budget of {limit.shown_most} is used up: {limit.shown(limit.spent)} are spent"
        if load.inferences:
            who = "1 inference" if load.inferences == 1 else f"{load.inferences} inferences"
            return f"{used_up} and {who} under way may cost {limit.shown(self._may_cost(limit, load))}"
        cost = limit.shown(self._may_cost(limit, one))
        if limit.spent:
            return f"{used_up} and the next inference may cost {cost}"
        return f"the budget of {limit.shown_most} does not pay for one inference, which may cost {cost}"

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
        return 0 if self._under_way.inferences or self._unpriced >= UNPRICED else min(1, wanted)

    def _within(self, limits: Sequence[_Limit], load: _Load) -> bool:
        return all(limit.spent + self._may_cost(limit, load) <= limit.most for limit in limits)

    def _may_cost(self, limit: _Limit, load: _Load) -> float:
        """What is expected, and a margin."""
        expected = limit.prompt * self._prompt_ratio.mean * load.prompts
        expected += limit.completion * self._completion.mean * load.inferences
        variance = limit.prompt**2 * self._prompt_ratio.variance_of_sum(load.prompts, load.squares)
        variance += limit.completion**2 * self._completion.variance_of_sum(load.inferences, load.inferences)
        return expected + MARGIN_SD * math.sqrt(variance)

    def _expected(self, load: _Load) -> Spend:
        prompt = self._prompt_ratio.mean * load.prompts
        completion = self._completion.mean * load.inferences
        return Spend(
            self._charge.factor * self._prices.of(prompt, completion), math.ceil(prompt + completion)
        )


def shares(budget: Budget, weights: Sequence[float]) -> list[Budget | None]:
    """Deal a budget out in proportion to weights, such as the estimated tokens of each batch.

    Tokens are dealt out whole, USD in whole pico-dollars, so that the shares sum up to the budget (USD as exactly
    as a double holds them: to the pico-dollar up to 8000 USD). What remains after rounding down goes to the largest
    remainders. A greater weight never gets less.

    Returns:
        One budget for each weight; None is no budget but nothing to spend: the weight is 0, or so small that
        nothing of a limit is left for it.

    Raises:
        ValueError: a weight is negative or not finite.
    """
    if not all(0 <= weight < math.inf for weight in weights):
        raise ValueError("a weight is negative or not finite")
    exact = [Fraction(weight) for weight in weights]
    changes: list[dict[str, float]] = [{} for _ in exact]
    if budget.usd is not None:
        for change, picos in zip(changes, _dealt(int(Fraction(repr(budget.usd)) * PICO), exact), strict=True):
            change["usd"] = picos / PICO
    if budget.tokens is not None:
        for change, tokens in zip(changes, _dealt(budget.tokens, exact), strict=True):
            change["tokens"] = tokens
    return [budget.model_copy(update=change) if all(change.values()) else None for change in changes]


def _dealt(whole: int, weights: Sequence[Fraction]) -> list[int]:
    """By largest remainder; of equal ones the first."""
    total = sum(weights)
    if not total:
        return [0] * len(weights)
    exact = [whole * weight / total for weight in weights]
    dealt = [math.floor(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda index: dealt[index] - exact[index])
    for index in by_remainder[: whole - sum(dealt)]:
        dealt[index] += 1
    return dealt


def _digits(usd: float) -> str:
    """Four decimals, or two digits where these would show nothing."""
    if usd == 0 or usd >= 0.001:
        return f"{usd:.4f}"
    return f"{usd:.{1 - math.floor(math.log10(usd))}f}"
