"""How a local server is set up: every flag of the command line, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runware_provider.testing.api.catalogue import MODELS, Model

if TYPE_CHECKING:
    from runware_provider.testing.answering import Answers
    from runware_provider.testing.api.faults import Fault


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Settings of one local server. Times are seconds, money is USD.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        key: The only API key that is accepted.
        latency: Median time of one inference.
        latency_sigma: Spread of the latency: the sigma of a log-normal distribution; 0 is constant.
        capacity: Inferences that run at once, per model.
        queue: Accepted tasks that may wait for a slot, per model; one more is refused with
            ``inferenceRateLimitExceeded``. None means that the queue has no end.
        max_wait: A task that would wait longer than this for its slot is refused with
            ``providerGatewayTimeout`` (HTTP 504). None means no limit.
        sync_window: How long a connection is held for sync tasks before HTTP 504; the tasks go on.
        stream_keep_alive: Time between the comments of a stream that has nothing else to say.
        max_tasks: Tasks per array before HTTP 413; None means no limit.
        max_bytes: Bytes per body before HTTP 413; None means no limit.
        balance: Money on the account; when it is used up, tasks get HTTP 402.
        keep: Finished tasks whose request and answer are kept; older ones are forgotten
            (their UUIDs and their place in the bill are not).
        reserve_rejected: Whether the UUID of a rejected task is used up.
        webhook_tries: POSTs per webhook until the server gives up.
        webhook_backoff: Wait before the second try; doubles up to 32 times itself (8 s for 0.25 s).
        webhook_timeout: How long a webhook's receiver may take.
        seed: Seed of latencies and of faults with a probability.
        models: The catalogue.
        faults: Faults that are active from the start.
        answers: What is known of the answers: an ``AnswerTable``, or any callable of a task (as it was sent) that
            returns its answer, or None if it knows none. It is called on the server's thread, once for each task,
            and has to answer the same task alike. Without answers, and for None, what is asked for is filled
            with the least that fits.
    """

    host: str = "127.0.0.1"
    port: int = 0
    key: str = field(default="test-key", repr=False)
    latency: float = 0.05
    latency_sigma: float = 0.0
    capacity: int = 200
    queue: int | None = None
    max_wait: float | None = None
    sync_window: float = 90.0
    stream_keep_alive: float = 5.0
    max_tasks: int | None = None
    max_bytes: int | None = None
    balance: float = 1_000.0
    keep: int = 200_000
    reserve_rejected: bool = False
    webhook_tries: int = 7
    webhook_backoff: float = 0.25
    webhook_timeout: float = 5.0
    seed: int = 0
    models: tuple[Model, ...] = MODELS
    faults: tuple[Fault, ...] = ()
    answers: Answers | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse values that no server can have.

        Raises:
            ValueError: A number is out of its range; the message names the setting.
        """
        for name in ("capacity", "webhook_tries", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("latency", "latency_sigma", "sync_window", "webhook_backoff", "port"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, but is {getattr(self, name)}")
        if not self.stream_keep_alive > 0:
            raise ValueError(f"stream_keep_alive must be more than 0, not {self.stream_keep_alive}")
        if not self.models:
            raise ValueError("models must name at least one model")
