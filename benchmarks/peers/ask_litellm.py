"""LiteLLM: `acompletion` with a schema, as many at once as is said. It is a client: it keeps nothing."""

from __future__ import annotations

import asyncio
import json

import litellm

from peer import MODEL, Given, drive


def ask(given: Given) -> int:
    """Ask each prompt once; replies are checked by jsonschema, which has to be switched on."""
    litellm.enable_json_schema_validation = True
    litellm.suppress_debug_info = True
    return asyncio.run(_ask_all(given))


async def _ask_all(given: Given) -> int:
    answers = []
    prompts = iter(given.prompts())

    async def work() -> None:
        for prompt in prompts:
            reply = await litellm.acompletion(
                model=f"openai/{MODEL}",
                messages=[{"role": "user", "content": prompt}],
                response_format=given.response_format,
                api_base=given.url,
                api_key=given.key,
            )
            answers.append(json.loads(reply.choices[0].message.content))

    await asyncio.gather(*(work() for _ in range(given.at_once)))
    return len(answers)


if __name__ == "__main__":
    drive(ask)
