"""Where the API answers, and the key that opens it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from runware_provider.engine.errors import BadInput

DEFAULT_BASE_URL = "https://api.runware.ai/v1"


def is_loopback(host: str) -> bool:
    """Whether a host's name or address always means this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Endpoint:
    """Where the API answers and the key that opens it.

    Raises:
        BadInput: the URL could send the key in clear text over a network, or there is no key.
    """

    base_url: str = DEFAULT_BASE_URL
    key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        like = f"Write it like {DEFAULT_BASE_URL}"
        try:
            url = urlsplit(self.base_url)
            host, _ = url.hostname, url.port
        except ValueError:
            raise BadInput("base URL", "it cannot be read", like) from None
        if url.scheme not in {"https", "http"} or not host or re.search(r"\s", self.base_url):
            raise BadInput("base URL", "it is no https address of a host", like)
        if "@" in url.netloc:
            raise BadInput("base URL", "it holds a user or a password", "Give the key as the API key instead")
        if url.scheme == "http" and not is_loopback(host):
            raise BadInput("base URL", "http would send the key in clear text", "Use https")
        if not self.key.strip():
            raise BadInput(
                "API key", "it is missing", "Set RUNWARE_API_KEY, or the password of the Airflow connection"
            )

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine that answers."""
        return is_loopback(urlsplit(self.base_url).hostname or "")

    @property
    def service(self) -> str:
        """The host, without its port: who answers."""
        return (urlsplit(self.base_url).hostname or "").rstrip(".")
