"""A job whose source, dataset and state are on an object store, behind a proxy that may misbehave as networks and stores do."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from runware_provider.engine.job.run import run_job
from runware_provider.engine.storage.stores import Stores
from tests.azure.server import ACCOUNT
from tests.s3.proxy import FaultProxy
from tests.store_servers import server_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runware_provider.engine.storage.stores import Storage
    from tests.store_servers import StoreServer

RECORDS = 40


@dataclass
class Cloud:
    """A job whose files are all in one bucket."""

    place: Any
    proxy: FaultProxy
    server: StoreServer
    url: str

    @property
    def stores(self) -> Stores:
        options = self.server.options(endpoint=self.proxy.endpoint_url)
        return Stores(lambda _: options)

    @property
    def storage(self) -> Storage:
        return self.stores.open(f"{self.url}/lake")

    def fill(self, records: int = RECORDS) -> None:
        self.place.fill(records)
        data = (self.place.source / "a.parquet").read_bytes()
        assert self.storage.create_new(f"{self.url}/docs/a.parquet", data)

    async def run(self, **changes: Any) -> dict[str, Any]:
        limits = {"batch_rows": 10, **changes.pop("limits", {})}
        spec = self.place.spec(
            source=f"{self.url}/docs",
            destination=f"{self.url}/lake",
            limits=limits,
            **changes,
        )
        return await run_job(spec, self.place.endpoint, stores=self.stores)

    def rows(self, manifest: dict[str, Any]) -> list[dict[str, Any]]:
        """Of every part in the dataset's folder, in the order of their names."""
        names = [entry.path for entry in self.storage.list(manifest["destination"])]
        parts = [name for name in names if name.endswith(".parquet")]
        assert {part.rpartition("/")[2] for part in parts} == {file["path"] for file in manifest["files"]}
        assert f"{manifest['destination']}/_SUCCESS" in names
        return [
            row for part in parts for row in pq.read_table(io.BytesIO(self.storage.read(part))).to_pylist()
        ]

    def audit(self, manifest: dict[str, Any], records: int = RECORDS) -> None:
        assert [row["n"] for row in self.rows(manifest)] == list(range(records))
        assert manifest["outcomes"] == {"succeeded": records}
        bill = self.place.server.bill()
        assert all(line["executed"] == 1 for line in bill["tasks"].values())
        assert len(bill["tasks"]) == records
        assert manifest["cost_usd_ever"] == pytest.approx(bill["cost_usd"], abs=1e-9)


def a_cloud(name: str, place: Any) -> Iterator[Cloud]:
    server = server_of(name)
    with FaultProxy(server.endpoint_url, f"/{ACCOUNT}" if name == "azure" else "") as proxy:
        yield Cloud(place, proxy, server, server.new_place())
