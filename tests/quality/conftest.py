"""Published datasets to look at, made without a job."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from runware_provider.engine.dataset.publish import publish
from runware_provider.engine.dataset.published_manifest import read_manifest
from runware_provider.engine.dataset.staging import Stage
from runware_provider.engine.outcome.flattening import result_columns
from runware_provider.engine.outcome.rows import output_schema_of
from runware_provider.engine.state_records import encoded
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.quality.comparison_document import comparison_document
from runware_provider.quality.looking import compare, look_at
from runware_provider.quality.published import Place, place_of
from runware_provider.quality.report_document import report_document
from runware_provider.quality.room import BRIEF, Room

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.job.run_record import PastRun
    from runware_provider.quality.comparison import Comparison
    from runware_provider.quality.report_remarks import Findings

USUAL = {
    "outcome": "succeeded",
    "attempts": 1,
    "sample": 0,
    "model": "deepseek-v4-pro",
    "finish_reason": "tool_calls",
    "latency_s": 1.5,
    "mends": [],
}
BILL = {
    "model": "deepseek-v4-pro",
    "finished_at": "2026-11-23T09:38:41+00:00",
    "prompt_tokens": 1200,
    "cached_tokens": 300,
    "completion_tokens": 400,
    "cost_usd": 0.02,
}
INVOICE = pa.struct({"vendor": pa.string(), "total": pa.float64()})


@dataclass
class Lake:
    """A folder of datasets."""

    root: Path
    storage: LocalStorage = field(default_factory=LocalStorage)

    @staticmethod
    def row(key: Any, result: Any, **inference: Any) -> dict[str, Any]:
        """A row; one that has no result is invalid, unless something else is said."""
        usual = USUAL if result is not None else {**USUAL, "outcome": "invalid", "error_code": "schema"}
        return {"key": key, "result": result, "inference": {**usual, **inference}}

    def folder(self, name: str = "a") -> str:
        return str(self.root / name)

    def put(  # a dataset is what it is
        self,
        rows: list[dict[str, Any]],
        name: str = "a",
        result_type: pa.DataType = INVOICE,
        *,
        key_type: pa.DataType | None = None,
        parts: int = 1,
        publish_id: str = "p1",
        flatten: bool = False,
        texts: Sequence[str | None] | None = None,
        **manifest: Any,
    ) -> None:
        """Publish rows, spread over so many parts; with texts, the input has a column `body`."""
        kind = key_type or (pa.string() if any(isinstance(one["key"], str) for one in rows) else pa.int64())
        columns = result_columns(result_type, ["key", "body", "inference"], flatten=flatten)
        inputs = {"key": kind} | ({"body": pa.string()} if texts is not None else {})
        schema = output_schema_of(pa.schema(inputs), columns)
        if texts is not None:
            rows = [{**row, "body": text} for row, text in zip(rows, texts, strict=True)]
        if flatten:
            rows = [
                {**dict.fromkeys(columns.names), **(row.pop("result") or {}), **row}
                for row in map(dict, rows)
            ]
            manifest = {"flattened": columns.names, **manifest}
        stage = Stage(self.storage, self.folder(name) + ".state", publish_id)
        each = -(-len(rows) // parts) or 1
        batches = [rows[start : start + each] for start in range(0, len(rows) or 1, each)]
        for number, batch in enumerate(batches):
            stage.add(number, pa.Table.from_pylist(batch, schema))
        manifest |= {"records": manifest.get("records", len(rows))}
        self.publish(name, publish_id, manifest, stage.finish())

    def publish(self, name: str, publish_id: str, manifest: dict[str, Any], staged: list[Any]) -> None:
        held = read_manifest(self.storage, self.folder(name) + ".state")
        publish(
            self.storage,
            folder=self.folder(name),
            state_folder=self.folder(name) + ".state",
            publish_id=publish_id,
            staged=staged,
            manifest={"destination": self.folder(name), **BILL, **manifest},
            previous=held[1] if held else None,
            part_bytes=1,  # each batch is a part
        )

    def note_history(self, *past: PastRun, name: str = "a") -> None:
        """Write what runs of a place came to, the newest first."""
        history = encoded({"format": 1, "runs": [asdict(run) for run in past]})
        Path(f"{self.folder(name)}.state", "history.json").write_bytes(history)

    def place(self, name: str = "a") -> Place:
        return place_of(self.storage, self.folder(name), None, None)

    def look(self, name: str = "a", **options: Any) -> Findings:
        return look_at(self.place(name), **options)

    def report(self, name: str = "a", room: Room = BRIEF, **options: Any) -> str:
        """As Markdown."""
        return report_document(self.look(name, **options), room)

    def compare(
        self, first: str = "a", second: str = "b", *, key: str | None = "key", **options: Any
    ) -> Comparison:
        return compare(self.place(first), self.place(second), key=key, **options)

    def comparison(self, *names: str, room: Room = BRIEF, **options: Any) -> str:
        """As Markdown."""
        return comparison_document(self.compare(*names, **options), room)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)
