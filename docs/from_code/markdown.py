"""Markdown: tables, and lists of things with what is said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with this header; line breaks and bars of its cells are dealt with."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def described(name: str, facts: Iterable[str], said: str) -> str:
    """An entry of a list: the name, facts such as its type beside it, and below it what is said of it."""
    return f"{' · '.join([code(name), *filter(None, facts)])}\n: {' '.join(said.split())}"


def code(text: str) -> str:
    """A piece of code in running text."""
    return f"`{text}`"


def sentence(text: str) -> str:
    """A text with its first letter large and a full stop at its end."""
    text = " ".join(text.split())
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
