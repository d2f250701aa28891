"""What a report or a page is made of: each part shows the same figures as Markdown and as HTML. Pure."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from runware_provider.quality.page import body_of
from runware_provider.quality.wording import count, percentage, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Part(Protocol):
    """A piece of a document."""

    def markdown(self) -> list[str]:
        """Its lines, of which the last one is empty."""

    def html(self) -> str:
        """The same for a page, with every text escaped."""


@dataclass(frozen=True)
class Words:
    """Markdown of ours: headings, lists, tables, bold text, and a stranger's values as code (`wording.code`)."""

    lines: Sequence[str]

    def markdown(self) -> list[str]:
        """As it is."""
        return list(self.lines)

    def html(self) -> str:
        """With shares, intervals and histograms drawn."""
        return body_of("\n".join(self.lines))


@dataclass(frozen=True)
class OutcomeBar:
    """Rows by outcome, and the rest, as one bar."""

    outcomes: Mapping[str, int]
    rows: int
    """In all."""
    rest: str = "to come"
    """What the rows without an outcome are, in words of ours."""

    @property
    def _stretches(self) -> list[tuple[str, int]]:
        rest = max(0, self.rows - sum(self.outcomes.values()))
        return [(name, rows) for name, rows in [*self.outcomes.items(), (self.rest, rest)] if rows]

    def markdown(self) -> list[str]:
        """One line."""
        told = (f"{count(rows)} {name} ({percentage(rows, self.rows)})" for name, rows in self._stretches)
        return [", ".join(told) or "No rows.", ""]

    def html(self) -> str:
        """A bar and its legend; what is more than nothing shows."""
        whole = max(1, self.rows)
        at, rects, legend = 0.0, [], []
        for name, rows in self._stretches:
            kind = "to-come" if name == self.rest else name.replace(" ", "-")
            css, width = html.escape(kind), 100 * rows / whole
            rects.append(f'<rect class="{css}" x="{at:.4g}" width="{max(width, 0.3):.4g}" height="10"/>')
            legend.append(
                f'<li class="{css}"><b>{count(rows)}</b> {html.escape(name)} <small>{percentage(rows, self.rows)}</small></li>'
            )
            at += width
        label = html.escape(" ".join(self.markdown()).strip())
        return (
            f'<svg class="outcomes" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{label}">'
            f'<rect class="rail" width="100" height="10"/>{"".join(rects)}</svg>'
            f'<ul class="legend">{"".join(legend)}</ul>'
        )


@dataclass(frozen=True)
class Passage:
    """A long text of a stranger's, such as a document or an answer, line by line; stretches that differ are marked."""

    title: str
    """Ours, in plain words."""
    pieces: Sequence[tuple[str, bool]]
    """Text, and whether it differs from what it stands beside."""

    def markdown(self) -> list[str]:
        """As a quoted block, each line of it code."""
        text = "".join(piece for piece, _ in self.pieces)
        return [f"{self.title}:", "", *(f"    {visible(line)}" for line in text.splitlines()), ""]

    def html(self) -> str:
        """Preformatted."""
        told = "".join(
            f"<mark>{html.escape(piece)}</mark>" if differs else html.escape(piece)
            for piece, differs in self.pieces
        )
        return f'<figure class="passage"><figcaption>{html.escape(self.title)}</figcaption><pre dir="auto">{told}</pre></figure>'


@dataclass(frozen=True)
class Command:
    """A command for a terminal; a page copies it at a click."""

    title: str
    text: str

    def markdown(self) -> list[str]:
        """As a block of code."""
        return [f"{self.title}:", "", *(f"    {line}" for line in self.text.splitlines()), ""]

    def html(self) -> str:
        """With a button, which the page's script brings to life."""
        told = html.escape(self.text)
        return (
            f'<figure class="command"><figcaption>{html.escape(self.title)}</figcaption><pre><code>{told}</code></pre>'
            '<button type="button" data-copy>Copy</button></figure>'
        )


@dataclass(frozen=True)
class Fold:
    """Parts that a page shows only when asked."""

    title: str
    """Ours, in plain words."""
    parts: Sequence[Part]
    key: str = field(default="")
    """What a page that renews itself remembers it by."""

    def markdown(self) -> list[str]:
        """Below a heading of their own."""
        return [f"### {self.title}", "", *(line for part in self.parts for line in part.markdown())]

    def html(self) -> str:
        """Folded up."""
        inner = "".join(part.html() for part in self.parts)
        key = f' data-key="{html.escape(self.key)}"' if self.key else ""
        return f"<details{key}><summary>{html.escape(self.title)}</summary>{inner}</details>"


@dataclass(frozen=True)
class Link:
    """A way to another page of ours."""

    text: str
    """Ours, in plain words."""
    href: str
    """A path, with every part of it quoted."""

    def markdown(self) -> list[str]:
        """Only its text: a document that is sent elsewhere has no such pages."""
        return [self.text, ""]

    def html(self) -> str:
        """As a link."""
        return f'<p class="more"><a href="{html.escape(self.href)}">{html.escape(self.text)}</a></p>'


def markdown_of(parts: Sequence[Part]) -> str:
    """A document as Markdown."""
    return "\n".join(line for part in parts for line in part.markdown())


def html_of(parts: Sequence[Part]) -> str:
    """The same for the body of a page."""
    return "".join(part.html() for part in parts)
