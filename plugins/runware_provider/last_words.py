"""What a task that ends badly says in its log, in short lines, before Airflow shows the error itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowTaskTimeout

from runware_provider.engine.errors import (
    EngineError,
    Interrupted,
    SplitOutdated,
    how_far,
    note_how_far,
)
from runware_provider.engine.job.endings import bad_end
from runware_provider.retry_policy import ONLY_WHAT_A_RETRY_MENDS, is_hopeless

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.sdk import RetryPolicy

ON_PURPOSE = (EngineError, AirflowTaskTimeout)
"""Errors whose lines say all that there is to say, so that a traceback says nothing more."""


def last_words(
    error: BaseException, *, state: str, timeout: timedelta | None, policy: RetryPolicy | None
) -> list[str]:
    """Short lines about a task that an error ends: what happened, was paid, is kept, is still billed, what to do.

    Args:
        error: with which it ends.
        state: the state folder, if the error does not say so.
        timeout: the task's `execution_timeout`.
        policy: the task's retry policy.
    """
    told = error
    if isinstance(error, AirflowTaskTimeout):
        told = Interrupted(f"the task's execution_timeout of {timeout} is over")
        told.remedy = f"{told.remedy} If it needs longer, give it a longer execution_timeout."
        note_how_far(told, how_far(error))
    elif isinstance(error, KeyboardInterrupt | SystemExit):
        told = Interrupted("it was interrupted")
        note_how_far(told, how_far(error))
    return bad_end(told, state=state, then=_then(error, policy))


def _then(error: BaseException, policy: RetryPolicy | None) -> str:
    """What Airflow does next, and what a person has to do for it to do more."""
    if policy is not ONLY_WHAT_A_RETRY_MENDS or not is_hopeless(error):
        return "In Airflow that is a retry, which comes by itself while some are left, or a cleared task."
    if isinstance(error, SplitOutdated):  # which names another task that is to be cleared
        return "Airflow does not retry this."
    return "Airflow does not retry this: clear the task when that is done."
