"""What every task of ours does: it carries out one verb of the engine in a thread, tells how far it is, and ends in words.

Airflow's words go in, the engine's come back. The engine's heavy modules are imported when the task runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from runware_provider import configuration
from runware_provider.asking_task import AskingTask
from runware_provider.engine.errors import NothingToDo
from runware_provider.engine.job.endings import empty_end
from runware_provider.engine.plain_text import wrapped
from runware_provider.hook import RunwareHook
from runware_provider.job_thread import JobThread
from runware_provider.last_words import ON_PURPOSE, last_words

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from airflow.sdk import Context

    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.job.progress import Progress
    from runware_provider.engine.spec import Spec


class JobTask(AskingTask):
    """A task that carries out one verb of the engine; which one, a subclass says with `start_job`."""

    _job: JobThread[Any] | None = None
    _killed = False
    _progress: Progress | None = None
    """The newest."""
    _next_report_s = 0.0
    _report_every_s = 30.0

    def execute(self, context: Context) -> Any:
        """Carry it out; returns what the verb comes to.

        Raises:
            BadInput: nothing was sent, nothing is paid.
            JobStopped: it ended before all rows had their outcome. What was paid, what is kept, what is still billed
                and what to do stands in the log; the error's `manifest` has it as numbers.
            AirflowSkipException: the source holds no record and `publish.on_empty` is `"skip"`.
            TaskDeferred: the task waits for answers, and gives its worker back.
        """
        try:
            return self.carry_out(context)
        except (AirflowSkipException, TaskDeferred):
            raise
        except BaseException as error:
            self._say_last_words(error)
            if isinstance(error, ON_PURPOSE):
                raise error.with_traceback(None) from None
            raise

    def carry_out(self, context: Context) -> Any:
        """What `execute` does, without its last words where it ends badly."""
        hook = RunwareHook(self.runware_conn_id)
        endpoint = hook.get_endpoint()
        spec = configuration.within_budget(hook.within_bounds(self.make_spec(context)))
        self._report_every_s = configuration.progress_interval_s()
        self.check_job(spec)
        self._job = JobThread(lambda stop: self.start_job(spec, endpoint, stop))
        if self._killed:
            self._job.stop()
        try:
            told = self._job.run(self.check_time)
        except NothingToDo as nothing:
            for line in empty_end(str(nothing), self.state_folder()):
                self.log.info("%s", line)
            raise AirflowSkipException(str(nothing) or "The source holds no record.") from None
        finally:
            self._job = None
        return self.finished(told, spec, context)

    def check_job(self, spec: Spec) -> None:
        """Refuse what the engine does not know of, before anything is paid.

        Raises:
            BadInput: it cannot work.
        """

    def check_time(self) -> None:
        """Called about twice a second while the verb is carried out; what it raises asks the verb to stop, and is raised then."""

    def start_job(self, spec: Spec, endpoint: Endpoint, stop: asyncio.Event) -> Coroutine[Any, Any, Any]:
        """The engine's verb as a coroutine; the seam where tests put another."""
        raise NotImplementedError

    def finished(self, told: Any, spec: Spec, context: Context) -> Any:  # noqa: ARG002 - subclasses need them
        """What the task returns once the verb has come to an end."""
        return told

    def on_kill(self) -> None:
        """Ask the job to stop: it keeps what was answered, and a retry goes on from there."""
        self._killed = True
        if self._job is None:
            return
        self._job.stop()
        # Airflow gives it a few seconds before it kills the process, last words or not.
        so_far = f" So far: {self._progress.line()}." if self._progress is not None else ""
        told = f"it was asked to stop; every answer until now is kept.{so_far}"
        for line in wrapped("Stopping", told):
            self.log.warning("%s", line)

    def _say_last_words(self, error: BaseException) -> None:
        state, timeout = self.state_folder(), self.execution_timeout
        for line in last_words(error, state=state, timeout=timeout, policy=self.retry_policy):
            self.log.error("%s", line)

    def _report(self, progress: Progress) -> None:
        """Log often at first, then as rarely as configured: a night's job should not fill the log."""
        self._progress = progress
        if progress.elapsed_s >= self._next_report_s or progress.done == progress.total:
            self._next_report_s = progress.elapsed_s + min(
                self._report_every_s, max(1.0, progress.elapsed_s / 4)
            )
            for line in progress.lines():
                self.log.info("%s", line)
