"""A reply in the making, and which HTTP status and error a scripted fault stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runware_provider.testing.api.errors import Refusal
from runware_provider.testing.api.tasks import Task

if TYPE_CHECKING:
    from runware_provider.testing.api.faults import Fault

# The status that fits a code, where it is not 400. From the table of the contract's section 7.
STATUS_OF_CODE = {
    "invalidApiKey": 401,
    "missingApiKey": 401,
    "unauthorized": 401,
    "forbidden": 403,
    "permissionDenied": 403,
    "insufficientCredits": 402,
    "quotaExceeded": 402,
    "paymentRequired": 402,
    "requestTimeout": 408,
    "inferenceRateLimitRequestTooLarge": 413,
    "rateLimitExceeded": 429,
    "inferenceRateLimitExceeded": 429,
    "providerRateLimitExceeded": 429,
    "internalServerError": 500,
    "providerBadGateway": 502,
    "serviceUnavailable": 503,
    "serverUnavailable": 503,
    "noAvailableServer": 503,
    "providerGatewayTimeout": 504,
}


# The code that a fault means which names only a status.
CODE_OF_STATUS = {
    401: "invalidApiKey",
    402: "insufficientCredits",
    403: "forbidden",
    408: "requestTimeout",
    413: "inferenceRateLimitRequestTooLarge",
    429: "rateLimitExceeded",
    500: "internalServerError",
    502: "providerBadGateway",
    503: "serviceUnavailable",
    504: "providerGatewayTimeout",
}


@dataclass(slots=True)
class Reply:
    """A reply in the making.

    Attributes:
        status: The HTTP status.
        data: Items, encoded or not, and sync tasks that still have to be waited for.
        errors: Error objects.
        until: When the last sync task is done, by the service's clock; infinite is never.
        streamed: The accepted task whose answer streams, and the faults that fire; None where nothing streams.
        webhooks: Accepted tasks that call a webhook, with the URL and the faults that fire.
    """

    status: int = 200
    data: list[Any] = field(default_factory=list)
    errors: list[Any] = field(default_factory=list)
    until: float = 0.0
    streamed: tuple[Task, dict[str, Fault]] | None = None
    webhooks: list[tuple[Task, str, dict[str, Fault]]] = field(default_factory=list)

    def body(self, now: float) -> dict[str, Any]:
        """Return the body, with what the sync tasks came to by now; an error among them decides the status."""
        data: list[Any] = []
        errors = list(self.errors)
        for item in self.data:
            if isinstance(item, Task):
                done, failed = item.outcome(now)
                data.extend(done)
                errors.extend(failed)
                if failed and self.status == 200:
                    self.status = item.failure_status
            else:
                data.append(item)
        return {"data": data, "errors": errors} if errors else {"data": data}


def scripted_refusal(fault: Fault, default_code: str) -> Refusal:
    """Return the refusal that a fault asks for: its code, message and status, or what fits them."""
    code = fault.code or CODE_OF_STATUS.get(fault.status or 0, default_code)
    status = fault.status or STATUS_OF_CODE.get(code, 400)
    return Refusal(
        code, fault.message or f"Scripted by the local server's fault '{fault.kind}'.", status=status
    )
