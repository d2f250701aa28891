"""The code blocks of the pages: what is run, what is output, what is left alone and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).resolve().parents[2] / "docs"
RUN = ("python", "bash")
OUTPUT = "text"
"""What the block before printed; `...` stands for whatever."""
DATA = ("json", "jinja")
"""Shown, never run; it must be what it says that it is."""
NOT_RUN = re.compile(r"<!-- not run: (.+) -->")


@dataclass(frozen=True)
class Block:
    """A code block of a page."""

    page: str
    line: int
    language: str
    text: str
    not_run: str = ""
    """Why it is not run, if it is not."""

    @property
    def place(self) -> str:
        """Page and line, for a message."""
        return f"docs/{self.page}:{self.line}"


def pages() -> list[str]:
    """Every page, below docs/."""
    return sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def blocks(page: str) -> list[Block]:
    """The code blocks of a page, in their order; what only MyST understands is no code."""
    return list(_blocks(page))


def _blocks(page: str) -> Iterator[Block]:
    above = ""
    for token in MarkdownIt().parse((DOCS / page).read_text(encoding="utf-8")):
        if token.type == "fence" and not token.info.startswith("{"):
            left = NOT_RUN.fullmatch(above.strip())
            yield Block(page, token.map[0] + 1, token.info.strip(), token.content, left[1] if left else "")
        above = token.content if token.type == "html_block" else ""
