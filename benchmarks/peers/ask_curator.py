"""Bespoke Labs' curator: an `LLM` with a response format, over its backend for OpenAI's API."""

from __future__ import annotations

import os

# Points tiktoken at the encoding that LiteLLM brings, which curator would fetch from elsewhere.
import litellm.litellm_core_utils.default_encoding  # noqa: F401
from bespokelabs import curator
from bespokelabs.curator.request_processor.online.openai_online_request_processor import (
    OpenAIOnlineRequestProcessor,
)

from answer import Answer
from peer import MODEL, Given, drive

NO_LIMIT_A_MINUTE = 1_000_000_000


def ask(given: Given) -> int:
    """Ask each prompt once; replies are checked by the model and kept as a dataset."""
    os.environ["OPENAI_API_KEY"] = given.key
    # It asks once about a person's name and age, to see whether the API knows schemas. This server has one answer.
    OpenAIOnlineRequestProcessor.check_structured_output_support = lambda _: True
    llm = curator.LLM(
        model_name=MODEL,
        response_format=Answer,
        backend="openai",
        backend_params={
            "base_url": given.url,
            "max_concurrent_requests": given.at_once,
            "max_requests_per_minute": NO_LIMIT_A_MINUTE,
            "max_tokens_per_minute": NO_LIMIT_A_MINUTE,
        },
    )
    return len(llm(given.prompts(), working_dir=str(given.out)).dataset)


if __name__ == "__main__":
    drive(ask)
