"""What is advised follows from why rows failed."""

from __future__ import annotations

import pytest

from runware_provider.engine.job.failure_advice import Fault, advice_on


@pytest.mark.parametrize(
    ("reasons", "faults"),
    [
        ({"internalServerError": 30}, [Fault.API]),
        ({"providerError": 20, "taskLost": 10, "empty": 1_000}, [Fault.API]),
        ({"schema": 5, "unreadable": 5, "internalServerError": 1}, [Fault.ANSWER]),
        ({"schema": 7, "internalServerError": 3}, [Fault.ANSWER, Fault.API]),
        ({"truncated": 9}, [Fault.LENGTH]),
        ({"contentPolicyViolation": 9, "content_filter": 1}, [Fault.SAFETY]),
        ({"unsupportedParameter": 9}, [Fault.REQUEST]),
        ({"prompt_error": 9, "too_many_tokens": 99}, [Fault.TEMPLATE]),
        ({"a code that nobody knows": 9}, [Fault.API]),
        ({}, []),
    ],
)
def test_the_most_frequent_faults_are_advised_about(reasons: dict[str, int], faults: list[Fault]) -> None:
    told = advice_on(reasons)
    assert [fault for fault in Fault if fault.value in told] == sorted(faults, key=list(Fault).index)
    assert told.endswith("lets more of them pass.")
    if faults:
        assert told.startswith(faults[0].value)
