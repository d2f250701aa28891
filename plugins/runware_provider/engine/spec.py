"""What the user asked for, validated; imports nothing heavy, so DAG files may import it.

Limits of the API are those of the vendor's model page; where a limit belongs to one model only, it is
checked for that model only.
"""

from __future__ import annotations

import json
import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

# Whoever runs a job needs both, and finds them here since before the endpoint had a module of its own.
from runware_provider.engine.endpoint import Endpoint as Endpoint  # noqa: PLC0414 - named on purpose
from runware_provider.engine.errors import BadInput
from runware_provider.engine.filters import Filters, normal_form
from runware_provider.engine.output_types import OutputType, understood
from runware_provider.engine.traits import ModelTraits
from runware_provider.engine.value_object import ValueObject, shown

Delivery = Literal["poll", "sync"]
Forcing = Literal["auto", "json_schema", "tool", "prompt"]
OnEmpty = Literal["write", "skip", "fail"]
IfExists = Literal["overwrite", "error"]
IfSchemaBreaks = Literal["error", "allow"]
ToolChoiceType = Literal["auto", "any", "tool", "none"]
WhenShort = Literal["stop", "partial"]
Reuse = Literal["partition", "dataset"]
Untyped = Literal["refuse", "json"]

PARTITION_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
DEFAULT_MODEL = "deepseek-v4-pro"
MOST_TOKENS_OF_THE_DEFAULT = 100_000
"""Of one answer, by the vendor's page of the model."""
DEFAULT_MAX_FAILED = 0.1


def _in_hundredths(value: float, info: ValidationInfo) -> float:
    """The API takes these numbers in steps of 0.01."""
    if not math.isfinite(value * 100) or abs(value * 100 - round(value * 100)) > 1e-6:
        raise BadInput(
            f"settings.{info.field_name}", f"{value!r} is not a multiple of 0.01, the API's step", "Round it"
        )
    return round(value, 2)


def _not_blank(value: str, info: ValidationInfo) -> str:
    if not value.strip():
        raise BadInput(str(info.field_name), "it is empty", "Give a text that is not blank")
    return value


def _no_switch(value: object) -> object:
    """Python takes True for 1, and whoever writes `reasks=True` means something else."""
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "a number is wanted")
    return value


