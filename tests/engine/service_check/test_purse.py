"""What is spent never passes the budget, whatever is answered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.service_check.purse import UNKNOWN_PRICES, Purse, Rates

USD = st.floats(0, 2, allow_nan=False)


@given(
    budget=USD,
    steps=st.lists(st.tuples(USD, st.floats(0, 1), st.sampled_from(["told", "silent", "refused"]))),
)
def test_what_was_spent_is_within_the_budget_and_no_less_than_it_was(
    budget: float, steps: list[tuple[float, float, str]]
) -> None:
    purse = Purse(budget)
    charged = 0.0
    for number, (worst, share, answer) in enumerate(steps):
        name = str(number)
        if not purse.has_room_for(worst):
            continue
        purse.put_aside(name, worst)
        if answer == "refused":
            purse.refused(name)
            continue
        charged += worst * share
        purse.note(name, {"cost": worst * share} if answer == "told" else {})
    assert charged <= purse.at_most_usd + 1e-9
    assert purse.reported_usd <= purse.at_most_usd <= budget + 1e-9


@given(amounts=st.lists(st.floats(1e-6, 1e-2), min_size=1, max_size=20))
def test_a_budget_that_is_a_sum_has_room_for_its_amounts_in_whatever_order(amounts: list[float]) -> None:
    purse = Purse(sum(amounts))
    for number, usd in enumerate(sorted(amounts)):
        assert purse.has_room_for(usd)
        purse.put_aside(str(number), usd)
    assert not purse.has_room_for(1e-6)


def test_an_answer_that_is_told_twice_is_counted_once() -> None:
    purse = Purse(1.0)
    purse.put_aside("a", 0.5)
    purse.note("a", {"cost": 0.2})
    purse.note("a", {"cost": 0.2})
    assert purse.reported_usd == purse.at_most_usd == 0.2


def test_a_model_without_a_price_is_taken_to_be_dearer_than_any() -> None:
    rates = Rates.of("nobody-knows", {})
    assert (rates.prompt, rates.completion) == UNKNOWN_PRICES
    assert Rates.of("m", {"m": (1e-6, 2e-6)}).said_by == "the API's price list"
    assert Rates.of("deepseek-v4-pro", {}).at_most(b"", 1_000_000) >= 1.922
