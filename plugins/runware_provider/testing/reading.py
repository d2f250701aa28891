"""Reads a business document by its labels, numbers and positions. It is no language model.

It never follows what a document says: every rule looks for labels and shapes, and nothing in a
text can change a rule.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from runware_provider.testing.amounts import NUMBER, decimal_mark, find_currency, find_numbers
from runware_provider.testing.dates import find_dates
from runware_provider.testing.labels import concept_of_label

if TYPE_CHECKING:
    import datetime as dt

MAX_HEAD = 120_000
MAX_TAIL = 20_000
MAX_LINE = 300
MAX_LINES = 3_000

_CELLS = re.compile(r"\s*\|\s*|\t+|\s{2,}|\s·\s")
_MARKS = re.compile(r"^\s*(?:#{1,6}\s+|[-*+>]\s+)|\*\*|__|^_|_$|`")
_RULE = re.compile(r"[\s|:=*_~.#'-]*")
_NOISE_END = re.compile(r"\s+[~'.,-]\s*$")
_MOJIBAKE = re.compile(r"[ÃÂâÅ][\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ\xa0-\xbf]")
_IDENTIFIER = re.compile(
    r"(?<![\w/.-])(?=[A-Za-z0-9/._-]*\d)[A-Za-z0-9][A-Za-z0-9/._-]*[A-Za-z0-9](?![\w/])|(?<!\w)\d(?!\w)"
)
_MONEY_VALUE = re.compile(
    rf"^\W{{0,3}}(?:[A-Z]{{2,3}}\$?\s?|Fr\.\s?|[^\w\s]{{1,2}}\s?)?(?:{NUMBER.pattern})\s?\S{{0,4}}(?:\s\S{{1,3}})?$"
)
_TRAILING_MONEY = re.compile(rf"^(.*?[A-Za-z)%:].*?)\s+((?:[A-Z]{{2,3}}\$?\s?|[^\w\s]\s?)?{NUMBER.pattern})$")
_LEGAL_FORM = re.compile(
    r"\b(?:gmbh|ag|kg|ohg|e\. ?k\.|ltd|limited|llp|llc|inc|corp|plc|co\.|sarl|sas|s\.l\.|s\.a\.|s\.r\.l|s\.p\.a|s\.n\.c"
    r"|b\.v|v\.o\.f|n\.v|k\.k|ab|lt[ée]e|sdn\.?|bhd|bnd|s/b|enterprise|trading|restaurant|restoran|& sons|sa)(?![a-z])",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"^\W*(?:tax |simplified |sales |cash )*(?:invoice|receipt|bill|order confirmation|sales order|rechnung|faktura|kassenbon"
    r"|quittung|auftragsbest\S+|bestellbest\S+|facture|ticket\b.*|re[çc]u|confirmation de commande|accus[ée] de commande"
    r"|factura|recibo|confirmaci[óo]n de pedido|pedido|fattura|scontrino|ricevuta|conferma d.ordine|ordine|factuur"
    r"|kassabon|bon|orderbevestiging|bestelling|hdr|sup|buy|original|copy|duplicate|thank you.*|welcome.*)\W*$",
    re.IGNORECASE,
)
_NOT_ADDRESS = re.compile(
    r"\b(?:tel|fax|phone|gst|reg|invoice|receipt|cash(?:ier)?|bill|date|doc|email|e-mail|www|http|table|order|ticket|qty|item"
    r"|description|member|operator|hours|time|document|mobile|website|vat|tax|id)\b",
    re.IGNORECASE,
)
_REGISTRATION = re.compile(
    r"\s*\(?(?:co\.? ?(?:reg)?\.? ?(?:no)?\.? ?:?\s*)?\(?[A-Z]{0,3}\d{5,}[- ]?[A-Z]{0,2}\)?\s*(?:\(.*)?$"
)
_AMERICAN = re.compile(r",? [A-Z]{2} \d{5}(?:-\d{4})?\b")
_PARTY_LINE = {"sup": "vendor", "buy": "customer"}
_NUMBER_IN_HEADING = re.compile(
    r"(?:invoice|receipt|order|rechnung|faktura|kassenbon|quittung|best[äa]tigung|facture|ticket|re[çc]u|commande|factura"
    r"|recibo|pedido|fattura|scontrino|ricevuta|ordine|factuur|bon|bevestiging|bestelling|bill|doc(?:ument)?|inv)"
    r"(?:[^\S\n]+(?:de compra|de caisse|beleg-nr|no|nr|n|num\w*|n[úu]mero|number|nummer|ref|rif|réf)?\W{0,3})[^\S\n]*#?"
    r"(?P<id>[A-Z0-9]*[/-]?[A-Z0-9/-]*\d{2,}[A-Z0-9/-]*)",
    re.IGNORECASE,
)
_ORDER_IN_SENTENCE = re.compile(
    r"(?:your order|ihre bestellung|votre commande|su pedido|vostro ordine|uw bestelling|purchase order)\W+(?:no\W+)?(?P<id>[A-Z0-9/-]*\d[A-Z0-9/-]*)",
    re.IGNORECASE,
)
_DUE_IN_SENTENCE = re.compile(
    r"(?:amount|betrag|somme|pago|pagare|bedrag|pay)\b[^.\n]{0,20}(?:\bby\b|bis zum|avant le|antes del|entro il|v[óo][óo]r)\s+(?P<rest>[^\n]{6,40})",
    re.IGNORECASE,
)
_TOTAL_IN_SENTENCE = re.compile(
    r"(?:total|gesamtbetrag|montant total|importe total|importo totale|totaalbedrag)\b[^\d\n]{0,40}?(?P<rest>(?:[A-Z]{2,3}\$?\s|\S{1,2}\s?)?\d[^\n]{0,30})",
    re.IGNORECASE,
)
_ITEM_SENTENCE = re.compile(
    rf"^(?P<quantity>{NUMBER.pattern})\s+[x×]\s+(?P<description>.+), (?P<unit_price>{NUMBER.pattern}): (?P<amount>{NUMBER.pattern})$",
    re.IGNORECASE,
)
_TIMES = re.compile(
    rf"^(?P<quantity>{NUMBER.pattern})\s*[x×@]\s*(?P<unit_price>{NUMBER.pattern})(?:\s+(?P<amount>{NUMBER.pattern}))?\s*[A-Z]{{0,3}}$",
    re.IGNORECASE,
)
_COLUMNS = tuple(
    (column, re.compile(pattern, re.IGNORECASE))
    for column, pattern in (
        ("unit_price", r"price|preis|prix|p\.u\.|precio|prezzo|prijs|\brate\b|^each$|unit cost"),
        ("amount", r"amount|total|betrag|montant|importe|importo|bedrag|gesamtpreis|\bsum\b"),
        ("quantity", r"qty|quantity|menge|anz|qt[ée]|quantit|cant|q\.t|aantal|hours|units?"),
        (
            "description",
            r"desc|item|bezeichnung|beschreibung|artikel|d[ée]signation|concepto|articolo|omschrijving|product|code",
        ),
    )
)


class Item(NamedTuple):
    """One line of an invoice; numbers that are not there are nothing."""

    description: str
    quantity: float | None
    unit_price: float | None
    amount: float | None


class Pair(NamedTuple):
    """A label's concept with the value that stands beside or below it."""

    concept: str
    label: str
    value: str