def _plain_json(value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    field = f"settings.{info.field_name}" if info.field_name == "extra" else "tools.schema"
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise BadInput(
            field,
            "it holds what is not plain JSON",
            "Use dicts, lists, texts, finite numbers, true, false, null",
        ) from None
    return value


Hundredths = Annotated[float, AfterValidator(_in_hundredths)]
Text = Annotated[str, AfterValidator(_not_blank)]
PlainJson = Annotated[dict[str, Any], AfterValidator(_plain_json)]
WholeNumber = Annotated[int, BeforeValidator(_no_switch)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]

OWN_FIELDS = {
    "systemPrompt": "system_prompt",
    "temperature": "temperature",
    "topP": "top_p",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
    "maxTokens": "max_tokens",
    "stopSequences": "stop_sequences",
    "thinkingLevel": "thinking_level",
    "seed": "seed",
}
"""The API's names of settings that have an argument here."""


class Settings(ValueObject):
    """Sampling settings, sent as the API's `settings` (and `seed`); what is left out is the API's default."""

    temperature: Annotated[Hundredths, Field(ge=0, le=2)] | None = None
    """How freely the model chooses its words; 0 is nearest to the same answer each time."""
    top_p: Annotated[Hundredths, Field(ge=0, le=1)] | None = None
    """Chooses among the likeliest words only, whose probabilities add up to this."""
    frequency_penalty: Annotated[Hundredths, Field(ge=0, le=2)] | None = None
    """Makes a word less likely the more often it was said."""
    presence_penalty: Annotated[Hundredths, Field(ge=0, le=2)] | None = None
    """Makes a word less likely once it was said."""
    max_tokens: Annotated[WholeNumber, Field(ge=1)] | None = None
    """Tokens after which an answer is cut off; `deepseek-v4-pro` takes at most 100,000."""
    stop_sequences: (
        Annotated[tuple[Annotated[str, Field(min_length=1, max_length=50)], ...], Field(max_length=5)] | None
    ) = None
    """Texts at which the answer ends."""
    thinking_level: str | None = None
    """Passed through: the vendor's page says that there are three values, not what they are called."""
    seed: Annotated[WholeNumber, Field(ge=0, le=2**63 - 1)] | None = None
    """Sample n of a record is sent with seed + n. The vendor's page rounds the bound, an int64, to a double."""
    extra: PlainJson = Field(default_factory=dict, repr=False)
    """Further keys of `settings` that only some models know, in the API's own spelling."""

    @field_validator("extra")
    @classmethod
    def _extra_hides_no_other(cls, extra: dict[str, Any]) -> dict[str, Any]:
        for key in extra:
            if key in OWN_FIELDS:
                own = OWN_FIELDS[key]
                where = "the job's system_prompt" if own == "system_prompt" else f"settings.{own}"
                raise BadInput("settings.extra", f"{key!r} has an argument of its own", f"Use {where}")
        return extra


class Tool(ValueObject):
    """A tool that the model may call.

    `search` and `codeInterpreter` run at the vendor, for the models that have them; `function` is the user's.
    """

    type: Literal["function", "search", "codeInterpreter"] = "function"
    """`function` is yours: its calls are the result. The others run at the vendor."""
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    """What the model calls it by; a function needs one."""
    description: str | None = Field(default=None, repr=False)
    """What it does and when to call it, for the model to read."""
    input_schema: PlainJson | None = Field(default=None, alias="schema", repr=False)
    """The JSON Schema of its arguments, written as `schema`; a function needs one."""

    @model_validator(mode="after")
    def _a_function_has_name_and_schema(self) -> Self:
        if self.type == "function" and (self.name is None or self.input_schema is None):
            missing = "name" if self.name is None else "schema"
            raise BadInput(
                f"tools.{missing}", "a function tool needs a name and a schema", f"Give its {missing}"
            )
        return self


class ToolChoice(ValueObject):
    """How the model picks among the tools."""

    type: ToolChoiceType = "auto"
    """`auto`: the model decides whether to call; `any`: it must call one; `tool`: the named one; `none`: it must not."""
    name: str | None = None
    """The tool's name, with the type `tool`."""

    @model_validator(mode="after")
    def _a_named_choice_has_a_name(self) -> Self:
        if self.type == "tool" and self.name is None:
            raise BadInput("tool_choice.name", "type 'tool' needs the tool's name", "Give it")
        if self.type != "tool" and self.name is not None:
            raise BadInput(
                "tool_choice.name", f"type {self.type!r} takes no name", "Drop it, or choose type 'tool'"
            )
        return self


FIRST_LOOK_UP_S = 30.0
"""By then most answers are there. What getResponse has forgotten is not waited for much longer."""


class Limits(ValueObject):
    """Bounds of a job: on what it holds in memory, has under way, and tries again."""

    requests: Annotated[WholeNumber, Field(ge=1, le=64)] = 4
    """HTTP requests under way at once."""
    max_outstanding: Annotated[WholeNumber, Field(ge=1, le=100_000)] = 12_000
    """Inferences under way at the vendor at once, at most: how many fit, the job finds out by itself."""
    tasks_per_request: Annotated[WholeNumber, Field(ge=1, le=1000)] = 50
    """Tasks in one POST; with sync delivery at most 8, since the reply waits for the slowest."""
    request_bytes: Annotated[WholeNumber, Field(ge=10_000)] = 4_000_000
    """Bytes of one POST."""
    polls_per_request: Annotated[WholeNumber, Field(ge=1, le=1000)] = 100
    """getResponse tasks in one POST."""
    batch_rows: Annotated[WholeNumber, Field(ge=1)] = 5_000
    """Records of a batch, at most."""
    batch_bytes: Annotated[WholeNumber, Field(ge=1_000)] = 16_000_000
    """Bytes of a batch once it is decoded, at most, unless one record alone has more."""
    max_prompt_chars: Annotated[WholeNumber, Field(ge=1)] = 900_000
    """Longer prompts are skipped, never truncated."""
    attempts: Annotated[WholeNumber, Field(ge=1, le=20)] = 3
    """Attempts for a record before it is `failed`."""
    retry_lost: bool = True
    """Whether an accepted inference that never showed up, and may have been billed, gets a further attempt."""
    poll_interval_s: Seconds = 1.0
    """Seconds between two looks at a result at least, where answers take long; fast ones are looked for sooner, and looks
    become rarer with its age."""
    deadline_s: Seconds = 1_800.0
    """Seconds after which an inference that never showed up is looked for in the archive, then given up."""
    request_timeout_s: Seconds = 60.0
    """Seconds until a POST is given up; its tasks are then asked for, not sent blindly again."""
    sync_timeout_s: Seconds = 300.0
    """The same for sync delivery, where the reply waits for the answers."""
    unreachable_s: Seconds = 300.0
    """Seconds without one usable reply after which the job stops; that there is no room is none."""
    lease_s: Annotated[float, Field(ge=4, allow_inf_nan=False)] = 60.0
    """Seconds after which a process that gave no sign is taken for dead, and another run goes on with its work."""
    lease_wait_s: Seconds = 300.0
    """Seconds to wait for another run that is at work on the same dataset, before this one stops."""

    @property
    def first_look_up_s(self) -> float:
        """Seconds without an answer after which the archive is asked for it, though `deadline_s` has not passed."""
        return min(FIRST_LOOK_UP_S, self.deadline_s / 4)


class Structured(ValueObject):
    """How answers are read and stored, and what is done about one that does not fit."""

    reasks: Annotated[WholeNumber, Field(ge=0, le=5)] = 1
    """How often an answer that does not fit is shown to the model with what is wrong, to be answered again."""
    max_tokens_if_truncated: Annotated[WholeNumber, Field(ge=1)] | None = None
    """An answer that stops at `settings.max_tokens` is asked again with twice as many, and so on up to this."""
    untyped: Untyped = "refuse"
    """A place of the schema that has no one Arrow type (an open map, recursion, any type) is refused before
    anything is paid; with `json` it becomes a column of JSON text."""
    lenient_numbers: bool = False
    """Read texts that are numbers as English writes them, like `1,234.50`, where a number is asked for."""
    traits: ModelTraits | None = None
    """What the model can do, where the table does not know it or knows less: how it is forced, and which keywords
    of JSON Schema it does not take."""


class Budget(ValueObject):
    """What a run may cost, with all its tries; at least one of `usd` and `tokens`."""

    usd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """What all tries of the run may cost together, in USD."""
    tokens: Annotated[WholeNumber, Field(ge=1)] | None = None
    """Prompt and completion tokens together."""
    when_short: WhenShort = "stop"
    """`stop`: refuse a job whose estimate exceeds the budget, and stop one that reaches it. `partial`: go as far
    as it gets; what was not sent is `skipped` with the code `budget`, and the dataset is published."""
    usd_per_million: tuple[Price, Price] | None = None
    """USD per million tokens in and out, where the API names no price for the model."""

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.usd is None and self.tokens is None:
            raise BadInput("budget", "it bounds nothing", "Give usd, tokens, or both")
        return self


def _count_or_share(value: object) -> object:
    """1 is one row, 1.0 is all of them."""
    if value is None:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, float) and 0 <= value <= 1:
        return value
    raise BadInput(
        "max_failed",
        f"{shown(value)} is neither a count nor a share",
        "Give a whole number of rows, a share such as 0.1, or None for no bound",
    )


