"""The pages as Airflow's API server mounts them: `<Airflow's URL>/runware/jobs`.

Whatever asks a plugin for its applications, such as `airflow plugins`, gets them without what they are made of, which only the
API server has anyhow.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any

from runware_provider.pages.run_view import URL_PREFIX

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


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


@cache
def fastapi_apps() -> list[dict[str, Any]]:
    """What a plugin says of its applications; the same one whenever it is asked."""
    return [{"app": MadeWhenAsked(), "url_prefix": URL_PREFIX, "name": "Runware jobs"}]
