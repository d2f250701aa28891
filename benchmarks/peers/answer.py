"""Which answers are right, as a model, for the products that take one."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """What the schema of the benchmarks says (`SCHEMA` in `questions.py`)."""

    model_config = ConfigDict(extra="forbid")

    label: Literal["bug", "praise", "other"]
    floor: int | None
