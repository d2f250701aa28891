"""What the user asked for, validated; imports nothing heavy, so DAG files may import it.

Limits of the API are those of the vendor's model page; where a limit belongs to one model only, it is
checked for that model only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    field_validator,
    model_validator,
)

from runware_provider.engine.answers import Answers
from runware_provider.engine.earlier_names import no_such_name
from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.errors import BadInput
from runware_provider.engine.field_types import Text, WholeNumber, not_blank, number_or_nothing
from runware_provider.engine.filters import Filters, normal_form
from runware_provider.engine.limits import Budget, Limits
from runware_provider.engine.messages import Message, as_messages
from runware_provider.engine.model_profile import ModelProfile
from runware_provider.engine.output_types import OutputType, understood
from runware_provider.engine.settings import Settings
from runware_provider.engine.tools import Tool, ToolChoice
from runware_provider.engine.value_object import ValueObject
from runware_provider.engine.webhook import Webhook
from runware_provider.engine.written import Failures, Memory, Publish

__all__ = [  # all that a job is described with, and where it is sent: whoever runs one imports it from here
    "Answers",
    "Budget",
    "Endpoint",
    "Failures",
    "Limits",
    "Memory",
    "Message",
    "ModelProfile",
    "Publish",
    "Settings",
    "Spec",
    "Tool",
    "ToolChoice",
    "Webhook",
]

Delivery = Literal["poll", "sync", "stream", "webhook"]
ANSWERED_IN_THE_REPLY: frozenset[Delivery] = frozenset({"sync", "stream"})
"""Deliveries with which the reply to a request waits for the answers, on the open connection."""

PARTITION_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
DEFAULT_MODEL = "deepseek-v4-pro"
MOST_TOKENS_OF_THE_DEFAULT = 100_000
"""Of one answer, by the vendor's page of the model."""


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
    """The output dataset's root."""
    prompt: Text | None = None
    """The template's text, Jinja, rendered once per record: the short form of one message of the user's."""
    messages: Annotated[tuple[Message, ...] | str | None, BeforeValidator(as_messages)] = None
    """In the place of `prompt`, a conversation: `[{"role": "user", "content": "..."}, ...]`, each content rendered as a prompt
    is and the last message the user's; or one expression that takes all messages from the record, such as
    `"{{ record.chat }}"`: a list of structs with `role` and `content`, or the same as JSON text."""
    output_type: OutputType = None
    """A pydantic model, a JSON Schema, labels (a list of texts, a `Literal`, an Enum), or nothing for text."""
    model: Text = DEFAULT_MODEL
    """The API's name of the model."""
    system_prompt: Annotated[str, Field(max_length=900_000), AfterValidator(not_blank)] | None = None
    """Sent as `settings.systemPrompt`, as it is: it is no template."""
    tools: tuple[Tool, ...] = ()
    """Functions that the model may call instead of answering; excludes `output_type`."""
    tool_choice: ToolChoice | None = None
    """How the model picks among the tools; the word `auto`, `any` or `none`, or a tool's name, will do."""
    settings: Settings = Settings()
    """Sampling settings."""
    filters: Annotated[Filters, BeforeValidator(normal_form)] = ()
    """Choose records: `[("country", "==", "de"), ("total", ">", 100)]`, all of which must hold; or a list of such lists, one
    of which must. The dataset then holds no others."""
    limit: Annotated[Annotated[WholeNumber, Field(ge=1)] | None, BeforeValidator(number_or_nothing)] = None
    """The first n (chosen) records only; the dataset then holds no others."""
    samples: Annotated[WholeNumber, Field(ge=1, le=100)] = 1
    """Answers per record, a row each."""
    partition: dict[str, str] = Field(default_factory=dict)
    """One hive partition of the destination, replaced as a whole: `{"ds": "2026-01-02"}`."""
    refresh: str | None = None
    """A name for the wish to ask anew: the same name asks once, however often it is tried."""
    retry_failed: str | None = None
    """A name for the wish to ask again what is `failed`, `invalid` or `refused`; as for `refresh`, once."""
    budget: Budget | None = None
    """What the job may cost with all its tries."""
    answers: Answers = Answers()
    """How answers are asked for, read and stored, and what is done about one that does not fit."""
    publish: Publish = Publish()
    """What the dataset has beside the answers, and when it is not written."""
    failures: Failures = Failures()
    """How many rows may fail, and where those that did are written besides."""
    memory: Memory = Memory()
    """What is remembered of what was paid for, where, and for how long."""
    limits: Limits = Limits()
    """Bounds on memory, on what is under way at once, and on attempts."""
    delivery: Delivery = "poll"
    """`poll` asks for the answers, `sync` holds the connection until they are there, and on that of `stream` they come in as they
    are written, each alone, for plain text only; `webhook` has the vendor bring them."""
    webhook: Webhook = Webhook()
    """What is done about answers that the vendor brings."""
    run: str | None = None
    """Names what several tries belong to, such as an Airflow run: they share one budget and one sum of what was paid."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """What the template may name beside `record`: `ds`, `params`, `run_id` and so on."""
    _is_bounded: bool = PrivateAttr(default=False)
    """Whether `budget` is not its author's any more."""
    _authors_budget: Budget | None = PrivateAttr(default=None)
    """What it was, then."""

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
    def _asks_in_one_way(self) -> Self:
        if self.prompt is None and self.messages is None:
            raise BadInput(
                "prompt", "it is missing", "Write prompt='...' or messages=[...]; there is no default"
            )
        if self.prompt is not None and self.messages is not None:
            raise BadInput(
                "messages",
                "prompt and messages exclude each other: a prompt is one message of the user's",
                "Drop one of them",
            )
        return self

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
        if self.publish.flatten and self.output_type is None:
            called = "a list of calls" if self.tools else "a text"
            raise BadInput(
                "publish.flatten",
                f"the result is {called}, which has no fields",
                "Ask for an object, or drop it",
            )
        if self.answers.output_mode != "auto" and self.output_type is None:
            raise BadInput(
                "answers.output_mode",
                f"{self.answers.output_mode!r} needs an output_type",
                "Add an output_type, or leave it at 'auto'",
            )
        return self

    @model_validator(mode="after")
    def _a_stream_brings_a_text(self) -> Self:
        asked_for = "tools" if self.tools else "output_type" if self.output_type is not None else None
        if self.delivery == "stream" and asked_for is not None:
            raise BadInput(
                "delivery",
                f"'stream' brings plain text only, and {asked_for} is given: no shape of tool calls in a stream is documented",
                f"Use 'poll' or 'sync', or drop {asked_for}",
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
        profile = self.answers.model_profile
        most = profile.max_tokens if profile is not None else None
        if most is not None and wished > most:
            raise BadInput(
                "settings.max_tokens",
                f"it is {wished}, and the model's profile says at most {most}",
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
        name, wished = "answers.max_tokens_if_truncated", self.answers.max_tokens_if_truncated
        profile, first = self.answers.model_profile, self.settings.max_tokens
        takes = (profile.max_tokens if profile else None) or (
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
        return self.memory.state or self.destination.rstrip("/") + ".state"

    def bounded_by(self, budget: Budget | None) -> Self:
        """The same job with another budget, such as a shard's part or what a person approved; its author's is remembered."""
        bounded = self.model_copy(update={"budget": budget})
        bounded._authors_budget = self.authors_budget  # noqa: SLF001 - its own
        bounded._is_bounded = True  # noqa: SLF001 - its own
        return bounded

    @property
    def authors_budget(self) -> Budget | None:
        """The budget as it was given; whoever asks the same again has that one, and not what another run was allowed."""
        return self._authors_budget if self._is_bounded else self.budget

    def __repr__(self) -> str:
        """Without prompt, messages, system prompt, tools and variables: they may hold what no log should."""
        held = (
            self.__dict__
        )  # a Spec that is still being made has no fields yet, and may be shown in a traceback
        return (
            f"Spec({', '.join(f'{name}={held.get(name)!r}' for name in ('source', 'destination', 'model'))})"
        )

    __str__ = __repr__


if not TYPE_CHECKING:  # or a misspelt import would pass the types' check

    def __getattr__(name: str) -> NoReturn:
        """Say of a class that was imported from here what it is called now.

        Raises:
            ImportError: it is one of those.
            AttributeError: there never was such a name.
        """
        raise no_such_name(__name__, name)
