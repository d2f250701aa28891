"""NVIDIA's Data Designer: a structured column beside those of a seed, from Parquet to Parquet."""

from __future__ import annotations

import data_designer.config as dd
from data_designer.interface import DataDesigner

from peer import MODEL, Given, drive


def ask(given: Given) -> int:
    """Ask about each row of the seed once; replies are checked against the schema."""
    provider = dd.ModelProvider(name="local", endpoint=given.url, provider_type="openai", api_key=given.key)
    parameters = dd.ChatCompletionInferenceParams(max_parallel_requests=given.at_once)
    model = dd.ModelConfig(
        alias="asked",
        model=MODEL,
        provider="local",
        inference_parameters=parameters,
        skip_health_check=True,
    )
    builder = dd.DataDesignerConfigBuilder(model_configs=[model])
    builder.with_seed_dataset(dd.LocalFileSeedSource(path=str(given.table)))
    builder.add_column(
        dd.LLMStructuredColumnConfig(
            name="answer", model_alias="asked", prompt="{{ prompt }}", output_format=given.schema
        )
    )
    designer = DataDesigner(artifact_path=given.out, model_providers=[provider])
    designer.set_run_config(
        dd.RunConfig(
            max_in_flight_tasks=max(1024, 2 * given.at_once),
            jinja_rendering_engine=dd.JinjaRenderingEngine.NATIVE,
            otel_metrics_port=None,
        )
    )
    with given.lines.open(encoding="utf-8") as lines:
        records = sum(1 for _ in lines)
    results = designer.create(builder, num_records=records, dataset_name="answers")
    return len(results.load_dataset())


if __name__ == "__main__":
    drive(ask)
