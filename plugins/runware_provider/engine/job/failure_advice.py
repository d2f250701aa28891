"""What to do about rows that failed, by why they did: what mends a prompt mends no API that is down. Pure."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, Final

from runware_provider.engine.api.error_families import STEPS, Family, Step, family_of

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fault(Enum):
    """Where the reason of a failure lies, and what to do about it."""

    API = (
        "The API failed to answer, which no other prompt mends: when it is well again, run with retry_failed."
    )
    ANSWER = (
        "The answers do not fit: look at some (`raw` in the column inference), and mend the prompt or the schema, or take"
        " another model. Only records whose request changes are asked anew."
    )
    LENGTH = (
        "The answers were cut off: give them more room with settings.max_tokens, or with"
        " answers.max_tokens_if_truncated."
    )
    SAFETY = "They were refused for safety: look at those records, and at what the prompt asks of them."
    REQUEST = (
        "The API does not take these requests: mend what its message names (`error_message` in the column inference)."
        " Only records whose request changes are asked anew."
    )
    TEMPLATE = "The template fails on these records: mend the template, or the data."


_OWN: Final = {
    "schema": Fault.ANSWER,
    "unreadable": Fault.ANSWER,
    "reply_too_large": Fault.ANSWER,
    "truncated": Fault.LENGTH,
    "content_filter": Fault.SAFETY,
    "prompt_error": Fault.TEMPLATE,
    "taskLost": Fault.API,
    "lost": Fault.API,
}
"""By the codes that are ours."""
_NO_FAILURES: Final = frozenset({"empty", "too_long", "too_many_tokens", "budget"})
"""Codes of rows that were never sent, which fail nobody."""
_SHARE: Final = 0.2
"""Of the failures, from which on a second reason is worth a sentence."""
_SAME_AGAIN: Final = (
    "To run again unchanged pays nothing for what is answered, and stops here again; retry_failed asks the failed"
    " records again, and a larger failures.most lets more of them pass."
)


def advice_on(reasons: Mapping[str, int]) -> str:
    """What to do about rows that failed, in sentences: about the most frequent fault, and about a second one that counts.

    Args:
        reasons: rows by error code; those that were never sent may be among them.
    """
    faults = Counter[Fault]()
    for code, rows in reasons.items():
        if code not in _NO_FAILURES:
            faults[_fault_of(code)] += rows
    worth = [fault for fault, rows in faults.most_common(2) if rows >= _SHARE * faults.total()]
    return " ".join([*(fault.value for fault in worth), _SAME_AGAIN])


def _fault_of(code: str) -> Fault:
    own = _OWN.get(code)
    if own is not None:
        return own
    family = family_of(code)
    if family is Family.SAFETY:
        return Fault.SAFETY
    return Fault.REQUEST if STEPS[family] is Step.FAIL else Fault.API
