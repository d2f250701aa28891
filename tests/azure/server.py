"""Azurite, Microsoft's own emulator of Azure Blob Storage, in a process of its own.

It is an npm package: `make test` puts it into `.azurite` where the machine has npm, and its tests are skipped elsewhere.
It checks signatures and conditions; it knows no hierarchical namespace.
"""

from __future__ import annotations

import atexit
import base64
import hashlib
import hmac
import shutil
import uuid
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import httpx

from tests.store_process import PATIENCE_S, PROJECT, StoreProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

ACCOUNT = "devstoreaccount1"
# Published by Microsoft with the emulator, and the same everywhere.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
VERSION = "2023-11-03"
"""Of Azure's protocol, for what the tests ask by themselves."""
NOT_THERE = "Azurite is not here: it is an npm package, which make installs where there are node and npm"

_MAIN = PROJECT / ".azurite/node_modules/azurite/dist/src/blob/main.js"
_OPTIONS = (
    "--inMemoryPersistence",
    "--blobHost=127.0.0.1",
    "--blobPort=0",
    "--silent",
    "--skipApiVersionCheck",
    "--disableTelemetry",
)
# It ends with its standard input, which the kernel closes when its parent dies.
_SERVE = """
process.stdin.on("end", () => process.exit()).resume();
process.argv.splice(1, 0, "azurite-blob");
require(process.env.AZURITE_MAIN);
"""


def is_here() -> bool:
    """Whether Azurite can be started."""
    return shutil.which("node") is not None and _MAIN.exists()


class AzureServer(StoreProcess):
    """Runs from `with` to its end."""

    def __init__(self) -> None:
        script = _SERVE.replace("process.env.AZURITE_MAIN", f"{str(_MAIN)!r}")
        super().__init__(["node", "-e", script, "--", *_OPTIONS], "Azurite")

    def new_bucket(self) -> str:
        """The name of a fresh, empty container."""
        name = f"container-{uuid.uuid4().hex[:12]}"
        now = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {"x-ms-date": now, "x-ms-version": VERSION, "Content-Length": "0"}
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{_signature(name, now)}"
        url = f"{self.endpoint_url}/{ACCOUNT}/{name}?restype=container"
        httpx.put(url, headers=headers, timeout=PATIENCE_S, trust_env=False).raise_for_status()
        return name

    def new_place(self) -> str:
        """The URL of one."""
        return f"abfs://{self.new_bucket()}"

    def signature_for(self, container: str) -> str:
        """A shared access signature for all that a job does in a container."""
        until = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        said = {"sp": "racwdl", "se": until, "sv": VERSION, "sr": "c"}
        lines = [said["sp"], "", until, f"/blob/{ACCOUNT}/{container}", "", "", "", VERSION, "c", *[""] * 7]
        return urlencode({**said, "sig": _signed(lines)})

    def options(self, *, endpoint: str | None = None) -> dict[str, str]:
        """What a store takes; `endpoint` is that of a proxy in front."""
        return {"account": ACCOUNT, "key": KEY, "endpoint": f"{endpoint or self.endpoint_url}/{ACCOUNT}"}

    def environment(self, *, endpoint: str | None = None) -> dict[str, str]:
        """The same as variables for a process of its own."""
        options = self.options(endpoint=endpoint)
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": options["account"],
            "AZURE_STORAGE_ACCOUNT_KEY": options["key"],
            "AZURE_STORAGE_ENDPOINT": options["endpoint"],
        }


def _signature(container: str, now: str) -> str:
    """Of the request that makes a container: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key."""
    lines = ["PUT", *[""] * 11, f"x-ms-date:{now}", f"x-ms-version:{VERSION}"]
    return _signed([*lines, f"/{ACCOUNT}/{ACCOUNT}/{container}", "restype:container"])


def _signed(lines: Sequence[str]) -> str:
    digest = hmac.new(base64.b64decode(KEY), "\n".join(lines).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


@cache
def shared_azure() -> AzureServer:
    """The one of this test process; a test takes a fresh container of it."""
    server = AzureServer()
    server.__enter__()
    atexit.register(server.__exit__)
    return server
