"""Labels with the values that stand beside, below, or further down of them."""

from __future__ import annotations

import re
from typing import NamedTuple

from runware_provider.testing.answering.amounts import NUMBER
from runware_provider.testing.answering.labels import concept_of_label

_SIGN = r"(?:[A-Z]{2,3}\$?|Fr\.|[^\w\s.,:;%()-]{1,2})"
_MONEY = rf"[-(]?{_SIGN}?\s?{NUMBER.pattern}\)?(?:\s?(?:{_SIGN}(?:\sCA)?|kr\.?|[A-Z]{{1,3}}))?"
_IS_MONEY = re.compile(rf"\W{{0,2}}{_MONEY}")
_TRAILING_MONEY = re.compile(rf"\s(?P<value>{_MONEY})$")
_LETTER = re.compile(r"[A-Za-z\u00c0-\u017f]")
_ONLY_SIGN = re.compile(rf"[\W_]*(?:{_SIGN}|C)?[\W_]*")
_PARTIES = {"sup": "vendor", "buy": "customer"}
_HAS_CODE = re.compile(r"\d.*\d.*\d")
MAX_STACK = 8
MONEY_CONCEPTS = frozenset(
    {"total", "total_final", "subtotal", "tax", "discount", "paid", "change", "rounding"}
)


class Pair(NamedTuple):
    """A label, what it is about, and its value."""

    concept: str
    label: str
    value: str


def find_pairs(rows: list[list[str]]) -> list[Pair]:
    """Give labels with their values, from top to bottom, up to a summary of taxes.

    Args:
        rows: The document's rows of cells.
    """
    found: list[Pair] = []
    place = 0
    while place < len(rows):
        row = rows[place]
        if row[0].lower().endswith("summary"):
            break
        stacked = _stacked(rows, place) if len(row) == 1 else []
        found.extend(stacked or _of_row(row, rows[place + 1 : place + 4]))
        place += len(stacked) or 1
    return found


def is_money(text: str) -> bool:
    """Give whether a text is an amount and nothing else."""
    return _IS_MONEY.fullmatch(text) is not None


def _stacked(rows: list[list[str]], start: int) -> list[Pair]:
    """Pair labels that stand below each other with as many amounts that stand below them."""
    labels: list[tuple[str, str]] = []
    for row in rows[start : start + MAX_STACK]:
        concept = concept_of_label(row[0]) if len(row) == 1 and not _HAS_CODE.search(row[0]) else None
        if concept not in MONEY_CONCEPTS:
            break
        labels.append((concept, row[0]))
    values = rows[start + len(labels) : start + 2 * len(labels)]
    if (
        len(labels) < 2
        or len(values) < len(labels)
        or not all(len(v) == 1 and is_money(v[0]) for v in values)
    ):
        return []
    return [Pair(concept, label, value[0]) for (concept, label), value in zip(labels, values, strict=True)]


def _of_row(row: list[str], below: list[list[str]]) -> list[Pair]:
    if row[0].lower() in _PARTIES and len(row) > 1:
        return [Pair(_PARTIES[row[0].lower()], row[0], row[1])]
    if row[0] == "HDR" and len(row) > 2:
        return [Pair("invoice_number", row[1], row[2]), *(p for cell in row[3:] for p in _of_cell(cell, []))]
    if len(row) > 1 and below and len(below[0]) == len(row):
        concepts = [
            None if cell.endswith(":") or _HAS_CODE.search(cell) else concept_of_label(cell) for cell in row
        ]
        if all(concepts):
            cells = zip(concepts, row, below[0], strict=True)
            return [Pair(concept or "", label, value) for concept, label, value in cells]
    found: list[Pair] = []
    for place, cell in enumerate(row):
        rest = row[place + 1 :]
        found.extend(_of_cell(cell, rest[:1] or [each for line in below for each in line]))
    return found


def _of_cell(cell: str, following: list[str]) -> list[Pair]:
    label, colon, value = cell.partition(":") if ":" in cell else cell.partition("=")
    if not colon:
        match = _TRAILING_MONEY.search(cell)
        if match is not None and _LETTER.search(cell, 0, match.start()):
            label, value = cell[: match.start()], match["value"]
        if _HAS_CODE.search(label):
            return []
    concept = concept_of_label(label)
    if concept is None or concept == "ignored":
        return []
    value = value.strip(" :")
    if not value or (concept in MONEY_CONCEPTS and _ONLY_SIGN.fullmatch(value)):
        value = _below(concept, following, colon=bool(colon))
    return [Pair(concept, label.strip(), value)] if value else []


def _below(concept: str, following: list[str], *, colon: bool) -> str:
    """Give the value that follows a label, past lone colons and currency signs."""
    for cell in following:
        value = cell.strip(" :")
        if not value or _ONLY_SIGN.fullmatch(value):
            continue
        if concept in MONEY_CONCEPTS:
            return value if is_money(value) else ""
        # A heading without a colon, such as INVOICE, says nothing of the line below it.
        if not colon and concept in ("invoice_number", "purchase_order") and not _HAS_CODE.search(value):
            return ""
        is_label = concept_of_label(value.partition(":")[0]) is not None and not any(
            c.isdigit() for c in value
        )
        return "" if is_label else value
    return ""
