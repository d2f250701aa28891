"""Who is connected, so that a fault can cut a connection, and a reset those of whoever was here before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import asyncio

Peer: TypeAlias = tuple[str, int]
"""A client's address and port."""


@dataclass
class Connections:
    """Open connections, and those that a reset closed."""

    open: dict[Peer, asyncio.Transport] = field(default_factory=dict)
    _forgotten: set[Peer] = field(default_factory=set)

    def made(self, peer: Peer, transport: asyncio.Transport) -> None:
        """Note a connection; an older one of the same address is none of its business."""
        self.open[peer] = transport
        self._forgotten.discard(peer)

    def lost(self, peer: Peer) -> None:
        """Note that it is closed."""
        self.open.pop(peer, None)

    def forget(self) -> None:
        """Close all of them; what they have sent and nobody has served yet is not to be served any more."""
        self._forgotten = set(self.open)
        for transport in list(self.open.values()):
            transport.abort()

    def is_forgotten(self, peer: Peer) -> bool:
        """Return whether a reset closed this client's connection."""
        return peer in self._forgotten
