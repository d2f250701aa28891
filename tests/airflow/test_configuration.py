from __future__ import annotations

import math

import pytest

from runware_provider import configuration
from runware_provider.engine.errors import BadInput
from runware_provider.engine.spec import Budget, Spec
from runware_provider.provider_info import OPTIONS


def a_spec(budget: Budget | None = None) -> Spec:
    return Spec(source="in", destination="out", prompt="{{ record.a }}", budget=budget)


def test_without_configuration_a_task_has_no_budget_and_reports_every_half_minute() -> None:
    assert configuration.within_budget(a_spec()).budget is None
    assert configuration.progress_interval_s() == 30


def test_the_default_budget_is_for_tasks_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__RUNWARE__DEFAULT_BUDGET_USD", "2.5")
    assert configuration.within_budget(a_spec()).budget == Budget(usd=2.5)
    own = Budget(usd=7)
    assert configuration.within_budget(a_spec(own)).budget == own
    assert configuration.within_budget(a_spec(Budget(tokens=10))).budget == Budget(tokens=10)


@pytest.mark.parametrize("text", ["much", "-1", "0", "inf", "nan"])
def test_an_amount_that_is_none_is_refused_by_its_name(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__RUNWARE__DEFAULT_BUDGET_USD", text)
    with pytest.raises(BadInput, match=r"\[runware\] default_budget_usd: "):
        configuration.within_budget(a_spec())


def test_the_interval_of_progress_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__RUNWARE__PROGRESS_INTERVAL_S", "90")
    assert configuration.progress_interval_s() == 90
    for text in ("often", "0", "-3", str(math.inf), str(math.nan)):
        monkeypatch.setenv("AIRFLOW__RUNWARE__PROGRESS_INTERVAL_S", text)
        with pytest.raises(BadInput, match=r"\[runware\] progress_interval_s"):
            configuration.progress_interval_s()


def test_what_is_said_of_webhooks_is_read_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    assert configuration.webhook_texts() == ("", "", "")
    for option, text in (("URL", "https://example.com/hook"), ("INBOX", "/inbox"), ("SECRETS", "one,two")):
        monkeypatch.setenv(f"AIRFLOW__RUNWARE__WEBHOOK_{option}", text)
    assert configuration.webhook_texts() == ("https://example.com/hook", "/inbox", "one,two")


def test_only_a_job_that_has_its_answers_brought_needs_the_options_of_webhooks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    brought = a_spec().model_copy(update={"delivery": "webhook"})
    assert configuration.webhooks(a_spec()) is None
    with pytest.raises(BadInput, match=r"\[runware\] webhook_url: it is missing"):
        configuration.webhooks(brought)
    secret = "a-secret-that-nobody-is-to-read-anywhere"
    for option, text in (("URL", "https://example.com/hook"), ("INBOX", "/inbox"), ("SECRETS", secret)):
        monkeypatch.setenv(f"AIRFLOW__RUNWARE__WEBHOOK_{option}", text)
    settings = configuration.webhooks(brought)
    assert settings is not None
    assert settings.secrets == (secret.encode(),)
    assert secret not in repr(settings)


def test_the_secrets_of_webhooks_are_sensitive_to_airflow() -> None:
    assert [name for name, told in OPTIONS.items() if told.get("sensitive")] == ["webhook_secrets"]
