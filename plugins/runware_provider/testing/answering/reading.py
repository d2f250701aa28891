"""Reads a business document by its labels, numbers and positions. It is no language model.

It never follows what a document says: every rule looks for labels and shapes, and nothing in a
text can change a rule.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from runware_provider.testing.answering.amounts import decimal_mark, find_currency, find_numbers
from runware_provider.testing.answering.cells import cells_of, lines_of, repaired, shortened
from runware_provider.testing.answering.dates import find_dates
from runware_provider.testing.answering.line_items import Item, find_items
from runware_provider.testing.answering.pairs import Pair, find_pairs
from runware_provider.testing.answering.parties import (
    address_below,
    has_legal_form,
    is_mail,
    is_name,
    name_at,
    signature,
    vendor_row,
)

if TYPE_CHECKING:
    import datetime as dt

MAX_VALUE = 40
_IDENTIFIER = re.compile(
    r"(?<![\w/.-])(?=[A-Za-z0-9/._-]{0,40}\d)[A-Za-z0-9][A-Za-z0-9/._-]{0,40}[A-Za-z0-9](?![\w/])|(?<!\w)\d(?!\w)"
)
_AMERICAN = re.compile(r",? [A-Z]{2} \d{5}(?:-\d{4})?\b")
_NUMBER_IN_HEADING = re.compile(
    r"(?:invoice|receipt|(?<!your )order|confirmation|rechnung|faktura|kassenbon|quittung|best[äa]tigung|facture|ticket|re[çc]u|commande"
    r"|factura|recibo|pedido|fattura|scontrino|ricevuta|ordine|factuur|bon|bevestiging|bestelling|bill|doc(?:ument)?|inv)"
    r"[^\S\n]+(?:de compra[^\S\n]+|de caisse[^\S\n]+)?(?:(?:beleg-nr|nr|num\w*|n[úu]mero|number|nummer|no|ref|rif|réf|n\W?[º°o]?)\W{0,3})?"
    r"[^\S\n]*#?[^\S\n]*(?P<id>[A-Z0-9/-]{0,20}\d{2,}[A-Z0-9/-]{0,20})",
    re.IGNORECASE,
)
_ORDER_IN_SENTENCE = re.compile(
    r"(?:your order|ihre bestellung|votre commande|su pedido|vostro ordine|uw bestelling|purchase order)\W+"
    r"(?P<id>[A-Z0-9/-]{0,20}\d[A-Z0-9/-]{0,20})",
    re.IGNORECASE,
)
_ANY_ORDER = re.compile(
    r"\b(?:order|bestellung|commande|pedido|ordine|bestelling)\W+(?:no\W+)?(?P<id>[A-Z0-9/-]{0,20}\d[A-Z0-9/-]{0,20})",
    re.IGNORECASE,
)
_DUE_IN_SENTENCE = re.compile(
    r"(?:amount|betrag|somme|pago|pagare|bedrag|pay)\b[^.\n]{0,20}(?:\bby\b|bis zum|avant le|antes del|entro il|v[óo][óo]r)"
    r"\s+(?P<rest>[^\n]{6,40})",
    re.IGNORECASE,
)
_TOTAL_IN_SENTENCE = re.compile(
    r"(?:to[tf]al|gesamtbetrag|montant total|importe total|importo totale|totaalbedrag)\b[^\d\n]{0,40}?"
    r"(?P<rest>(?:[A-Z]{2,3}\$?\s|\S{1,2}\s?)?\d[^\n]{0,30})",
    re.IGNORECASE,
)
_SENTENCES = {"invoice_number": _NUMBER_IN_HEADING, "purchase_order": _ORDER_IN_SENTENCE, "order": _ANY_ORDER}


class Document:
    """What can be read from one text; everything is found when it is first asked for.

    Args:
        text: The document. Of a very long one, the beginning and the end are read.
    """

    def __init__(self, text: str) -> None:
        self.text = repaired(shortened(text))

    @cached_property
    def lines(self) -> list[str]:
        """The lines that say something."""
        return lines_of(self.text)

    @cached_property
    def rows(self) -> list[list[str]]:
        """The lines, cut into cells."""
        return cells_of(self.lines)

    @cached_property
    def mark(self) -> str:
        """The decimal mark."""
        return decimal_mark(self.text)

    @cached_property
    def month_first(self) -> bool:
        """Whether 03/04 is in March, as in the USA."""
        return _AMERICAN.search(self.text) is not None

    @cached_property
    def pairs(self) -> list[Pair]:
        """Labels with their values, from top to bottom."""
        return find_pairs(self.rows)

    def values(self, concept: str) -> list[str]:
        """Give the values that stand with labels of a concept."""
        return [pair.value for pair in self.pairs if pair.concept == concept]

    def labelled(self, words: str) -> str | None:
        """Give the value of the first label that has all these words."""
        wanted = set(words.split())
        if not wanted:
            return None
        labels = ((set(re.findall(r"\w+", pair.label.lower())), pair.value) for pair in self.pairs)
        return next((value for label, value in labels if wanted <= label), None)

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

    def money(self, concept: str) -> float | None:
        """Give the amount of a concept."""
        if concept == "total":
            return self._total()
        return next(
            (amount for value in self.values(concept) if (amount := self.amount_in(value)) is not None), None
        )

    def amount_in(self, value: str) -> float | None:
        """Give the last number of a value, unless the value is a whole sentence."""
        if len(value) > MAX_VALUE:
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
        sentence = _SENTENCES.get(concept)
        match = sentence.search(self.text) if sentence else None
        return match["id"].rstrip("-/") if match else None

    @cached_property
    def vendor(self) -> str | None:
        """The vendor's name."""
        labelled = next((value for value in self.values("vendor") if is_name(value)), None)
        if labelled is not None or is_mail(self.text):
            return labelled or signature(self.text)
        place = self._vendor_row
        if place is None:
            return None
        name = name_at(self.rows, place)
        return name if name and (self.pairs or has_legal_form(name)) else None

    @cached_property
    def customer(self) -> str | None:
        """The customer's name."""
        return next((value for value in self.values("customer") if is_name(value)), None)

    @cached_property
    def address(self) -> str | None:
        """The vendor's address, in one line."""
        labelled = next((value for value in self.values("address") if len(value) > 12), None)
        if labelled is not None or self._vendor_row is None:
            return labelled
        return address_below(self.rows, self._vendor_row)

    @cached_property
    def items(self) -> list[Item]:
        """The lines of the invoice."""
        return find_items(self.lines, self.rows, self.mark)

    @cached_property
    def _vendor_row(self) -> int | None:
        return vendor_row(self.rows, self.values("customer"))

    def _first_date(self) -> tuple[dt.date, str] | None:
        others = {
            found[0] for name in ("due_date", "delivery_date") if (found := self.date(name)) is not None
        }
        for line in self.lines:
            for found in find_dates(line, month_first=self.month_first):
                if found[0] not in others:
                    return found
        return None

    def _total(self) -> float | None:
        amounts = [
            (pair.concept, amount)
            for pair in self.pairs
            if (amount := self.amount_in(pair.value)) is not None
        ]
        rounded = next(
            (place for place, (concept, _) in enumerate(amounts) if concept == "rounding"), len(amounts)
        )
        after = [amount for concept, amount in amounts[rounded:] if concept in ("total", "total_final")]
        if after:
            return after[-1]
        for concept in ("total_final", "total"):
            found = [amount for each, amount in amounts if each == concept]
            if found:
                return found[-1]
        return self._unlabelled_total(amounts)

    def _unlabelled_total(self, amounts: list[tuple[str, float]]) -> float | None:
        match = _TOTAL_IN_SENTENCE.search(self.text)
        total = next(find_numbers(match["rest"], self.mark), None) if match else None
        if total is not None:
            return total
        paid = next((amount for concept, amount in amounts if concept == "paid"), None)
        change = next((amount for concept, amount in amounts if concept == "change"), None)
        return round(paid - change, 2) if paid is not None and change is not None and paid > change else None
