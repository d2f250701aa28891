"""Who is measured beside the engine: products that ask a model about each record, and the least that it takes in Python.

Each is given what its documentation says is best for many requests at once; `settings` says what that is. All ask the same
questions of the same server. The engine speaks the vendor's own words; the others speak OpenAI's, of which the server gives
the same answer after the same latency.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from asked_records import Records

HERE = Path(__file__).parent
TASKS_OF_AN_ARRAY = 8
BEST_OF_HTTPX = 64
"""httpx goes through all its connections for each request, so that twice as many at once are fewer rows a second."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a contender is to do once."""

    url: str
    key: str
    records: Records
    at_once: int
    """Requests under way, for those that have to be told."""
    out: Path
    """A folder that is not there yet."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A program that asks."""

    name: str
    words: Callable[[Job], list[str]]
    """What follows `python` on its command line."""
    needs: tuple[str, ...] = ()
    """What its environment is made of, the product first; nothing for what the project's own environment runs."""
    checks: str = "nobody"
    """Who looks whether an answer fits the schema."""
    keeps: str = "nothing"
    """What is there when it has ended."""
    settings: str = ""
    """What it was told, beyond the address."""
    most_at_once: int | None = None
    """Requests beyond which it gets slower, found by trying; None where more of them are no harm."""


def _ours(delivery: str) -> Callable[[Job], list[str]]:
    def words(job: Job) -> list[str]:
        command = ["-m", "runware_provider.engine", "run", "--delivery", delivery]
        command += ["--source", str(job.records.table), "--destination", str(job.out)]
        return [*command, "--prompt", "{{ record.prompt }}", "--schema", str(job.records.schema)]

    return words


def _loop(tasks: int) -> Callable[[Job], list[str]]:
    def words(job: Job) -> list[str]:
        command = [str(HERE / "bare_loop.py"), "--url", job.url, "--records", str(job.records.number)]
        return [*command, "--at-once", str(max(1, job.at_once // tasks)), "--tasks", str(tasks)]

    return words


def _peer(driver: str) -> Callable[[Job], list[str]]:
    def words(job: Job) -> list[str]:
        command = [str(HERE / "peers" / driver), "--url", job.url, "--key", job.key]
        command += [
            "--lines",
            str(job.records.lines),
            "--table",
            str(job.records.table),
            "--schema",
            str(job.records.schema),
        ]
        return [*command, "--out", str(job.out), "--at-once", str(job.at_once)]

    return words


OURS = (
    Contender(
        name="ours, poll",
        words=_ours("poll"),
        checks="the engine, JSON Schema",
        keeps="ledger of every attempt, typed Parquet in the input's order, bill",
        settings="none",
    ),
    Contender(
        name="ours, sync",
        words=_ours("sync"),
        checks="the engine, JSON Schema",
        keeps="ledger of every attempt, typed Parquet in the input's order, bill",
        settings="none but delivery",
    ),
)
LOOP = Contender(
    name="bare loop",
    words=_loop(1),
    settings="aiohttp, one request a record",
)
PEERS = (
    LOOP,
    Contender(
        name="bare loop, arrays",
        words=_loop(TASKS_OF_AN_ARRAY),
        settings=f"aiohttp, {TASKS_OF_AN_ARRAY} tasks a request",
    ),
    Contender(
        name="datatrove",
        words=_peer("ask_datatrove.py"),
        needs=(
            "datatrove==0.10.1",
            "httpx==0.28.1",
            "pyarrow==26.0.1",
            "orjson",
            "aiosqlite",
            "aiofiles",
            "xxhash",
        ),
        keeps="Parquet with the text of each reply",
        settings="max_concurrent_generations; its own HTTP for an address on this machine",
    ),
    Contender(
        name="saturate",
        words=_peer("ask_saturate.py"),
        needs=("saturate==0.2.0", "pyarrow==26.0.1"),
        keeps="Parquet parts, in the order of the replies",
        settings=f"a fixed window of {BEST_OF_HTTPX}, 1,000 rows a part",
        most_at_once=BEST_OF_HTTPX,
    ),
    Contender(
        name="async-batch-llm",
        words=_peer("ask_async_batch_llm.py"),
        needs=("async-batch-llm[openai]==0.28.0", "openai[aiohttp]==3.57.0"),
        checks="pydantic, by its parser",
        keeps="JSON lines, in the order of the replies",
        settings="concurrency; OpenAI's client over aiohttp",
    ),
    Contender(
        name="curator",
        words=_peer("ask_curator.py"),
        needs=("bespokelabs-curator==0.1.31", "litellm==1.83.7"),
        checks="pydantic, by its response format",
        keeps="JSON lines and Arrow, in the input's order",
        settings="max_concurrent_requests, no limits a minute",
    ),
    Contender(
        name="data-designer",
        words=_peer("ask_data_designer.py"),
        needs=("data-designer==0.9.7",),
        checks="jsonschema, by its structured column",
        keeps="Parquet in the seed's order",
        settings=f"max_parallel_requests of {BEST_OF_HTTPX}, Jinja's own sandbox, no metrics port",
        most_at_once=BEST_OF_HTTPX,
    ),
    Contender(
        name="pydantic-ai",
        words=_peer("ask_pydantic_ai.py"),
        needs=("pydantic-ai-slim[openai]==2.68.0", "openai[aiohttp]==3.57.0"),
        checks="pydantic, by a forced tool",
        settings="an agent, tasks of asyncio; OpenAI's client over aiohttp",
    ),
    Contender(
        name="LiteLLM",
        words=_peer("ask_litellm.py"),
        needs=("litellm==1.110.2",),
        checks="jsonschema, switched on",
        settings="acompletion, tasks of asyncio; aiohttp is its own choice",
    ),
)
