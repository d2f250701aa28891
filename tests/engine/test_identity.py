"""The names of questions and attempts, which must never change: whoever changes them pays for everything again."""

from __future__ import annotations

import hashlib
import struct
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.identity import Key, task_uuid


def named(job_id: bytes, fingerprint: bytes, sample: int, generation: int, attempt: int) -> str:
    return task_uuid(job_id, Key(fingerprint, sample, generation), attempt)


@pytest.mark.parametrize(
    ("arguments", "golden"),
    [
        ((bytes(16), bytes(16), 0, 0, 1), "e24f9c2c-c1da-4a0d-aac3-3f40abb57d8d"),
        ((bytes(range(16)), bytes(range(16, 32)), 0, 0, 1), "98729695-781e-4229-98cc-d3d80465dc34"),
        ((bytes(range(16)), bytes(range(16, 32)), 1, 2, 3), "505cb346-7f33-4481-a847-bf35e2177c4f"),
        ((b"\xff" * 16, b"\xff" * 16, 99, 2**32 - 1, 20), "9c2e236c-36a2-4b1d-a631-98cf1a931d2f"),
    ],
)
def test_a_task_uuid_never_changes(arguments: Any, golden: str) -> None:
    assert named(*arguments) == golden


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), st.integers(0, 2**32 - 1))
def test_a_task_uuid_is_a_v4_and_what_its_decision_page_says(job: bytes, asked: bytes, number: int) -> None:
    made = uuid.UUID(named(job, asked, number, 2, 3))
    assert (made.version, made.variant) == (4, uuid.RFC_4122)
    digest = hashlib.blake2b(
        job + asked + struct.pack(">III", number, 2, 3), digest_size=16, person=b"runware-uuid-1"
    ).digest()
    assert made == uuid.UUID(bytes=digest, version=4)


def test_each_part_of_an_attempts_name_is_in_its_uuid() -> None:
    base = (bytes(16), bytes(16), 0, 0, 1)
    others = [
        (b"\1" + bytes(15), bytes(16), 0, 0, 1),
        (bytes(16), b"\1" + bytes(15), 0, 0, 1),
        (bytes(16), bytes(16), 1, 0, 1),
        (bytes(16), bytes(16), 0, 1, 1),
        (bytes(16), bytes(16), 0, 0, 2),
    ]
    assert len({named(*one) for one in [base, *others]}) == 6
