"""Sample documents with known answers: invoices, receipts and orders in six languages and eight currencies.

They are made from a seed. The same seed gives equal tables, and a document does not depend on how many there are. Nobody
and nothing in them is real.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from runware_provider.testing.samples.damage import DAMAGES
from runware_provider.testing.samples.layouts import LAYOUTS, Item, Sale, Wording
from runware_provider.testing.samples.words import MARKETS, WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.testing.samples.layouts import Line
    from runware_provider.testing.samples.words import Market

DEFAULT_COUNT = 240
DEFAULT_SEED = 7

DOCUMENT_SCHEMA = pa.schema(
    [
        pa.field("document_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("received_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("body", pa.large_string()),
    ],
)

_MONEY = pa.decimal128(18, 2)
EXPECTED_SCHEMA = pa.schema(
    [
        pa.field("document_id", pa.string(), nullable=False),
        pa.field("condition", pa.string(), nullable=False),
        pa.field("layout", pa.string()),
        pa.field("vendor", pa.string()),
        pa.field("invoice_number", pa.string()),
        pa.field("invoice_date", pa.date32()),
        pa.field("due_date", pa.date32()),
        pa.field("currency", pa.string()),
        pa.field("total", _MONEY),
        pa.field("purchase_order", pa.string()),
        pa.field(
            "line_items",
            pa.list_(
                pa.struct(
                    [
                        pa.field("description", pa.string()),
                        pa.field("quantity", pa.decimal128(12, 2)),
                        pa.field("unit_price", _MONEY),
                        pa.field("amount", _MONEY),
                    ],
                ),
            ),
        ),
    ],
)
"""One row per document, in the documents' order; null where the body does not show the fact.

