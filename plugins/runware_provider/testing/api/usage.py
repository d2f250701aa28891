"""Tokens and their price, by simple rules that anybody can check by hand.

Four characters are a token. A prompt's beginning counts as cached as far as whole blocks of it
were seen before on the same model. The contract documents no field for cached tokens;
``promptTokensDetails.cachedTokens`` is a guess by symmetry with the documented
``completionTokensDetails.reasoningTokens``.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runware_provider.testing.api.catalogue import Model

CHARACTERS_PER_TOKEN = 4
BLOCK = 1_024
MAX_BLOCKS = 256


def count_tokens(text: str) -> int:
    """Count tokens: a quarter of the characters, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one inference."""

    prompt: int
    cached: int
    completion: int

    def body(self) -> dict[str, Any]:
        """Return the ``usage`` object of a result."""
        usage: dict[str, Any] = {
            "promptTokens": self.prompt,
            "completionTokens": self.completion,
            "totalTokens": self.prompt + self.completion,
        }
        if self.cached:
            usage["promptTokensDetails"] = {"cachedTokens": self.cached}
        return usage

    def old_body(self) -> dict[str, Any]:
        """Return the ``usage`` object in its older shape."""
        return {"inputTokens": self.prompt, "outputTokens": self.completion}

    def cost_nano(self, model: Model) -> int:
        """Return the price in billionths of a USD."""
        fresh = (self.prompt - self.cached) * round(model.prompt * 1_000)
        return (
            fresh
            + self.cached * round(model.cached * 1_000)
            + self.completion * round(model.completion * 1_000)
        )


class PrefixCache:
    """Remembers the beginnings of prompts, in blocks of 1,024 characters.

    Args:
        size: Blocks that are remembered; the least recently used go first.
    """

    def __init__(self, size: int = 100_000) -> None:
        self._size = size
        self._seen: OrderedDict[int, None] = OrderedDict()

    def cached_tokens(self, model: str, prompt: str) -> int:
        """Count the tokens at the prompt's beginning that were seen before, and remember the prompt."""
        seen = self._seen
        digest = hash(model)
        blocks = min(len(prompt) // BLOCK, MAX_BLOCKS)
        repeated = 0
        for block in range(blocks):
            digest = hash((digest, prompt[block * BLOCK : (block + 1) * BLOCK]))
            if digest in seen:
                seen.move_to_end(digest)
                if repeated == block:
                    repeated += 1
            else:
                seen[digest] = None
        while len(seen) > self._size:
            seen.popitem(last=False)
        return repeated * BLOCK // CHARACTERS_PER_TOKEN
