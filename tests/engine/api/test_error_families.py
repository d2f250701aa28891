from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api.error_families import (
    STEPS,
    Family,
    Step,
    back_off_s,
    family_of,
    stop_for,
)
from runware_provider.engine.errors import BalanceExhausted, KeyRefused, ModelUnknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Typed from the API contract, section 7, and not from the table under test.
CONTRACT = {
    "auth": """invalidApiKey missingApiKey unauthorized forbidden permissionDenied insufficientPermissions
        authenticationFailed authFailed authTimeout invalidAuthentication invalidCredentials missingAuthentication
        accountSuspended accountDisabled""",
    "quota": "insufficientCredits providerInsufficientCredits quotaExceeded paymentRequired environmentPaused",
    "rate": "rateLimitExceeded inferenceRateLimitExceeded providerRateLimitExceeded",
    "too_large": "inferenceRateLimitRequestTooLarge",
    "conflict": "conflictTaskUUID",
    "safety": """contentPolicyViolation providerContentPolicyViolation sensitiveContentDetected
        unsafeContentDetected nsfwContentDetected promptBlocked imageBlocked moderationFailed
        invalidProviderContent""",
    "provider": """providerError providerUnavailable providerBadGateway providerInternalError
        providerUnknownError providerAuthenticationFailed inferenceError processingFailed taskFailed
        noAvailableServer modelUnavailable modelNotReady""",
    "provider_final": "providerBadRequest modelDisabled",
    "timeout": "timeout requestTimeout timeoutProvider providerTimeout providerGatewayTimeout webhookTimeout",
    "lost": "taskNotFound taskExpired taskFailedOrNotFound taskCancelled",
    "model": "modelNotFound unknownModel",
    "server": """internalServerError serviceUnavailable serverUnavailable standardError unknownError
        undefinedError defaultError unrecognizedResponse""",
    "validation": "unknownParameter incompatibleParameters validationFailed",
}
CODES = [(code, family) for family, codes in CONTRACT.items() for code in codes.split()]
WHAT_TO_DO = {
    "auth": "stop",
    "quota": "stop",
    "model": "stop",
    "rate": "wait",
    "conflict": "poll",
    "too_large": "fail",
    "safety": "refuse",
    "validation": "fail",
    "provider_final": "fail",
    "provider": "retry",
    "timeout": "retry",
    "server": "retry",
    "lost": "look_up",
    "unknown": "retry",
}


TELLING_STATUSES = (401, 402, 408, 413, 429, 500, 503)


def assert_families(expected: Iterable[tuple[str, int | None, str]]) -> None:
    """Compare the family of every code and HTTP status with the expected one, and show all that differ."""
    wrong = [
        f"{code!r} with HTTP {status}: {family_of(code, status)}, expected {family}"
        for code, status, family in expected
        if family_of(code, status) != family
    ]
    assert not wrong, "\n".join(wrong)


def test_every_code_of_the_contract_is_in_its_family() -> None:
    assert_families((code, status, family) for code, family in CODES for status in (None, 200, 400))


def test_a_code_that_says_something_outweighs_the_status() -> None:
    says_something = [(code, family) for code, family in CODES if family != "server"]
    assert_families((code, status, family) for code, family in says_something for status in TELLING_STATUSES)


# The table's patterns: token*, organization*/workspace* Suspended/Disabled, any with Credits, Quota or Balance,
# and invalid* missing* duplicate* unsupported* value* array* max*.
MADE_OF = [
    ("creditsDepleted", "quota"),
    ("noCreditsLeft", "quota"),
    ("organizationQuotaReached", "quota"),
    ("quotaReached", "quota"),
    ("lowBalance", "quota"),
    ("balanceTooLow", "quota"),
    ("invalidBalance", "quota"),
    ("tokenExpired", "auth"),
    ("tokenInvalid", "auth"),
    ("organizationSuspended", "auth"),
    ("organizationDisabled", "auth"),
    ("organizationAccountSuspended", "auth"),
    ("workspaceSuspended", "auth"),
    ("workspaceDisabled", "auth"),
    ("invalidPositivePrompt", "validation"),
    ("missingModel", "validation"),
    ("duplicateParameter", "validation"),
    ("unsupportedParameter", "validation"),
    ("valueOutOfRange", "validation"),
    ("arrayTooLong", "validation"),
    ("maxTokensExceeded", "validation"),
    ("token", "auth"),
    ("tokenBalanceLow", "quota"),
    ("providerQuotaReached", "quota"),
    ("workspaceMemberDisabled", "auth"),
    ("missingBalance", "quota"),
    ("unsupportedQuota", "quota"),
    ("maximumReached", "validation"),
    ("valuesMissing", "validation"),
]


def test_codes_are_sorted_by_what_they_are_made_of() -> None:
    assert_families((code, status, family) for code, family in MADE_OF for status in (None, 400))


def test_what_a_code_is_made_of_outweighs_the_status() -> None:
    assert_families((code, status, family) for code, family in MADE_OF for status in TELLING_STATUSES)


