"""The user's own tools, and how the model picks among them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from runware_provider.engine.errors import BadInput
from runware_provider.engine.field_types import PlainJson, Sendable
from runware_provider.engine.value_object import ValueObject

ToolChoiceType = Literal["auto", "any", "tool", "none"]


class Tool(ValueObject):
    """A tool that the model may call.

    `search` and `codeInterpreter` run at the vendor, for the models that have them; `function` is the user's.
    """

    argument: ClassVar[str] = "tools"

    type: Literal["function", "search", "codeInterpreter"] = "function"
    """`function` is yours: its calls are the result. The others run at the vendor."""
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    """What the model calls it by; a function needs one."""
    description: Sendable | None = Field(default=None, repr=False)
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

    argument: ClassVar[str] = "tool_choice"

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
