"""pydantic-ai: an `Agent` with an output type, as many runs at once as is said. It keeps nothing."""

from __future__ import annotations

import asyncio

from openai import AsyncOpenAI, DefaultAioHttpClient
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from answer import Answer
from peer import MODEL, Given, drive


def ask(given: Given) -> int:
    """Ask each prompt once; replies are forced by a tool and checked by the model."""
    return asyncio.run(_ask_all(given))


async def _ask_all(given: Given) -> int:
    answers = []
    prompts = iter(given.prompts())
    client = AsyncOpenAI(base_url=given.url, api_key=given.key, http_client=DefaultAioHttpClient())
    model = OpenAIChatModel(MODEL, provider=OpenAIProvider(openai_client=client))
    agent = Agent(model, output_type=Answer)

    async def work() -> None:
        for prompt in prompts:
            ran = await agent.run(prompt)
            answers.append(ran.output)

    async with client:
        await asyncio.gather(*(work() for _ in range(given.at_once)))
    return len(answers)


if __name__ == "__main__":
    drive(ask)
