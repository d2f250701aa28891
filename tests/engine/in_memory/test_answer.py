"""What the error of a question without an answer tells whoever reads the log."""

from __future__ import annotations

import pytest

from runware_provider.engine.in_memory.answer import Answer, NoAnswer


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("schema", "describe the fields more closely"),
        ("unreadable", "describe the fields more closely"),
        ("truncated", "settings.max_tokens, or with answers.max_tokens_if_truncated."),
    ],
)
def test_the_remedy_is_that_of_the_code(code: str, remedy: str) -> None:
    answer: Answer[None] = Answer(outcome="invalid", value=None, code=code, attempts=1, cost_usd=0.5)
    told = str(NoAnswer(answer))
    assert told.startswith(f"the question ended as invalid ({code}) after 1 attempt for 0.50 USD. ")
    assert remedy in told
    assert ("describe the fields" in told) == (code != "truncated")
