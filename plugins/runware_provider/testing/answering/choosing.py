"""Chooses a label, a tool, or yes and no, by counting words: no understanding, but repeatable."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from runware_provider.testing.answering.labels import plain, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runware_provider.testing.answering.reading import Document
    from runware_provider.testing.answering.schema_plan import Plan

MAX_READ = 6_000
_COMMON_WORDS = (
    "a an and are as at be by can do for from has have if in is it its not of on or that the this to was "
    "what when which who will with you your one use used value whether any all text document message user "
    "get set"
)
_COMMON = frozenset(_COMMON_WORDS.split())
_NEITHER = (
    "other",
    "unknown",
    "none",
    "misc",
    "miscellaneous",
    "neutral",
    "general",
    "n/a",
    "unclear",
    "normal",
    "medium",
)

# Beginnings of words, without accents, that speak for a label with one of these words in it.
_MONEY = (
    "charg|refund|invoice|payment|paid|debit|rechnung|abgebucht|erstatt|abbuch|factur|cobra|addebit|fattura"
    "|afgeschreven|rembours|subscription|credit card|btw|vat"
)
_BROKEN = (
    "crash|error|fehler|fails|broken|does nothing|not work|doesn't|sturzt|nicht mehr|geht nicht|erreur|plante|bloqu"
    "|reste|cierra solo|no puedo|errore|blocca|non salva|non funziona|no funciona|vast|fout|werkt niet|niet meer|freez|hang"
)
_WISH = (
    r"would be (?:great|nice|useful)|please add|feature|wish|wunsch|konnte|konnten sie|serait|aimerais|pourriez"
    r"|estaria|podrian|sarebbe|potreste|zou|graag|kan .* ook|could you add|dark mode|export to|ware (?:es )?(?:schon|toll)"
)
_HINTS: Mapping[str, str] = {
    "billing": _MONEY,
    "accounting": _MONEY,
    "finance": _MONEY,
    "bug": _BROKEN,
    "engineering": _BROKEN,
    "technical": _BROKEN,
    "feature": _WISH,
    "sales": _WISH,
    "praise": "thank|wonderful|impress|great work|love|excellent|amazing|lob|klasse|danke|traum|bravo|merci|parfait|bonheur"
    "|enhorabuena|gracias|maravill|gusto|compliment|gentil|ottim|bedankt|geweldig|fantasti|super|top|pluim|blij",
    "complaint": "complain|disappoint|unacceptable|terrible|worst|angry|beschwer|enttausch|unzumutbar|decu|queja|reclamo",
    "positive": "thank|great|love|excellent|good|wonderful|bravo|danke|merci|gracias|grazie|bedankt",
    "negative": "bad|terrible|crash|error|broken|refund|disappoint|never|worst|fehler|erreur",
    "invoice": "invoice|rechnung|faktura|facture|factura|fattura|factuur",
    "receipt": "receipt|kassenbon|quittung|ticket de|recu|recibo|scontrino|ricevuta|kassabon|cash|change",
    "order": "order confirmation|sales order|auftragsbest|bestellbest|de commande|pedido|conferma d|orderbevest|bestelling",
    "urgent": "urgent|asap|immediately|dringend|sofort|at once|emergency",
    "high": "urgent|asap|immediately|dringend|crash|down|emergency",
    "shipping": "deliver|ship|parcel|tracking|liefer|livraison|envio|spedizione|levering",
    "account": "password|login|log in|sign in|account|konto|compte|cuenta",
}


def choose(plan: Plan, document: Document) -> Any:
    """Choose one of a plan's values, or nothing where the document speaks for none of them."""
    named = [choice for choice in plan.choices if isinstance(choice, str)]
    if plan.concept == "currency" and document.currency in named:
        return document.currency
    if plan.concept == "currency":
        return next((choice for choice in named if choice.lower() in _NEITHER), None)
    if len(plan.choices) == 1:
        return plan.choices[0]
    return best_label(named, plan.description, document.text)


def best_label(labels: Sequence[str], description: str, text: str) -> str | None:
    """Give the label that most words of a text speak for, or the one that means neither, or nothing."""
    read = plain(text[:MAX_READ])
    scored = [(_score(_pattern_of(label, _hint(label, description)), read), label) for label in labels]
    best = max((score for score, _ in scored), default=0)
    if best:
        return next(label for score, label in scored if score == best)
    return next((label for label in labels if label.lower() in _NEITHER), None)


def best_tool(tools: Iterable[Mapping[str, Any]], text: str) -> Mapping[str, Any] | None:
    """Give the tool whose name and description share most words with a text, or nothing if none does."""
    read = plain(text[:MAX_READ])
    scored = [(_score(_pattern_of(tool["name"], tool.get("description", "")), read), tool) for tool in tools]
    best = max((score for score, _ in scored), default=0)
    return next((tool for score, tool in scored if score == best), None) if best else None


def says_yes(plan: Plan, document: Document) -> bool:
    """Give whether a document has the words of a boolean field's name."""
    if plan.concept in ("discount", "tax", "paid"):
        return bool(document.values(plan.concept))
    words = [word for word in words_of(plan.name).split() if word not in _COMMON]
    return bool(words) and _score(_pattern_of(" ".join(words), ""), plain(document.text[:MAX_READ])) > 0


def _hint(label: str, description: str) -> str:
    """Give what a field's description says of one label: ``billing: a charge, a refund.``."""
    match = re.search(
        rf"(?<!\w){re.escape(label)}\W{{0,3}}\s*[:=(-]\s*([^.;\n]+)", description, re.IGNORECASE
    )
    return match[1] if match else ""


@lru_cache(maxsize=4_096)
def _pattern_of(label: str, hint: str) -> re.Pattern[str] | None:
    words = words_of(label).split()
    stems = [
        re.escape(word[:6])
        for word in (*words, *words_of(hint).split())
        if len(word) > 2 and word not in _COMMON
    ]
    stems.extend(_HINTS[word] for word in words if word in _HINTS)
    return re.compile(rf"\b(?:{'|'.join(stems)})") if stems else None


def _score(pattern: re.Pattern[str] | None, text: str) -> int:
    return 0 if pattern is None else len(set(pattern.findall(text)))
