"""How an answer is asked for, read and stored, and what is done about one that does not fit."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from runware_provider.engine.field_types import WholeNumber
from runware_provider.engine.model_profile import ModelProfile
from runware_provider.engine.value_object import ValueObject

OutputMode = Literal["auto", "native", "tool", "prompt"]
Untyped = Literal["refuse", "json"]


class Answers(ValueObject):
    """How answers are asked for, read and stored, and what is done about one that does not fit."""

    argument: ClassVar[str] = "answers"

    output_mode: OutputMode = "auto"
    """How the model is made to answer with the fields of `output_type`: `native`, by the JSON mode of the API; `tool`, by
    a call that it must make; `prompt`, by words alone. `auto` takes what the model can do best."""
    output_retries: Annotated[WholeNumber, Field(ge=0, le=5)] = 1
    """How often an answer that does not fit is shown to the model with what is wrong, to be answered again."""
    max_tokens_if_truncated: Annotated[WholeNumber, Field(ge=1)] | None = None
    """An answer that stops at `settings.max_tokens` is asked again with twice as many, and so on up to this."""
    untyped: Untyped = "refuse"
    """A place of the schema that has no one Arrow type (an open map, recursion, any type) is refused before
    anything is paid; with `json` it becomes a column of JSON text."""
    lenient_numbers: bool = False
    """Read texts that are numbers as English writes them, like `1,234.50`, where a number is asked for."""
    model_profile: ModelProfile | None = None
    """What the model can do, where the table does not know it or knows less: which output modes it has, and which
    keywords of JSON Schema it does not take."""
