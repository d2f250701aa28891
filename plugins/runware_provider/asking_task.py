"""What a task asks: arguments as a DAG gives them, and the job that they come to when the task runs.

The DAG processor imports this module at every parse, so it imports nothing heavy.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseOperator

from runware_provider import lookup
from runware_provider.assets import with_asset
from runware_provider.configuration import default_deferrable, makes_assets
from runware_provider.engine.errors import BadInput
from runware_provider.engine.filters import normal_form
from runware_provider.engine.messages import Message, as_messages
from runware_provider.engine.shown_urls import without_password
from runware_provider.engine.spec import DEFAULT_MODEL, Spec
from runware_provider.engine.templates.prompt import check_syntax as check_prompt
from runware_provider.engine.templates.record_messages import check_messages
from runware_provider.engine.value_object import is_template
from runware_provider.given_objects import RENDERED, TEXT_FIELDS, as_rendered, known_now, rendered_budget
from runware_provider.hook import DEFAULT_CONN_ID
from runware_provider.import_checks import refuse_earlier_names, refuse_stored_texts, refuse_stray_templates
from runware_provider.mapped_arguments import AskingPartial
from runware_provider.report_wish import report_wish
from runware_provider.retry_policy import ONLY_WHAT_A_RETRY_MENDS
from runware_provider.text_rendering import compared_texts, rendered_text, renders_objects
from runware_provider.unstored import stored, unstored
from runware_provider.values_of_a_run import Later, as_text, keys_only, shape_waits, waits, wished

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from airflow.sdk import Context, RetryPolicy
    from airflow.sdk.definitions.mappedoperator import OperatorPartial
    from jinja2 import Environment

    from runware_provider.approval import Approve
    from runware_provider.engine.filters import Filter
    from runware_provider.engine.output_types import OutputType
    from runware_provider.engine.spec import (
        Answers,
        Budget,
        Delivery,
        Failures,
        Limits,
        Memory,
        Publish,
        Settings,
        Tool,
        ToolChoice,
        Webhook,
    )
    from runware_provider.quality.spec import Report

RUN_VARIABLES: Final = (
    "params",
    "ds",
    "logical_date",
    "data_interval_start",
    "data_interval_end",
    "partition_key",
    "run_id",
)
"""What the context lends the prompt. Dates are absent without a logical date, `partition_key` in a run of no partition."""

_STAND_INS: Final[dict[str, Any]] = {"source": "later", "destination": "later", "model": "some:model"}
"""Valid values for what a template renders later, while the rest is checked."""

_PROMPT_STAND_IN: Final = "{{ record.later }}"
_MESSAGES_STAND_IN: Final = "{{ record.later }}"

_TEXTS: Final = ("prompt", "messages", "system_prompt", "output_type")
"""Arguments that may be files, which are read when the task runs."""
_WISHES: Final = ("refresh", "retry_failed")
"""Arguments that are yes or no; for the engine such a wish has a name, that of the run."""


class AskingTask(BaseOperator):
    """A task that asks: its arguments, and the `Spec` that they come to.

    An argument is the field of `Spec` of its name, described there; `TextInferenceOperator` says what is different.

    Raises:
        BadInput: an argument cannot work, except for what needs rendering, a file or pyarrow.
    """

    template_fields: Sequence[str] = (
        "source",
        "destination",
        "model",
        "filters",
        "limit",
        "partition",
        "refresh",
        "retry_failed",
        "runware_conn_id",
        *RENDERED,
    )
    template_ext: Sequence[str] = ()
    ui_color = "#e8e4f8"
    reads_source = True
    """Whether the task is one of those that the source is an inlet of."""
    writes_destination = True
    """Whether the task is the one that the destination is an outlet of."""

    def __init__(  # noqa: PLR0913 - what a job is: three needed, the rest with defaults and by keyword
        self,
        *,
        source: str | os.PathLike[str],
        destination: str | os.PathLike[str],
        prompt: str | None = None,
        messages: Sequence[Message | dict[str, str]] | str | None = None,
        output_type: OutputType = None,
        model: str = DEFAULT_MODEL,
        system_prompt: str | None = None,
        tools: Sequence[Tool | dict[str, Any]] | None = None,
        tool_choice: ToolChoice | dict[str, Any] | str | None = None,
        settings: Settings | dict[str, Any] | None = None,
        filters: Sequence[Filter] | Sequence[Sequence[Filter]] | None = None,
        limit: int | str | None = None,
        samples: int = 1,
        partition: Mapping[str, str] | None = None,
        refresh: bool | str = False,
        retry_failed: bool | str = False,
        budget: Budget | dict[str, Any] | None = None,
        answers: Answers | dict[str, Any] | None = None,
        publish: Publish | dict[str, Any] | None = None,
        failures: Failures | dict[str, Any] | None = None,
        memory: Memory | dict[str, Any] | None = None,
        limits: Limits | dict[str, Any] | None = None,
        delivery: Delivery = "poll",
        webhook: Webhook | dict[str, Any] | None = None,
        report: Report | dict[str, Any] | bool = False,
        approve: Approve | dict[str, Any] | float | bool = False,
        deferrable: bool | None = None,
        assets: bool | None = None,
        runware_conn_id: str = DEFAULT_CONN_ID,
        retry_policy: RetryPolicy | None = ONLY_WHAT_A_RETRY_MENDS,
        **kwargs: Any,
    ) -> None:
        refuse_earlier_names([*kwargs, *(kwargs.get("default_args") or {})], SPEC_ARGUMENTS)
        refuse_stored_texts(kwargs.get("dag"))
        super().__init__(retry_policy=retry_policy, **kwargs)
        self.source = as_text(source)
        self.destination = as_text(destination)
        self.prompt = _lone_prompt(prompt, messages)
        self.messages = stored(messages)
        self.output_type: OutputType = stored(output_type)
        self.model = model
        self.system_prompt = stored(system_prompt)
        self.tools = stored(tools)
        self.tool_choice = tool_choice
        self.settings = stored(settings)
        self.filters = filters
        self.limit = limit
        self.samples = samples
        self.partition = partition
        self.refresh = refresh
        self.retry_failed = retry_failed
        self.budget = as_rendered("budget", budget)
        self.answers = answers
        self.publish = publish
        self.failures = as_rendered("failures", failures)
        self.memory = as_rendered("memory", memory)
        self.limits = limits
        self.delivery = delivery
        self.webhook = webhook
        self.report = report
        self.approve = as_rendered("approve", approve)
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.runware_conn_id = runware_conn_id
        self.assets = makes_assets() if assets is None else assets
        self._given_place = {"destination": self.destination, "partition": partition}
        self._check_what_is_known()
        self._given_outlets = list(self.outlets)
        if self.assets:
            self._make_assets()

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """As every operator's; texts are kept out of the serialized DAG."""
        default_args = kwargs.get("default_args") or {}
        refuse_earlier_names([*kwargs, *default_args], SPEC_ARGUMENTS)
        # Of these Airflow keeps none but its own for mapped tasks: a budget among them would bound nothing.
        kwargs = {name: value for name, value in default_args.items() if name in _TAKEN} | kwargs
        rendered = {name: as_rendered(name, kwargs[name]) for name in RENDERED if name in kwargs}
        return AskingPartial.of(super().partial(**unstored(kwargs | rendered)), SPEC_ARGUMENTS)

    def make_spec(self, context: Context) -> Spec:
        """What this task instance asks for: rendered, files read, the run's variables beside.

        Raises:
            BadInput: a file is missing, or a rendered value cannot work.
        """
        folders = lookup.folders_of(self.get_dag() or context["dag"])
        run = self.run_name(context)
        given = self._of_the_spec()
        # One that is written without any bound was refused when the DAG was imported.
        given["budget"] = rendered_budget(given.get("budget"))
        return Spec(
            **given,
            prompt=_text("prompt", self.prompt, lookup.PROMPT_ENDINGS, folders),
            messages=_messages(self.messages, folders),
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

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """As every operator's; but what a template says in the place of a text stays a text.

        With `render_template_as_native_obj`, Airflow would make a number of it: 2026 of `2026`, and 0 of the hour `00`.
        """
        environment = jinja_env or self.get_template_env()
        # Airflow renders what stands in a set, and leaves a frozen one as it is.
        if isinstance(content, frozenset):
            content = set(content)
        if not renders_objects(environment):
            return super().render_template(content, context, environment, seen_oids)
        dag = self.get_dag() or context["dag"]
        if isinstance(content, str) and any(content is text for text in self._texts()):
            return rendered_text(content, context, dag)
        if not isinstance(content, dict):
            return super().render_template(content, context, environment, seen_oids)
        names = self._texts_in(content)
        others = {name: part for name, part in content.items() if name not in names}
        rendered = super().render_template(others, context, environment, seen_oids)
        texts = {name: rendered_text(content[name], context, dag) for name in names}
        return {name: texts[name] if name in texts else rendered[name] for name in content}

    def _texts(self) -> tuple[Any, ...]:
        """The texts among the templated arguments, and those that filters compare with."""
        places = self.source, self.destination
        return *places, self.model, self.runware_conn_id, *compared_texts(self.filters)

    def _texts_in(self, argument: dict[str, Any]) -> set[str]:
        """The names of the texts in a dict, if it is one of the arguments that hold some."""
        names: set[str] = set()
        if argument is self.partition:
            names = set(argument)
        for other, name in TEXT_FIELDS.items():
            if argument is getattr(self, other):
                names = {name} & argument.keys()
        return {name for name in names if isinstance(argument[name], str)}

    def run_name(self, context: Context) -> str:
        """What all tries of this task instance belong to: they share one budget, and one wish to ask anew."""
        instance = context["ti"]
        return f"{instance.dag_id}/{instance.task_id}/{instance.run_id}/{instance.map_index}"

    def state_folder(self) -> str:
        """Where the answers are kept, as far as the arguments say it by now."""
        state = self.memory.get("state") if isinstance(self.memory, dict) else None
        if state or isinstance(self.destination, Later):
            return without_password(str(state or ""))
        return f"{without_password(str(self.destination)).rstrip('/')}.state"

    def _make_assets(self) -> None:
        """Add what the DAG says of source and destination to the inlets and outlets."""
        if self.reads_source:
            self.inlets = with_asset(self.inlets, self.source, is_glob=True)
        if self.writes_destination:
            self.outlets = with_asset(self.outlets, self.destination, is_glob=False)

    def _check_what_is_known(self) -> None:
        """Fail the DAG's import, rather than the task, for what no rendering and no file can mend."""
        refuse_stray_templates({name: getattr(self, name) for name in _TAKEN if hasattr(self, name)})
        _check_prompt(self.prompt)
        _check_messages(self.messages)
        if not shape_waits(self.filters):
            normal_form(self.filters)
        report_wish(self.report)
        if isinstance(self.approve, dict):
            known_now("approve", self.approve)
        _check_flag("deferrable", self.deferrable)
        _check_flag("assets", self.assets)
        if isinstance(self.output_type, str) and not lookup.names_a_file(
            self.output_type, lookup.SCHEMA_ENDINGS
        ):
            raise BadInput(
                "output_type",
                "a text is the path of a file that ends in .json, and this one is none",
                "Give a pydantic model, a JSON Schema as a dict, the path of a .json file, or a list of labels",
            )
        wishes: dict[str, Any] = {
            name: "later" if not waits(value) and wished(name, value) else None
            for name, value in (("refresh", self.refresh), ("retry_failed", self.retry_failed))
        }
        Spec(
            **wishes,
            **(_STAND_INS | self._known()),
            prompt=_PROMPT_STAND_IN if isinstance(self.prompt, Later) else self.prompt,
            messages=_MESSAGES_STAND_IN if _is_file_of_messages(self.messages) else self.messages,
            system_prompt=self.system_prompt,
            output_type={} if isinstance(self.output_type, str) else self.output_type,
        )

    def _known(self) -> dict[str, Any]:
        """The arguments, as `_of_the_spec`, as far as no rendering changes them."""
        given = self._of_the_spec()
        later = {name for name, value in given.items() if name in self.template_fields and waits(value)}
        known = {name: value for name, value in given.items() if name not in later}
        parts = {name: known_now(name, given[name]) for name in RENDERED if isinstance(given.get(name), dict)}
        return known | parts | {"partition": keys_only(self.partition)}

    def _of_the_spec(self) -> dict[str, Any]:
        """The arguments that go into the `Spec` as they are; where None was given, the `Spec` has its default."""
        given = {name: getattr(self, name) for name in SPEC_ARGUMENTS if name not in (*_TEXTS, *_WISHES)}
        return {name: value for name, value in given.items() if value is not None}

    def _schema(self, folders: Sequence[Path]) -> OutputType:
        if isinstance(self.output_type, str):
            return lookup.read_schema("output_type", self.output_type, folders)
        return self.output_type


_TAKEN: Final = inspect.signature(AskingTask.__init__).parameters
SPEC_ARGUMENTS: Final = tuple(name for name in Spec.model_fields if name in _TAKEN)
"""The operator's arguments that are fields of the `Spec`."""


def _lone_prompt(prompt: object, messages: object) -> Any:
    """The prompt; None where messages are asked, also if a function might have returned one."""
    return None if isinstance(prompt, Later) and messages is not None else stored(prompt)


def _check_flag(field: str, given: object) -> None:
    if not isinstance(given, bool):
        raise BadInput(field, f"it is {given!r:.200}", "Give True or False")


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


def _check_messages(messages: Any) -> None:
    if messages is None or _is_file_of_messages(messages):
        return
    known = as_messages(messages)
    if known is None or isinstance(known, str):
        check_messages(known or "")
        return
    # What may be a file is read when the task runs.
    texts = [message.content for message in known]
    if any(lookup.names_a_file(text, lookup.PROMPT_ENDINGS) for text in texts):
        return
    check_messages(known)
    if not any(is_template(text) for text in texts):
        raise BadInput(
            "messages",
            "they name no column, so every record would be asked the same",
            "Write {{ record.<column> }} into one of them",
        )


def _is_file_of_messages(messages: object) -> bool:
    return lookup.names_a_file(messages, lookup.MESSAGES_ENDINGS)


def _messages(given: Any, folders: Sequence[Path]) -> Any:
    """The messages with their files read: one that holds all of them, and each that is a content."""
    messages = as_messages(
        lookup.read_messages("messages", given, folders) if _is_file_of_messages(given) else given
    )
    if messages is None or isinstance(messages, str):
        return messages
    texts = [_text("messages", message.content, lookup.PROMPT_ENDINGS, folders) for message in messages]
    return [Message(role=message.role, content=text) for message, text in zip(messages, texts, strict=True)]


def _text(field: str, value: Any, endings: tuple[str, ...], folders: Sequence[Path]) -> Any:
    return lookup.read_text(field, value, folders) if lookup.names_a_file(value, endings) else value


def _variables(context: Context) -> dict[str, Any]:
    """What the prompt may name beside the record, as far as this run has it."""
    present = {name: context.get(name) for name in RUN_VARIABLES}
    variables = {name: value for name, value in present.items() if value is not None}
    return {**variables, "dag_id": context["ti"].dag_id}
