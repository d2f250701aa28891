"""What sender and receiver of webhooks have to know alike: the receiver's URL, where calls wait, and who may call. Pure.

In Airflow they are options of the section `[runware]`, elsewhere variables of the environment; an error names them as
they were given. A receiver needs no URL, and takes its own two values by `inbox_from_text` and `secrets_from_text`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from runware_provider.engine.endpoint import is_loopback
from runware_provider.engine.errors import BadInput
from runware_provider.engine.shown_urls import without_password

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST_SECRET_CHARS: Final = 32
MOST_SECRETS: Final = 4
"""One signs and one is on its way out; each further one costs every call a comparison."""
EXAMPLE_URL: Final = "https://airflow.example.com/runware/hook"
EXAMPLE_INBOX: Final = "s3://bucket/runware-inbox"
_IN_A_STORE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_FROM_A_ROOT: Final = re.compile(r"/|[A-Za-z][A-Za-z0-9+.-]*:/")


class OptionNames(NamedTuple):
    """What the three values are called where they were given."""

    url: str
    inbox: str
    secrets: str


VARIABLES: Final = OptionNames("RUNWARE_WEBHOOK_URL", "RUNWARE_WEBHOOK_INBOX", "RUNWARE_WEBHOOK_SECRETS")
"""Of the environment: the command line, the engine alone, the receiver alone."""
AIRFLOW_OPTIONS: Final = OptionNames(
    "[runware] webhook_url", "[runware] webhook_inbox", "[runware] webhook_secrets"
)
"""Of Airflow's configuration."""


def texts_in(environment: Mapping[str, str]) -> tuple[str, str, str]:
    """URL, inbox and secrets as the variables of an environment say them; empty where they say nothing."""
    url, inbox, secrets = (environment.get(name, "") for name in VARIABLES)
    return url, inbox, secrets


@dataclass(frozen=True)
class WebhookSettings:
    """How a job has its answers brought by webhook.

    Args:
        public_url: of the receiver, as the vendor reaches it, without a query.
        inbox: the folder, or URL of an object store, in which each job has an inbox.
        secrets: the first signs; each of them verifies, so that one can be replaced while calls are on their way.
    """

    public_url: str
    inbox: str
    secrets: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def from_texts(
        cls, url: str, inbox: str, secrets: str, *, names: OptionNames = VARIABLES
    ) -> WebhookSettings:
        """The settings that the three options say.

        Args:
            url: the option of this name.
            inbox: the option of this name.
            secrets: the option of this name, separated by commas.
            names: what the options are called, for the error.

        Raises:
            BadInput: one is missing, or cannot be meant so. It never says a secret.
        """
        return cls(
            public_url_from_text(url, names.url),
            inbox_from_text(inbox, names.inbox),
            secrets_from_text(secrets, names.secrets),
        )


def public_url_from_text(text: str, option: str) -> str:
    """The receiver's URL, for the vendor.

    Raises:
        BadInput: there is none, it is no URL, it has parts that are not for it, or answers would be sent in clear text.
    """
    written = text.strip()
    like = f"Write it like {EXAMPLE_URL}"
    if not written:
        raise BadInput(option, "it is missing", f"Say where the vendor reaches the receiver. {like}")
    url = _taken_apart(written)
    if url is None:
        raise BadInput(option, f"{without_password(written)!r} is no https address of a host", like)
    if "@" in url.netloc:
        raise BadInput(option, "it holds a user or a password", "Leave them out: each call proves itself")
    if url.query or url.fragment or written.endswith(("?", "#")):
        raise BadInput(option, "it has a query or a fragment", f"Leave it out. {like}")
    # What the vendor posts are the answers.
    if url.scheme == "http" and not is_loopback(url.hostname or ""):
        raise BadInput(option, f"{written!r} would have answers sent in clear text", "Use https")
    return written


def _taken_apart(written: str) -> SplitResult | None:
    """The parts of a URL that a request can be sent to; None where it is none."""
    try:
        url = urlsplit(written)
        _ = url.port  # raises for what is no number
    except ValueError:
        return None
    if url.scheme not in {"https", "http"} or not url.hostname:
        return None
    # It is sent as it is: what would have to be escaped means one thing here and another at the receiver.
    is_plain = written.isascii() and written.isprintable() and " " not in written
    return url if is_plain else None


def inbox_from_text(text: str, option: str) -> str:
    """The root of all inboxes, without a trailing slash.

    Raises:
        BadInput: there is none, its meaning depends on who started a process and where, or it has parts that are not for it.
    """
    root = text.strip().rstrip("/")
    if not root:
        raise BadInput(
            option,
            "it is missing",
            f"Give a folder that tasks and receiver share, or an object store: {EXAMPLE_INBOX}",
        )
    # It may hold a secret, and is not shown.
    if _IN_A_STORE.match(root) and ("?" in root or "#" in root):
        raise BadInput(
            option,
            "it has a query or a fragment",
            f"Leave it out: credentials come from the environment or a connection. Write it like {EXAMPLE_INBOX}",
        )
    if not _FROM_A_ROOT.match(root):
        raise BadInput(
            option,
            f"{root!r} is another folder for each process or user",
            f"Write the whole path, or the URL of an object store: {EXAMPLE_INBOX}",
        )
    return root


def secrets_from_text(text: str, option: str) -> tuple[bytes, ...]:
    """The secrets, the one that signs first.

    Raises:
        BadInput: there is none, there are too many, or one is too short.
    """
    told = [secret.strip() for secret in text.split(",") if secret.strip()]
    make_one = "Make one with: openssl rand -hex 32"
    if not told:
        raise BadInput(option, "it is missing", make_one)
    if len(told) > MOST_SECRETS:
        raise BadInput(
            option,
            f"it holds {len(told)} secrets, {MOST_SECRETS} at most",
            "Keep the one that signs and the one before it",
        )
    for number, secret in enumerate(told, start=1):
        _check_secret(secret, f"secret {number} of {len(told)}", option, make_one)
    return tuple(secret.encode() for secret in told)


def _check_secret(secret: str, called: str, option: str, make_one: str) -> None:
    if len(secret) < LEAST_SECRET_CHARS:
        raise BadInput(
            option, f"{called} has {len(secret)} characters, {LEAST_SECRET_CHARS} at least", make_one
        )
    if not secret.isascii():
        raise BadInput(option, f"{called} has characters beyond ASCII", make_one)
