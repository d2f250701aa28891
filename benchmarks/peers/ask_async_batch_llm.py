"""async-batch-llm: `process_stream` with a parser and its durable store of results."""

from __future__ import annotations

import asyncio

from async_batch_llm import (
    ArtifactIdentity,
    JsonlArtifactStore,
    OpenAICompatibleModel,
    OpenAIStrategy,
    ProcessorConfig,
    process_stream,
)
from async_batch_llm.parsing import pydantic_json_parser
from openai import AsyncOpenAI, DefaultAioHttpClient

from answer import Answer
from peer import MODEL, Given, drive


def ask(given: Given) -> int:
    """Ask each prompt once; replies are checked by the model and kept line by line."""
    return asyncio.run(_ask_all(given))


async def _ask_all(given: Given) -> int:
    given.out.mkdir()
    identity = ArtifactIdentity(provider="local", model=MODEL)
    store = JsonlArtifactStore(given.out / "answers.jsonl", identity=identity)
    client = AsyncOpenAI(base_url=given.url, api_key=given.key, http_client=DefaultAioHttpClient())
    model = OpenAICompatibleModel(MODEL, client, extra_body={"response_format": given.response_format})
    strategy = OpenAIStrategy(model, response_parser=pydantic_json_parser(Answer))
    config = ProcessorConfig(concurrency=given.at_once)
    answered = 0
    async with client:
        results = process_stream(strategy, given.prompts(), config=config, artifact_store=store)
        async for result in results:
            answered += bool(result.success)
    return answered


if __name__ == "__main__":
    drive(ask)
