"""What the user asks of an approval: from which amount on, by whom, for how long; imports nothing heavy, so DAG files may import it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from airflow.sdk.exceptions import AirflowFailException
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from runware_provider.engine.errors import JobStopped
from runware_provider.engine.field_types import Text, WholeNumber, default_for_nothing
from runware_provider.engine.value_object import ValueObject

A_DAY_S = 86_400.0
A_YEAR_S = 366 * A_DAY_S
MOST_SAMPLES = 5


def _no_switch(value: object) -> object:
    """Python takes True for 1, and whoever writes `above_usd=True` means something else."""
    if isinstance(value, bool):
        raise PydanticCustomError("float_type", "a number is wanted")
    return value


class Approve(ValueObject):
    """A person is asked, on Airflow's own page, before anything is paid but a few samples."""

    argument: ClassVar[str] = "approve"

    above_usd: Annotated[
        float,
        Field(ge=0, allow_inf_nan=False),
        BeforeValidator(_no_switch),
        default_for_nothing(0.0),
    ] = 0.0
    """Nobody is asked where the run, with all its tries, costs no more than this at most; where nobody knows the price, somebody
    is asked."""
    wait_s: Annotated[
        float,
        Field(gt=0, le=A_YEAR_S, allow_inf_nan=False),
        BeforeValidator(_no_switch),
        default_for_nothing(A_DAY_S),
    ] = A_DAY_S
    """Seconds for which it waits; then the task fails, and nothing is paid."""
    approvers: tuple[Text, ...] = ()
    """The ids of the users who may decide, as Airflow's auth manager has them; by default everybody who may edit the DAG's
    required actions (`HITL Detail` among the rights of Flask AppBuilder)."""
    samples: Annotated[WholeNumber, Field(ge=0, le=MOST_SAMPLES)] = 3
    """Records whose answers are shown to whom is asked, where `[runware] page_texts` is on: they are paid beforehand, about a cent
    together at most and nothing beyond `above_usd`, and used by the run."""


class NotApproved(JobStopped, AirflowFailException):
    """Nobody approved of the plan; Airflow does not try again.

    Args:
        reason: as of `JobStopped`.
        remedy: what to do about it, in sentences.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


def spelt_out(value: Any) -> Any:
    """True as the object that it stands for, an amount as its `above_usd`, False as None; anything else as it is."""
    if isinstance(value, bool):
        return Approve() if value else None
    if isinstance(value, int | float):
        return {"above_usd": value}
    return value
