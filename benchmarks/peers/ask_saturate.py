"""saturate: `pump`, from rows to Parquet parts. With a fixed window: its own creeps up by one every two seconds here."""

from __future__ import annotations

import json
from typing import Any

import pyarrow.parquet as pq
from saturate import Fixed, pump

from peer import MODEL, Given, drive

ROWS_A_PART = 1_000
"""Its default of 10 would write a thousand files."""


def ask(given: Given) -> int:
    """Ask about each row once; the reply is read as JSON and not checked."""

    def request(row: dict[str, Any]) -> dict[str, Any]:
        messages = [{"role": "user", "content": row["prompt"]}]
        return {"model": MODEL, "messages": messages, "response_format": given.response_format}

    def parse(_row: dict[str, Any], reply: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(reply["choices"][0]["message"]["content"])
        return answer

    stats = pump(
        ((str(row["id"]), row) for row in pq.read_table(given.table).to_pylist()),
        to_request=request,
        parse=parse,
        endpoint=given.url,
        output=str(given.out),
        window=Fixed(given.at_once),
        flush_every=ROWS_A_PART,
        headers={"Authorization": f"Bearer {given.key}"},
        signal_source="none",
    )
    return int(stats.rows_processed)


if __name__ == "__main__":
    drive(ask)
