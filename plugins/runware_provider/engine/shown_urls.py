"""URLs as logs, errors and pages may show them. Pure."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*://")


def without_password(url: str) -> str:
    """A path or URL as it may be shown; a connection's id before the bucket stays, since it is no secret.

    Of a URL with credentials only the scheme is left: secrets may hold `/` and `@`, so nobody can tell where one ends.
    """
    scheme = _SCHEME.match(url)
    return f"{scheme[0]}***" if scheme is not None and may_hold_secret(url) else url


def may_hold_secret(url: str) -> bool:
    """Whether there is a colon, as between login and password, before the first slash; no bucket's name has one."""
    scheme = _SCHEME.match(url)
    return scheme is not None and ":" in url[scheme.end() :].partition("/")[0]
