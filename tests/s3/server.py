"""A server that speaks S3, in a process of its own: moto's, which does check `If-None-Match` and `If-Match` on PUT.

It checks no signatures, and it ignores `If-None-Match` on a copy, as some real stores do.
"""

from __future__ import annotations

import atexit
import sys
import uuid
from functools import cache
from typing import TYPE_CHECKING

import httpx

from tests.store_process import PATIENCE_S, StoreProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

REGION = "us-east-1"
KEY = "tests-key"
SECRET = "tests-secret"


class S3Server(StoreProcess):
    """Runs from `with` to its end."""

    def __init__(self) -> None:
        super().__init__([sys.executable, "-m", "tests.moto_process"], "the S3 server")

    def new_bucket(self) -> str:
        """The name of a fresh, empty bucket."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        httpx.put(f"{self.endpoint_url}/{name}", timeout=PATIENCE_S, trust_env=False).raise_for_status()
        return name

    def new_place(self) -> str:
        """The URL of one."""
        return f"s3://{self.new_bucket()}"

    def options(self, *, endpoint: str | None = None) -> dict[str, str]:
        """What a store takes; `endpoint` is that of a proxy in front."""
        return {"key": KEY, "secret": SECRET, "region": REGION, "endpoint": endpoint or self.endpoint_url}

    def environment(self, *, endpoint: str | None = None) -> dict[str, str]:
        """The same as variables for a process of its own."""
        return environment_of(self.options(endpoint=endpoint))


def environment_of(options: Mapping[str, str]) -> dict[str, str]:
    """The variables that say the same as a store's options."""
    return {
        "AWS_ACCESS_KEY_ID": options["key"],
        "AWS_SECRET_ACCESS_KEY": options["secret"],
        "AWS_DEFAULT_REGION": options["region"],
        "AWS_ENDPOINT_URL": options["endpoint"],
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@cache
def shared_server() -> S3Server:
    """The one of this test process; a test takes a fresh bucket of it."""
    server = S3Server()
    server.__enter__()
    atexit.register(server.__exit__)
    return server
