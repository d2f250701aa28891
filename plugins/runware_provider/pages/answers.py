"""What goes out: each answer has the headers that bind the browser, and one that refuses says no more than that it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from runware_provider.pages.frame import CSP, page
from runware_provider.pages.links_between import Links
from runware_provider.quality.parts import Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from runware_provider.quality.parts import Part

REPORT_CSP: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox"
)
"""A report is a file that lies in a state folder: it may look as it likes, and do nothing."""
AIRFLOW: Final = "runware.airflow"
"""In the scope of a request: Airflow's application, which handed the request on."""
NO_STORE: Final = "no-store"
_STATIC_S: Final = 86_400
"""The address of what is static changes with its content."""
_REFUSALS: Final = {
    401: "You are not signed in to this Airflow, or no longer. Sign in, and open this page again.",
    403: "You have no right to see this.",
    404: "There is no such page.",
    405: "This page can only be looked at.",
    503: "Airflow does not answer at the moment. Open this page again in a while.",
}
_MOST_DEPTH: Final = 6
"""Of a path, beyond all of ours: where there is no such page, there is none to lead back from."""
_QUOTED_SLASH: Final = b"%2f"
_FAILED: Final = "Something went wrong; the log of the API server says what kind of thing."


class Guarded:
    """An application whose answers all have the headers, and that knows which application it was mounted in.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI says."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _guard(MutableHeaders(scope=message))
            await send(message)

        if _QUOTED_SLASH in scope.get("raw_path", b"").lower():
            # Decoded, it would part the path in another place than Airflow does.
            await refused(Request(scope), 404)(scope, receive, send_guarded)
            return
        # The application that is mounted takes the name for itself.
        await self._app({**scope, AIRFLOW: scope.get("app")}, receive, send_guarded)


def _guard(headers: MutableHeaders) -> None:
    headers.setdefault("content-security-policy", CSP)
    headers.setdefault("cache-control", NO_STORE)
    headers["x-content-type-options"] = "nosniff"
    headers["referrer-policy"] = "no-referrer"


def shown(
    request: Request, title: str, parts: Sequence[Part], *, renew_s: float | None = None, status: int = 200
) -> Response:
    """A page.

    Args:
        request: that asks for it.
        title: may hold a stranger's text.
        parts: what is on it.
        renew_s: as of `frame.page`.
        status: of HTTP.
    """
    depth = request.scope["path"].removeprefix(request.scope.get("root_path", "")).count("/")
    links = Links(min(depth, _MOST_DEPTH))
    return HTMLResponse(page(title, parts, links=links, renew_s=renew_s), status)


def refused(request: Request, status: int) -> Response:
    """A page that says no; nothing of the request is in it."""
    return shown(request, "Runware", [Words([_REFUSALS.get(status, _FAILED), ""])], status=status)


def report(content: bytes) -> Response:
    """A report as it lies in a state folder."""
    return HTMLResponse(content, headers={"content-security-policy": REPORT_CSP})


def static(content: bytes, media_type: str) -> Response:
    """What all pages have in common."""
    return Response(content, media_type=media_type, headers={"cache-control": f"public, max-age={_STATIC_S}"})
