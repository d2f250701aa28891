"""An object store of its own for a test, behind a proxy that misbehaves as the test says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import tenacity

from runware_provider.engine.storage.object_place import object_place
from runware_provider.engine.storage.obstore_client import ObstoreClient
from runware_provider.engine.storage.obstore_storage import ObstoreStorage
from runware_provider.engine.storage.s3 import S3Storage
from runware_provider.engine.storage.s3_client import S3Client
from tests.azure.server import ACCOUNT
from tests.s3.proxy import FaultProxy
from tests.store_servers import server_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runware_provider.engine.storage.object_storage import ObjectStorage
    from tests.store_servers import StoreServer

AT_ONCE = tenacity.wait_none()
"""Between two tries."""


@dataclass
class Bench:
    """A fresh bucket behind a proxy."""

    name: str
    server: StoreServer
    proxy: FaultProxy
    url: str

    @property
    def folder(self) -> str:
        return f"{self.url}/state"

    @property
    def path(self) -> str:
        return f"{self.url}/state/job.json"

    def options(self, **more: str) -> dict[str, str]:
        return {**self.server.options(endpoint=self.proxy.endpoint_url), **more}

    def client(self, url: str = "", **options: str) -> S3Client | ObstoreClient:
        place = object_place(url or self.url)
        if self.name == "s3":
            return S3Client(place.bucket, self.options(**options), back_off=AT_ONCE)
        return ObstoreClient(place, self.options(**options), back_off=AT_ONCE)

    def storage(self, url: str = "", **options: str) -> ObjectStorage:
        client = self.client(url, **options)
        if isinstance(client, S3Client):
            return S3Storage(client.bucket, client=client)
        return ObstoreStorage(client.place, client=client)

    def asked(self) -> list[str]:
        return [seen.request.method for seen in self.proxy.seen]

    def fetched(self) -> int:
        return sum(len(seen.reply.body) for seen in self.proxy.seen if seen.reply is not None)


def a_bench(name: str) -> Iterator[Bench]:
    server = server_of(name)
    below = f"/{ACCOUNT}" if name == "azure" else ""
    with FaultProxy(server.endpoint_url, below) as proxy:
        yield Bench(name, server, proxy, server.new_place())
