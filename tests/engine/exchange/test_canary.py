"""The first chunk: what of its verdicts counts, and when."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.exchange.canary import RECORDS, Canary
from runware_provider.engine.exchange.inference import Inference
from runware_provider.engine.identity import Key


def inference(number: int) -> Inference:
    return Inference(Key(number.to_bytes(16, "big"), 0, 0), (), 0, 1, 0, f"uuid {number}", sent_at=1.0)


def answered(one: Inference) -> tuple[Inference, Entry]:
    return one, one.entry(Kind.ANSWERED)


def refused(one: Inference, code: str = "invalidModel") -> tuple[Inference, Entry]:
    return one, one.entry(Kind.ERROR, family="validation", code=code, message="said so")


def failed(one: Inference) -> tuple[Inference, Entry]:
    return one, one.entry(Kind.ERROR, family="server", code="internalServerError", message="said so")


def opened(number: int = RECORDS) -> tuple[Canary, list[Inference]]:
    canary, members = Canary(), [inference(place) for place in range(number)]
    canary.add(members)
    return canary, members


@pytest.mark.parametrize("number", [1, RECORDS])
def test_what_is_refused_alike_for_all_is_a_fault_of_the_request_and_stops_the_job(number: int) -> None:
    canary, members = opened(number)
    for member in members[:-1]:
        held_back = canary.let_through([refused(member)], proven=False)
        assert not held_back.verdicts
        assert held_back.stop is None
    through = canary.let_through([refused(members[-1])], proven=False)
    assert through.stop is not None
    assert "invalidModel: said so" in str(through.stop)
    assert not through.verdicts, "the records keep their chance"
    assert [entry.kind for entry in through.rejections] == [Kind.REJECTED] * number


def test_an_accepted_task_that_failed_like_all_others_keeps_its_uuid_and_its_error() -> None:
    canary, members = opened()
    for member in members:
        member.accepted = True
    through = canary.let_through([refused(member) for member in members], proven=False)
    assert [entry.kind for entry in through.rejections] == [Kind.SPENT] * RECORDS


def test_one_answer_shows_that_the_request_is_well_and_refusals_count() -> None:
    canary, members = opened()
    assert not canary.let_through([refused(member) for member in members[:3]], proven=False).verdicts
    through = canary.let_through([answered(members[3])], proven=False)
    assert [one for one, _ in through.verdicts] == [members[3], *members[:3]]
    assert not canary.open


def test_refusals_for_several_reasons_are_about_their_records() -> None:
    canary, members = opened()
    codes = ["invalidModel"] * 4 + ["contentTooLong"]
    verdicts = [refused(member, code) for member, code in zip(members, codes, strict=True)]
    through = canary.let_through(verdicts, proven=False)
    assert through.stop is None
    assert through.verdicts == verdicts


def test_failures_of_another_kind_pass_at_once_and_show_nothing() -> None:
    canary, members = opened()
    assert canary.let_through([failed(members[0])], proven=False).verdicts == [failed(members[0])]
    assert canary.open
    through = canary.let_through([refused(member) for member in members[1:]], proven=False)
    assert through.stop is None, "one of them did not fail alike"


def test_where_a_request_like_these_was_answered_before_nothing_is_held_back() -> None:
    canary, members = opened()
    assert canary.let_through([refused(members[0])], proven=True).verdicts == [refused(members[0])]


def test_nobody_waits_for_what_is_not_sent_for_want_of_money() -> None:
    canary, members = opened()
    canary.let_through([refused(member) for member in members[:2]], proven=False)
    assert canary.gives_up(members[2:]).stop is not None, "all that were sent were refused alike"


@given(
    st.lists(
        st.tuples(st.integers(0, RECORDS + 2), st.sampled_from(["answered", "refused", "other", "failed"])),
        unique_by=lambda told: told[0],
    ),
    st.booleans(),
)
def test_each_verdict_counts_once_or_is_kept_in_its_place_or_waits_for_others(
    told: list[tuple[int, str]],
    proven: bool,  # noqa: FBT001 - drawn
) -> None:
    canary, members = opened()
    everybody = [*members, *(inference(place) for place in range(RECORDS, RECORDS + 3))]
    make: dict[str, Any] = {
        "answered": answered,
        "refused": refused,
        "other": lambda one: refused(one, "another"),
        "failed": failed,
    }
    counted: list[Inference] = []
    kept = 0
    for place, kind in told:
        through = canary.let_through([make[kind](everybody[place])], proven=proven)
        counted += [one for one, _ in through.verdicts]
        kept += len(through.rejections)
        if through.stop is not None:
            assert kept == RECORDS
            assert not proven
    assert len(counted) == len(set(counted))
    waiting = len(told) - len(counted) - kept
    assert waiting == 0 or (canary.open and waiting < RECORDS)
