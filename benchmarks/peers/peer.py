"""What the programs that drive other products share: their arguments, the records, and how they tell what came out.

Each `ask_*.py` beside this file asks one product the same questions. It runs in an environment of its own, so that it may
import that product and the standard library alone; `peers.py` says which versions that is, and what their settings are.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "deepseek-v4-pro"


@dataclass(frozen=True)
class Given:
    """What a product is asked to do."""

    url: str
    """Where the API answers, in OpenAI's words too."""
    key: str
    lines: Path
    """The records: a JSON object a line, with `id` and `prompt`."""
    table: Path
    """The same as Parquet, for a product that reads it."""
    out: Path
    """A folder for the answers, that is not there yet."""
    at_once: int
    """Requests under way, for a product that has to be told."""
    schema: dict[str, Any]
    """Which answers are right, as a JSON Schema; `answer.py` has the same as a model."""

    def prompts(self) -> list[str]:
        """The questions, in order."""
        with self.lines.open(encoding="utf-8") as lines:
            return [json.loads(line)["prompt"] for line in lines]

    @property
    def response_format(self) -> dict[str, Any]:
        """The schema, in OpenAI's words."""
        wanted = {"name": "answer", "strict": True, "schema": self.schema}
        return {"type": "json_schema", "json_schema": wanted}


def drive(ask: Callable[[Given], int]) -> None:
    """Ask, and print as JSON how many answers came.

    What a product prints itself goes to the errors, so that nothing else stands on the standard output.
    """
    parser = argparse.ArgumentParser()
    for name in ("url", "key", "lines", "table", "out", "at-once", "schema"):
        parser.add_argument(f"--{name}", required=True)
    words = parser.parse_args()
    given = Given(
        url=words.url,
        key=words.key,
        lines=Path(words.lines),
        table=Path(words.table),
        out=Path(words.out),
        at_once=int(words.at_once),
        schema=json.loads(Path(words.schema).read_text(encoding="utf-8")),
    )
    printed = os.dup(1)
    os.dup2(2, 1)
    answered = ask(given)
    sys.stdout.flush()
    with os.fdopen(printed, "w") as told:
        told.write(json.dumps({"answered": answered}))
