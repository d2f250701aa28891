"""A span of a leg of a task for OpenTelemetry, by its conventions for generative AI, where somebody traces.

One for a leg with its sums, and none for a record: a trace of a million spans is read by nobody, costs more than the answers
that it tells of, and would hold what a dataset holds already, a row for each record.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from runware_provider import __version__
from runware_provider.engine.job.leg import AllSent
from runware_provider.engine.memory.payments import Payments

if TYPE_CHECKING:
    from types import TracebackType

    from opentelemetry.trace import Tracer

    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.job.progress import Progress
    from runware_provider.engine.spec import Spec

OPERATION: Final = "chat"
PROVIDER: Final = "runware"


def tracer_in_use() -> Tracer | None:
    """The tracer, where this process has OpenTelemetry loaded; without a backend its spans record nothing, and cost nothing.

    It is not imported here: Airflow has done so, or the agent that instruments it, or else nobody traces.
    """
    tracing = sys.modules.get("opentelemetry.trace")
    if tracing is None:
        return None
    tracer: Tracer = tracing.get_tracer("runware_provider", __version__)
    return tracer


class LegSpan:
    """The span around one leg; its parent is the span of the task, which Airflow makes.

    Args:
        tracer: makes it; None for no span.
        spec: what is asked.
        endpoint: where the API answers.
    """

    def __init__(self, tracer: Tracer | None, spec: Spec, endpoint: Endpoint) -> None:
        self._tracer = tracer
        self._name = f"{OPERATION} {spec.model}"
        self._asked = attributes_of(spec, endpoint)
        self._newest: Progress | None = None
        self._stack = contextlib.ExitStack()
        self._span: Any = None

    def saw(self, progress: Progress) -> None:
        """Take note of how far the leg is; from any thread."""
        self._newest = progress

    def __enter__(self) -> Self:
        if self._tracer is not None:
            from opentelemetry.trace import SpanKind  # noqa: PLC0415 - there is a tracer, so somebody has imported it

            # An exception's words may quote what it was about, so that only its type is told.
            self._span = self._stack.enter_context(
                self._tracer.start_as_current_span(
                    self._name,
                    kind=SpanKind.CLIENT,
                    attributes=self._asked,
                    record_exception=False,
                    set_status_on_exception=False,
                )
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if self._span is None:
                return
            if self._newest is not None:
                self._span.set_attributes(answered(self._newest))
            self._span.set_attribute("runware.deferred", isinstance(error, AllSent))
            if error is not None and not isinstance(error, AllSent):
                self._fail(type(error).__name__)

    def _fail(self, kind: str) -> None:
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - as above

        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR, kind))


def attributes_of(spec: Spec, endpoint: Endpoint) -> dict[str, Any]:
    """What is known before anything is asked; no prompt, no path."""
    url, settings = urlsplit(endpoint.base_url), spec.settings
    known = {
        "gen_ai.operation.name": OPERATION,
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": spec.model,
        "gen_ai.output.type": "text" if spec.output_type is None else "json",
        "gen_ai.request.max_tokens": settings.max_tokens,
        "gen_ai.request.temperature": settings.temperature,
        "gen_ai.request.top_p": settings.top_p,
        "server.address": url.hostname,
        "server.port": url.port,
        "runware.samples": spec.samples,
    }
    return {name: value for name, value in known.items() if value is not None}


def answered(progress: Progress) -> dict[str, Any]:
    """What this leg came to, which is not what the run did: legs and retries have spans of their own."""
    paid = sum(progress.payments.values(), Payments())
    outcomes = {f"runware.records.{outcome}": rows for outcome, rows in progress.decided.items()}
    return {
        "gen_ai.usage.input_tokens": paid.prompt_tokens,
        "gen_ai.usage.cache_read.input_tokens": paid.cached_tokens,
        "gen_ai.usage.output_tokens": paid.completion_tokens,
        "runware.usd": round(paid.usd, 9),
        "runware.records": sum(progress.decided.values()),
        **outcomes,
    }
