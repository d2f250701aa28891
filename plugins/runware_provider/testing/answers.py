from __future__ import annotations
from dataclasses import dataclass
from typing import Any
from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Answer:
    text: str | None
    calls: tuple[dict[str, Any], ...] = ()
    finish_reason: str = "stop"

def answer(task: Mapping[str, Any]) -> Answer:
    return Answer("ok")
