"""What the product knows of each model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from from_code.markdown import code
from runware_provider.engine.api.output_mode import KNOWN_MODELS, chosen_mode
from runware_provider.engine.spending.pricing import LAST_SEEN

if TYPE_CHECKING:
    from runware_provider.engine.model_profile import ModelProfile

_SAID = {True: "yes", False: "no", None: ""}


def model_rows() -> list[str]:
    """The rows of the table of models, in their order."""
    return [_row(model, profile) for model, profile in KNOWN_MODELS.items()]


def _row(model: str, profile: ModelProfile) -> str:
    mode = {"native": "JSON mode", "tool": "a tool", "prompt": "the prompt"}[
        chosen_mode("auto", model, profile)
    ]
    lengths = [f"{most:,}" for most in (profile.default_max_tokens, profile.max_tokens) if most is not None]
    price = ", ".join(f"{usd:.3f}" for usd in LAST_SEEN.get(model, ()))
    cells = [
        code(model),
        mode,
        _SAID[profile.json_schema],
        _SAID[profile.tools],
        ", ".join(lengths),
        price,
    ]
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")
