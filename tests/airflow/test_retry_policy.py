from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import DAG, ExceptionRetryPolicy, RetryAction
from airflow.serialization.serialized_objects import DagSerialization

from runware_provider.engine import errors
from runware_provider.operators import TextInferenceOperator
from runware_provider.retry_policy import ONLY_WHAT_A_RETRY_MENDS

HOPELESS = [
    errors.BadInput("a", "b", "c"),
    errors.SplitOutdated("a", "b", "c"),
    errors.KeyRefused("x"),
    errors.BalanceExhausted("x"),
    errors.ModelUnknown("x"),
    errors.RequestRefused("x"),
    errors.TooManyFailed("x"),
    errors.BudgetExhausted("x"),
    errors.StateUnreadable("x"),
]
MENDABLE = [
    errors.JobStopped("x"),
    errors.Unreachable("x"),
    # Each try is free, and a name, a proxy or a store that is away for a moment is the usual cause.
    errors.WebhookUnreachable("x", remedy="y"),
    errors.Interrupted("x"),
    errors.AtWork("x"),
    errors.Overtaken("x"),
    errors.PublishConflict("x"),
    OSError("x"),
]


def decide(policy: Any, error: BaseException) -> RetryAction:
    return policy.evaluate(error, try_number=1, max_tries=3).action


@pytest.mark.parametrize("error", HOPELESS)
def test_what_a_retry_cannot_mend_fails(error: Exception) -> None:
    assert decide(ONLY_WHAT_A_RETRY_MENDS, error) is RetryAction.FAIL


@pytest.mark.parametrize("error", MENDABLE)
def test_everything_else_is_left_to_the_task(error: Exception) -> None:
    assert decide(ONLY_WHAT_A_RETRY_MENDS, error) is RetryAction.DEFAULT


@pytest.mark.parametrize("error", [*HOPELESS, *MENDABLE])
def test_a_serialized_policy_decides_the_same(error: Exception) -> None:
    wire = json.loads(json.dumps(ONLY_WHAT_A_RETRY_MENDS.serialize()))
    read = ExceptionRetryPolicy.deserialize(wire)
    assert decide(read, error) is decide(ONLY_WHAT_A_RETRY_MENDS, error)


def test_every_error_of_the_engine_is_decided_here_on_purpose() -> None:
    public = {kind for kind in vars(errors).values() if isinstance(kind, type)} - {Any}
    decided = {type(error) for error in [*HOPELESS, *MENDABLE]}
    assert public - decided == {errors.EngineError, errors.NothingToDo}


@pytest.mark.usefixtures("policies_of_mapped_tasks")
def test_the_scheduler_learns_that_plain_and_mapped_tasks_have_a_policy() -> None:
    with DAG("dag", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        TextInferenceOperator(task_id="plain", source="a", destination="b", prompt="{{ record.x }}")
        TextInferenceOperator.partial(task_id="mapped", destination="b", prompt="{{ record.x }}").expand(
            source=["a"]
        )
    read = DagSerialization.deserialize_dag(json.loads(json.dumps(DagSerialization.serialize_dag(dag))))
    assert [read.get_task(task).has_retry_policy for task in ("plain", "mapped")] == [True, True]
