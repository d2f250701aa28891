"""The operator: an LLM over every row of a Parquet dataset.

Airflow's words go in, the engine's come back. The engine's heavy modules are imported when the task runs,
since the DAG processor imports this module at every parse.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from runware_provider import configuration, lookup
from runware_provider.engine.errors import BadInput, EngineError, NothingToDo, note_how_far
from runware_provider.engine.filters import NOT_WHERE, normal_form
from runware_provider.engine.job.endings import ending, wrapped
from runware_provider.engine.spec import (
    DEFAULT_MAX_FAILED,
    DEFAULT_MODEL,
    Limits,
    Settings,
    Spec,
    Structured,
)
from runware_provider.engine.templates.prompt import check_syntax as check_prompt
from runware_provider.hook import DEFAULT_CONN_ID, RunwareHook
from runware_provider.job_thread import JobThread
from runware_provider.last_words import ON_PURPOSE, last_words
from runware_provider.mapped_tasks import refuse_shared_place
from runware_provider.object_stores import airflow_stores
from runware_provider.quality.spec import Report
from runware_provider.retry_policy import ONLY_WHAT_A_RETRY_MENDS
from runware_provider.unstored import stored, unstored
from runware_provider.values_of_a_run import Later, as_text, keys_only, shape_waits, waits, wished

if TYPE_CHECKING:
    import asyncio
    import os
    from collections.abc import Coroutine, Mapping, Sequence
    from pathlib import Path

    from airflow.sdk import Context, RetryPolicy
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from runware_provider.engine.filters import Filter
    from runware_provider.engine.job.progress import Progress
    from runware_provider.engine.output_types import OutputType
    from runware_provider.engine.spec import (
        Budget,
        Delivery,
        Endpoint,
        Forcing,
        IfExists,
        IfSchemaBreaks,
        OnEmpty,
        Reuse,
        Tool,
        ToolChoice,
        ToolChoiceType,
    )

RUN_VARIABLES: Final = ("params", "ds", "logical_date", "data_interval_start", "data_interval_end", "run_id")
"""What the context lends the prompt. All but `params` and `run_id` are absent without a logical date."""

_STAND_INS: Final[dict[str, Any]] = {"source": "later", "destination": "later", "model": "some:model"}
"""Valid values for what a template renders later, while the rest is checked."""

_PROMPT_STAND_IN: Final = "{{ record.later }}"


class TextInferenceOperator(BaseOperator):
    """Asks the model once per record of a Parquet dataset, and writes one row per record.

    Returns the manifest: counts by outcome, tokens, cost and files, as a small dict. Every asset in
    `outlets` gets it as the `extra` of its event.

    Args:
        source: a Parquet file, a folder of them (hive partitions too), or a glob. Templated.
        destination: the output dataset's root. Templated.
        prompt: a Jinja template, rendered once per record: `{{ record.<column> }}`, and beside it `params`,
            `run_id`, `dag_id` and, if the run has a logical date, `ds`, `logical_date`,
            `data_interval_start`, `data_interval_end`. One line that ends in `.j2` is a file, looked up
            beside the DAG, then in its `template_searchpath`. Airflow does not render it.
        state: the folder that remembers what was paid for; by default `<destination>.state`. Templated.
        partition: one hive partition of the destination, replaced as a whole: `{"ds": "{{ ds }}"}`. Templated.
        model: the API's name of the model. Templated.
        system_prompt: sent as it is; a line that ends in `.j2`, `.txt` or `.md` is a file, found as above.
        output_type: a pydantic model; a JSON Schema (a dict, or a file that ends in `.json`, found as above);
            labels, one of which is the answer (a list of texts, a `Literal`, an Enum); or nothing for text.
        tools: functions that the model may call instead of answering; excludes `output_type`.
        tool_choice: `"auto"`, `"any"`, `"none"`, a tool's name, or a `ToolChoice`.
        settings: sampling settings.
        limits: bounds on memory, on what is under way at once, and on attempts.
        delivery: `"poll"` asks for the answers, `"sync"` holds the connection until they are there.
        samples: how many answers per record.
        refresh: ask anew what was answered before; once per Airflow run, so a retry does not ask again. Templated,
            so `"{{ params.refresh }}"` works.
        retry_failed: ask again what is `failed`, `invalid` or `refused`, and nothing else; once per Airflow run.
            Templated.
        filters: choose records: `[("country", "==", "de"), ("total", ">", 100)]`, all of which must hold; or a
            list of such lists, one of which must. The dataset then holds no others. Templated, and shown by Airflow
            like every templated field: `("day", "==", "{{ ds }}")`.
        limit: the first n (chosen) records only. Templated, so `"{{ params.limit }}"` works.
        max_input_tokens: requests that are longer, by estimate, are skipped, never truncated.
        max_failed: how many rows may end other than `succeeded` or `skipped`, or be skipped since their prompt
            could not be rendered, a count (`20`) or a share of those to be asked (`0.1`); `None` for any number. Beyond it nothing is published, and what was
            paid for is kept; a prompt that fails again and again is stopped early.
        failures: a dataset of its own for the rows that neither succeeded nor were skipped. Templated.
        budget: what the run may cost with all its retries, `Budget(usd=5)`.
        columns: the input's columns that the output keeps; all by default.
        flatten: make the fields of the result columns of their own, in the place of the column `result`.
        on_empty: an input without records writes an empty dataset, skips the task, or fails it.
        if_exists: `"overwrite"` replaces the dataset (or the partition), `"error"` refuses to.
        if_schema_breaks: `"error"` refuses a partition that readers could not read together with the others,
            `"allow"` writes it.
        keep_raw: keep the raw answer of every row, not only of those that did not fit.
        report: look at the quality of what was published, and keep the report as a page and as Markdown in the
            state folder; their paths are in the manifest's `report`. `Report(expected="right.parquet", key="id")`
            adds how often each field is as expected.
        reuse: `"dataset"` takes the answers of other partitions of the destination to identical questions.
        retention_days: erase answers from the ledger that no published row uses and that are older.
        structured: what is done about an answer that does not fit, `Structured(reasks=2)`.
        forcing: how structured output is forced; `"auto"` takes what the model can do best.
        runware_conn_id: the connection with the API key.
        retry_policy: by default, what another try cannot mend fails at once, whatever `retries` says.

    Raises:
        BadInput: an argument cannot work; at construction, except for what needs rendering, a file or pyarrow
            (whether a type can be stored); or, when a mapped task runs, whether its dataset is its own.
    """

    template_fields: Sequence[str] = (
        "source",
        "destination",
        "state",
        "partition",
        "failures",
        "model",
        "filters",
        "limit",
        "refresh",
        "retry_failed",
    )
    template_ext: Sequence[str] = ()
    ui_color = "#e8e4f8"

    _job: JobThread[dict[str, Any]] | None = None
    _killed = False
    _progress: Progress | None = None
    """The newest."""
    _next_report_s = 0.0
    _report_every_s = 30.0

    def __init__(  # noqa: PLR0913 - what a job is: three needed, the rest with defaults and by keyword
        self,
        *,
        source: str | os.PathLike[str],
        destination: str | os.PathLike[str],
        prompt: str,
        state: str | os.PathLike[str] | None = None,
        partition: Mapping[str, str] | None = None,
        model: str = DEFAULT_MODEL,
        system_prompt: str | None = None,
        output_type: OutputType = None,
        tools: Sequence[Tool | dict[str, Any]] | None = None,
        tool_choice: ToolChoice | ToolChoiceType | str | dict[str, Any] | None = None,
        settings: Settings | dict[str, Any] | None = None,
        limits: Limits | dict[str, Any] | None = None,
        delivery: Delivery = "poll",
        samples: int = 1,
        refresh: bool | str = False,
        retry_failed: bool | str = False,
        filters: Sequence[Filter] | Sequence[Sequence[Filter]] | None = None,
        limit: int | str | None = None,
        max_input_tokens: int | None = None,
        max_failed: int | float | None = DEFAULT_MAX_FAILED,  # noqa: PYI041 - 1 is one row, 1.0 is all of them
        failures: str | os.PathLike[str] | None = None,
        budget: Budget | dict[str, Any] | None = None,
        columns: Sequence[str] | None = None,
        flatten: bool = False,
        on_empty: OnEmpty = "write",
        if_exists: IfExists = "overwrite",
        if_schema_breaks: IfSchemaBreaks = "error",
        keep_raw: bool = False,
        report: Report | dict[str, Any] | bool = False,
        reuse: Reuse = "partition",
        retention_days: int | None = None,
        structured: Structured | dict[str, Any] | None = None,
        forcing: Forcing = "auto",
        runware_conn_id: str = DEFAULT_CONN_ID,
        retry_policy: RetryPolicy | None = ONLY_WHAT_A_RETRY_MENDS,
        **kwargs: Any,
    ) -> None:
        _refuse_where(kwargs)
        super().__init__(retry_policy=retry_policy, **kwargs)
        self.source = as_text(source)
        self.destination = as_text(destination)
        self.state = as_text(state)
        self.partition = partition
        self.model = model
        self.prompt = stored(prompt)
        self.system_prompt = stored(system_prompt)
        self.output_type: OutputType = stored(output_type)
        self.tools = stored(tools)
        self.tool_choice = tool_choice
        self.settings = stored(settings)
        self.limits = limits
        self.delivery = delivery
        self.samples = samples
        self.refresh = refresh
        self.retry_failed = retry_failed
        self.filters = filters
        self.limit = limit
        self.max_input_tokens = max_input_tokens
        self.max_failed = max_failed
        self.failures = as_text(failures)
        self.budget = budget
        self.columns = columns
        self.flatten = flatten
        self.on_empty = on_empty
        self.if_exists = if_exists
        self.if_schema_breaks = if_schema_breaks
        self.keep_raw = keep_raw
        self.report = report
        self.reuse = reuse
        self.retention_days = retention_days
        self.structured = structured
        self.forcing = forcing
        self.runware_conn_id = runware_conn_id
        self._given_place = {"destination": self.destination, "partition": partition}
        self._check_what_is_known()

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """As every operator's; texts are kept out of the serialized DAG."""
        _refuse_where(kwargs)
        return super().partial(**unstored(kwargs))

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the job; returns the manifest.

        Raises:
            BadInput: nothing was sent, nothing is paid.
            JobStopped: it ended before all rows had their outcome. What was paid, what is kept, what is still billed
                and what to do stands in the log; the error's `manifest` has it as numbers.
            AirflowSkipException: the source holds no record and `on_empty` is `"skip"`.
        """
        try:
            return self.carry_out(context)
        except AirflowSkipException:
            raise
        except BaseException as error:
            self._say_last_words(error)
            if isinstance(error, ON_PURPOSE):
                raise error.with_traceback(None) from None
            raise

    def _say_last_words(self, error: BaseException) -> None:
        state, timeout = self._state_folder(), self.execution_timeout
        for line in last_words(error, state=state, timeout=timeout, policy=self.retry_policy):
            self.log.error("%s", line)

    def carry_out(self, context: Context) -> dict[str, Any]:
        """What `execute` does, without its last words where it ends badly."""
        refuse_shared_place(context, self._given_place)
        hook = RunwareHook(self.runware_conn_id)
        endpoint = hook.get_endpoint()
        spec = configuration.within_budget(hook.within_bounds(self.make_spec(context)))
        self._report_every_s = configuration.progress_interval_s()
        wish = _report_wish(self.report)
        if wish is not None and wish.expected is not None:
            self._check_report(wish, spec)
        self._job = JobThread(lambda stop: self.start_job(spec, endpoint, stop))
        if self._killed:
            self._job.stop()
        try:
            manifest = self._job.run()
        except NothingToDo as nothing:
            raise AirflowSkipException(str(nothing) or "The source holds no record.") from None
        finally:
            self._job = None
        try:
            return self._finished(manifest, wish, spec, context)
        except BaseException as error:
            note_how_far(error, {**manifest, "still_at_vendor": 0})
            raise

    def _finished(
        self, manifest: dict[str, Any], wish: Report | None, spec: Spec, context: Context
    ) -> dict[str, Any]:
        """Tell of a dataset that was published, and look at its quality; returns the manifest."""
        self.log.info("%s", ending(manifest))
        if wish is not None:
            manifest = {**manifest, **self._kept_report(wish, spec)}
        for outlet in self.outlets:
            if isinstance(outlet, Asset):
                context["outlet_events"][outlet].extra = manifest
        return manifest

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

    def start_job(
        self, spec: Spec, endpoint: Endpoint, stop: asyncio.Event
    ) -> Coroutine[Any, Any, dict[str, Any]]:
        """The engine's job as a coroutine; the seam where tests put another."""
        from runware_provider.engine.job.run import run_job  # noqa: PLC0415 - heavy: httpx and pyarrow

        return run_job(spec, endpoint, report=self._report, stop=stop, stores=airflow_stores())

    @staticmethod
    def _check_report(wish: Report, spec: Spec) -> None:
        """Before anything is paid: whether the expected values go with what the job will write."""
        from runware_provider.engine.job.prepare import prepare  # noqa: PLC0415 - heavy: pyarrow
        from runware_provider.quality.keeping import check_report  # noqa: PLC0415 - heavy: pyarrow

        stores = airflow_stores()
        prepared = prepare(spec, stores)
        check_report(wish, prepared.kept_schema, prepared.result_type, stores)

    def _kept_report(self, wish: Report, spec: Spec) -> dict[str, Any]:
        """Where the report is; without one the task succeeds all the same, since the dataset stands."""
        try:
            from runware_provider.quality.keeping import report_on  # noqa: PLC0415 - heavy: pyarrow

            paths = report_on(wish, spec.destination, spec.partition, spec.state, airflow_stores())
        except Exception as error:  # noqa: BLE001 - a task that has published and paid must not fail over its report
            self.log.warning("The dataset is published, but there is no report: %s", _why_no_report(error))
            return {}
        self.log.info("The report on its quality is %s", paths["html"])
        return {"report": paths}

    def make_spec(self, context: Context) -> Spec:
        """What this task instance asks for: rendered, files read, the run's variables beside.

        Raises:
            BadInput: a file is missing, or a rendered value cannot work.
        """
        folders = lookup.folders_of(self.get_dag() or context["dag"])
        run = _run_of(context)
        return Spec(
            **self._templated(),
            **self._fixed(),
            prompt=_text("prompt", self.prompt, lookup.PROMPT_ENDINGS, folders),
            system_prompt=_text("system_prompt", self.system_prompt, lookup.SYSTEM_PROMPT_ENDINGS, folders),
            output_type=self._schema(folders),
            refresh=run if wished("refresh", self.refresh) else None,
            retry_failed=run if wished("retry_failed", self.retry_failed) else None,
            run=run,
            variables=_variables(context),
        )

    def of_this_run(self, spec: Spec, context: Context) -> Spec:
        """The same job as one of this run: its budget is the run's, and the prompt may name the run's variables."""
        named = {**_variables(context), **spec.variables}
        return spec.model_copy(update={"run": spec.run or _run_of(context), "variables": named})

    def _state_folder(self) -> str:
        """Where the answers are kept, as far as the arguments say it by now."""
        if self.state or isinstance(self.destination, Later):
            return str(self.state or "")
        return f"{str(self.destination).rstrip('/')}.state"

    def _check_what_is_known(self) -> None:
        """Fail the DAG's import, rather than the task, for what no rendering and no file can mend."""
        _check_prompt(self.prompt)
        if not shape_waits(self.filters):
            normal_form(self.filters)
        _report_wish(self.report)
        if isinstance(self.output_type, str) and not lookup.names_a_file(
            self.output_type, lookup.SCHEMA_ENDINGS
        ):
            raise BadInput(
                "output_type",
                "a text is the path of a file that ends in .json, and this one is none",
                "Give a pydantic model, a JSON Schema as a dict, the path of a .json file, or a list of labels",
            )
        ready = {name: value for name, value in self._templated().items() if not waits(value)}
        wishes: dict[str, Any] = {
            name: "later" if not waits(value) and wished(name, value) else None
            for name, value in (("refresh", self.refresh), ("retry_failed", self.retry_failed))
        }
        Spec(
            **wishes,
            **(_STAND_INS | ready | {"partition": keys_only(self.partition)}),
            **self._fixed(),
            prompt=_PROMPT_STAND_IN if isinstance(self.prompt, Later) else self.prompt,
            system_prompt=self.system_prompt,
            output_type={} if isinstance(self.output_type, str) else self.output_type,
        )

    def _templated(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "destination": self.destination,
            "state": self.state or None,
            "partition": self.partition or {},
            "model": self.model,
            "filters": self.filters,
            "limit": self.limit,
            "failures": self.failures or None,
        }

    def _fixed(self) -> dict[str, Any]:
        return {
            "tools": tuple(self.tools or ()),
            "tool_choice": self.tool_choice,
            "settings": Settings() if self.settings is None else self.settings,
            "limits": Limits() if self.limits is None else self.limits,
            "delivery": self.delivery,
            "samples": self.samples,
            "columns": tuple(self.columns) if isinstance(self.columns, list) else self.columns,
            "flatten": self.flatten,
            "on_empty": self.on_empty,
            "if_exists": self.if_exists,
            "if_schema_breaks": self.if_schema_breaks,
            "keep_raw": self.keep_raw,
            "max_input_tokens": self.max_input_tokens,
            "max_failed": self.max_failed,
            "budget": self.budget,
            "reuse": self.reuse,
            "retention_days": self.retention_days,
            "structured": Structured() if self.structured is None else self.structured,
            "forcing": self.forcing,
        }

    def _schema(self, folders: Sequence[Path]) -> OutputType:
        if isinstance(self.output_type, str):
            return lookup.read_schema("output_type", self.output_type, folders)
        return self.output_type

    def _report(self, progress: Progress) -> None:
        """Log often at first, then as rarely as configured: a night's job should not fill the log."""
        self._progress = progress
        if progress.elapsed_s >= self._next_report_s or progress.done == progress.total:
            self._next_report_s = progress.elapsed_s + min(
                self._report_every_s, max(1.0, progress.elapsed_s / 4)
            )
            self.log.info("%s", progress.line())


