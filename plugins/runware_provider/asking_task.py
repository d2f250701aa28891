"""What a task asks: arguments as a DAG gives them, and the job that they come to when the task runs.

The DAG processor imports this module at every parse, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseOperator

from runware_provider import lookup
from runware_provider.engine.errors import BadInput
from runware_provider.engine.filters import NOT_WHERE, normal_form
from runware_provider.engine.spec import (
    DEFAULT_MAX_FAILED,
    DEFAULT_MODEL,
    Limits,
    Settings,
    Spec,
    Structured,
)
from runware_provider.engine.templates.prompt import check_syntax as check_prompt
from runware_provider.hook import DEFAULT_CONN_ID
from runware_provider.report_wish import report_wish
from runware_provider.retry_policy import ONLY_WHAT_A_RETRY_MENDS
from runware_provider.unstored import stored, unstored
from runware_provider.values_of_a_run import Later, as_text, keys_only, shape_waits, waits, wished

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from airflow.sdk import Context, RetryPolicy
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from runware_provider.engine.filters import Filter
    from runware_provider.engine.output_types import OutputType
    from runware_provider.engine.spec import (
        Budget,
        Delivery,
        Forcing,
        IfExists,
        IfSchemaBreaks,
        OnEmpty,
        Reuse,
        Tool,
        ToolChoice,
        ToolChoiceType,
    )
    from runware_provider.quality.spec import Report

RUN_VARIABLES: Final = ("params", "ds", "logical_date", "data_interval_start", "data_interval_end", "run_id")
"""What the context lends the prompt. All but `params` and `run_id` are absent without a logical date."""

_STAND_INS: Final[dict[str, Any]] = {"source": "later", "destination": "later", "model": "some:model"}
"""Valid values for what a template renders later, while the rest is checked."""

_PROMPT_STAND_IN: Final = "{{ record.later }}"


class AskingTask(BaseOperator):
    """A task that asks: its arguments, and the `Spec` that they come to.

    `TextInferenceOperator` says what each argument means.

    Raises:
        BadInput: an argument cannot work, except for what needs rendering, a file or pyarrow.
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

    def make_spec(self, context: Context) -> Spec:
        """What this task instance asks for: rendered, files read, the run's variables beside.

        Raises:
            BadInput: a file is missing, or a rendered value cannot work.
        """
        folders = lookup.folders_of(self.get_dag() or context["dag"])
        run = self.run_name(context)
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
        return spec.model_copy(update={"run": spec.run or self.run_name(context), "variables": named})

    def run_name(self, context: Context) -> str:
        """What all tries of this task instance belong to: they share one budget, and one wish to ask anew."""
        instance = context["ti"]
        return f"{instance.dag_id}/{instance.task_id}/{instance.run_id}/{instance.map_index}"

    def state_folder(self) -> str:
        """Where the answers are kept, as far as the arguments say it by now."""
        if self.state or isinstance(self.destination, Later):
            return str(self.state or "")
        return f"{str(self.destination).rstrip('/')}.state"

    def _check_what_is_known(self) -> None:
        """Fail the DAG's import, rather than the task, for what no rendering and no file can mend."""
        _check_prompt(self.prompt)
        if not shape_waits(self.filters):
            normal_form(self.filters)
        report_wish(self.report)
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


def _variables(context: Context) -> dict[str, Any]:
    """What the prompt may name beside the record, as far as this run has it."""
    present = {name: context.get(name) for name in RUN_VARIABLES}
    variables = {name: value for name, value in present.items() if value is not None}
    return {**variables, "dag_id": context["ti"].dag_id}
