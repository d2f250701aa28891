"""One call to the receiver of webhooks at its public URL, as the vendor would make it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.api.client import Client
from runware_provider.engine.endpoint import Endpoint

if TYPE_CHECKING:
    from runware_provider.engine.api.client import Transport

_NOBODY = "nobody"
"""In the place of a key, which no call has."""


class ReceiverClient(Client):
    """The connection to the receiver.

    Args:
        public_url: of the receiver, without a query.
        transport: for tests; a real network by default.

    Raises:
        BadInput: the URL cannot be called.
    """

    def __init__(self, public_url: str, *, transport: Transport | None = None) -> None:
        super().__init__(Endpoint(public_url, _NOBODY), connections=1, transport=transport)
        del self._headers["Authorization"]

    async def call(self, url: str, content: bytes, timeout_s: float) -> int:
        """Call as the vendor does; returns the HTTP status.

        Args:
            url: with its query, which no error repeats.
            content: JSON.
            timeout_s: for the whole.

        Raises:
            NotSent: nobody was reached.
            Lost: somebody may have been, and did not answer.
        """
        return (await self._reply_to("POST", url, content, timeout_s)).status_code
