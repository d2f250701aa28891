"""Which proxy of the environment a request goes through, and what a person may be told of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

PROXY_SCHEMES = frozenset({"http", "https"})


def proxy_for(base_url: str) -> str | None:
    """The proxy that the environment names for an address; None where it names none.

    Raises:
        ValueError: it names one that is no http or https proxy; the message does not say which.
    """
    address = urlsplit(base_url)
    proxies: dict[str, Any] = getproxies()
    proxy = str(proxies.get(address.scheme) or proxies.get("all") or "")
    if not proxy or proxy_bypass(address.netloc.rpartition("@")[2]):
        return None
    named = proxy if "://" in proxy else f"http://{proxy}"
    parts = urlsplit(named)
    _ = parts.port  # raises where it is no number
    if parts.scheme not in PROXY_SCHEMES or not parts.hostname:
        raise ValueError("neither an http nor an https proxy")
    return named


def host_and_port(proxy: str) -> str:
    """Where a proxy listens, without what else its address says, such as a password."""
    address = urlsplit(proxy)
    return f"{address.hostname}:{address.port}" if address.port else address.hostname or ""
