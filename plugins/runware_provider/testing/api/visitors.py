"""Who may ask the local server: programs on this machine, and no page that a browser shows.

A page of any site can send requests to this machine, and by a name that first leads to the site and then here (DNS
rebinding) it could read the replies, prompts and all. It cannot hide where it comes from: the browser says it in `Origin`
and `Sec-Fetch-Site`, and names in `Host` what the page was loaded from.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import Headers
from starlette.responses import Response

from runware_provider.testing.api.errors import Refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_OTHER_SITES = {"cross-site", "same-site"}


class NoPages:
    """Refuses what a page of another site asked for, with HTTP 403.

    Args:
        app: what serves the others.
        host: the address that is listened on.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._only_here = is_this_machine(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        problem = self._problem(Headers(scope=scope))
        if problem is None:
            await self._app(scope, receive, send)
            return
        body = msgspec.json.encode({"errors": [Refusal("forbidden", problem).body()]})
        await Response(body, 403, media_type="application/json")(scope, receive, send)

    def _problem(self, headers: Headers) -> str | None:
        host, origin = headers.get("host"), headers.get("origin")
        if host is not None and not self._is_ours(_name_in(f"//{host}")):
            return "The header Host names another machine. Ask by the address that the server said when it started."
        is_own_page = origin is not None and host is not None and origin == f"http://{host}"
        if origin is not None and not is_own_page:
            return "The header Origin says that a page of another site asks."
        if headers.get("sec-fetch-site") in _OTHER_SITES:
            return "The header Sec-Fetch-Site says that a page of another site asks."
        return None

    def _is_ours(self, name: str) -> bool:
        """Whether a name cannot be one that a stranger has in the DNS."""
        if is_this_machine(name):
            return True
        # Whoever listens to a network is asked by numbers, or by the short name of a container.
        return not self._only_here and bool(name) and (_is_address(name) or "." not in name)


def is_this_machine(name: str) -> bool:
    """Return whether a host's name or address means this machine itself."""
    return name == "localhost" or (_is_address(name) and ip_address(name).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _name_in(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return ""
    return parts.hostname or ""