def _number_or_nothing(value: object) -> object:
    """A limit may come from a rendered template: "10", "", "None"."""
    if isinstance(value, str):
        text = value.strip()
        return None if text in {"", "None", "null"} else text
    return value


def _refuse_twins(names: list[str]) -> None:
    """DuckDB renames one of two fields that differ by case only, and each tool's arguments are a field."""
    known: dict[str, str] = {}
    for name in names:
        twin = known.setdefault(name.lower(), name)
        if twin != name:
            problem = f"{twin!r} and {name!r} differ by case only, which some readers take for one"
            raise BadInput("tools", problem, "Rename one of them")


class Spec(ValueObject):
    """One job: from which dataset, asking what, of which model, into which dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    source: Text
    """A Parquet file, a folder of them (hive partitions too), or a glob."""
    destination: Text
    """The dataset's root."""
    state: str | None = None
    """The state folder; by default the destination's sibling `<destination>.state`."""
    partition: dict[str, str] = Field(default_factory=dict)
    """One hive partition of the destination, replaced as a whole."""
    model: Text = DEFAULT_MODEL
    """The API's name of the model."""
    prompt: Text
    """The template's text, Jinja, rendered once per record."""
    system_prompt: Annotated[str, Field(max_length=900_000), AfterValidator(_not_blank)] | None = None
    """Sent as `settings.systemPrompt`, as it is: it is no template."""
    output_type: OutputType = None
    """A pydantic model, a JSON Schema, labels (a list of texts, a `Literal`, an Enum), or nothing for text."""
    forcing: Forcing = "auto"
    """How a structured answer is forced; `auto` takes what the model can do best."""
    tools: tuple[Tool, ...] = ()
    """Functions that the model may call instead of answering; excludes `output_type`."""
    tool_choice: ToolChoice | None = None
    """How the model picks among the tools; the word `auto`, `any` or `none`, or a tool's name, will do."""
    settings: Settings = Settings()
    """Sampling settings."""
    delivery: Delivery = "poll"
    """`poll` asks for the answers, `sync` holds the connection until they are there."""
    samples: Annotated[WholeNumber, Field(ge=1, le=100)] = 1
    """Answers per record, a row each."""
    refresh: str | None = None
    """A name for the wish to ask anew: the same name asks once, however often it is tried."""
    retry_failed: str | None = None
    """A name for the wish to ask again what is `failed`, `invalid` or `refused`; as for `refresh`, once."""
    filters: Annotated[Filters, BeforeValidator(normal_form)] = ()
    """Choose records: `[("country", "==", "de"), ("total", ">", 100)]`; the dataset then holds no others."""
    limit: Annotated[Annotated[WholeNumber, Field(ge=1)] | None, BeforeValidator(_number_or_nothing)] = None
    """The first n (chosen) records only; the dataset then holds no others."""
    max_input_tokens: Annotated[WholeNumber, Field(ge=1)] | None = None
    """Requests of more tokens, by estimate, are skipped, never truncated."""
    max_failed: Annotated[Any, BeforeValidator(_count_or_share)] = DEFAULT_MAX_FAILED
    """How many rows may end other than `succeeded` or `skipped`, or be skipped since their prompt could not be rendered, a count
    (int) or a share of those to be asked (float), for the dataset to be published; nothing for any number."""
    failures: str | None = None
    """Where to write the rows that neither succeeded nor were skipped, as a dataset of their own besides."""
    budget: Budget | None = None
    """What the job may cost with all its tries."""
    run: str | None = None
    """Names what several tries belong to, such as an Airflow run: they share one budget and one sum of what was paid."""
    reuse: Reuse = "partition"
    """`dataset`: what another partition of the destination asked identically is not asked again."""
    retention_days: Annotated[WholeNumber, Field(ge=0)] | None = None
    """Days after which answers that the published rows do not use are erased from the ledger; kept by default."""
    columns: tuple[str, ...] | None = None
    """The input's columns that the output keeps; all by default."""
    flatten: bool = False
    """Make the fields of the result columns of their own, in the place of the column `result`."""
    on_empty: OnEmpty = "write"
    """What an input without records does: `write` an empty dataset, `skip` the job, or `fail` it."""
    if_exists: IfExists = "overwrite"
    """`overwrite` replaces the dataset (or the partition), `error` refuses to."""
    if_schema_breaks: IfSchemaBreaks = "error"
    """What to do where the schema has changed since other partitions were written, so that readers of all of them
    break: refuse before anything is paid, or go on."""
    keep_raw: bool = False
    """Keep the raw answer of every row, not only of those that did not fit."""
    limits: Limits = Limits()
    """Bounds on memory, on what is under way at once, and on attempts."""
    structured: Structured = Structured()
    """How answers are read and stored, and what is done about one that does not fit."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """What the template may name beside `record`: `ds`, `params`, `run_id` and so on."""

    @field_validator("partition")
    @classmethod
    def _partition_fits_a_path(cls, partition: dict[str, str]) -> dict[str, str]:
        for key, value in partition.items():
            if not PARTITION_KEY.fullmatch(key):
                raise BadInput(
                    "partition", f"{key!r} is no partition key", "Use letters, digits and underscores"
                )
            if not value.strip():
                raise BadInput(
                    "partition",
                    f"the value of {key!r} is empty",
                    f"Give one, for example {{{key!r}: '2026-01-01'}}",
                )
        keys = {key.lower() for key in partition}
        if len(keys) < len(partition):
            raise BadInput(
                "partition",
                f"of its keys ({', '.join(partition)}) two differ in upper and lower case only, which many readers take for one",
                "Rename one",
            )
        return partition

    @field_validator("output_type", mode="before")
    @classmethod
    def _asks_for_something(cls, output_type: object) -> OutputType:
        return understood(output_type)

    @field_validator("tool_choice", mode="before")
    @classmethod
    def _choice_may_be_a_word(cls, choice: object) -> object:
        """`"any"`, `"auto"`, `"none"`, or a tool's name."""
        if not isinstance(choice, str):
            return choice
        return {"type": choice} if choice in {"auto", "any", "none"} else {"type": "tool", "name": choice}

    @model_validator(mode="after")
    def _tools_can_be_told_apart(self) -> Self:
        names = [str(tool.name) for tool in self.tools if tool.type == "function"]
        for name in sorted(names):
            if names.count(name) > 1:
                raise BadInput("tools", f"the name {name!r} is used twice", "Give each tool its own name")
        _refuse_twins(names)
        return self

    @model_validator(mode="after")
    def _a_result_is_either_an_object_or_calls(self) -> Self:
        if self.tools and self.output_type is not None:
            raise BadInput(
                "tools", "output_type and tools exclude each other: a result is either", "Drop one of them"
            )
        if self.flatten and self.output_type is None:
            called = "a list of calls" if self.tools else "a text"
            raise BadInput(
                "flatten", f"the result is {called}, which has no fields", "Ask for an object, or drop it"
            )
        if self.forcing != "auto" and self.output_type is None:
            raise BadInput(
                "forcing",
                f"{self.forcing!r} needs an output_type to force",
                "Add an output_type, or leave it at 'auto'",
            )
        return self

    @model_validator(mode="after")
    def _a_choice_is_one_of_the_tools(self) -> Self:
        if self.tool_choice is None:
            return self
        if not self.tools:
            raise BadInput("tool_choice", "there are no tools to choose from", "Add tools, or drop it")
        chosen = self.tool_choice.name
        names = sorted(str(tool.name) for tool in self.tools if tool.type == "function")
        if chosen is not None and chosen not in names:
            known = ", ".join(names) or "none with a name"
            raise BadInput("tool_choice", f"there is no tool {chosen!r}", f"Choose from: {known}")
        return self

    @model_validator(mode="after")
    def _one_wish_to_ask_anew(self) -> Self:
        if self.refresh is not None and self.retry_failed is not None:
            raise BadInput(
                "retry_failed", "refresh asks everything anew, the failed records too", "Drop one of them"
            )
        return self

    @model_validator(mode="after")
    def _answers_are_as_long_as_the_model_can(self) -> Self:
        wished = self.settings.max_tokens or 0
        most = self.structured.traits.max_tokens if self.structured.traits is not None else None
        if most is not None and wished > most:
            raise BadInput(
                "settings.max_tokens",
                f"it is {wished}, and the model's traits say at most {most}",
                f"Choose 1 to {most}",
            )
        if self.model == DEFAULT_MODEL and wished > MOST_TOKENS_OF_THE_DEFAULT:
            raise BadInput(
                "settings.max_tokens",
                f"it is {wished}, and {self.model} takes at most {MOST_TOKENS_OF_THE_DEFAULT}",
                f"Choose 1 to {MOST_TOKENS_OF_THE_DEFAULT}",
            )
        return self

    @model_validator(mode="after")
    def _more_room_is_more_and_not_too_much(self) -> Self:
        """As far as it is known here; what the table of models says comes when the job is prepared."""
        name, wished = "structured.max_tokens_if_truncated", self.structured.max_tokens_if_truncated
        traits, first = self.structured.traits, self.settings.max_tokens
        takes = (traits.max_tokens if traits else None) or (
            MOST_TOKENS_OF_THE_DEFAULT if self.model == DEFAULT_MODEL else None
        )
        if wished is not None and takes is not None and wished > takes:
            raise BadInput(
                name, f"it is {wished}, and {self.model} takes at most {takes}", f"Choose at most {takes}"
            )
        if wished is not None and first is not None and wished <= first:
            raise BadInput(
                name,
                f"it is {wished}, and the first answer may have {first} tokens",
                "Choose more than settings.max_tokens, or leave it out",
            )
        return self

    @property
    def state_folder(self) -> str:
        """Where the state of all partitions of this dataset lives."""
        return self.state or self.destination.rstrip("/") + ".state"

    def __repr__(self) -> str:
        """Without prompt, system prompt, tools and variables: they may hold what no log should."""
        held = (
            self.__dict__
        )  # a Spec that is still being made has no fields yet, and may be shown in a traceback
        return (
            f"Spec({', '.join(f'{name}={held.get(name)!r}' for name in ('source', 'destination', 'model'))})"
        )

    __str__ = __repr__