def _report_wish(given: object) -> Report | None:
    """The report that is wished for; nothing where none is.

    Raises:
        BadInput: it is something else.
    """
    if given is None or isinstance(given, bool):
        return Report() if given else None
    if isinstance(given, Report):
        return given
    if not isinstance(given, dict):
        raise BadInput("report", f"a {type(given).__name__} is no report", "Write True or Report(...)")
    return Report(**given)


def _why_no_report(error: Exception) -> str:
    """The reason, for a log: no error's words but our own and a store's, since others may quote a value."""
    if isinstance(error, EngineError | OSError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{type(error).__name__} in {place.name}, line {place.lineno} of {place.filename}."
        " `python -m runware_provider report` says it in full"
    )


def _refuse_where(arguments: Mapping[str, Any]) -> None:
    if "where" in arguments:
        raise BadInput("where", "there is no such argument any more", NOT_WHERE)


def _check_prompt(prompt: object) -> None:
    if isinstance(prompt, str) and not lookup.names_a_file(prompt, lookup.PROMPT_ENDINGS):
        if not prompt.strip():
            raise BadInput("prompt", "it is empty", "Write a template, or the path of one that ends in .j2")
        if "{{" not in prompt and "{%" not in prompt:
            raise BadInput(
                "prompt",
                "it names no column, so every record would be asked the same",
                "Write {{ record.<column> }} into it, or give the path of a file that ends in .j2",
            )
        check_prompt(prompt)


def _text(field: str, value: Any, endings: tuple[str, ...], folders: Sequence[Path]) -> Any:
    return lookup.read_text(field, value, folders) if lookup.names_a_file(value, endings) else value


def _run_of(context: Context) -> str:
    instance = context["ti"]
    return f"{instance.dag_id}/{instance.task_id}/{instance.run_id}/{instance.map_index}"


def _variables(context: Context) -> dict[str, Any]:
    """What the prompt may name beside the record, as far as this run has it."""
    present = {name: context.get(name) for name in RUN_VARIABLES}
    variables = {name: value for name, value in present.items() if value is not None}
    return {**variables, "dag_id": context["ti"].dag_id}
