"""The least that asking a question a record costs in Python: one aiohttp POST each, nothing checked, nothing kept.

    python benchmarks/bare_loop.py --url http://127.0.0.1:8099/v1 --records 10000

What other programs take is compared with it. The prompts are those of the other benchmarks (`measured.body`), and each
question carries the same forced tool. With `--tasks 8` a request has so many of them. Needs aiohttp.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import uuid

import aiohttp

from measured import KEY, SCHEMA, body

AT_ONCE = 64


def task(number: int, characters: int) -> dict[str, object]:
    """A question, as the API takes it."""
    return {
        "taskType": "textInference",
        "taskUUID": str(uuid.uuid4()),
        "model": "deepseek-v4-pro",
        "messages": [{"role": "user", "content": f"Classify: {body(number, characters)}"}],
        "tools": [{"type": "function", "name": "answer", "description": "The answer", "schema": SCHEMA}],
        "toolChoice": {"type": "tool", "name": "answer"},
        "deliveryMethod": "sync",
        "includeCost": True,
        "includeUsage": True,
    }


async def ask_all(
    url: str, records: int, *, at_once: int = AT_ONCE, tasks: int = 1, characters: int = 0
) -> int:
    """Ask so many questions; return how many answers came.

    Args:
        url: where the API answers.
        records: questions.
        at_once: requests under way.
        tasks: questions of one request.
        characters: of each question; 0 for about 90.
    """
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=at_once)
    chunks = (range(start, min(start + tasks, records)) for start in range(0, records, tasks))
    answered = 0
    async with aiohttp.ClientSession(headers=headers, connector=connector) as client:

        async def work() -> None:
            nonlocal answered
            for chunk in chunks:
                content = json.dumps([task(number, characters) for number in chunk]).encode()
                async with client.post(url, data=content) as reply:
                    answered += len((await reply.json())["data"])

        await asyncio.gather(*(work() for _ in range(at_once)))
    return answered


def main() -> None:
    """Ask, and see that everything was answered."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", required=True)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="requests under way")
    parser.add_argument("--tasks", type=int, default=1, help="questions of one request")
    parser.add_argument("--characters", type=int, default=0, help="of each question; 0 for about 90")
    given = parser.parse_args()
    answered = asyncio.run(
        ask_all(
            given.url,
            given.records,
            at_once=given.at_once,
            tasks=given.tasks,
            characters=given.characters,
        )
    )
    assert answered == given.records, f"{answered} answers to {given.records} questions"


if __name__ == "__main__":
    main()