def test_a_load_balancer_says_nothing_about_the_balance() -> None:
    assert_families((code, None, "unknown") for code in ("loadBalancerError", "loadBalancerTimeout"))


def test_a_duplicate_task_uuid_is_a_conflict_and_no_mistake_of_the_record() -> None:
    assert family_of("duplicateTaskUUID", 400) == "conflict"


def test_how_a_code_is_spelt_means_nothing() -> None:
    seen = {
        "rate_limit_exceeded": "rate",
        "RateLimitExceeded": "rate",
        "insufficient_quota": "quota",
        "INVALID_API_KEY": "auth",
        "model-not-found": "model",
        "conflictTaskUuid": "conflict",
    }
    assert_families((code, None, family) for code, family in seen.items())


def words_of(code: str) -> list[str]:
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", code)


SPELLINGS: dict[str, Callable[[list[str]], str]] = {
    "snake": lambda words: "_".join(words).lower(),
    "kebab": lambda words: "-".join(words).lower(),
    "dotted": lambda words: ".".join(words).lower(),
    "spaced": lambda words: f" {' '.join(words)} ",
    "shouted": lambda words: "_".join(words).upper(),
    "lower": lambda words: "".join(words).lower(),
    "pascal": lambda words: "".join(word.title() for word in words),
}


def test_every_code_is_known_in_every_spelling() -> None:
    spelled = [
        (spell(words_of(code)), None, family)
        for spell in SPELLINGS.values()
        for code, family in CODES + MADE_OF
    ]
    assert len(spelled) == 693
    assert_families(spelled)


UNKNOWN = [
    "",
    "somethingNew",
    "organizationRenamed",
    "workspaceNotFound",
    "teamSuspended",
    "notInvalid",
    "xtoken",
    "credit",
    "rateLimit",
    "notFound",
    "climax",
    "☃",
    "42",
]


def test_an_unknown_code_is_unknown_in_every_spelling() -> None:
    assert_families(
        (spell(words_of(code)), None, "unknown") for spell in SPELLINGS.values() for code in UNKNOWN
    )


def test_a_status_that_says_nothing_leaves_an_unknown_code_unknown() -> None:
    assert_families((code, 400, "unknown") for code in UNKNOWN)


STATUSES = [
    (401, "auth"),
    (402, "quota"),
    (403, "auth"),
    (408, "timeout"),
    (413, "too_large"),
    (429, "rate"),
    (500, "server"),
    (502, "server"),
    (503, "server"),
    (504, "timeout"),
]


def test_the_status_decides_where_the_code_says_nothing() -> None:
    say_nothing = [*UNKNOWN, "unknownError", "serviceUnavailable"]
    assert_families((code, status, family) for code in say_nothing for status, family in STATUSES)


def test_other_statuses_say_nothing() -> None:
    others = (200, 400, 404, 418, 599, 0, -1)
    assert_families(("somethingNew", status, "unknown") for status in others)
    assert_families(("unknownError", status, "server") for status in others)


def test_every_family_has_its_step() -> None:
    assert {family.value: step.value for family, step in STEPS.items()} == WHAT_TO_DO
    assert set(STEPS) == set(Family)


@given(st.text(max_size=40), st.none() | st.integers(-1, 700))
def test_any_code_has_a_family_and_a_step(code: str, status: int | None) -> None:
    assert STEPS[family_of(code, status)] in Step


@pytest.mark.parametrize(
    ("family", "kind"),
    [(Family.AUTH, KeyRefused), (Family.QUOTA, BalanceExhausted), (Family.MODEL, ModelUnknown)],
)
def test_what_stops_a_job_is_told_by_code_and_message(family: Family, kind: type[Exception]) -> None:
    stopped = stop_for(family, "someCode", "what the API said")
    assert type(stopped) is kind
    assert stopped.reason == "the API answered someCode: what the API said"
    assert stop_for(family, "someCode", "").reason == "the API answered someCode"
    assert stopped.remedy


def test_every_family_that_stops_has_an_exception() -> None:
    assert all(stop_for(family, "code", "") for family, step in STEPS.items() if step is Step.STOP)


@given(st.integers(-3, 10_000), st.floats(0, 1))
def test_the_back_off_never_shrinks_and_stays_bounded(tries: int, spread: float) -> None:
    now, later = back_off_s(tries, spread=spread), back_off_s(tries + 1, spread=spread)
    assert 1.0 <= now <= later <= 90.0


def test_the_back_off_doubles_from_a_second_to_a_minute() -> None:
    assert [back_off_s(tries) for tries in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


@given(st.integers(0, 20), st.floats(0, 1), st.floats(0, 1))
def test_clients_with_another_spread_come_back_at_another_time(tries: int, one: float, other: float) -> None:
    if one < other:
        assert back_off_s(tries, spread=one) <= back_off_s(tries, spread=other)
    assert back_off_s(tries, spread=1) == 1.5 * back_off_s(tries, spread=0)
