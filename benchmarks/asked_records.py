"""The records that every contender is asked about: the same, as lines, as a table, and with the schema of their answers."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from measured import SCHEMA, body

if TYPE_CHECKING:
    from pathlib import Path

WRITE = """
import sys
import pyarrow.json, pyarrow.parquet
pyarrow.parquet.write_table(pyarrow.json.read_json(sys.argv[1]), sys.argv[2])
"""


@dataclass(frozen=True)
class Records:
    """Where they lie."""

    number: int
    lines: Path
    """A JSON object a line, with `id` and `prompt`."""
    table: Path
    """The same as Parquet, alone in its folder."""
    schema: Path


def write_records(folder: Path, number: int) -> Records:
    """Write so many records into a folder of their own below this one, where they are not there yet.

    The table is written by a process of its own: what this one holds would count as the peak of those that it starts.
    """
    place = folder / f"records-{number}"
    records = Records(
        number, place / "records.jsonl", place / "table" / "records.parquet", place / "schema.json"
    )
    if not place.exists():
        records.table.parent.mkdir(parents=True)
        records.schema.write_text(json.dumps(SCHEMA), encoding="utf-8")
        with records.lines.open("w", encoding="utf-8") as written:
            for record in range(number):
                written.write(json.dumps({"id": record, "prompt": f"Classify: {body(record)}"}) + "\n")
        subprocess.run([sys.executable, "-c", WRITE, str(records.lines), str(records.table)], check=True)
    return records