`condition` says what happened to the document (`empty`, `null`, or a key of `DAMAGES`), `layout` the function of
`layouts` that printed it (null where nothing can be read), `invoice_number` is the document's own number whatever its kind, `line_items` is
never null.
"""

_ONE_OF_A_KIND = {5: "injection", 11: "empty", 19: "null", 29: "enormous", 37: "markup"}
_EVERY = {
    "garbled": (60, 21),
    "misfiled": (80, 47),
    "mojibake": (40, 26),
    "truncated": (30, 14),
    "noisy": (9, 4),
}
_FIRST_DAY = date(2025, 1, 2)
_KINDS = ("invoice", "invoice", "receipt", "order")

# By position in `Words.goods`: what one costs in EUR, what comes in fractions, what no shop sells over the counter.
_EUR = ("4.50", "32.00", "95.00", "14.00", "1.20", "28.00", "6.50", "120.00", "0.90", "7.30")
_IN_FRACTIONS = (2, 3)
_SERVICES = (2, 7)
_UNITS_PER_EUR = {"JPY": 160, "MXN": 20, "SEK": 11}


class Document(NamedTuple):
    """A row of the documents and its row of the expected fields."""

    row: dict[str, Any]
    expected: dict[str, Any]


def document(index: int, seed: int = DEFAULT_SEED) -> Document:
    """The document at a position; the same for the same seed, however many documents there are."""
    rng = Random(f"document {seed} {index}")  # noqa: S311 (repeatable on purpose)
    condition = condition_at(index)
    sale = _sale(index, rng)
    layout = rng.choice(LAYOUTS[sale.kind])
    lines = layout(sale, Wording(sale.market, rng))
    if condition in DAMAGES:
        lines = DAMAGES[condition](lines, rng)
        body: str | None = "\n".join(line.text for line in lines)
    else:
        lines, body = [], ("" if condition == "empty" else None)
    document_id = f"doc-{index:05}"
    received_at = datetime.combine(sale.issued + timedelta(days=1), datetime.min.time(), UTC)
    row = {
        "document_id": document_id,
        "kind": sale.kind,
        "language": sale.market.language,
        "received_at": received_at + timedelta(minutes=rng.randrange(24 * 60)),
        "body": body,
    }
    readable = any(line.shows for line in lines)
    about = {
        "document_id": document_id,
        "condition": condition,
        "layout": layout.__name__ if readable else None,
    }
    return Document(row, about | _facts_shown(sale, lines))


def condition_at(index: int) -> str:
    """What happens to the document at a position."""
    if index in _ONE_OF_A_KIND:
        return _ONE_OF_A_KIND[index]
    return next((name for name, (every, first) in _EVERY.items() if index % every == first), "clean")


def tables(count: int = DEFAULT_COUNT, seed: int = DEFAULT_SEED) -> tuple[pa.Table, pa.Table]:
    """The documents, and what is expected of them, in the same order."""
    made = [document(index, seed) for index in range(count)]
    return (
        pa.Table.from_pylist([each.row for each in made], DOCUMENT_SCHEMA),
        pa.Table.from_pylist([each.expected for each in made], EXPECTED_SCHEMA),
    )


def _sale(index: int, rng: Random) -> Sale:
    market = rng.choice(MARKETS)
    kind = "invoice" if index in _ONE_OF_A_KIND else rng.choice(_KINDS)
    vendor, customer = rng.sample(market.names, 2)
    issued = _FIRST_DAY + timedelta(days=rng.randrange(500))
    items = tuple(_items(market, kind, rng))
    subtotal = sum((item.amount for item in items), Decimal(0))
    discount = _rounded(subtotal * rng.choice((3, 5, 10)) / 100, market) if rng.random() < 0.2 else Decimal(0)
    net = subtotal - discount
    rate = Decimal(market.tax_percent)
    tax = _rounded(net * rate / (100 + rate if kind == "receipt" else 100), market)
    due_after = rng.choice((14, 30, 30, 45, None))
    return Sale(
        kind=kind,
        market=market,
        vendor=f"{vendor} {rng.choice(market.legal_forms)}",
        address=(rng.choice(market.streets).format(n=rng.randrange(1, 180)), rng.choice(market.places)),
        customer=f"{customer} {rng.choice(market.legal_forms)}",
        number=_number(kind, issued, index, rng),
        issued=issued,
        due=issued + timedelta(days=due_after) if kind == "invoice" and due_after else None,
        delivery=issued + timedelta(days=rng.randrange(2, 30)) if kind == "order" else None,
        purchase_order=f"{rng.choice(('PO-', '45000', 'B/'))}{rng.randrange(10_000, 99_999)}"
        if rng.random() < {"invoice": 0.45, "receipt": 0.0, "order": 0.8}[kind]
        else None,
        items=items,
        discount=discount,
        tax=tax,
        total=net if kind == "receipt" else net + tax,
    )


def _items(market: Market, kind: str, rng: Random) -> list[Item]:
    goods = WORDS[market.language].goods
    over_the_counter = kind == "receipt"
    offered = [at for at in range(len(goods)) if not (over_the_counter and at in _SERVICES)]
    items = []
    for at in sorted(rng.sample(offered, rng.randrange(1, 6 if over_the_counter else 9))):
        quantity = Decimal(rng.randrange(1, 5 if over_the_counter else 41))
        if at in _IN_FRACTIONS:
            quantity += Decimal(rng.choice((0, 25, 50, 75))) / 100
        price = Decimal(_EUR[at]) * rng.randrange(80, 130) / 100 * _UNITS_PER_EUR.get(market.currency, 1)
        unit_price = _rounded(price, market)
        items.append(Item(goods[at], quantity, unit_price, _rounded(quantity * unit_price, market)))
    return items


def _number(kind: str, issued: date, index: int, rng: Random) -> str:
    serial = 1000 + 7 * index + rng.randrange(7)
    prefix = {
        "invoice": ("INV-", "RE-", "F", "FA/"),
        "receipt": ("", "R", "T-"),
        "order": ("SO-", "AB-", "ORD/"),
    }[kind]
    return f"{rng.choice(prefix)}{rng.choice((f'{issued.year}-', f'{issued:%y}/', ''))}{serial:05}"


def _rounded(value: Decimal, market: Market) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-market.decimals), ROUND_HALF_UP)


def _facts_shown(sale: Sale, lines: Sequence[Line]) -> dict[str, Any]:
    """The expected fields: what the lines that arrived still show."""
    shown = {name for line in lines for name in line.shows}
    facts = {
        "vendor": sale.vendor,
        "invoice_number": sale.number,
        "invoice_date": sale.issued,
        "due_date": sale.due,
        "currency": sale.market.currency,
        "total": sale.total,
        "purchase_order": sale.purchase_order,
    }
    return {name: value if name in shown else None for name, value in facts.items()} | {
        "line_items": [item._asdict() for index, item in enumerate(sale.items) if f"item{index}" in shown],
    }
