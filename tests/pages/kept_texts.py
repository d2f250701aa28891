"""Runs that left texts to be shown: examples of failures, misses, samples, a request; and what a page of them must not have."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from runware_provider.engine.job.run_examples import examples_path
from runware_provider.engine.job.run_record import RunRecord
from runware_provider.engine.job.run_records import record_path, write_record
from runware_provider.engine.job.run_request import write_request
from runware_provider.engine.outcome.rows import INFERENCE_TYPE
from runware_provider.engine.spec import Spec
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.pages.opened_place import OpenedPlace
from runware_provider.pages.run_view import TaskAt
from runware_provider.quality.parts import Command, Passage, html_of

if TYPE_CHECKING:
    from collections.abc import Sequence

STORAGE = LocalStorage(lambda _: None)
RUN = "dag/task/run/-1"


def opened(folder: Path, shard: int | None = None) -> OpenedPlace:
    return OpenedPlace(TaskAt("dag", "run", "task"), {}, STORAGE, str(folder), RUN, shard)


def inference(code: str = "schema", **facts: Any) -> dict[str, Any]:
    usual = {
        "outcome": "invalid",
        "error_code": code,
        "error_message": "$.lines[1].amount: 'x' is not of type 'number'; $: 'total' is a required property",
        "attempts": 2,
        "reasks": 1,
        "task_uuid": "11111111-2222-4333-8444-555555555555",
        "sample": 0,
        "model": "m",
        "cost_usd": 0.00123,
        "latency_s": 4.5,
        "mends": ["fence"],
        "raw": json.dumps({"text": '{"lines": [{"amount": 1}, {"amount": "x"}]}', "reasoningContent": "Hm."}),
    }
    return {**usual, **facts}


def put(path: str, rows: Sequence[dict[str, Any]]) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    columns = {name: [row[name] for row in rows] for name in rows[0] if name != "inference"}
    table = pa.table(columns)
    if "inference" in rows[0]:
        table = table.append_column("inference", pa.array([row["inference"] for row in rows], INFERENCE_TYPE))
    pq.write_table(table, path)


def fail(folder: Path, rows: Sequence[dict[str, Any]], **noted: Any) -> OpenedPlace:
    put(examples_path(STORAGE, str(folder), RUN), rows)
    note(folder, **noted)
    return opened(folder)


def note(folder: Path, spec: dict[str, Any] | None = None, **noted: Any) -> None:
    given = {"source": "in", "destination": "out", "prompt": "Read {{ record.body }}", **(spec or {})}
    request = write_request(STORAGE, str(folder), Spec(**given), {"model": "x"})
    usual = {
        "run": RUN,
        "state": "published",
        "started_at": "2026-01-01T00:00:00+00:00",
        "at": "2026-01-01T00:00:00+00:00",
        "source": "in",
        "destination": "out",
        "model": "m",
        "rows": 9,
        "rows_done": 9,
        "reasons": {"schema": 3},
        "request": request,
    }
    write_record(STORAGE, str(folder), RunRecord(**{**usual, **noted}))


def row(number: int, code: str = "schema", **facts: Any) -> dict[str, Any]:
    return {
        "id": f"doc-{number}",
        "body": f"Text of document {number}\nsecond line",
        "inference": inference(code, **facts),
    }


def commands(parts: Sequence[Any]) -> list[str]:
    return [part.text for part in parts if isinstance(part, Command)]


def passages(parts: Sequence[Any]) -> dict[str, list[tuple[str, bool]]]:
    return {part.title: list(part.pieces) for part in parts if isinstance(part, Passage)}


def missed(folder: Path, rows: Sequence[tuple[str, Any, Any]]) -> OpenedPlace:
    put(
        f"{folder}/reports/misses.parq",
        [
            {
                "record": f"doc-{number}",
                "sample": 0,
                "field": field,
                "got": json.dumps(got),
                "expected": json.dumps(wanted),
                "task_uuid": f"{number:08d}-2222-4333-8444-555555555555",
                "input": {"id": number, "body": "Read this"},
            }
            for number, (field, got, wanted) in enumerate(rows)
        ],
    )
    note(folder, {"partition": {"ds": "2026-01-01"}, "memory": {"state": str(folder)}})
    return opened(folder)


def samples(folder: Path, content: str) -> OpenedPlace:
    path = Path(record_path(STORAGE, str(folder), RUN).replace("/runs/", "/samples/"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return opened(folder)


class Tags(HTMLParser):
    """Collects what a browser would make elements of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.hrefs += [value or "" for name, value in attrs if name == "href"]


def assert_harmless(parts: Sequence[Any]) -> None:
    page = html_of(parts)
    page.encode()
    found = Tags()
    found.feed(page)
    assert found.tags <= {
        "h1",
        "h2",
        "p",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "div",
        "code",
        "strong",
        "em",
        "figure",
        "figcaption",
        "pre",
        "mark",
        "details",
        "summary",
        "button",
        "a",
        "ul",
        "ol",
        "li",
        "small",
        "br",
    }
    assert not [name for name in found.attributes if name.startswith("on") or name in {"src", "style"}]
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\ud800-\udfff]", page)
    assert all(
        re.fullmatch(r"(\.\./){4}dag/run/task/-1|(failed|missed)(\?[a-z]+=[\w%.+~-]*)?", href)
        for href in found.hrefs
    )
    assert len(page) < 2_000_000
