"""What became of one question, and the error of who needs an answer. Light: a DAG file imports it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from runware_provider.engine.errors import EngineError
from runware_provider.engine.money import usd

T = TypeVar("T")

Ended = Literal["succeeded", "invalid", "refused", "failed", "skipped"]

_REMEDIES: dict[Ended, str] = {
    "succeeded": "",
    "invalid": "Its `answer` says what is wrong: describe the fields more closely, or allow more output retries",
    "refused": "It was refused for safety",
    "failed": "Its `answer` says why, in its message",
    "skipped": "Nothing was sent, and nothing is paid",
}
_REMEDIES_BY_CODE: dict[str, str] = {
    "truncated": "The answer was cut off: give it more room with settings.max_tokens, or with answers.max_tokens_if_truncated",
}
"""Of codes that need another remedy than their outcome."""


@dataclass(frozen=True, kw_only=True)
class Answer(Generic[T]):
    """One outcome, and all that is known of how it came about. What is printed of it shows no text of the model's."""

    outcome: Ended
    """`succeeded`, `invalid` (answered, but does not fit), `refused` (for safety), `failed` (errors) or `skipped` (never sent)."""
    value: T = field(repr=False)
    """As the type asked for has it; None unless it succeeded."""
    code: str | None = None
    """Why it did not succeed: a code of ours or of the API's."""
    message: str | None = field(default=None, repr=False)
    """The same in words, which may quote the answer."""
    attempts: int = 0
    """Tasks at the vendor."""
    cost_usd: float | None = None
    """Of all attempts; None where the API reported none."""
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    finish_reason: str | None = None
    latency_s: float | None = None
    """Seconds from the acceptance of the attempt that counts to its answer."""
    model: str = ""
    task_uuid: str | None = None
    """Of the attempt that counts, as the vendor knows it."""
    mends: tuple[str, ...] = ()
    """What was mended in the answer without asking again."""
    raw: str | None = field(default=None, repr=False)
    """The API's item as JSON, where it did not succeed."""


class NoAnswer(EngineError):  # noqa: N818 - named by what is the case, as the engine's others
    """A question has no answer that fits. The text names outcome, code and cost, and nothing that was asked or said.

    Args:
        answer: all that is known.
    """

    def __init__(self, answer: Answer[None]) -> None:
        self.answer = answer
        why = f" ({answer.code})" if answer.code else ""
        tried = f"{answer.attempts} attempt{'' if answer.attempts == 1 else 's'}"
        cost = usd(answer.cost_usd) if answer.cost_usd is not None else "an unknown amount"
        paid = f" after {tried} for {cost}" if answer.attempts else ""
        remedy = _REMEDIES_BY_CODE.get(answer.code or "", _REMEDIES[answer.outcome])
        super().__init__(f"the question ended as {answer.outcome}{why}{paid}. {remedy}.")

    def __reduce__(self) -> tuple[type[NoAnswer], tuple[Answer[None]]]:
        return type(self), (self.answer,)
