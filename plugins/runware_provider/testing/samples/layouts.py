"""Seven ways to put one sale on paper.

A layout turns a `Sale` into lines, and every line says which facts a reader can learn from it. What is expected of a
document is therefore never more than what its text still shows, whatever happens to single lines afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from runware_provider.testing.samples.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from random import Random

    from runware_provider.testing.samples.words import Market


class Line(NamedTuple):
    """One printed line; `shows` names the facts in it: columns of the expected table, and `item0`, `item1` and so on."""

    text: str
    shows: tuple[str, ...] = ()


class _Entry(NamedTuple):
    """A label with its value, before a layout decides where each of them stands."""

    label: str
    value: str
    shows: tuple[str, ...] = ()


class Item(NamedTuple):
    """One position: `amount` is quantity times unit price, rounded to the currency's minor unit."""

    description: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal


@dataclass(frozen=True)
class Sale:
    """What happened, before anybody writes it down. Amounts are in `market.currency`.

    Attributes:
        kind: invoice, receipt or order.
        number: The document's own number.
        due: The last day to pay, where one was agreed.
        delivery: The day of delivery (orders only): near a due date on the paper, and not one.
        purchase_order: The customer's own order number, where one was given.
        discount: Taken off the sum of the items, before tax; zero for none.
        tax: Added on top of the items; on a receipt, contained in them.
        total: What the customer pays.
    """

    kind: str
    market: Market
    vendor: str
    address: tuple[str, str]
    customer: str
    number: str
    issued: date
    due: date | None
    delivery: date | None
    purchase_order: str | None
    items: tuple[Item, ...]
    discount: Decimal
    tax: Decimal
    total: Decimal

    @property
    def subtotal(self) -> Decimal:
        """The sum of the items' amounts."""
        return sum((item.amount for item in self.items[1:]), self.items[0].amount)


class Wording:
    """The words, the date pattern and the currency sign that one document keeps from its first line to its last."""

    def __init__(self, market: Market, rng: Random) -> None:
        self._words = WORDS[market.language]
        self._market = market
        self._rng = rng
        self._chosen: dict[str, str] = {}
        self._date = rng.choice(market.dates)
        self._sign = rng.choice(market.signs)

    def __call__(self, name: str) -> str:
        """The language's word for a field of `Words`: one of its synonyms, always the same one."""
        if name not in self._chosen:
            said = getattr(self._words, name)
            self._chosen[name] = said if isinstance(said, str) else self._rng.choice(said)
        return self._chosen[name]

    def date(self, day: date) -> str:
        """The day as this document writes days."""
        month = self._words.months.split()[day.month - 1]
        return self._date.format(d=day.day, m=day.month, y=day.year, yy=day.year % 100, month=month)

    def number(self, value: Decimal) -> str:
        """An amount without its currency, with the country's marks."""
        plain = f"{value:,.{self._market.decimals}f}"
        return plain.translate({ord(","): self._market.group, ord("."): self._market.decimal})

    def money(self, value: Decimal) -> str:
        """An amount with its currency's sign."""
        return (
            f"{self._sign}{self.number(value)}"
            if self._market.sign_first
            else f"{self.number(value)}{self._sign}"
        )

    def quantity(self, value: Decimal) -> str:
        """A quantity with no more decimals than it needs."""
        return f"{value.normalize():f}".replace(".", self._market.decimal)


def letter(sale: Sale, say: Wording) -> list[Line]:
    """A letterhead, an address block, labelled facts, an aligned table."""
    street, place = sale.address
    return [
        Line(sale.vendor, ("vendor",)),
        Line(f"{street} · {place} · {sale.market.country}"),
        Line(""),
        Line(f"{say('bill_to')}:"),
        Line(f"  {sale.customer}"),
        Line(""),
        Line(say(sale.kind)),
        *(Line(f"{f'{label}:':<24}{value}", shows) for label, value, shows in _facts(sale, say)),
        Line(""),
        Line(
            f"{say('description'):<34}{say('quantity'):>10}{say('unit_price'):>18}{say('amount'):>16}",
        ),
        Line("-" * 78),
        *(
            Line(f"{description:<34}{quantity:>10}{price:>18}{amount:>16}", (f"item{index}",))
            for index, (description, quantity, price, amount) in enumerate(_cells(sale, say))
        ),
        Line("-" * 78),
        *(Line(f"{label:>56}{value:>22}", shows) for label, value, shows in _sums(sale, say)),
        Line(""),
        Line(say("terms")),
        Line(say("thanks")),
    ]


