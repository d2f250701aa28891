"""The pages as Airflow's API server mounts them: `<Airflow's URL>/runware/jobs`.

Whatever asks a plugin for its applications, such as `airflow plugins`, gets them without what they are made of, which only the
API server has anyhow.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from runware_provider.pages.run_view import URL_PREFIX

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


_NAME: Final = URL_PREFIX.rpartition("/")[2]


class MadeWhenAsked:
    """An application that is made at its first request; of one event loop."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI says."""
        app = await self._made()
        await app(scope, receive, send)

    async def _made(self) -> ASGIApp:
        async with self._making:
            if self._app is None:
                # Its imports take a while, in which the API server has others to serve.
                self._app = await asyncio.to_thread(_make)
            return self._app


def _make() -> ASGIApp:
    from runware_provider.pages.application import application  # noqa: PLC0415 - see the module's docstring

    return application()


class LeadsToTheList:
    """An application that is mounted above our pages, and gets what is asked for them without the slash at the end.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI says."""
        if not _is_our_list(scope):
            await self._app(scope, receive, send)
            return
        # Relative: what stands before it is a proxy's, and may be written otherwise there.
        location = f"{_NAME}/".encode()
        await send({"type": "http.response.start", "status": 307, "headers": [(b"location", location)]})
        await send({"type": "http.response.body", "body": b""})


def _is_our_list(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
        return False
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) == f"/{_NAME}"


def leading_to_the_list(apps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a plugin says of applications that are mounted above our pages."""
    return [{**app, "app": LeadsToTheList(app["app"])} for app in apps]


@cache
def fastapi_apps() -> list[dict[str, Any]]:
    """What a plugin says of its applications; the same one whenever it is asked."""
    return [{"app": MadeWhenAsked(), "url_prefix": URL_PREFIX, "name": "Runware jobs"}]
