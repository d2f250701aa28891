"""What the labels of business papers mean, in six languages.

A *concept* is what a label or a schema's field is about: ``total``, ``due_date``, ``vendor``. One
table serves both sides, a document's labels and a schema's field names.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# The order decides: the first pattern that matches wins. Texts are lower case, without accents.
_LABELS = tuple(
    (concept, re.compile(pattern))
    for concept, pattern in (
        (
            "ignored",
            r"^(?:hdr|subject|betreff|objet|asunto|oggetto|onderwerp|re)$|tax code|summary|exchange|points?\b",
        ),
        (
            "count",
            r"\b(?:qty|quantity|qte|item ?\(s\)|items?|pax|count|pcs)\b.*(?:total|count|s\))|^(?:total|no\.? of) (?:qty|quantity|items?|item\(s\))|total.*\b(?:qty|quantity|item)",
        ),
        (
            "tax_id",
            r"(?:gst|vat|tax|mwst|ust|tva|iva|btw|sst)[ .-]*(?:reg|id|no|nr|num)|^(?:co\.? ?)?reg|siret|p\.? ?iva|partita iva|^(?:nif|cif|kvk)\b|steuernummer|company (?:reg|no)",
        ),
        (
            "due_date",
            r"\bdue (?:date|on|by)|payment (?:is )?due|^due$|pay(?:able)? (?:by|until)|fallig|zahlbar bis|zahlungsziel|echeance|a regler|vencimiento|pagar antes|scadenza|pagare entro|vervaldatum|te betalen voor|betalen voor|maturity",
        ),
        (
            "delivery_date",
            r"deliver|^ships?\b|shipping date|livraison|entrega|consegna|leverdatum|verwachte levering|liefer|^versand",
        ),
        (
            "purchase_order",
            (
                r"purchase order|\bpo (?:no|number|#)|^po$|^(?:your|our|customer) order|bestell-?n|bestelnummer"
                r"|ihre bestellung|bon de commande|votre commande|^n\W?o? de (?:commande|pedido)|orden de compra|su pedido"
                r"|ordine d.acquisto|vostro ordine|ordine cliente|inkooporder|uw bestelling"
            ),
        ),
        (
            "invoice_number",
            r"(?:invoice|receipt|sales order|order confirmation|rechnungs?|faktura|kassenbon|quittung|auftragsbestatigung|bestellbestatigung|facture|ticket(?: de \w+)?|recu|commande|factura|recibo|pedido|fattura|scontrino|ricevuta|conferma d.ordine|factuur|kassabon|orderbevestiging|doc(?:ument)?|bill|beleg|inv|slip|trans(?:action)?)\W{0,2}\s?(?:no|nr|n\W?[o°]?|number|nummer|#|ref|rif|numero|num|id|code)?\b\W*$",
        ),
        (
            "purchase_order",
            r"purchase order|^(?:your |our |customer )?(?:order|po)(?: no| nr| number| ref|#|\b)|\bpo (?:no|number|#)|^po$|bestell|ihre bestellung|bon de commande|votre commande|de commande$|orden de compra|su pedido|de pedido|ordine|inkooporder|uw bestelling",
        ),
        (
            "customer",
            r"(?:bill|sold|ship|invoice)(?:ed)? to|^customer|^client|^buyer|^buy$|rechnung an|^kunde|facture a\b|facturar a|^cliente|intestata a|factuur aan|^klant|recipient|attn|messrs",
        ),
        (
            "vendor",
            r"^(?:vendor|supplier|seller|from|company|sup|merchant|sold by|issued by|store)\b|lieferant|fournisseur|proveedor|fornitore|leverancier|verkaufer",
        ),
        ("time", r"^(?:time|uhrzeit|heure|hora|ora|tijd)\b"),
        ("date", r"\bdate\b|^issued\b|datum$|^data\b|^fecha|emise le|uitgegeven|^day$|\bdated?$"),
        ("rounding", r"^round.{0,6}(?:adj|amt)|^rounding|rou.{1,3}ding|^rounding adj"),
        (
            "subtotal",
            r"sub ?-?tota+l|^net(?:t)? amount|\bexcl|excluding|zwischensumme|netto|sous-total|total ht$|base imponible|^imponibile|totale parziale|before tax",
        ),
        ("discount", r"\bdisc(?:ount)?\b|rabatt|nachlass|^remise|descuento|sconto|korting|rebate"),
        (
            "total_final",
            r"(?:final|nett?|grand|round(?:ed|d)?.?d?) (?:total|amount)|total (?:rounded|after)|total.*(?:incl|payable|due)|(?:amount|total|balance) (?:due|payable)|total amt payable|incl.*total|gesamtbetrag|rechnungsbetrag|endbetrag|gesamtsumme|total ttc|net a payer|montant total|total a pagar|importe total|totale da pagare|totale complessivo|totaal incl|te betalen|total sales.{0,3}incl|rounded total",
        ),
        ("tax", r"\b(?:tax|vat|gst|mwst|ust|tva|tps|tvq|iva|btw|moms|sst)\b"),
        (
            "total",
            r"^\W*(?:total|summe|totale|totaal|sum|amount|amt|betrag|montant|importe|importo|bedrag|net|nett)\b(?! ?%)",
        ),
        ("change", r"^change|ruckgeld|^rendu|^cambio|^resto|wisselgeld|balance"),
        (
            "paid",
            r"^(?:cash|bar|girocard|card|especes|carte|efectivo|tarjeta|contanti|bancomat|contant|pin|visa|master|paid|tender|amount tendered|credit card|debit)\b",
        ),
        ("address", r"^(?:address|adresse|anschrift|direccion|indirizzo|adres)\b"),
        ("phone", r"^(?:tel|phone|telefon|telephone|fax|mobile|hp)\b"),
        ("email", r"^e-?mail"),
        ("currency", r"^(?:currency|cur|wahrung|devise|moneda|valuta)\b"),
        ("iban", r"\biban\b"),
    )
)

_FIELDS = tuple(
    (concept, re.compile(pattern))
    for concept, pattern in (
        ("items", r"\b(?:line items?|items|lines|positions|products|articles|entries|purchases)\b"),
        (
            "due_date",
            r"\bdue\b.*\bdate|\bdate\b.*\bdue|\bdue (?:on|at|by|until)\b|^due$|payment (?:deadline|due)|pay by|deadline",
        ),
        ("delivery_date", r"(?:deliver\w*|ship\w*).*(?:date|day|at|on)|delivery$"),
        ("purchase_order", r"purchase order|\bpo\b|customer order|order reference|your order"),
        ("tax_id", r"(?:tax|vat|gst) (?:id|number|no|reg)|registration|\breg no"),
        ("tax_rate", r"(?:tax|vat|gst) (?:rate|percent)"),
        ("order", r"^order(?: (?:id|ref))?$"),
        (
            "invoice_number",
            r"(?:invoice|receipt|bill|document|doc|order|reference|transaction|ticket) (?:number|no|nr|id|ref|code)|^(?:number|reference|order number|invoice)$",
        ),
        ("time", r"\btime$|^time\b"),
        ("date", r"\bdate\b|\bissued\b|\bday\b|^when$|\bdatum\b"),
        ("subtotal", r"sub ?total|\bnet\b|excluding|before tax|excl\b"),
        ("discount", r"discount|rebate"),
        ("tax", r"\b(?:tax|vat|gst|mwst)\b"),
        ("paid", r"\bpaid\b|tendered|cash"),
        ("change", r"^change\b"),
        ("unit_price", r"unit price|price per|unit cost|^rate$|^price$|each$"),
        ("quantity", r"quantity|\bqty\b|^count$|number of"),
        ("currency", r"currenc"),
        ("total", r"total|amount|\bsum\b|gross|\bprice\b|\bcost\b|payable"),
        ("customer", r"customer|buyer|client|bill(?:ed)? to|recipient|sold to|purchaser"),
        ("email", r"e ?mail"),
        ("phone", r"phone|telephone|mobile|\btel\b"),
        ("iban", r"iban"),
        ("website", r"website|\burl\b|homepage"),
        ("address", r"address|location"),
        ("description", r"description|product|article|^item|^name$|title|goods"),
        (
            "vendor",
            r"vendor|company|seller|supplier|merchant|store|shop|issuer|biller|retailer|organi[sz]ation|business|provider|^from$|sender",
        ),
        ("language", r"^language|\blang\b"),
        (
            "summary",
            r"summary|summari[sz]|abstract|gist|notes?$|comment|reason|explanation|text|body|content|message",
        ),
    )
)


MAX_LABEL = 60
_MISREAD = re.compile(r"(?<=[a-z])[10]")


def plain(text: str) -> str:
    """Give a text in lower case and without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))


@lru_cache(maxsize=20_000)
def concept_of_label(label: str) -> str | None:
    """Give what a document's label is about, also where OCR took an l for a 1 or an o for a 0."""
    text = plain(label).strip(" .:*#-_()[]")
    if not text or len(text) > MAX_LABEL:
        return None
    return _first_match(text) or (
        _first_match(_MISREAD.sub(_letter, text)) if _MISREAD.search(text) else None
    )


def _first_match(text: str) -> str | None:
    return next((concept for concept, pattern in _LABELS if pattern.search(text)), None)


def _letter(match: re.Match[str]) -> str:
    return "l" if match.group() == "1" else "o"


def words_of(name: str) -> str:
    """Give a field's name as lower case words: ``invoiceNumber`` and ``invoice_number`` become ``invoice number``."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return " ".join(re.findall(r"[a-z0-9]+", plain(spaced)))


def concept_of_field(name: str, title: str, description: str) -> str | None:
    """Give what a schema's field is about: by its name, or else its title, or else its description."""
    for text in (name, title, description.split(".", maxsplit=1)[0].split(",", maxsplit=1)[0]):
        words = words_of(text)
        for concept, pattern in _FIELDS:
            if words and pattern.search(words):
                return concept
    return None