def grid(sale: Sale, say: Wording) -> list[Line]:
    """A form: the labels stand in one row, their values in the next."""
    facts = _facts(sale, say)
    street, place = sale.address
    return [
        Line(f"| {say(sale.kind).upper()} |"),
        Line(" | ".join(label for label, _, _ in facts)),
        Line(
            " | ".join(value for _, value, _ in facts), tuple(name for *_, shows in facts for name in shows)
        ),
        Line(""),
        Line(f"{sale.vendor} | {street} | {place} | {sale.market.country}", ("vendor",)),
        Line(f"{say('bill_to')} | {sale.customer}"),
        Line(""),
        Line(" | ".join(say(name) for name in ("description", "quantity", "unit_price", "amount"))),
        *(Line(" | ".join(cells), (f"item{index}",)) for index, cells in enumerate(_cells(sale, say))),
        Line(""),
        *(Line(f"{label} | {value}", shows) for label, value, shows in _sums(sale, say)),
    ]


def markdown(sale: Sale, say: Wording) -> list[Line]:
    """What a PDF converter makes of a page: headings, bold labels, a table."""
    street, place = sale.address
    return [
        Line(f"# {say(sale.kind)}"),
        Line(""),
        Line(f"**{sale.vendor}**  ", ("vendor",)),
        Line(f"{street}, {place}, {sale.market.country}"),
        Line(""),
        *(Line(f"- **{label}:** {value}", shows) for label, value, shows in _facts(sale, say)),
        Line(f"- **{say('bill_to')}:** {sale.customer}"),
        Line(""),
        Line(f"| {say('description')} | {say('quantity')} | {say('unit_price')} | {say('amount')} |"),
        Line("|:---|---:|---:|---:|"),
        *(
            Line(f"| {' | '.join(cells)} |", (f"item{index}",))
            for index, cells in enumerate(_cells(sale, say))
        ),
        Line(""),
        *(Line(f"**{label}** {value}  ", shows) for label, value, shows in _sums(sale, say)),
        Line(""),
        Line(f"_{say('thanks')}_"),
    ]


def mail(sale: Sale, say: Wording) -> list[Line]:
    """A letter in whole sentences."""
    opening = say("mail_opening").format(
        document=say(sale.kind), number=sale.number, date=say.date(sale.issued)
    )
    lines = [
        Line(f"Subject: {say(sale.kind)} {sale.number}", ("invoice_number",)),
        Line(""),
        Line(say("greeting")),
        Line(""),
        Line(opening, ("invoice_number", "invoice_date")),
    ]
    if sale.purchase_order:
        lines.append(
            Line(say("mail_order").format(purchase_order=sale.purchase_order), ("purchase_order",)),
        )
    lines += [
        Line(f"- {quantity} x {description}, {price}: {amount}", (f"item{index}",))
        for index, (description, quantity, price, amount) in enumerate(_cells(sale, say))
    ]
    if sale.discount:
        lines.append(Line(f"{say('discount')}: -{say.money(sale.discount)}", ("currency",)))
    lines.append(Line(say("mail_total").format(total=say.money(sale.total)), ("total", "currency")))
    if sale.due:
        lines.append(Line(say("mail_due").format(due=say.date(sale.due)), ("due_date",)))
    if sale.delivery:
        lines.append(Line(f"{say('delivery')}: {say.date(sale.delivery)}"))
    return [*lines, Line(""), Line("-- "), Line(sale.vendor, ("vendor",)), Line(", ".join(sale.address))]


def stacked(sale: Sale, say: Wording) -> list[Line]:
    """What OCR makes of columns: each label and each value on a line of its own."""
    lines = [Line(sale.vendor, ("vendor",)), *map(Line, sale.address), Line(say(sale.kind).upper())]
    for label, value, shows in _facts(sale, say):
        lines += [Line(f"{label}:"), Line(value, shows)]
    for index, (description, quantity, price, amount) in enumerate(_cells(sale, say)):
        lines += [Line(description), Line(quantity), Line(price), Line(amount, (f"item{index}",))]
    for label, value, shows in _sums(sale, say):
        lines += [Line(f"{label}:"), Line(value, shows)]
    return [*lines, Line(say("thanks"))]


