"""What was meant to be sent and never was: a run that ends in good order takes it back, one that is killed leaves a doubt."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.attempt import WITHDRAWN, Attempt, Entry, History, Kind
from runware_provider.engine.errors import BudgetExhausted, Interrupted, TooManyFailed
from runware_provider.engine.exchange.inference import Inference
from runware_provider.engine.identity import Key
from runware_provider.engine.memory.ledger_index import LedgerIndex
from runware_provider.engine.outcome.standing import Standing, standing
from runware_provider.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

SHORT = {"usd": 0.002, "when_short": "partial"}
LOOKS = 100_000


async def stopped_in_good_order(place: Any) -> dict[str, Any]:
    """Interrupted with ten inferences answered or under way, and many more that were about to be sent."""
    stop = asyncio.Event()
    run = asyncio.create_task(place.run(stop=stop, limits={"max_outstanding": 10}))
    for _ in range(LOOKS):
        if await asyncio.to_thread(place.executed) > 10:
            break
    stop.set()
    with pytest.raises(Interrupted) as stopped:
        await run
    return dict(stopped.value.manifest)


@pytest.mark.parametrize("days", [4])
async def test_a_daily_budget_goes_on_from_what_the_day_before_left_and_nothing_that_was_never_sent_fails(
    place: Any, days: int
) -> None:
    place.fill(300)
    answered = [0]
    for day in range(days):
        manifest = await place.run(budget=SHORT, failures={"most": 0.1}, run=f"day {day}")
        assert set(manifest["outcomes"]) == {"succeeded", "skipped"}
        answered.append(manifest["outcomes"]["succeeded"])
        assert (manifest["maybe_billed"], manifest["unpriced_tasks"]) == (0, [])
        assert place.executed() == answered[-1] > answered[-2]


async def test_what_an_interrupted_run_never_sent_is_to_be_paid_and_not_in_doubt(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(latency=0.2)
    place.fill(200)
    stopped = await stopped_in_good_order(place)
    planned = place.plan()
    assert planned["fate_unknown"] == stopped["still_at_vendor"] <= 10
    assert planned["to_pay"] == 200 - planned["answered_before"] - planned["fate_unknown"]
    manifest = await place.run()
    assert (manifest["outcomes"], manifest["maybe_billed"], place.executed()) == ({"succeeded": 200}, 0, 200)


async def test_an_estimate_counts_what_a_short_budget_left(place: Any) -> None:
    place.fill(200)
    done = (await place.run(budget=SHORT))["outcomes"]["succeeded"]
    assert (place.plan()["to_pay"], place.plan()["fate_unknown"]) == (200 - done, 0)
    with pytest.raises(BudgetExhausted, match="nothing was sent"):
        await place.run(budget={"usd": 0.004})
    assert place.executed() == done


async def test_a_refresh_that_the_budget_cut_short_is_not_paid_by_the_next_plain_run(place: Any) -> None:
    place.fill(150)
    await place.run()
    manifest = await place.run(refresh="r1", budget=SHORT)
    assert manifest["outcomes"] == {"succeeded": 150}
    paid = place.executed()
    assert 150 < paid < 200
    assert (await place.run())["paid_inferences"] == 0
    assert place.executed() == paid
    # The wish goes on where it was.
    assert (await place.run(refresh="r1"))["paid_inferences"] == 300 - paid
    assert place.executed() == 300


async def test_a_refresh_that_failed_too_often_is_not_paid_by_the_next_plain_run(place: Any) -> None:
    place.fill(400)
    await place.run()
    place.server.script(Fault("break_schema"))
    with pytest.raises(TooManyFailed):
        await place.run(refresh="bad day", failures={"most": 0.1})
    place.server.clear_faults()
    paid = place.executed()
    await place.run()
    assert place.executed() == paid < 600


async def test_a_refresh_that_was_killed_is_not_paid_by_a_run_without_the_wish(place: Any) -> None:
    place.fill(60)
    await place.run()
    frozen = Fault("delay_request", task_type="textInference", seconds=100.0)
    await asyncio.to_thread(place.kill_at, frozen, *place.arguments("run", refresh="r1"))
    manifest = await place.run()
    assert (manifest["outcomes"], manifest["paid_inferences"]) == ({"succeeded": 60}, 0)
    assert place.executed() == 60
    assert (await place.run(refresh="r1"))["paid_inferences"] == 60
    assert place.executed() == 120


@pytest.mark.parametrize("wish", [{"retry_failed": "w1"}, {"refresh": "w1"}])
async def test_rows_that_the_budget_does_not_reach_anew_keep_what_they_had(
    place: Any, wish: dict[str, str]
) -> None:
    place.fill(30)
    place.server.script(Fault("break_schema", times=12))
    await place.run()
    place.server.clear_faults()
    failures = place.root / "failures"
    budget = {"usd": 0.0003, "when_short": "partial"}
    manifest = await place.run(**wish, budget=budget, failures={"dataset": str(failures)})
    again = place.executed() - 30
    assert 0 < again < 12
    left = manifest["outcomes"]["invalid"]
    assert 12 - again <= left < 12
    assert manifest["outcomes"] == {"invalid": left, "succeeded": 30 - left}
    assert len(place.rows(failures)) == left
    assert {row["inference"]["error_code"] for row in place.rows(failures)} == {"schema"}
    assert manifest["inferences"] == 30
    # And the next run finds the same, for nothing.
    assert (await place.run())["outcomes"] == manifest["outcomes"]
    assert place.executed() == 30 + again


# what the ledger says of it

KEY = Key(b"f" * 16, 0, 0)


def known(*said: tuple[int, Kind, str | None]) -> Standing:
    return standing(
        History(0, tuple(Attempt(number, kind, family, 0, 0) for number, kind, family in said)), 3
    )


def test_a_withdrawn_attempt_is_as_good_as_never_begun() -> None:
    seen = known((1, Kind.REJECTED, WITHDRAWN))
    assert (seen.attempt, seen.fate_unknown, seen.begun, seen.rejected) == (1, False, False, False)
    after_an_error = known((1, Kind.ERROR, "provider"), (2, Kind.REJECTED, WITHDRAWN))
    assert (after_an_error.attempt, after_an_error.fate_unknown) == (2, False)


def test_what_is_sent_after_a_withdrawal_says_so_since_a_plain_intent_would_not_hold() -> None:
    one = Inference(KEY, (), 0, 1, 0, "", withdrawn=True)
    assert (one.intent().kind, one.withdrawal().kind) == (Kind.SENT_AGAIN, Kind.REJECTED)
    sent = known((1, Kind.SENT_AGAIN, None))
    assert (sent.fate_unknown, sent.sent_again) == (True, True)


def entry_of(kind: Kind, generation: int, family: str | None = None) -> Entry:
    return Entry(Key(KEY.fingerprint, 0, generation), 1, kind, family=family)


def test_generations_can_be_looked_at_one_by_one() -> None:
    index = LedgerIndex()
    entries = [entry_of(Kind.ANSWERED, 0), entry_of(Kind.REJECTED, 1, WITHDRAWN), entry_of(Kind.INTENT, 3)]
    index.add(entries, [(0, row) for row in range(3)], copied=[False] * 3, fresh=[False] * 3)
    asked = [(KEY.fingerprint, 0)]
    seen = [index.histories(asked, *between)[0] for between in [(0, None), (0, 3), (0, 1), (2, 3)]]
    assert [None if one is None else one.generation for one in seen] == [3, 1, 0, None]
