from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Tracer

from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.errors import KeyRefused
from runware_provider.engine.job.leg import AllSent
from runware_provider.engine.job.progress import Progress
from runware_provider.engine.memory.payments import Payments
from runware_provider.engine.spec import Settings, Spec
from runware_provider.task_spans import LegSpan

SECRET = "what the prompt says of"
SPEC = Spec(
    source="in",
    destination="out",
    prompt=f"{SECRET} {{{{ record.a }}}}",
    output_type={"type": "object", "properties": {"total": {"type": "number"}}},
    settings=Settings(temperature=0, max_tokens=200),
)
ENDPOINT = Endpoint("https://api.example.com:8443/v1", "a-key")
PROGRESS = Progress(
    done=3,
    total=3,
    elapsed_s=1,
    outstanding=0,
    cost=0.3,
    decided={"succeeded": 2, "invalid": 1},
    payments={"succeeded": Payments(100, 40, 7, 0.1), "invalid": Payments(50, 0, 3, 0.05)},
)


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> Tracer:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("tests")


def test_a_span_has_the_sums_of_its_leg_by_the_conventions_for_generative_ai(
    tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    with LegSpan(tracer, SPEC, ENDPOINT) as span:
        span.saw(PROGRESS)
    (finished,) = exporter.get_finished_spans()
    assert (finished.name, finished.kind) == ("chat deepseek-v4-pro", SpanKind.CLIENT)
    assert dict(finished.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "runware",
        "gen_ai.request.model": "deepseek-v4-pro",
        "gen_ai.output.type": "json",
        "gen_ai.request.max_tokens": 200,
        "gen_ai.request.temperature": 0.0,
        "server.address": "api.example.com",
        "server.port": 8443,
        "runware.samples": 1,
        "gen_ai.usage.input_tokens": 150,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.usage.output_tokens": 10,
        "runware.usd": 0.15,
        "runware.records": 3,
        "runware.records.succeeded": 2,
        "runware.records.invalid": 1,
        "runware.deferred": False,
    }
    assert finished.status.is_unset


def test_a_leg_that_fails_says_by_what_kind_of_error_and_quotes_nothing(
    tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    with pytest.raises(KeyRefused), LegSpan(tracer, SPEC, ENDPOINT):
        raise KeyRefused(f"{SECRET} it")
    (finished,) = exporter.get_finished_spans()
    assert (finished.attributes or {})["error.type"] == "KeyRefused"
    assert not finished.status.is_ok
    assert SECRET not in finished.to_json()


def test_a_leg_that_leaves_the_rest_to_the_next_one_has_not_failed(
    tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    with pytest.raises(AllSent), LegSpan(tracer, SPEC, ENDPOINT):
        raise AllSent([], expected_s=60, given_up_s=600, published=None)
    (finished,) = exporter.get_finished_spans()
    assert (finished.attributes or {})["runware.deferred"] is True
    assert finished.status.is_unset


def test_without_a_tracer_there_is_nothing() -> None:
    with LegSpan(None, SPEC, ENDPOINT) as span:
        span.saw(PROGRESS)
