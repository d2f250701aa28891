"""The models that the local server claims to serve, with limits and prices.

The names are the vendor's; none of them is a language model here, and all answer alike (see
``answering``). Sources: the price, context and output limit of ``deepseek-v4-pro`` are the
contract's; which models know ``outputFormat: "JSON"`` and that ``gpt-5.4-pro`` is async only as
well. The spelling of the other identifiers, and their prices, limits and server tools, are invented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pathlib import Path


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model of the catalogue.

    Attributes:
        id: What a task's ``model`` says.
        name: The name for people.
        prompt: USD per million input tokens.
        completion: USD per million output tokens.
        cached: USD per million input tokens that were read from the prefix cache.
        context_length: Tokens of input and output together.
        max_output_tokens: Tokens of output.
        json_mode: Whether ``outputFormat: "JSON"`` and ``jsonSchema`` are accepted.
        async_only: Whether ``deliveryMethod`` must be ``async``.
        server_tools: Which tools of the vendor's own it has: ``search``, ``codeInterpreter``.
    """

    id: str
    name: str
    prompt: float = 0.5
    completion: float = 1.5
    cached: float = 0.05
    context_length: int = 262_144
    max_output_tokens: int = 65_536
    json_mode: bool = False
    async_only: bool = False
    server_tools: tuple[str, ...] = ()

    def listing(self) -> dict[str, Any]:
        """Return the entry of ``GET /v1/models``; prices are decimal strings in USD per token (a guess)."""
        return {
            "id": self.id,
            "name": self.name,
            "context_length": self.context_length,
            "max_output_tokens": self.max_output_tokens,
            "pricing": {
                "prompt": per_token(self.prompt),
                "completion": per_token(self.completion),
                "input_cache_read": per_token(self.cached),
            },
        }


def per_token(usd_per_million: float) -> str:
    """Write a price as a decimal string in USD per token: 0.961 becomes ``0.000000961``."""
    return f"{usd_per_million / 1_000_000:.12f}".rstrip("0")


MODELS = (
    Model("deepseek-v4-pro", "DeepSeek-V4-Pro", 0.961, 1.922, 0.079, 1_048_576, 384_000),
    Model("deepseek-v4-flash", "DeepSeek-V4-Flash", 0.14, 0.28, 0.014, 1_048_576, 384_000, json_mode=True),
    Model("claude-fable-5", "Claude Fable 5", 3.0, 15.0, 0.3, json_mode=True),
    Model("gemini-3.1-flash-lite", "Gemini 3.1 Flash-Lite", 0.1, 0.4, 0.01, 1_048_576, json_mode=True),
    Model("gemini-3.5-flash", "Gemini 3.5 Flash", 0.3, 2.5, 0.03, 1_048_576, json_mode=True),
    Model("gpt-5-mini", "GPT-5 mini", 0.25, 2.0, 0.025, 400_000, 128_000, json_mode=True),
    Model("gpt-5-nano", "GPT-5 nano", 0.05, 0.4, 0.005, 400_000, 128_000, json_mode=True),
    Model(
        "gpt-5.5",
        "GPT-5.5",
        1.25,
        10.0,
        0.125,
        400_000,
        128_000,
        json_mode=True,
        server_tools=("search", "codeInterpreter"),
    ),
    Model("kimi-k2.6", "Kimi K2.6", 0.6, 2.5, 0.15, json_mode=True),
    Model("gpt-5.4-pro", "GPT-5.4 pro", 15.0, 120.0, 1.5, 400_000, 128_000, async_only=True),
    Model("qwen-3.5-plus", "Qwen 3.5 Plus", 0.4, 1.2, 0.04),
)


def read_models(path: Path) -> tuple[Model, ...]:
    """Read a catalogue that replaces the built-in one: a JSON array of ``Model`` objects.

    Raises:
        OSError: The file cannot be read.
        msgspec.ValidationError: An entry has an unknown field or a wrong type.
    """
    return msgspec.json.decode(path.read_bytes(), type=tuple[Model, ...])
