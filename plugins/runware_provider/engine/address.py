"""Where the API answers, from what somebody wrote of it. Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

from runware_provider.engine.endpoint import DEFAULT_BASE_URL, is_loopback

_DEFAULT_PATH: Final = urlsplit(DEFAULT_BASE_URL).path


def whole_address(written: str, *, port: int | None = None, scheme: str = "", path: str = "") -> str:
    """The base URL that is meant, without a trailing slash.

    Args:
        written: a host or a URL; empty for the vendor's. What it says itself comes before the other arguments.
        port: taken where it names none.
        scheme: taken where it names none; without either `https`, but `http` for this machine itself.
        path: taken where it has none, or a mere slash; without either the vendor's, `/v1`.

    Returns:
        The address, not checked: what cannot be read comes back as it was written, and `Endpoint` refuses it.
    """
    written = written.strip()
    if not written:
        return DEFAULT_BASE_URL
    try:
        url = urlsplit(written if "://" in written else f"//{written}")
    except ValueError:
        return written
    place = f"{url.netloc}:{port}" if port and not _names_a_port(url) else url.netloc
    way = url.path.rstrip("/") or (f"/{path.strip('/')}" if path.strip("/") else _DEFAULT_PATH)
    return urlunsplit((url.scheme or scheme or _default_scheme(url.hostname), place, way, "", ""))


def _default_scheme(hostname: str | None) -> str:
    return "http" if hostname is not None and is_loopback(hostname) else "https"


def _names_a_port(url: SplitResult) -> bool:
    return ":" in url.netloc.rpartition("@")[2].rpartition("]")[2]
