"""Replies of the API as they came, for who looks at their shape."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.api import request_bodies
from runware_provider.engine.api.account_client import AccountClient

if TYPE_CHECKING:
    from runware_provider.engine.api.client import Received
    from runware_provider.engine.endpoint import Endpoint

EVENT_STREAM: Final = "text/event-stream"


class RawClient(AccountClient):
    """Sends arrays of tasks, and hands out what comes back unsorted.

    Args:
        endpoint: base URL and key.
        accept: the media type that is asked for, such as `EVENT_STREAM`; None for whatever the API sends.
        options: further ones of `Client`.
    """

    def __init__(self, endpoint: Endpoint, *, accept: str | None = None, **options: Any) -> None:
        super().__init__(endpoint, **options)
        if accept is not None:
            self._headers["Accept"] = accept

    async def received(self, content: bytes, timeout_s: float) -> Received:
        """The reply to an array of tasks, whole, unpacked and without the key; errors as for `post`.

        Args:
            content: the array.
            timeout_s: seconds until a whole reply is there, of a stream until its end.
        """
        response = await self._post(content, timeout_s)
        return replace(response, content=self._body(response))

    async def received_of_key(self, timeout_s: float) -> Received:
        """The reply to the free check of the key; errors as for `post`."""
        return await self.received(request_bodies.authentication(self._endpoint.key.strip()), timeout_s)
