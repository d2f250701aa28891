"""The servers of all object stores that the tests run against, each in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from tests.azure.server import NOT_THERE, is_here, shared_azure
from tests.google.server import shared_google
from tests.s3.server import shared_server

if TYPE_CHECKING:
    from collections.abc import Callable

SERVERS = ("s3", "google", "azure")


class StoreServer(Protocol):
    """What they have in common."""

    endpoint_url: str

    def new_place(self) -> str:
        """The URL of a fresh, empty bucket."""

    def options(self, *, endpoint: str | None = None) -> dict[str, str]:
        """What a store takes; `endpoint` is that of a proxy in front."""

    def environment(self, *, endpoint: str | None = None) -> dict[str, str]:
        """The same as variables for a process of its own."""


def server_of(name: str) -> StoreServer:
    """The one of this test process; where it cannot be had, the test is skipped."""
    if name == "azure" and not is_here():
        pytest.skip(NOT_THERE)
    shared: dict[str, Callable[[], StoreServer]] = {
        "s3": shared_server,
        "google": shared_google,
        "azure": shared_azure,
    }
    return shared[name]()
