"""What the API offers now, beside what this product knows of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.api.account import ListedModel
    from runware_provider.engine.model_profile import ModelProfile


@dataclass(frozen=True, kw_only=True)
class OfferedModel:
    """A model of the API's list; what the list does not say is None."""

    id: str
    """What `model` takes."""
    name: str | None
    """For people."""
    usd_per_million: tuple[float, float] | None
    """Tokens in and out, as the API named it when it was asked."""
    context_length: int | None
    """Tokens of prompt and answer together."""
    max_output_tokens: int | None
    profile: ModelProfile | None
    """What this product knows that it can do; None where it knows nothing, and an answer is then forced by a tool."""


def offered(models: Sequence[ListedModel]) -> list[OfferedModel]:
    """The same, with what is known of each."""
    from runware_provider.engine.api.output_mode import known_profile  # noqa: PLC0415 - parsing needs no models

    return [
        OfferedModel(
            id=model.id,
            name=model.name,
            usd_per_million=_per_million(model.usd_per_token),
            context_length=model.context_length,
            max_output_tokens=model.max_output_tokens,
            profile=known_profile(model.id),
        )
        for model in models
    ]


def _per_million(usd_per_token: tuple[float, float] | None) -> tuple[float, float] | None:
    """A price as people read it, without the digits that a double makes up."""
    if usd_per_token is None:
        return None
    prompt, completion = usd_per_token
    return round(prompt * 1e6, 9), round(completion * 1e6, 9)
