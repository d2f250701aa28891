"""What every task of ours does: it carries out one verb of the engine in a thread, tells how far it is, and ends in words.

Airflow's words go in, the engine's come back. The engine's heavy modules are imported when the task runs.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput, TaskDeferred

from runware_provider import configuration
from runware_provider.asking_task import AskingTask
from runware_provider.engine.errors import EngineError, Interrupted, NothingToDo
from runware_provider.engine.job.endings import empty_end
from runware_provider.engine.plain_text import wrapped
from runware_provider.hook import RunwareHook
from runware_provider.job_thread import JobThread
from runware_provider.last_words import ON_PURPOSE, last_words
from runware_provider.lineage import Lineage, lineage_of
from runware_provider.links import LINKS, links_to
from runware_provider.object_stores import airflow_stores
from runware_provider.places import Places
from runware_provider.report_wish import report_wish
from runware_provider.task_progress import TaskProgress
from runware_provider.task_spans import LegSpan, tracer_in_use
from runware_provider.task_stats import TaskStats

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping

    from airflow.sdk import BaseOperatorLink, Context

    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.job.progress import Progress
    from runware_provider.engine.spec import Spec


T = TypeVar("T")


class JobTask(AskingTask):
    """A task that carries out one verb of the engine; which one, a subclass says with `start_job`."""

    _job: JobThread[Any] | None = None
    _killed = False
    _progress: Progress | None = None
    """The newest."""
    _next_report_s = 0.0
    _report_every_s = 30.0
    asks = True
    """Whether its verb asks the model anything, so that there is something to look on at."""
    _onlookers: tuple[Callable[[Progress], None], ...] = ()
    """Who is told of each progress, beside the log."""
    _begun_with: Spec | None = None
    """What it asks, once it has begun."""
    _begun_at = ""
    """When that was, in UTC (ISO 8601)."""
    links: Mapping[str, str] = MappingProxyType({})
    """What a browser can open of the task's places, by their names."""
    manifest: Mapping[str, Any] = MappingProxyType({})
    """Of what the task has published; empty before that."""

    operator_extra_links: Collection[BaseOperatorLink] = LINKS
    """Of a task that has begun only those that lead somewhere: Airflow makes an XCom of each."""

    def execute(self, context: Context) -> Any:
        """Carry it out; returns what the verb comes to.

        Raises:
            BadInput: nothing was sent, nothing is paid.
            JobStopped: it ended before all rows had their outcome. What was paid, what is kept, what is still billed
                and what to do stands in the log; the error's `manifest` has it as numbers.
            AirflowSkipException: the source holds no record and `publish.on_empty` is `"skip"`.
            TaskDeferred: the task waits for answers, and gives its worker back.
            TaskAwaitingInput: it waits for a person, and gives its worker back.
        """
        try:
            return self.carry_out(context)
        except (AirflowSkipException, TaskDeferred, TaskAwaitingInput):
            raise
        except BaseException as error:
            self._say_last_words(error)
            self._note_refused(error)
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
        self.begin(spec, context)
        spec = self.approved(spec, endpoint, context)
        try:
            with self._watched(spec, endpoint, context):
                told = self.in_thread(lambda stop: self.start_job(spec, endpoint, stop))
        except NothingToDo as nothing:
            for line in empty_end(str(nothing), self.state_folder()):
                self.log.info("%s", line)
            self._note_refused(nothing)
            raise AirflowSkipException(str(nothing) or "The source holds no record.") from None
        return self.finished(told, spec, context)

    def in_thread(self, job: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> T:
        """What a coroutine comes to, beside the main thread, so that whatever interrupts this one asks it to stop."""
        thread = JobThread(job)
        self._job = thread
        if self._killed:
            thread.stop()
        try:
            return thread.run(self.check_time)
        finally:
            self._job = None

    @property
    def goes_on(self) -> bool:
        """Whether an earlier process of the same try has begun the job."""
        return False

    def approved(self, spec: Spec, endpoint: Endpoint, context: Context) -> Spec:  # noqa: ARG002 - subclasses need them
        """The job as far as it may be paid for."""
        return spec

    def check_job(self, spec: Spec) -> None:
        """Refuse what the engine does not know of, before anything is paid.

        Raises:
            BadInput: it cannot work.
        """

    def begin(self, spec: Spec, context: Context) -> None:
        """Say where the output and the record of this run will be, before anything is asked."""
        self._begun_with, self._begun_at = spec, datetime.now(UTC).isoformat(timespec="milliseconds")
        if context["ti"].map_index is not None and context["ti"].map_index >= 0:
            # Mapped tasks would each give the one asset an event, and who waits for it would start after the first.
            self.outlets = self._given_outlets
        places = self.places(spec)
        # Buttons lead to what the task itself writes; where the whole will be, each task of a group says.
        self.show_links(links_to(places) if self.writes_destination else {})
        if not self.do_xcom_push:
            return
        context["ti"].xcom_push("places", places.told())
        for link in LINKS:
            if link.place in self.links:
                context["ti"].xcom_push(link.xcom_key, self.links[link.place])

    def show_links(self, links: Mapping[str, str]) -> None:
        """Let the task's page have these links, by the names of their places, and no others."""
        self.links = links
        self.operator_extra_links = [link for link in LINKS if link.place in links]

    def places(self, spec: Spec) -> Places:
        """Where that is found which the task writes, or helps to write."""
        return Places.of(spec, reports=report_wish(self.report) is not None)

    @contextlib.contextmanager
    def _watched(self, spec: Spec, endpoint: Endpoint, context: Context) -> Iterator[None]:
        """While the verb is carried out, whoever looks on is told how far it is."""
        if not self.asks:
            yield
            return
        progress = TaskProgress(context["task_state_store"], every_s=self._report_every_s, log=self.log)
        span = LegSpan(tracer_in_use(), spec, endpoint)
        counter = TaskStats(spec.model, log=self.log)
        self._onlookers = (progress.saw, span.saw, counter.saw)
        with span, progress:
            yield

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

    def _note_refused(self, error: BaseException) -> None:
        """Let the record of the run say why it was refused before the engine had begun to write one.

        A task that was asked to stop has no time for it, and an error that nobody foresaw may be one of the store's.
        """
        spec = self._begun_with
        if spec is None or isinstance(error, Interrupted) or not isinstance(error, EngineError):
            return
        from runware_provider.engine.job.refused import note_refused  # noqa: PLC0415 - heavy: pyarrow

        shard = self.places(spec).shard
        note_refused(spec, error, airflow_stores(), began_at=self._begun_at, shard=shard)

    def _say_last_words(self, error: BaseException) -> None:
        state, timeout = self.state_folder(), self.execution_timeout
        for line in last_words(error, state=state, timeout=timeout, policy=self.retry_policy):
            self.log.error("%s", line)

    def _report(self, progress: Progress) -> None:
        """Log often at first, then as rarely as configured: a night's job should not fill the log."""
        self._progress = progress
        for look_on in self._onlookers:
            look_on(progress)
        if progress.elapsed_s >= self._next_report_s or progress.done == progress.total:
            self._next_report_s = progress.elapsed_s + min(
                self._report_every_s, max(1.0, progress.elapsed_s / 4)
            )
            for line in progress.lines():
                self.log.info("%s", line)

    # what Airflow's OpenLineage provider asks for, by these names

    def get_openlineage_facets_on_start(self) -> Any:
        """What the task is about to read and write."""
        return lineage_of(self._lineage())

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 - the signature is given
        """What it has read and written, with columns and numbers of rows."""
        return lineage_of(self._lineage())

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any:  # noqa: ARG002 - the signature is given
        """What it was about."""
        return lineage_of(self._lineage())

    def _lineage(self) -> Lineage:
        asked = self if self._begun_with is None else self._begun_with
        source = asked.source if isinstance(asked.source, str) else None
        output = asked.destination if isinstance(asked.destination, str) else None
        return Lineage(source, output if self.writes_destination else None, self.manifest)