class Document:
    """What can be read from one text; everything is found when it is first asked for.

    Args:
        text: The document. Of a very long one, the beginning and the end are read.
    """

    def __init__(self, text: str) -> None:
        if len(text) > MAX_HEAD + MAX_TAIL:
            text = f"{text[:MAX_HEAD]}\n{text[-MAX_TAIL:]}"
        self.text = _repaired(text)

    @cached_property
    def lines(self) -> list[str]:
        """The lines that say something, without Markdown marks."""
        lines = (_MARKS.sub("", line[:MAX_LINE]).strip() for line in self.text.splitlines())
        return [_NOISE_END.sub("", line) for line in lines if not _RULE.fullmatch(line)][:MAX_LINES]

    @cached_property
    def cells(self) -> list[list[str]]:
        """The lines, cut at bars, tabs and wide gaps."""
        return [[cell for cell in _CELLS.split(line) if cell] for line in self.lines]

    @cached_property
    def mark(self) -> str:
        """The decimal mark."""
        return decimal_mark(self.text)

    @cached_property
    def month_first(self) -> bool:
        """Whether 03/04 is in March, as in the USA."""
        return bool(_AMERICAN.search(self.text))

    @cached_property
    def pairs(self) -> list[Pair]:
        """Labels with their values, from top to bottom."""
        found: list[Pair] = []
        rows = self.cells
        for place, row in enumerate(rows):
            if len(row) == 1 and row[0].lower().endswith("summary"):
                break
            below = rows[place + 1] if place + 1 < len(rows) else []
            found.extend(_pairs_of(row, below))
        return found

    def values(self, concept: str) -> list[str]:
        """Give the values that stand with labels of a concept."""
        return [pair.value for pair in self.pairs if pair.concept == concept]

    def labelled(self, words: str) -> str | None:
        """Give the value of the first label that has all these words."""
        wanted = set(words.split())
        if not wanted:
            return None
        pairs = (
            pair
            for pair in self.pairs
            if pair.label and wanted <= set(re.findall(r"\w+", pair.label.lower()))
        )
        return next((pair.value for pair in pairs if pair.value), None)

    def date(self, concept: str) -> tuple[dt.date, str] | None:
        """Give the date of a concept, and how it is printed."""
        for value in self.values(concept):
            found = next(find_dates(value, month_first=self.month_first), None)
            if found is not None:
                return found
        if concept == "due_date":
            match = _DUE_IN_SENTENCE.search(self.text)
            return next(find_dates(match["rest"], month_first=self.month_first), None) if match else None
        return self._first_date() if concept == "date" else None

    def _first_date(self) -> tuple[dt.date, str] | None:
        others = {
            found[0] for name in ("due_date", "delivery_date") if (found := self.date(name)) is not None
        }
        for line in self.lines:
            for found in find_dates(line, month_first=self.month_first):
                if found[0] not in others:
                    return found
        return None

    def money(self, concept: str) -> float | None:
        """Give the amount of a concept."""
        return self._total() if concept == "total" else self._labelled_amount(concept)

    def _total(self) -> float | None:
        for concept in ("total_final", "total"):
            amount = self._labelled_amount(concept, last=True)
            if amount is not None:
                return amount
        match = _TOTAL_IN_SENTENCE.search(self.text)
        return next(find_numbers(match["rest"], self.mark), None) if match else None

    def _labelled_amount(self, concept: str, *, last: bool = False) -> float | None:
        amounts = [amount for value in self.values(concept) if (amount := self.amount_in(value)) is not None]
        if not amounts:
            return None
        return amounts[-1] if last else amounts[0]

    def amount_in(self, value: str) -> float | None:
        """Give the last number of a value that is an amount and not a part of a sentence."""
        if len(value) > 40:
            return None
        numbers = list(find_numbers(value, self.mark))
        return numbers[-1] if numbers else None

    @cached_property
    def currency(self) -> str | None:
        """The currency's ISO code."""
        for concept in ("currency", "total_final", "total"):
            for value in self.values(concept):
                code = find_currency(value)
                if code is not None:
                    return code
        return find_currency(self.text)

    def identifier(self, concept: str) -> str | None:
        """Give the number or code of a concept, as printed."""
        for value in self.values(concept):
            match = _IDENTIFIER.search(value)
            if match is not None and next(find_dates(value), None) is None:
                return match.group()
        sentence = {"invoice_number": _NUMBER_IN_HEADING, "purchase_order": _ORDER_IN_SENTENCE}.get(concept)
        match = sentence.search(self.text) if sentence else None
        return match["id"].rstrip("-/") if match else None

    @cached_property
    def vendor_line(self) -> int | None:
        """The place of the line that names the vendor."""
        customer = set(self.values("customer"))
        first: int | None = None
        for place, row in enumerate(self.cells[:14]):
            name = row[0]
            if name in customer or not _is_name(name):
                continue
            if _LEGAL_FORM.search(name):
                return place
            if first is None:
                first = place
        return first

    @cached_property
    def vendor(self) -> str | None:
        """The vendor's name."""
        labelled = [value for value in self.values("vendor") if _is_name(value)]
        if labelled:
            return labelled[0]
        signed = self._signature()
        if signed is not None:
            return signed
        if self.vendor_line is None:
            return None
        return _REGISTRATION.sub("", self.cells[self.vendor_line][0]).strip(" ,:") or None

    def _signature(self) -> str | None:
        """The name below the signature line of a mail."""
        _, found, tail = self.text.rpartition("\n--")
        if not found or not self.text.lstrip()[:8].lower().startswith(("subject", "from", "to:", "betreff")):
            return None
        lines = [line.strip() for line in tail.splitlines() if line.strip(" -~'.")]
        return _NOISE_END.sub("", lines[0]) if lines else None

    @cached_property
    def address(self) -> str | None:
        """The vendor's address, in one line."""
        labelled = self.values("address")
        if labelled:
            return labelled[0]
        if self.vendor_line is None:
            return None
        parts = list(self.cells[self.vendor_line][1:])
        for row in self.cells[self.vendor_line + 1 : self.vendor_line + 8]:
            line = " ".join(row)
            if _REGISTRATION.fullmatch(line) or (not parts and line.startswith("(")):
                continue
            if _HEADING.match(line) or _NOT_ADDRESS.search(line) or _MONEY_VALUE.match(line) or "***" in line:
                break
            parts.append(line)
        return ", ".join(part.strip(" ,") for part in parts if part.strip(" ,")) or None

    @cached_property
    def customer(self) -> str | None:
        """The customer's name."""
        return next((value for value in self.values("customer") if _is_name(value)), None)

    @cached_property
    def items(self) -> list[Item]:
        """The lines of the invoice."""
        return self._items_in_table() or self._items_in_sentences() or self._items_below_each_other()

    def _items_in_table(self) -> list[Item]:
        columns: list[str | None] = []
        items: list[Item] = []
        for row in self.cells:
            if row[0] == "LIN":
                items.append(self._tagged_item(row))
            elif not columns or len(columns) != len(row):
                heads = [_column(cell) for cell in row]
                if "amount" in heads and len({head for head in heads if head}) >= 3:
                    columns = heads
            elif (item := self._table_item(row, columns)) is not None:
                items.append(item)
        return items

    def _tagged_item(self, row: list[str]) -> Item:
        tags = dict(cell.split("=", 1) for cell in row if "=" in cell)
        numbers = (next(find_numbers(tags.get(tag, ""), "."), None) for tag in ("QTY", "PRICE", "AMT"))
        return Item(row[2] if len(row) > 2 else "", *numbers)

    def _table_item(self, row: list[str], columns: list[str | None]) -> Item | None:
        cells = {column: cell for column, cell in zip(columns, row, strict=True) if column}
        numbers = [
            next(find_numbers(cells.get(name, ""), self.mark), None)
            for name in ("quantity", "unit_price", "amount")
        ]
        if numbers[2] is None or not any(c.isalpha() for c in cells.get("description", "")):
            return None
        return Item(cells["description"], *numbers)

    def _items_in_sentences(self) -> list[Item]:
        items = []
        for line in self.lines:
            match = _ITEM_SENTENCE.match(line)
            if match is not None:
                items.append(Item(match["description"], *self._numbers(match)))
        return items

    def _items_below_each_other(self) -> list[Item]:
        items: list[Item] = []
        lines = self.lines
        for place, line in enumerate(lines[1:], 1):
            match = _TIMES.match(line)
            if match is not None and any(c.isalpha() for c in lines[place - 1]):
                quantity, unit_price, amount = self._numbers(match)
                if amount is None:
                    below = lines[place + 1] if place + 1 < len(lines) else ""
                    amount = self.amount_in(below)
                items.append(Item(lines[place - 1], quantity, unit_price, amount))
        return items or self._items_one_cell_a_line()

    def _items_one_cell_a_line(self) -> list[Item]:
        items = []
        for place in range(len(self.lines) - 3):
            name, *cells = self.lines[place : place + 4]
            if name.endswith(":") or not any(c.isalpha() for c in name):
                continue
            numbers = [
                number
                for cell in cells
                if NUMBER.fullmatch(cell) and (number := self.amount_in(cell)) is not None
            ]
            if (
                len(numbers) == 3
                and abs(numbers[0] * numbers[1] - numbers[2]) <= 0.02 * abs(numbers[2]) + 0.02
            ):
                items.append(Item(name, *numbers))
        return items

    def _numbers(self, match: re.Match[str]) -> tuple[float | None, float | None, float | None]:
        read = [
            next(find_numbers(match[name] or "", self.mark), None)
            for name in ("quantity", "unit_price", "amount")
        ]
        return read[0], read[1], read[2]


