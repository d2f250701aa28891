from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.exchange.ceiling import Ceiling


def refused_at(number: int) -> Ceiling:
    ceiling = Ceiling()
    ceiling.refused(10, number)
    return ceiling


def answers(ceiling: Ceiling, number: int) -> None:
    for _ in range(number):
        ceiling.answered()


def test_there_is_none_before_a_refusal() -> None:
    ceiling = Ceiling()
    assert ceiling.at is None
    assert ceiling.probe() is None
    assert not ceiling.accepted(1_000)


def test_a_refusal_out_of_the_blue_does_not_stop_the_search_for_room() -> None:
    assert refused_at(40).probe() == 41


def test_probes_that_are_accepted_become_larger() -> None:
    ceiling, tried = refused_at(40), []
    while (probe := ceiling.probe()) is not None:
        tried.append(probe)
        assert ceiling.accepted(probe)
    assert tried == [41, 43, 47, 55, 71, 103, 167]


def test_probes_do_not_go_on_without_a_look_at_the_latency() -> None:
    ceiling = refused_at(40)
    while (probe := ceiling.probe()) is not None:
        ceiling.accepted(probe)
    ceiling.kept()
    assert ceiling.probe() is not None


def test_a_probe_that_was_refused_has_to_be_earned_again() -> None:
    ceiling = refused_at(40)
    assert ceiling.probe() == 41
    ceiling.refused(1, 40)
    assert ceiling.probe() is None
    answers(ceiling, 400)
    assert ceiling.probe() == 41


def test_few_slots_earn_a_probe_by_time() -> None:
    ceiling = refused_at(4)
    ceiling.probe()
    ceiling.refused(1, 4)
    for _ in range(4):
        ceiling.kept()
    assert ceiling.probe() == 5


def test_what_is_refused_because_slots_were_taken_away_is_not_owed_for_long() -> None:
    ceiling = refused_at(40)
    ceiling.probe()
    for under_way in range(40, 10, -1):
        ceiling.refused(1, under_way)
    for _ in range(7):
        ceiling.kept()
    assert ceiling.probe() == 12


@given(
    st.lists(
        st.tuples(st.sampled_from(["answered", "kept", "probe", "refused", "accepted"]), st.integers(0, 500))
    )
)
def test_whatever_happens_a_probe_is_above_the_ceiling_and_that_at_least_one(
    events: list[tuple[str, int]],
) -> None:
    ceiling = Ceiling()
    for kind, number in events:
        if kind == "refused":
            assert ceiling.refused(1, number) == ceiling.at == max(1, number)
        elif kind == "accepted":
            ceiling.accepted(number)
        elif kind == "probe":
            probe = ceiling.probe()
            assert probe is None or (ceiling.at is not None and probe > ceiling.at >= 1)
        else:
            getattr(ceiling, kind)()
