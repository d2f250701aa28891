"""Which failures another try can mend.

Airflow asks the policy in the worker, with the exception at hand. A rule can end the retries early; it
never grants more of them than the task has.
"""

from __future__ import annotations

from typing import Final

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from runware_provider.approval import NotApproved
from runware_provider.engine import errors

_HOPELESS: Final[dict[type[errors.EngineError], str]] = {
    errors.SplitOutdated: "the source has to be cut into shards again; trying again would find the same",
    errors.BadInput: "the task asks for what cannot be done; trying again would find the same",
    errors.KeyRefused: "the API refuses the key; trying again would be refused as well",
    errors.BalanceExhausted: "the account has no credit left; trying again would be refused as well",
    errors.ModelUnknown: "the API does not know the model; trying again would be refused as well",
    errors.RequestRefused: "the API refuses every request like this one; trying again would be refused as well",
    errors.TooManyFailed: "the same answers would fail again; somebody has to look at the reasons",
    errors.BudgetExhausted: "the budget is for all tries of this run together",
    NotApproved: "nobody approved of what it would cost; trying again would be unapproved as well",
    errors.StateUnreadable: "the state folder cannot be read; somebody has to look at it",
}


def is_hopeless(error: BaseException) -> bool:
    """Whether another try would find the same."""
    return isinstance(error, tuple(_HOPELESS))


ONLY_WHAT_A_RETRY_MENDS: Final = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception=error, action=RetryAction.FAIL, reason=f"No retry: {why}.")
        for error, why in _HOPELESS.items()
    ]
)
"""Fails at once where another try finds the same; everything else is retried as the task says.

Another try does help after `Unreachable`, `Interrupted` and `PublishConflict`, and after whatever Airflow
or the machine did to the task: it goes on where the last one stopped.
"""
