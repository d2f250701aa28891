"""Hugging Face's datatrove: its `InferenceRunner` between a Parquet reader and a Parquet writer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.inference.run_inference import InferenceConfig, InferenceRunner
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import ParquetWriter

from peer import MODEL, Given, drive

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def ask(given: Given) -> int:
    """Ask about each document once; the text of the reply is kept as it is."""

    async def rollout(document: Any, generate: Callable[[dict[str, Any]], Awaitable[Any]]) -> str:
        messages = [{"role": "user", "content": document.text}]
        reply = await generate({"messages": messages, "response_format": given.response_format})
        return str(reply.text)

    config = InferenceConfig(
        server_type="endpoint",
        model_name_or_path=MODEL,
        endpoint_url=given.url.removesuffix("/v1"),
        api_key=given.key,
        max_concurrent_generations=given.at_once,
    )
    reader = ParquetReader(str(given.table.parent), glob_pattern=given.table.name, text_key="prompt")
    runner = InferenceRunner(rollout, config, ParquetWriter(str(given.out)))
    logs = str(given.out.with_suffix(".logs"))
    stats = LocalPipelineExecutor([reader, runner], tasks=1, workers=1, logging_dir=logs).run()
    return int(stats.stats[-1].stats["documents_processed"].total)


if __name__ == "__main__":
    drive(ask)
