"""Sampling settings."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from runware_provider.engine.errors import BadInput
from runware_provider.engine.field_types import Hundredths, PlainJson, Sendable, WholeNumber
from runware_provider.engine.value_object import ValueObject

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

    argument: ClassVar[str] = "settings"

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
    thinking_level: Sendable | None = None
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
