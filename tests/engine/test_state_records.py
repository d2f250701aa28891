"""The records of the state folder: read whole, or refused with what to do."""

from __future__ import annotations

import math

import pytest

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.state_records import decoded, encoded, understood

DAMAGED = (
    b"",
    b"\x00\xff",
    b"[]",
    b'{"job_id": "of no format"}',
    b'{"format": "1"}',
    b'{"format": true}',
    b'{"format": 0}',
    b'{"format": -1}',
    b'{"format": 1',
    b'{"format":' + b"[" * 200_000,
    b"\xff\xfe{\x00",
    b'{"format": 1, "cost": NaN}',
    b'{"format": 1, "cost": 1e999}',
    b'{"format": 1, "cost": -Infinity}',
    b'{"format": 1, "count": ' + b"9" * 5_000 + b"}",
    b'{"format": 1, "destination": "\\ud800"}',
    b'{"format": 1, "sha256": "of something else"}',
)


def test_a_record_is_read_back_as_it_was_written() -> None:
    record = {"format": 2, "wish": "ménage", "segments": [{"name": "00000001.segment", "bytes": 7}]}
    assert decoded(encoded(record), "base.json", newest=2) == record


def test_whatever_is_no_record_is_refused_under_its_own_name() -> None:
    for data in DAMAGED:
        with pytest.raises(StateUnreadable, match=r"job\.json is damaged; restore it from a backup"):
            decoded(data, "job.json", newest=1)


def test_a_record_of_a_newer_version_says_to_upgrade() -> None:
    with pytest.raises(
        StateUnreadable, match=r"base\.json has format 3, this version reads up to 2; upgrade"
    ):
        decoded(b'{"format": 3}', "base.json", newest=2)


def test_what_json_cannot_say_is_not_written() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        encoded({"format": 1, "cost": math.nan})


def test_one_changed_value_of_a_proven_record_is_found() -> None:
    record = {"format": 1, "through": 132, "wish": "ménage"}
    content = encoded(record, proven=True)
    assert decoded(content, "base.json", newest=1) == record
    with pytest.raises(StateUnreadable, match=r"base\.json is damaged"):
        decoded(content.replace(b"132", b"172"), "base.json", newest=1)


def test_from_its_format_on_a_record_has_to_prove_itself_and_older_ones_need_not() -> None:
    asked: dict[str, int] = {"newest": 3, "proven_since": 3}
    content = encoded({"format": 3, "through": 132}, proven=True)
    assert decoded(content, "base.json", **asked) == {"format": 3, "through": 132}
    for other in (content.replace(b"sha256", b"sha257"), b'{"format": 3, "through": 132}'):
        with pytest.raises(StateUnreadable, match=r"base\.json is damaged"):
            decoded(other, "base.json", **asked)
    assert decoded(b'{"format": 2, "through": 132}', "base.json", **asked)["through"] == 132
    with pytest.raises(StateUnreadable, match=r"base\.json is damaged"):
        decoded(content.replace(b'"format": 3', b'"format": 2'), "base.json", **asked)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        KeyError(),
        IndexError(),
        TypeError(),
        AttributeError(),
        OverflowError(),
        RecursionError(),
    ],
)
def test_whatever_a_damaged_record_makes_of_its_reader_is_told_as_damage(error: Exception) -> None:
    with (
        pytest.raises(StateUnreadable, match=r"x\.json is damaged; remove it"),
        understood("x.json", "remove it"),
    ):
        raise error


def test_a_failure_of_the_store_is_not_told_as_damage() -> None:
    with pytest.raises(OSError, match="disk"), understood("x.json"):
        raise OSError("disk")
