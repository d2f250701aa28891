"""What is told in the end."""

from __future__ import annotations

from runware_provider.engine.service_check.findings import complete
from runware_provider.engine.service_check.result import Result, blanked


def test_why_it_ended_is_told_with_one_full_stop() -> None:
    why = "no reply: the name is not known."
    result = Result("127.0.0.1", "m", "1", complete([], why), [why], 0.0, 0.0)
    told = " ".join(result.remarks())
    assert told.endswith("the name is not known.")
    assert ".." not in told


def test_a_key_is_taken_out_of_names_and_texts_and_a_word_is_left() -> None:
    shape = {"test-key": [{"code": "no-Test-KEY", "cost": 1.0}], "status": None}
    assert blanked(shape, "test-key") == {"***": [{"code": "no-***", "cost": 1.0}], "status": None}
    assert blanked(shape, "code") == shape
