"""The lines of an invoice, in the layouts that they come in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from runware_provider.testing.answering.amounts import NUMBER, find_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

_SENTENCE = re.compile(
    rf"(?P<quantity>{NUMBER.pattern})\s+[x\u00d7]\s+(?P<description>.+), (?P<unit_price>{NUMBER.pattern}): (?P<amount>{NUMBER.pattern})",
    re.IGNORECASE,
)
_TIMES = re.compile(
    rf"(?P<quantity>{NUMBER.pattern})\s*[x\u00d7@]\s*(?P<unit_price>{NUMBER.pattern})(?:\s+(?P<amount>{NUMBER.pattern}))?\s*[A-Z]{{0,3}}",
    re.IGNORECASE,
)
_COLUMNS = tuple(
    (column, re.compile(pattern, re.IGNORECASE))
    for column, pattern in (
        ("unit_price", r"price|preis|prix|p\.u\.|precio|prezzo|prijs|\brate\b|^each$|unit cost"),
        ("amount", r"amount|total|betrag|montant|importe|importo|bedrag|\bsum\b"),
        ("quantity", r"qty|[qo].?[ua]ntit|menge|anz|qt[ée]|cant|q\.t|aantal|hours|units?"),
        (
            "description",
            r"desc|item|bezeichnung|beschreibung|artikel|d[ée]signation|concepto|articolo|omschrijving|product|code",
        ),
    )
)
_TOTALS = re.compile(r"gesamtpreis", re.IGNORECASE)
_NUMBERS = ("quantity", "unit_price", "amount")


class Item(NamedTuple):
    """One line of an invoice; numbers that are not there are nothing."""

    description: str
    quantity: float | None
    unit_price: float | None
    amount: float | None


def find_items(lines: list[str], rows: list[list[str]], mark: str) -> list[Item]:
    """Give the lines of an invoice; the first layout that fits counts.

    Args:
        lines: The document's lines.
        rows: The same lines, cut into cells.
        mark: The document's decimal mark.
    """
    found: list[Item] = _in_table(rows, mark)
    layouts: tuple[Callable[[list[str], str], list[Item]], ...] = (
        _in_sentences,
        _below_names,
        _one_cell_a_line,
    )
    for layout in layouts:
        found = found or layout(lines, mark)
    return found


def _in_table(rows: list[list[str]], mark: str) -> list[Item]:
    columns: list[str | None] = []
    items: list[Item] = []
    for row in rows:
        if row[0] == "LIN":
            items.append(_tagged(row))
            continue
        heads = [_column(cell) for cell in row] if len(row) >= 3 else []
        if "amount" in heads and len({head for head in heads if head}) >= 3:
            columns = heads
        elif len(row) == len(columns) and (item := _table_item(row, columns, mark)) is not None:
            items.append(item)
    return items


def _column(cell: str) -> str | None:
    if any(c.isdigit() for c in cell):
        return None
    if _TOTALS.search(cell):
        return "amount"
    return next((name for name, pattern in _COLUMNS if pattern.search(cell)), None)


def _tagged(row: list[str]) -> Item:
    tags = dict(cell.split("=", 1) for cell in row if "=" in cell)
    quantity, price, amount = (
        next(find_numbers(tags.get(tag, ""), "."), None) for tag in ("QTY", "PRICE", "AMT")
    )
    return Item(row[2] if len(row) > 2 else "", quantity, price, amount)


def _table_item(row: list[str], columns: list[str | None], mark: str) -> Item | None:
    cells = {column: cell for column, cell in zip(columns, row, strict=True) if column}
    item = _item(cells.get("description", ""), cells, mark)
    return item if item.amount is not None and any(c.isalpha() for c in item.description) else None


def _in_sentences(lines: list[str], mark: str) -> list[Item]:
    matches = (_SENTENCE.fullmatch(line) for line in lines)
    return [_item(match["description"], match.groupdict(), mark) for match in matches if match is not None]


def _below_names(lines: list[str], mark: str) -> list[Item]:
    items: list[Item] = []
    for place, line in enumerate(lines[1:], 1):
        match = _TIMES.fullmatch(line)
        name = lines[place - 1]
        if match is None or not any(c.isalpha() for c in name):
            continue
        item = _item(name, match.groupdict(), mark)
        if item.amount is None and place + 1 < len(lines):
            item = item._replace(amount=next(find_numbers(lines[place + 1], mark), None))
        items.append(item)
    return items


def _one_cell_a_line(lines: list[str], mark: str) -> list[Item]:
    items = []
    for place in range(len(lines) - 3):
        name, *cells = lines[place : place + 4]
        if name.endswith(":") or not any(c.isalpha() for c in name) or not all(map(NUMBER.fullmatch, cells)):
            continue
        item = _item(name, dict(zip(_NUMBERS, cells, strict=True)), mark)
        if _multiplies(item):
            items.append(item)
    return items


def _multiplies(item: Item) -> bool:
    if item.quantity is None or item.unit_price is None or item.amount is None:
        return False
    return abs(item.quantity * item.unit_price - item.amount) <= 0.02 * abs(item.amount) + 0.02


def _item(description: str, cells: dict[str, str], mark: str) -> Item:
    quantity, price, amount = (next(find_numbers(cells.get(name) or "", mark), None) for name in _NUMBERS)
    return Item(description, quantity, price, amount)
