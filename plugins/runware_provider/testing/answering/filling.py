"""Fills a schema from a document: every field by what it is about, or with the least that the schema allows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from runware_provider.testing.answering.choosing import choose, says_yes
from runware_provider.testing.answering.minimal import fits, minimal
from runware_provider.testing.answering.schema_plan import Plan, limit, plan_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runware_provider.testing.answering.line_items import Item
    from runware_provider.testing.answering.reading import Document

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_PHONE = re.compile(
    r"(?:tel|phone|mobile|telefon|t[ée]l)\w*\.?\s*(?:no\.?)?\s*:?\s*([+(]?\d[\d ()/+-]{5,18}\d)",
    re.IGNORECASE,
)
_WEBSITE = re.compile(r"(?:https?://|www\.)[^\s,;)]+", re.IGNORECASE)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,4})?\b")
_TIME = re.compile(r"\b([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?\b")
_AS_PRINTED = re.compile(r"as (?:printed|written|shown)|verbatim|unchanged", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s")
MAX_SENTENCE = 200
DATES = ("date", "due_date", "delivery_date")
MONEY = ("total", "subtotal", "tax", "discount", "paid", "change")
_ITEM_FIELDS = ("description", "quantity", "unit_price", "total")


class _Missing:
    """The document does not say."""


MISSING: Final = _Missing()


def fill(schema: Any, document: Document) -> Any:
    """Fill a schema.

    Args:
        schema: A JSON Schema; anything that is not one allows any value.
        document: Where the values come from.
    """
    return _complete(plan_of(schema), _Source(document), required=True)


class _Source:
    """Where values come from: the document, or one line of it, or one of its parties."""

    __slots__ = ("document", "item", "party")

    def __init__(self, document: Document, item: Item | None = None, party: str | None = None) -> None:
        self.document = document
        self.item = item
        self.party = party


def first_sentence(text: str) -> str:
    """Give the beginning of a text, up to the end of its first sentence or line."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return _SENTENCE_END.split(line, maxsplit=1)[0][:MAX_SENTENCE]


def _complete(plan: Plan, source: _Source, *, required: bool) -> Any:
    value = _value(plan, source)
    if value is not MISSING:
        return value
    if plan.nullable:
        return None
    return minimal(plan) if required else MISSING


def _value(plan: Plan, source: _Source) -> Any:
    if plan.cut:
        return MISSING
    if plan.choices:
        chosen = choose(plan, source.document)
        return MISSING if chosen is None else chosen
    if plan.others:
        return next((v for other in plan.others if (v := _value(other, source)) is not MISSING), MISSING)
    for kind in plan.types:
        value = _BY_TYPE[kind](plan, source)
        if value is not MISSING and fits(plan, value):
            return value
    return MISSING


def _object(plan: Plan, source: _Source) -> Any:
    if plan.concept in ("vendor", "customer"):
        source = _Source(source.document, source.item, plan.concept)
    made: dict[str, Any] = {}
    for name, child in plan.properties.items():
        value = _complete(child, source, required=name in plan.required)
        if value is not MISSING:
            made[name] = value
    if len(made) < limit(plan.rules, "minProperties", 0):
        made = {**minimal_object(plan), **made}
    return made


def minimal_object(plan: Plan) -> dict[str, Any]:
    """Give the least object of a plan, whether or not null would do."""
    value = minimal(
        Plan(types=("object",), properties=plan.properties, required=plan.required, rules=plan.rules)
    )
    return value if isinstance(value, dict) else {}


def _array(plan: Plan, source: _Source) -> Any:
    values = _array_values(plan, source)
    if values is None:
        return MISSING if plan.nullable or limit(plan.rules, "minItems", 0) else []
    most = int(min(limit(plan.rules, "maxItems", 10_000), 10_000))
    return values[:most] if len(values) >= limit(plan.rules, "minItems", 0) else MISSING


def _array_values(plan: Plan, source: _Source) -> list[Any] | None:
    items = plan.items
    if items is None or items.cut:
        return None
    if items.choices:
        chosen = choose(items, source.document)
        return None if chosen is None else [chosen]
    if _is_item(items):
        return [
            _complete(items, _Source(source.document, item), required=True) for item in source.document.items
        ]
    if plan.concept == "items" and items.types[:1] == ("string",):
        names = [item.description for item in source.document.items]
        return names if all(fits(items, name) for name in names) else None
    return None


