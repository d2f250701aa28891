"""Who may call: a URL opens the one task that it was given out for, until it expires."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.inbox.addresses import Claim, HookAddress, claim

if TYPE_CHECKING:
    import uuid

SECRET = b"a secret of at least thirty-two bytes"
OTHER = b"another secret of as many bytes, too"
INBOX = "0123456789abcdef"
TASK = "6a1f9a3e-6f0e-4a9b-8a45-0d3a5e1f7c11"
EXPIRES_AT = 2_000_000_000
NOW = EXPIRES_AT - 1.0


def query_of(address: HookAddress, task: str = TASK, expires_at: int = EXPIRES_AT) -> bytes:
    return urlsplit(address.of(task, expires_at)).query.encode("ascii")


def claimed(query: bytes) -> Claim:
    said = claim(query)
    assert said is not None
    return said


@pytest.fixture
def address() -> HookAddress:
    return HookAddress("https://airflow.example.com/runware/hook", INBOX, SECRET)


def test_a_url_has_the_receivers_address_and_says_neither_task_nor_secret(address: HookAddress) -> None:
    url = urlsplit(address.of(TASK, EXPIRES_AT))
    assert (url.scheme, url.netloc, url.path) == ("https", "airflow.example.com", "/runware/hook")
    said = dict(parse_qsl(url.query))
    assert (said.pop("j"), said.pop("e")) == (INBOX, str(EXPIRES_AT))
    assert len(said.pop("token")) == 32
    assert not said
    assert TASK not in url.geturl()
    assert SECRET.decode() not in repr(address)


@given(task=st.uuids(version=4), other=st.uuids(version=4))
def test_a_url_opens_its_task_and_no_other(task: uuid.UUID, other: uuid.UUID) -> None:
    said = claimed(query_of(HookAddress("https://example.com/hook", INBOX, SECRET), str(task)))
    assert said.holds_for([str(task)], [SECRET], NOW)
    assert said.holds_for([str(task).upper(), str(task)], [SECRET], NOW)
    if other != task:
        assert not said.holds_for([str(other)], [SECRET], NOW)
        assert not said.holds_for([str(task), str(other)], [SECRET], NOW)


def test_a_body_without_a_task_proves_nothing(address: HookAddress) -> None:
    assert not claimed(query_of(address)).holds_for([], [SECRET], NOW)


def test_a_url_expires(address: HookAddress) -> None:
    said = claimed(query_of(address))
    assert said.holds_for([TASK], [SECRET], EXPIRES_AT - 0.001)
    assert not said.holds_for([TASK], [SECRET], EXPIRES_AT)


def test_a_secret_can_be_replaced_while_calls_are_on_their_way(address: HookAddress) -> None:
    said = claimed(query_of(address))
    assert said.holds_for([TASK], [OTHER, SECRET], NOW)
    assert not said.holds_for([TASK], [OTHER], NOW)
    assert not said.holds_for([TASK], [], NOW)


@pytest.mark.parametrize(("before", "after"), [(b"j=0", b"j=1"), (b"e=2", b"e=3")])
def test_inbox_and_expiry_are_part_of_the_proof(address: HookAddress, before: bytes, after: bytes) -> None:
    query = query_of(address)
    assert before in query
    assert not claimed(query.replace(before, after, 1)).holds_for([TASK], [SECRET], NOW)


def test_every_digit_of_the_proof_counts(address: HookAddress) -> None:
    query = query_of(address)
    start = query.index(b"token=") + len(b"token=")
    for place in range(start, start + 32):
        digit = b"0" if query[place : place + 1] != b"0" else b"1"
        forged = query[:place] + digit + query[place + 1 :]
        assert not claimed(forged).holds_for([TASK], [SECRET], NOW)


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"j=&e=&token=",
        b"j=0123456789abcdef&e=2000000000",
        b"j=../../etc&e=2000000000&token=" + b"0" * 32,
        b"j=0123456789ABCDEF&e=2000000000&token=" + b"0" * 32,
        b"j=0123456789abcdef%0a&e=2000000000&token=" + b"0" * 32,
        b"j=0123456789abcdef&e=-1&token=" + b"0" * 32,
        b"j=0123456789abcdef&e=" + b"9" * 4_000 + b"&token=" + b"0" * 32,
        "j=0123456789abcdef&e=٣&token=".encode() + b"0" * 32,
        b"j=0123456789abcdef&e=2000000000&token=" + b"0" * 31,
        b"j=0123456789abcdef&j=0123456789abcdef&e=2000000000&token=" + b"0" * 32,
        b"\xff\xfe",
        b"&".join(b"p%d=1" % number for number in range(100)),
    ],
)
def test_a_query_that_is_none_of_ours_claims_nothing(query: bytes) -> None:
    assert claim(query) is None


@given(st.binary(max_size=300))
def test_whatever_the_query_no_error_is_raised(query: bytes) -> None:
    assert claim(query) is None


def test_what_a_proxy_adds_does_not_count(address: HookAddress) -> None:
    assert claimed(b"via=proxy&" + query_of(address)).holds_for([TASK], [SECRET], NOW)
