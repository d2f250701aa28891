"""Which proxy of the environment a request goes through, so that a person can be told which of two does not answer."""

from __future__ import annotations

import contextlib
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_to(url: str) -> str:
    """Host and port of the proxy that the environment names for a URL, without what else its address says; empty for none."""
    address = urlsplit(url)
    proxies = getproxies()
    named = proxies.get(address.scheme) or proxies.get("all")
    if not named or proxy_bypass(address.hostname or ""):
        return ""
    with contextlib.suppress(ValueError):
        proxy = urlsplit(named if "://" in named else f"http://{named}")
        return f"{proxy.hostname}:{proxy.port}" if proxy.port else proxy.hostname or ""
    return ""
