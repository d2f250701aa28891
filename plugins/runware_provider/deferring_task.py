"""A task that gives its worker back while there is nothing to do but to wait for answers."""

from __future__ import annotations

import random
import time
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk.exceptions import AirflowTaskTimeout, TaskDeferralError, TaskDeferralTimeout

from runware_provider.engine.job.leg import AllSent, Leg
from runware_provider.engine.job.progress import duration
from runware_provider.job_task import JobTask
from runware_provider.legs import MOST_LEGS, QUIET_S, WORTH_S, Handover, Why, may_leave_again, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context


class DeferringTask(JobTask):
    """A task that may be carried out in several legs, if its author wishes so with `deferrable`.

    A leg does all that can be done, and ends when everything is sent and the answers stay away. It commits what it knows,
    and gives back lease and worker; a trigger waits. The next leg opens the job anew, as a retry does, and finds in the
    ledger what is under way.
    """

    _worth_s = WORTH_S
    _quiet_s = QUIET_S
    _begun = 0.0
    """When the first leg began, in seconds since 1970."""
    _handover: Handover | None = None
    """From the leg before; None for the first one."""
    _stays = False
    """Whether this leg goes on to the end, however long the answers stay away."""

    @property
    def goes_on(self) -> bool:
        """Whether a leg went before."""
        return self._handover is not None

    def leg(self) -> Leg:
        """Which leg this is, in the engine's words."""
        worth_s = self._worth_s if self.deferrable and not self._stays else None
        if self._handover is None:
            return Leg(worth_s)
        return Leg(worth_s, goes_on=True, published=self._handover.published)

    def carry_out(self, context: Context) -> Any:
        """Do what this leg does; returns what the verb comes to.

        Raises:
            TaskDeferred: everything is sent, and the worker is given back.
        """
        self._begun = time.time() if self._handover is None else self._handover.begun
        try:
            return super().carry_out(context)
        except AllSent as sent:
            self._give_worker_back(sent)

    def resume(self, context: Context, event: Mapping[str, Any] | None = None) -> Any:
        """Go on where the leg before has left.

        A task that was deferred by an earlier version goes on here: the name stays.

        Args:
            context: of the task instance.
            event: of the trigger; None where it said nothing, so that this leg stays.
        """
        told = event or {}
        self._handover = Handover.of(told)
        self._stays = self._handover is None or not may_leave_again(self._handover, told)
        self.log.info(
            "%s; the task goes on%s", _why(told), ", and stays on its worker" if self._stays else ""
        )
        return self.execute(context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """As every operator's; but where the trigger failed, or nobody ran it, this leg goes on and stays."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (TaskDeferralError, TaskDeferralTimeout) as error:
            self.log.warning(
                "The trigger did not come to an end (%s); does a triggerer run, and has it this package?",
                error,
            )
        return self.resume(context)

    def check_time(self) -> None:
        """Of all legs together: Airflow itself counts the time of each leg from zero.

        Raises:
            AirflowTaskTimeout: the time is over.
        """
        timeout = self.execution_timeout
        if self._handover is None or timeout is None:
            return
        if time.time() - self._begun >= timeout.total_seconds():
            raise AirflowTaskTimeout(
                f"the task's execution_timeout of {timeout} is over, all its legs together"
            )

    def _give_worker_back(self, sent: AllSent) -> NoReturn:
        from runware_provider.triggers import AnswersTrigger  # noqa: PLC0415 - heavy: httpx

        now, timeout = time.time(), self.execution_timeout
        legs = 1 if self._handover is None else self._handover.legs + 1
        wait = wait_for(
            sent,
            legs=legs,
            begun=self._begun,
            now=now,
            timeout_s=None if timeout is None else timeout.total_seconds(),
            quiet_s=self._quiet_s,
            choose=random.sample,
        )
        self.log.info(
            "Everything is sent, and %s answers are to come, about half of them in %s. The worker is free until most of"
            " them are there; this was leg %s of at most %s.",
            f"{len(sent.task_uuids):,}",
            duration(sent.expected_s),
            legs,
            MOST_LEGS,
        )
        self.defer(
            trigger=AnswersTrigger(conn_id=self.runware_conn_id, **asdict(wait)),
            method_name=self.resume.__name__,
            timeout=timedelta(seconds=wait.most_s(now)),
        )


def _why(told: Mapping[str, Any]) -> str:
    """What woke the task, in a sentence without its full stop."""
    there = f"{told.get('there')} of {told.get('of')} answers that were looked for are there"
    whys: dict[Any, str] = {
        Why.ANSWERS: there,
        Why.DEADLINE: f"The time to wait is over, and {there}",
        Why.TROUBLE: "The trigger could not ask the API",
    }
    return whys.get(told.get("why"), "Nobody waits for the answers any longer")