def _is_item(plan: Plan) -> bool:
    plans = plan.others or (plan,)
    return any(sum(child.concept in _ITEM_FIELDS for child in one.properties.values()) >= 2 for one in plans)


def _string(plan: Plan, source: _Source) -> Any:
    text = _text_of(plan, source)
    if text is None:
        return MISSING
    most = int(limit(plan.rules, "maxLength", 1_000_000))
    if len(text) <= most or plan.pattern is not None or "format" in plan.rules:
        return text
    return text[:most]


def _text_of(plan: Plan, source: _Source) -> str | None:
    document, concept = source.document, plan.concept
    if source.item is not None:
        return _item_text(plan, source)
    if source.party is not None and plan.name == "name":
        concept = source.party
    if concept in DATES or plan.rules.get("format") in ("date", "date-time"):
        return _date_text(plan, document, concept if concept in DATES else "date")
    if concept in MONEY:
        amount = document.money(concept)
        return None if amount is None else f"{amount:.2f}"
    found = _TEXTS[concept](document) if concept in _TEXTS else None
    return found or document.labelled(plan.name)


def _item_text(plan: Plan, source: _Source) -> str | None:
    item = source.item
    if item is None:
        return None
    if plan.concept == "currency":
        return source.document.currency
    if plan.concept in ("description", "items", "summary"):
        return item.description or None
    number = _item_number(plan.concept, item)
    return None if number is None else f"{number:g}"


def _date_text(plan: Plan, document: Document, concept: str) -> str | None:
    if concept == "date" and plan.concept is None and "date" not in plan.name:
        return None
    found = document.date(concept)
    if found is None:
        return None
    day, printed = found
    if plan.rules.get("format") == "date-time":
        match = _TIME.search(document.text)
        clock = f"{int(match[1]):02}:{match[2]}:{match[3] or '00'}" if match else "00:00:00"
        return f"{day.isoformat()}T{clock}Z"
    return printed if "format" not in plan.rules and _AS_PRINTED.search(plan.description) else day.isoformat()


def _number(plan: Plan, source: _Source) -> Any:
    number = _amount(plan, source)
    if number is None:
        return MISSING
    return int(number) if number == int(number) and plan.types[:1] == ("integer",) else number


def _integer(plan: Plan, source: _Source) -> Any:
    number = _amount(plan, source)
    return MISSING if number is None or number != int(number) else int(number)


def _amount(plan: Plan, source: _Source) -> float | None:
    if source.item is not None:
        return _item_number(plan.concept, source.item)
    document, concept = source.document, plan.concept
    if concept in MONEY:
        return document.money(concept)
    if concept == "quantity" and "item" in f"{plan.name} {plan.description}".lower():
        return float(len(document.items)) or None
    value = document.labelled(plan.name)
    return None if value is None else document.amount_in(value)


def _item_number(concept: str | None, item: Item) -> float | None:
    numbers: Mapping[str | None, float | None] = {
        "quantity": item.quantity,
        "unit_price": item.unit_price,
        "total": item.amount,
        "subtotal": item.amount,
    }
    return numbers.get(concept)


def _boolean(plan: Plan, source: _Source) -> Any:
    return says_yes(plan, source.document)


def _nothing(_plan: Plan, _source: _Source) -> Any:
    return MISSING


def _matched(pattern: re.Pattern[str], group: int = 0) -> Callable[[Document], str | None]:
    def search(document: Document) -> str | None:
        match = pattern.search(document.text)
        return match[group].strip() if match else None

    return search


def _summary(document: Document) -> str | None:
    return first_sentence(document.text) or None


_BY_TYPE: Mapping[str, Callable[[Plan, _Source], Any]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "null": _nothing,
}
_TEXTS: Mapping[str | None, Callable[[Document], str | None]] = {
    "vendor": lambda document: document.vendor,
    "customer": lambda document: document.customer,
    "address": lambda document: document.address,
    "currency": lambda document: document.currency,
    "invoice_number": lambda document: document.identifier("invoice_number"),
    "purchase_order": lambda document: document.identifier("purchase_order"),
    "order": lambda document: document.identifier("purchase_order") or document.identifier("order"),
    "tax_id": lambda document: document.identifier("tax_id"),
    "email": _matched(_EMAIL),
    "phone": _matched(_PHONE, 1),
    "website": _matched(_WEBSITE),
    "iban": _matched(_IBAN),
    "time": _matched(_TIME),
    "summary": _summary,
    "description": _summary,
}