def _repaired(text: str) -> str:
    """Undo UTF-8 that was read as Windows-1252, line by line."""
    if not _MOJIBAKE.search(text):
        return text
    return "\n".join(_repaired_line(line) for line in text.split("\n"))


def _repaired_line(line: str) -> str:
    try:
        return line.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return line


def _pairs_of(row: list[str], below: list[str]) -> list[Pair]:
    if len(row) == 1:
        return _pairs_of_cell(row[0], below)
    found: list[Pair] = []
    if row[0].lower() in _PARTY_LINE:
        return [Pair(_PARTY_LINE[row[0].lower()], row[0], row[1])]
    concepts = [_own_concept(cell) for cell in row]
    if all(concepts) and len(below) == len(row):
        return [
            Pair(concept or "", label, value)
            for concept, label, value in zip(concepts, row, below, strict=True)
        ]
    for place, cell in enumerate(row):
        value = row[place + 1] if place + 1 < len(row) else ""
        found.extend(_pairs_of_cell(cell, [value] if value else below))
    return found


def _own_concept(cell: str) -> str | None:
    return None if cell.endswith(":") else concept_of_label(cell)


def _pairs_of_cell(cell: str, following: list[str]) -> list[Pair]:
    label, colon, value = cell.partition(":") if ":" in cell else cell.partition("=")
    if not colon:
        match = _TRAILING_MONEY.match(cell)
        if match is not None:
            label, value = match.groups()
        elif cell.startswith("#"):
            return []
    concept = concept_of_label(label)
    if concept is None or concept == "ignored":
        return []
    value = value.strip(" :")
    if not value and following:
        value = following[0].strip(" :") or (following[1] if len(following) > 1 else "")
        if concept_of_label(value.partition(":")[0]) is not None and not any(c.isdigit() for c in value):
            return []
    return [Pair(concept, label.strip(), value)] if value else []


def _is_name(text: str) -> bool:
    letters = sum(c.isalpha() for c in text)
    if letters < 3 or letters < len(text.replace(" ", "")) / 2 or _HEADING.match(text):
        return False
    label = text.partition(":")[0]
    return not (":" in text and concept_of_label(label) is not None) and concept_of_label(text) is None


def _column(cell: str) -> str | None:
    if any(c.isdigit() for c in cell):
        return None
    return next((name for name, pattern in _COLUMNS if pattern.search(cell)), None)
