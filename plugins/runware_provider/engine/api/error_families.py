"""What an error means and what follows from it: pure decisions, a table, no I/O.

The codes are declared unstable by the vendor and vary by model, so they are sorted into families, with a safe
default; the table is section 7 of the API contract. Case and separators of a code mean nothing, since models
behind the API spell theirs as `rate_limit_exceeded`.
"""

from __future__ import annotations

import re
from enum import StrEnum

from runware_provider.engine.errors import BalanceExhausted, JobStopped, KeyRefused, ModelUnknown


class Family(StrEnum):
    """Errors that are answered in the same way."""

    AUTH = "auth"
    QUOTA = "quota"
    MODEL = "model"
    RATE = "rate"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    SAFETY = "safety"
    VALIDATION = "validation"
    PROVIDER_FINAL = "provider_final"
    PROVIDER = "provider"
    TIMEOUT = "timeout"
    SERVER = "server"
    LOST = "lost"
    UNKNOWN = "unknown"


class Step(StrEnum):
    """What to do about an error."""

    STOP = "stop"
    """Stop the job, keep what is done."""
    WAIT = "wait"
    """Send the same task again later, more slowly; it is no attempt."""
    POLL = "poll"
    """The task was accepted before: ask for its result."""
    LOOK_UP = "look_up"
    """Ask the archive what became of it."""
    RETRY = "retry"
    """A new attempt under a new UUID, as long as the policy allows one."""
    FAIL = "fail"
    """The record failed."""
    REFUSE = "refuse"
    """The record was refused for safety."""


STEPS = {
    Family.AUTH: Step.STOP,
    Family.QUOTA: Step.STOP,
    Family.MODEL: Step.STOP,
    Family.RATE: Step.WAIT,
    Family.CONFLICT: Step.POLL,
    Family.TOO_LARGE: Step.FAIL,
    Family.SAFETY: Step.REFUSE,
    Family.VALIDATION: Step.FAIL,
    Family.PROVIDER_FINAL: Step.FAIL,
    Family.PROVIDER: Step.RETRY,
    Family.TIMEOUT: Step.RETRY,
    Family.SERVER: Step.RETRY,
    Family.UNKNOWN: Step.RETRY,
    Family.LOST: Step.LOOK_UP,
}

CODES: dict[Family, str] = {
    Family.AUTH: "invalidApiKey missingApiKey unauthorized forbidden permissionDenied insufficientPermissions "
    "authenticationFailed authFailed authTimeout invalidAuthentication invalidCredentials missingAuthentication "
    "accountSuspended accountDisabled organizationSuspended organizationDisabled workspaceSuspended "
    "workspaceDisabled",
    Family.QUOTA: "insufficientCredits providerInsufficientCredits quotaExceeded paymentRequired environmentPaused",
    Family.RATE: "rateLimitExceeded inferenceRateLimitExceeded providerRateLimitExceeded",
    Family.TOO_LARGE: "inferenceRateLimitRequestTooLarge",
    Family.CONFLICT: "conflictTaskUUID duplicateTaskUUID",
    Family.SAFETY: "contentPolicyViolation providerContentPolicyViolation sensitiveContentDetected "
    "unsafeContentDetected nsfwContentDetected promptBlocked imageBlocked moderationFailed invalidProviderContent",
    Family.PROVIDER: "providerError providerUnavailable providerBadGateway providerInternalError "
    "providerUnknownError providerAuthenticationFailed inferenceError processingFailed taskFailed "
    "noAvailableServer modelUnavailable modelNotReady",
    Family.PROVIDER_FINAL: "providerBadRequest modelDisabled",
    Family.TIMEOUT: "timeout requestTimeout timeoutProvider providerTimeout providerGatewayTimeout webhookTimeout",
    Family.LOST: "taskNotFound taskExpired taskFailedOrNotFound taskCancelled",
    Family.MODEL: "modelNotFound unknownModel",
    Family.SERVER: "internalServerError serviceUnavailable serverUnavailable standardError unknownError "
    "undefinedError defaultError unrecognizedResponse",
    Family.VALIDATION: "unknownParameter incompatibleParameters validationFailed",
}
"""The codes that have a family of their own, separated by spaces; others go by patterns and by HTTP status."""
_FAMILY_OF = {code.lower(): family for family, codes in CODES.items() for code in codes.split()}
_SAYS_LITTLE = {code.lower() for code in CODES[Family.SERVER].split()} - {"internalservererror"}
"""Codes for errors that are not explained; the HTTP status may know more."""
_PATTERNS = (
    (re.compile(r"credits|quota|balance(?!r)"), Family.QUOTA),  # a load balancer's error is no bill's
    (re.compile(r"^token"), Family.AUTH),
    (re.compile(r"^(organization|workspace).*(suspended|disabled)$"), Family.AUTH),
    (re.compile(r"^(invalid|missing|duplicate|unsupported|value|array|max)"), Family.VALIDATION),
)
_FAMILY_OF_STATUS = {
    401: Family.AUTH,
    402: Family.QUOTA,
    403: Family.AUTH,
    408: Family.TIMEOUT,
    413: Family.TOO_LARGE,
    429: Family.RATE,
    500: Family.SERVER,
    502: Family.SERVER,
    503: Family.SERVER,
    504: Family.TIMEOUT,
}
MAYBE_RUN = frozenset({Family.LOST, Family.TIMEOUT, Family.CONFLICT})
"""Ends after which a task may have been run all the same, and be on the bill without anybody knowing its answer."""
FINAL = frozenset({Family.CONFLICT}) | {
    family for family, step in STEPS.items() if step in {Step.FAIL, Step.REFUSE}
}
"""Errors after which no further attempt is made unasked: none would mend them, or, where an attempt ended with nothing
but a conflict, somebody else may have paid for its answer."""
_STOPS: dict[Family, type[JobStopped]] = {
    Family.AUTH: KeyRefused,
    Family.QUOTA: BalanceExhausted,
    Family.MODEL: ModelUnknown,
}


def is_known(code: str) -> bool:
    """Whether a code is one of the vendor's that are written down here, however it is spelt."""
    return _plain(code) in _FAMILY_OF


def is_telling(code: str) -> bool:
    """Whether a code is one of the vendor's and explains something: other servers have no such word."""
    plain = _plain(code)
    return plain in _FAMILY_OF and plain not in _SAYS_LITTLE


def family_of(code: str, status: int | None = None) -> Family:
    """Sort an error code into its family; the HTTP status decides only where the code says nothing.

    Asked where replies are read, and nowhere else: whoever decides by a family finds it in the error, or in the ledger.
    """
    plain = _plain(code)
    known = _FAMILY_OF.get(plain)
    if known is not None and plain not in _SAYS_LITTLE:
        return known
    for pattern, family in _PATTERNS:
        if pattern.search(plain):
            return family
    return _FAMILY_OF_STATUS.get(status or 0, known or Family.UNKNOWN)


def stop_for(family: Family, code: str, message: str) -> JobStopped:
    """The exception that ends a job for this error."""
    kind = _STOPS[family]
    said = f"{code}: {message}" if message else code
    return kind(f"the API answered {said}")


def back_off_s(tries: int, *, first_s: float = 1.0, longest_s: float = 60.0, spread: float = 0.0) -> float:
    """Seconds before try n + 1; `spread` in 0..1 keeps many clients from coming back together.

    At most 1.5 times `longest_s`.
    """
    return float(min(longest_s, first_s * 2.0 ** min(max(tries, 0), 16)) * (1.0 + 0.5 * spread))


def _plain(code: str) -> str:
    return re.sub(r"[^a-z0-9]", "", code.lower())