def export(sale: Sale, _: Wording) -> list[Line]:
    """A flat file from another system: no language, ISO dates, a decimal point, English field names."""
    head = ["HDR", sale.kind.upper(), sale.number, f"DATE={sale.issued:%Y%m%d}"]
    shows = ["invoice_number", "invoice_date", "currency"]
    if sale.due:
        head.append(f"DUE={sale.due:%Y%m%d}")
        shows.append("due_date")
    if sale.purchase_order:
        head.append(f"PO={sale.purchase_order}")
        shows.append("purchase_order")
    if sale.delivery:
        head.append(f"DELIVERY={sale.delivery:%Y%m%d}")
    return [
        Line("|".join([*head, f"CUR={sale.market.currency}"]), tuple(shows)),
        Line("|".join(["SUP", sale.vendor, *sale.address, sale.market.country]), ("vendor",)),
        Line(f"BUY|{sale.customer}"),
        *(
            Line(
                f"LIN|{index + 1}|{item.description}|QTY={item.quantity.normalize():f}|PRICE={item.unit_price}|AMT={item.amount}",
                (f"item{index}",),
            )
            for index, item in enumerate(sale.items)
        ),
        *([Line(f"ALC|DISCOUNT={sale.discount}")] if sale.discount else []),
        Line(f"TAX|{sale.market.tax_percent}%|{sale.tax}"),
        Line(f"SUM|TOTAL={sale.total}", ("total",)),
    ]


def till(sale: Sale, say: Wording) -> list[Line]:
    """A narrow receipt: the shop on top, the date near the foot, cash and change below the total."""
    width = 40
    paid = Decimal(50 * ceil(sale.total / 50))
    lines = [
        Line(sale.vendor.center(width).rstrip(), ("vendor",)),
        *(Line(part.center(width).rstrip()) for part in sale.address),
        Line(""),
    ]
    for index, (description, quantity, price, amount) in enumerate(_cells(sale, say)):
        lines += [
            Line(description),
            Line(f"  {quantity} x {price}".ljust(width - 12) + amount.rjust(12), (f"item{index}",)),
        ]
    lines += [Line(f"{label:<20}{value:>20}", shows) for label, value, shows in _sums(sale, say)]
    return [
        *lines,
        Line(f"{say('cash'):<20}{say.number(paid):>20}"),
        Line(f"{say('change'):<20}{say.number(paid - sale.total):>20}"),
        Line("*" * width),
        Line(f"{say(sale.kind)} {say('number')} {sale.number}", ("invoice_number",)),
        Line(
            f"{say.date(sale.issued)}  {9 + len(sale.number) % 10}:{10 + sale.issued.day}", ("invoice_date",)
        ),
        Line(say("thanks").center(width).rstrip()),
    ]


def _facts(sale: Sale, say: Wording) -> list[_Entry]:
    """Label, value and shown facts of what stands above the items."""
    facts = [
        _Entry(f"{say(sale.kind)} {say('number')}", sale.number, ("invoice_number",)),
        _Entry(say("date"), say.date(sale.issued), ("invoice_date",)),
    ]
    if sale.due:
        facts.append(_Entry(say("due"), say.date(sale.due), ("due_date",)))
    if sale.delivery:
        facts.append(_Entry(say("delivery"), say.date(sale.delivery)))
    if sale.purchase_order:
        facts.append(_Entry(say("purchase_order"), sale.purchase_order, ("purchase_order",)))
    return facts


def _cells(sale: Sale, say: Wording) -> list[tuple[str, str, str, str]]:
    """Description, quantity, unit price and amount of every item, as printed."""
    return [
        (item.description, say.quantity(item.quantity), say.number(item.unit_price), say.number(item.amount))
        for item in sale.items
    ]


def _sums(sale: Sale, say: Wording) -> list[_Entry]:
    """Label, value and shown facts of what stands below the items; the total is the last."""
    sums = []
    if sale.kind != "receipt" or sale.discount:
        sums.append(_Entry(say("subtotal"), say.number(sale.subtotal)))
    if sale.discount:
        sums.append(_Entry(say("discount"), f"-{say.number(sale.discount)}"))
    sums.append(_Entry(f"{sale.market.tax_name} {sale.market.tax_percent} %", say.number(sale.tax)))
    sums.append(_Entry(say("total"), say.money(sale.total), ("total", "currency")))
    return sums


LAYOUTS: dict[str, Sequence[Callable[[Sale, Wording], list[Line]]]] = {
    "invoice": (letter, grid, markdown, mail, stacked, export),
    "receipt": (till, till, stacked),
    "order": (letter, grid, markdown, mail, export),
}
