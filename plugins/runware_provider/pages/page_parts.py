"""Parts that only pages have: a state, tiles, tables of bits, money against its budget, the shards of a group. Pure."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from runware_provider.pages.links_between import ON_LEAF
from runware_provider.pages.page_bits import NONE, Said, Way, dollars, meter
from runware_provider.quality.page import WIDE
from runware_provider.quality.wording import percentage, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.pages.page_bits import Bit
    from runware_provider.pages.run_view import TaskAt

MONEY_WIDTH: Final = 600
MONEY_HEIGHT: Final = 12


@dataclass(frozen=True)
class Title:
    """What the page is about, and where that belongs."""

    bit: Bit
    below: Sequence[Bit] = ()

    def markdown(self) -> list[str]:
        """A heading and a line."""
        return [f"# {self.bit.markdown()}", "", " · ".join(bit.markdown() for bit in self.below), ""]

    def html(self) -> str:
        """The same."""
        below = "".join(f"<li>{bit.html()}</li>" for bit in self.below)
        return f'<h1>{self.bit.html()}</h1><ul class="below">{below}</ul>'


@dataclass(frozen=True)
class Heading:
    """Of what follows."""

    text: str
    """Ours."""

    def markdown(self) -> list[str]:
        """A heading of the second rank."""
        return [f"## {self.text}", ""]

    def html(self) -> str:
        """The same."""
        return f"<h2>{html.escape(self.text)}</h2>"


@dataclass(frozen=True)
class Sentence:
    """A line of bits."""

    bits: Sequence[Bit]

    def markdown(self) -> list[str]:
        """One line."""
        return [_in_a_row(self.bits), ""]

    def html(self) -> str:
        """A paragraph."""
        return f"<p>{_html_in_a_row(self.bits)}</p>"


@dataclass(frozen=True)
class StateLine:
    """How it stands, in a sentence."""

    kind: str
    """Ours: names a colour of the sheet."""
    bits: Sequence[Bit]
    beside: Sequence[Bit] = ()
    """Said more quietly below it."""

    def markdown(self) -> list[str]:
        """The sentence, and what stands below it."""
        return [_in_a_row(self.bits), "", *([_in_a_row(self.beside), ""] if self.beside else [])]

    def html(self) -> str:
        """With a dot of its colour."""
        below = f"<p>{_html_in_a_row(self.beside)}</p>" if self.beside else ""
        return f'<div class="state {self.kind}"><p class="says">{_html_in_a_row(self.bits)}</p>{below}</div>'


@dataclass(frozen=True)
class Notice:
    """Why something is missing."""

    bit: Bit

    def markdown(self) -> list[str]:
        """One line."""
        return [self.bit.markdown(), ""]

    def html(self) -> str:
        """Set apart."""
        return f'<p class="notice">{self.bit.html()}</p>'


@dataclass(frozen=True)
class Tile:
    """A figure, its name, and what is to be known beside it."""

    name: str
    """Ours."""
    bit: Bit
    beside: Sequence[Bit] = ()


@dataclass(frozen=True)
class Tiles:
    """Figures that are looked at first."""

    tiles: Sequence[Tile]

    def markdown(self) -> list[str]:
        """A table of names and figures."""
        cells = ([tile.name, _in_a_row([tile.bit, *tile.beside])] for tile in self.tiles)
        return table(["", ""], cells)

    def html(self) -> str:
        """Side by side."""
        return f'<dl class="tiles">{"".join(map(_tile, self.tiles))}</dl>'


@dataclass(frozen=True)
class Column:
    """Of a table."""

    name: str
    """Ours."""
    is_number: bool = False


@dataclass(frozen=True)
class Row:
    """Of a table."""

    cells: Sequence[Bit]
    kind: str = ""
    """Ours: names a way of the sheet to mark it."""


@dataclass(frozen=True)
class Grid:
    """A table of bits."""

    label: str
    """Ours: what it shows."""
    columns: Sequence[Column]
    rows: Sequence[Row]

    def markdown(self) -> list[str]:
        """A table."""
        numbers = [place for place, column in enumerate(self.columns) if column.is_number]
        cells = ([cell.markdown() for cell in row.cells] for row in self.rows)
        return table([column.name for column in self.columns], cells, right=numbers)

    def html(self) -> str:
        """In a box that scrolls; with many columns, a card a row on a phone."""
        kind = "wide cards" if len(self.columns) >= WIDE else "narrow"
        heads = "".join(_head(column) for column in self.columns)
        rows = "".join(self._row(row) for row in self.rows)
        return (
            f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(self.label)}"><table class="{kind}">'
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        )

    def _row(self, row: Row) -> str:
        kind = f' class="{row.kind}"' if row.kind else ""
        cells = (_cell(column, bit) for column, bit in zip(self.columns, row.cells, strict=True))
        return f"<tr{kind}>{''.join(cells)}</tr>"


@dataclass(frozen=True)
class MoneyBar:
    """What is paid, what will be, and what may be."""

    paid_usd: float
    foreseen_usd: float | None
    """None where nobody can tell."""
    budget_usd: float | None
    """None where there is no budget."""

    @property
    def _most(self) -> float:
        """What the bar's end stands for: the largest of them, and with a budget a little more, so that its mark is seen."""
        room = 1.0 if self.budget_usd is None else 1.04
        return room * max(self.paid_usd, self.foreseen_usd or 0.0, self.budget_usd or 0.0)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be drawn."""
        return not self._most

    @property
    def _is_beyond(self) -> bool:
        return self.budget_usd is not None and max(self.paid_usd, self.foreseen_usd or 0.0) > self.budget_usd

    def markdown(self) -> list[str]:
        """A table."""
        if self.is_empty:
            return []
        amounts = [dollars(self.paid_usd), dollars(self.foreseen_usd), dollars(self.budget_usd)]
        return table(["paid", "foreseen in all", "budget"], [amounts], right=range(3))

    def html(self) -> str:
        """A bar with the budget as a mark, and its legend."""
        if self.is_empty:
            return ""
        beyond = " beyond" if self._is_beyond else ""
        return (
            f'<svg class="money{beyond}" viewBox="0 0 {MONEY_WIDTH} {MONEY_HEIGHT}" preserveAspectRatio="none" role="img"'
            f' aria-label="{html.escape(self._label())}"><rect class="rail" width="{MONEY_WIDTH}" height="{MONEY_HEIGHT}"/>'
            f"{self._stretch('foreseen', self.foreseen_usd)}{self._stretch('paid', self.paid_usd)}{self._mark()}</svg>"
            f'<ul class="legend">{"".join(self._legend())}</ul>'
        )

    def _label(self) -> str:
        told = [f"Paid {dollars(self.paid_usd)}"]
        told += [f"foreseen {dollars(self.foreseen_usd)}"] if self.foreseen_usd is not None else []
        told += [f"budget {dollars(self.budget_usd)}"] if self.budget_usd is not None else []
        return ", ".join(told)

    def _at(self, amount: float) -> float:
        return MONEY_WIDTH * min(1.0, max(0.0, amount / self._most))

    def _stretch(self, kind: str, amount: float | None) -> str:
        if not amount:
            return ""
        return f'<rect class="{kind}" width="{max(2.0, self._at(amount)):.4g}" height="{MONEY_HEIGHT}"/>'

    def _mark(self) -> str:
        if self.budget_usd is None:
            return ""
        return f'<rect class="budget" x="{self._at(self.budget_usd) - 1.5:.4g}" width="3" height="{MONEY_HEIGHT}"/>'

    def _legend(self) -> list[str]:
        told = [_amount("paid", "paid", self.paid_usd, self.budget_usd)]
        if self.foreseen_usd is not None:
            told.append(_amount("foreseen", "in all, as it goes", self.foreseen_usd, self.budget_usd))
        if self.budget_usd is not None:
            told.append(_amount("budget", "budget", self.budget_usd, None))
        return told


@dataclass(frozen=True)
class ShardCell:
    """A shard in a strip."""

    number: int
    """From 0; a person counts from 1."""
    kind: str
    """Ours: names a colour of the sheet."""
    word: str
    """Ours: its state."""
    share_done: float
    href: str
    is_this: bool = False
    """Whether the page is its own."""


@dataclass(frozen=True)
class ShardStrip:
    """All shards of a group, by number, each with how far it is."""

    cells: Sequence[ShardCell] = field(default_factory=tuple)

    def markdown(self) -> list[str]:
        """Nothing: a table says it."""
        return []

    def html(self) -> str:
        """A list that reads like a map."""
        return f'<ol class="shards">{"".join(map(_shard, self.cells))}</ol>'


@dataclass(frozen=True)
class Ways:
    """Where to go from here."""

    ways: Sequence[Bit]
    is_to_do: bool = False
    """Whether a person is waited for there."""

    def markdown(self) -> list[str]:
        """Nothing: a document that is sent elsewhere has no such pages."""
        return []

    def html(self) -> str:
        """A line of links."""
        items = "".join(f"<li>{way.html()}</li>" for way in self.ways)
        kind, label = ("ways to-do", "To do") if self.is_to_do else ("ways", "Pages beside this one")
        return f'<nav aria-label="{label}"><ul class="{kind}">{items}</ul></nav>'


def way_back(at: TaskAt) -> Ways:
    """From a page that belongs to a task to that of the task."""
    return Ways([Way(Said("Back to the run"), ON_LEAF.to(at)), Way(Said("All datasets"), ON_LEAF.to_list())])


def _in_a_row(bits: Sequence[Bit]) -> str:
    return " ".join(filter(None, (bit.markdown() for bit in bits)))


def _html_in_a_row(bits: Sequence[Bit]) -> str:
    return " ".join(filter(None, (bit.html() for bit in bits)))


def _tile(tile: Tile) -> str:
    beside = f'<dd class="beside">{_html_in_a_row(tile.beside)}</dd>' if tile.beside else ""
    return f"<div><dt>{html.escape(tile.name)}</dt><dd>{tile.bit.html()}</dd>{beside}</div>"


def _head(column: Column) -> str:
    return f'<th scope="col"{_number(column)}>{html.escape(column.name)}</th>'


def _cell(column: Column, bit: Bit) -> str:
    kind = _number(column) if bit != NONE else ' class="n empty"' if column.is_number else ' class="empty"'
    return f'<td data-name="{html.escape(column.name)}"{kind}>{bit.html()}</td>'


def _number(column: Column) -> str:
    return ' class="n"' if column.is_number else ""


def _amount(kind: str, name: str, amount: float, whole: float | None) -> str:
    share = f" <small>{percentage(amount, whole)} of the budget</small>" if whole else ""
    return f'<li class="{kind}"><b>{html.escape(dollars(amount))}</b> {html.escape(name)}{share}</li>'


def _shard(cell: ShardCell) -> str:
    told = html.escape(f"Shard {cell.number + 1}: {cell.word}, {percentage(cell.share_done, 1)} done")
    current = ' aria-current="page"' if cell.is_this else ""
    return (
        f'<li class="{cell.kind}"><a href="{html.escape(cell.href)}" title="{told}" aria-label="{told}"{current}>{cell.number + 1}'
        f"{meter(cell.share_done, 'share')}</a></li>"
    )
