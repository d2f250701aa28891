"""Who wrote a document, to whom, and where the writer lives."""

from __future__ import annotations

import re

from runware_provider.testing.answering.labels import concept_of_label
from runware_provider.testing.answering.pairs import is_money

HEAD_ROWS = 14
LEGAL_FORM_ROWS = 7
_LEGAL_FORM = re.compile(
    r"\b(?:gmbh|ag|kg|ohg|e\. ?k\.|ltd|limited|llp|llc|inc|corp|plc|co\.|sarl|sas|s\.l\.|s\.a\.|s\.r\.l|s\.p\.a|s\.n\.c"
    r"|b\.v|v\.o\.f|n\.v|k\.k|ab|lt[ée]e|sdn|bhd|bnd|s/b|enterprise|trading|restauran?t|restoran|& sons|sa)(?![a-z])",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"\W*(?:tax |simplified |sales |cash )*(?:invoice|receipt|bill|order confirmation|sales order|rechnung|faktura|kassenbon"
    r"|quittung|auftragsbest\S+|bestellbest\S+|facture|ticket\b.*|re[çc]u|confirmation de commande|accus[ée] de commande"
    r"|factura|recibo|confirmaci[óo]n de pedido|pedido|fattura|scontrino|ricevuta|conferma d.ordine|ordine|factuur"
    r"|kassabon|bon|orderbevestiging|bestelling|hdr|sup|buy|original|copy|duplicate|thank you.*|welcome.*|good morning.*)\W*",
    re.IGNORECASE,
)
_NOT_ADDRESS = re.compile(
    r"\b(?:tel|fax|phone|gst|reg|invoice|receipt|cash(?:ier)?|bill|date|doc|e-?mail|www|http|table|order|ticket|qty|item"
    r"|description|member|operator|hours|time|document|mobile|website|vat|tax|id|company no|co no|roc|counter|slip|pos)\b"
    r"|\d{1,2}[:/-]\d{1,2}[/-]?\d{2,4}|@",
    re.IGNORECASE,
)
_REGISTRATION = re.compile(
    r"\s*\(?(?:(?:co|company|roc)\b\.? ?(?:reg|rfg)?\.? ?(?:no)?\.? ?:?\s*|no\. ?)?\(?[A-Z]{0,3}\d{5,}\s?[- ]\s?[A-Z0-9]{1,2}\)?\W*",
    re.IGNORECASE,
)
_TRAILING_REGISTRATION = re.compile(
    r"\s*\(?(?:co\.? ?)?(?:reg|no)?\.? ?:?\s*[A-Z]{0,3}\d{5,}[- ]?[A-Z]{0,2}\)?\W*$", re.IGNORECASE
)
_NAME_END = re.compile(r"(?:sdn|bhd|co\.|\(m\)|gmbh|ltd|inc)\b", re.IGNORECASE)
_SPECK = re.compile(r"\s+[~'.,-]\s*$")


def is_name(text: str) -> bool:
    """Give whether a text can be the name of a company: mostly letters, no heading, no label."""
    letters = sum(c.isalpha() for c in text)
    if letters < 3 or letters < len(text.replace(" ", "")) / 2 or _HEADING.fullmatch(text):
        return False
    concept = concept_of_label(text.partition(":")[0])
    return concept is None or (concept != "tax_id" and _LEGAL_FORM.search(text) is not None)


def vendor_row(rows: list[list[str]], customers: list[str]) -> int | None:
    """Give the place of the row that names the vendor: the first with a legal form, or else the first name.

    Args:
        rows: The document's rows of cells.
        customers: Names that are the customer's.
    """
    first: int | None = None
    for place, row in enumerate(rows[:HEAD_ROWS]):
        name = row[0]
        if name in customers or not is_name(name):
            continue
        if place < LEGAL_FORM_ROWS and _LEGAL_FORM.search(name):
            return place
        if first is None:
            first = place
    return first


def has_legal_form(name: str) -> bool:
    """Give whether a name says what kind of company it is."""
    return _LEGAL_FORM.search(name) is not None


def name_at(rows: list[list[str]], place: int) -> str:
    """Give the name in a row, with its beginning where that is in the row above, and without registration number."""
    name = rows[place][0]
    if place and _NAME_END.match(name) and is_name(rows[place - 1][0]):
        name = f"{rows[place - 1][0]} {name}"
    return _TRAILING_REGISTRATION.sub("", name).strip(" ,:")


def signature(text: str) -> str | None:
    """Give the name below the signature line of a mail."""
    _, found, tail = text.rpartition("\n--")
    if not found or not is_mail(text):
        return None
    lines = [line.strip() for line in tail.splitlines() if line.strip(" -~'.")]
    return _SPECK.sub("", lines[0]) if lines else None


def is_mail(text: str) -> bool:
    """Give whether a text begins as a mail does."""
    return text.lstrip()[:8].lower().startswith(("subject:", "from:", "to:", "betreff:"))


def address_below(rows: list[list[str]], place: int) -> str | None:
    """Give the address that follows a vendor's name, in one line.

    Args:
        rows: The document's rows of cells.
        place: The row of the vendor's name.
    """
    parts = list(rows[place][1:])
    for row in rows[place + 1 : place + 9]:
        line = " ".join(row)
        if _REGISTRATION.fullmatch(line):
            continue
        if _HEADING.fullmatch(line) or _NOT_ADDRESS.search(line) or is_money(line) or "***" in line:
            if parts:
                break
            continue
        if concept_of_label(line.rstrip(":")) is not None and not any(c.isdigit() for c in line):
            break
        parts.append(line)
    return " ".join(part.strip() for part in parts if part.strip(" ,")).strip(" ,") or None
