"""What whoever runs this Airflow decided for all tasks: the section `[runware]` of its configuration.

Each option may be an environment variable as well, such as `AIRFLOW__RUNWARE__DEFAULT_BUDGET_USD`. Without the
wheel, Airflow does not list the options, and reads them all the same.
"""

from __future__ import annotations

import math
from typing import Final
from urllib.parse import urlsplit

from airflow.sdk.configuration import conf

from runware_provider.engine.errors import BadInput
from runware_provider.engine.inbox.settings import AIRFLOW_OPTIONS, WebhookSettings
from runware_provider.engine.spec import Budget, Spec
from runware_provider.provider_info import OPTIONS, SECTION

_WEBHOOK: Final = ("url", "inbox", "secrets")


def within_budget(spec: Spec) -> Spec:
    """The same job, within the default budget if it has none of its own.

    Raises:
        BadInput: the option is no amount.
    """
    usd = _amount("default_budget_usd", "an amount in USD")
    if spec.budget is not None or usd is None:
        return spec
    return spec.model_copy(update={"budget": Budget(usd=usd)})


def progress_interval_s() -> float:
    """Seconds between two lines of progress, at most.

    Raises:
        BadInput: the option is no number of seconds.
    """
    return _amount("progress_interval_s", "a number of seconds") or float(
        OPTIONS["progress_interval_s"]["default"]
    )


def default_deferrable() -> bool:
    """Whether tasks whose author says nothing give their worker back while they wait: Airflow's own option, for all operators."""
    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


def makes_assets() -> bool:
    """Whether tasks whose author says nothing have their source as an inlet and their destination as an outlet."""
    return bool(conf.getboolean(SECTION, "assets", fallback=True))


def webhooks(spec: Spec) -> WebhookSettings | None:
    """Where the vendor brings answers in this Airflow; None for a job that does not want that.

    Raises:
        BadInput: it wants that, and an option is missing or cannot be meant so.
    """
    if spec.delivery != "webhook":
        return None
    return WebhookSettings.from_texts(*webhook_texts(), names=AIRFLOW_OPTIONS)


def webhook_texts() -> tuple[str, str, str]:
    """Public URL, inbox and secrets of webhooks as they are written, for `WebhookSettings`; empty where nothing is said."""
    url, inbox, secrets = (str(conf.get(SECTION, f"webhook_{name}", fallback="") or "") for name in _WEBHOOK)
    return url, inbox, secrets


def page_roots() -> str:
    """Below which folders the pages of jobs may read, as it is written; empty where nothing is said."""
    return str(conf.get(SECTION, "page_roots", fallback="") or "")


def page_texts() -> bool:
    """Whether the pages of jobs show texts of records, which are documents, answers and prompts, to who may see them."""
    return bool(conf.getboolean(SECTION, "page_texts", fallback=False))


def base_path() -> str:
    """Below which path Airflow is served, such as `/airflow`; empty at the root."""
    return urlsplit(str(conf.get("api", "base_url", fallback="") or "")).path.rstrip("/")


def _amount(option: str, kind: str) -> float | None:
    text = str(conf.get(SECTION, option, fallback="") or "").strip()
    if not text:
        return None
    try:
        amount = float(text)
    except ValueError:
        amount = 0.0
    if not 0 < amount < math.inf:
        raise BadInput(
            f"[{SECTION}] {option}",
            f"{text!r} is not {kind}",
            f"Give one, such as {OPTIONS[option]['example']}, or leave it empty",
        )
    return amount
