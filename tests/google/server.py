"""A server that speaks Google Cloud Storage's XML API, in a process of its own: moto's, with the dialect in front."""

from __future__ import annotations

import atexit
import json
import sys
import uuid
from functools import cache

import httpx

from tests.store_process import PATIENCE_S, StoreProcess

TOKEN = "tests-token"


class GoogleServer(StoreProcess):
    """Runs from `with` to its end; it checks no token."""

    def __init__(self) -> None:
        super().__init__([sys.executable, "-m", "tests.moto_process", "google"], "the Google server")

    def new_bucket(self) -> str:
        """The name of a fresh, empty bucket."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        httpx.put(f"{self.endpoint_url}/{name}", timeout=PATIENCE_S, trust_env=False).raise_for_status()
        return name

    def new_place(self) -> str:
        """The URL of one."""
        return f"gs://{self.new_bucket()}"

    def options(self, *, endpoint: str | None = None) -> dict[str, str]:
        """What a store takes; `endpoint` is that of a proxy in front."""
        return {"token": TOKEN, "endpoint": endpoint or self.endpoint_url}

    def environment(self, *, endpoint: str | None = None) -> dict[str, str]:
        """The same as variables for a process of its own."""
        return {"GOOGLE_BEARER_TOKEN": TOKEN, "GOOGLE_BASE_URL": endpoint or self.endpoint_url}

    def key_file(self) -> str:
        """The text of a service account's key file for which nobody is asked for a token."""
        names = ("client_email", "private_key", "private_key_id")
        return json.dumps({"type": "service_account", "disable_oauth": True, **dict.fromkeys(names, "")})


@cache
def shared_google() -> GoogleServer:
    """The one of this test process; a test takes a fresh bucket of it."""
    server = GoogleServer()
    server.__enter__()
    atexit.register(server.__exit__)
    return server
