"""The files of an inbox: what came is read as it came, and whatever is damaged says so."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.inbox.calls import Call, decoded, encoded, file_name, is_file_of_calls

bodies = st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))


@given(st.lists(st.builds(Call, at_ms=st.integers(0, 2**50), body=bodies), max_size=5))
def test_calls_are_read_as_they_came(calls: list[Call]) -> None:
    assert decoded(encoded(calls), "a.inbox") == calls


@given(st.binary(max_size=200))
def test_whatever_a_file_holds_it_is_read_or_told_as_damaged(content: bytes) -> None:
    with pytest.raises(StateUnreadable, match="is damaged; remove it"):
        decoded(content, "a.inbox")


@pytest.mark.parametrize(
    "line", [{}, {"at": 1}, {"at": "x", "body": ""}, {"at": 1, "body": None}, [], None, "text"]
)
def test_a_line_that_is_no_call_is_damage(line: object) -> None:
    content = encoded([]) + json.dumps(line).encode()
    with pytest.raises(StateUnreadable, match="is damaged; remove it"):
        decoded(content, "a.inbox")


@pytest.mark.parametrize("at", ["1e999", "-1e999", "NaN", "1" + "0" * 400, "9007199254740992", "-1"])
def test_a_number_that_is_no_moment_is_damage(at: str) -> None:
    content = encoded([]) + f'{{"at": {at}, "body": "{{}}"}}\n'.encode()
    with pytest.raises(StateUnreadable, match="is damaged; remove it"):
        decoded(content, "a.inbox")


def test_a_file_of_a_newer_version_says_so() -> None:
    with pytest.raises(StateUnreadable, match="by a newer version; update the plugin"):
        decoded(b'{"inbox": 2}\n', "a.inbox")


def test_names_are_in_the_order_of_arrival_and_known_again() -> None:
    names = [file_name(at, "0a1b2c3d", number) for at, number in ((999, 7), (1_764_500_000_000, 2))]
    assert names == sorted(names)
    assert all(map(is_file_of_calls, names))
    for other in ("00000001.segment", "../" + names[0], names[0] + ".tmp", "x" + names[0]):
        assert not is_file_of_calls(other)
