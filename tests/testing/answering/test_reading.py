from __future__ import annotations

import datetime as dt

import pytest

from runware_provider.testing.answering.amounts import find_currency, to_number
from runware_provider.testing.answering.dates import find_dates
from runware_provider.testing.answering.labels import concept_of_field, concept_of_label
from runware_provider.testing.answering.reading import Document


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-04",
        "2026/03/04",
        "04.03.2026",
        "4.3.26",
        "04/03/2026",
        "04-03-26",
        "4 March 2026",
        "March 4, 2026",
        "4th of Mar 2026",
        "04-MAR-2026",
        "4. März 2026",
        "4 mars 2026",
        "4 de marzo de 2026",
        "4 marzo 2026",
        "4 maart 2026",
        "20260304",
        "04032026",
    ],
)
def test_a_date_is_read_in_every_form(text):
    assert [day for day, _ in find_dates(f"Date: {text} 10:22")] == [dt.date(2026, 3, 4)]


def test_the_month_comes_first_in_the_usa_or_when_it_must():
    assert next(find_dates("03/04/2026", month_first=True))[0] == dt.date(2026, 3, 4)
    assert next(find_dates("03/24/2026"))[0] == dt.date(2026, 3, 24)


@pytest.mark.parametrize("text", ["32/01/2026", "2026-13-01", "10.1.2.3", "1234/56/7890", "version 1.2"])
def test_what_is_no_date_is_none(text):
    assert list(find_dates(text)) == []


@pytest.mark.parametrize(
    ("text", "mark", "number"),
    [
        ("1,234.50", ",", 1234.5),
        ("1.234,50", ".", 1234.5),
        ("1'234.50", ".", 1234.5),
        ("1\N{NO-BREAK SPACE}234,50", ",", 1234.5),
        ("1,234", ".", 1234),
        ("1.234", ",", 1234),
        ("12,5", ".", 12.5),
        ("0.125", ",", 0.125),
        ("-3.00", ".", -3),
        (".50", ".", 0.5),
        ("1,234,567", ".", 1234567),
    ],
)
def test_a_number_is_read_with_point_and_comma(text, mark, number):
    assert to_number(text, mark) == number


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("12,50 €", "EUR"),
        ("£3", "GBP"),
        ("US$ 4", "USD"),
        ("$4", "USD"),
        ("MX$ 4", "MXN"),
        ("4,00 $ CA", "CAD"),
        ("CHF 5", "CHF"),
        ("Fr. 5", "CHF"),
        ("RM 5.00", "MYR"),
        ("TOTAL (RM)", "MYR"),
        ("¥500", "JPY"),
        ("5 kr", "SEK"),
        ("no money", None),
    ],
)
def test_a_sign_or_a_code_becomes_a_currency(text, code):
    assert find_currency(text) == code


@pytest.mark.parametrize(
    ("concept", "labels"),
    [
        (
            "total_final",
            ["Grand total", "Gesamtbetrag", "Net à payer", "Importe total", "Totale da pagare", "Te betalen"],
        ),
        ("subtotal", ["Sub-total", "Zwischensumme", "Total HT", "Base imponible", "Imponibile", "Subtotaal"]),
        ("due_date", ["Due date", "Fällig am", "Échéance", "Vencimiento", "Scadenza", "Vervaldatum"]),
        ("date", ["Date", "Datum", "Date d'émission", "Fecha", "Data di emissione", "Factuurdatum"]),
        (
            "invoice_number",
            ["Invoice #", "Rechnung Nr.", "Facture N°", "Factura N.º", "Fattura N.", "Factuur Nummer"],
        ),
        (
            "purchase_order",
            ["PO Number", "Bestellnummer", "N° de commande", "Su pedido", "Vostro ordine", "Inkooporder"],
        ),
        ("customer", ["Bill to", "Rechnung an", "Facturé à", "Cliente", "Intestata a", "Klant"]),
        ("tax", ["VAT 20 %", "MwSt. 19 %", "TVA 20 %", "IVA 21 %", "btw 21 %"]),
        ("total", ["Tota1", "T0TAL"]),
    ],
)
def test_a_label_is_understood_in_six_languages_and_with_slips_of_ocr(concept, labels):
    assert {label: concept_of_label(label) for label in labels} == dict.fromkeys(labels, concept)


def test_a_field_is_understood_in_camel_and_snake_case():
    assert (
        concept_of_field("invoiceNumber", "", "")
        == concept_of_field("invoice_number", "", "")
        == "invoice_number"
    )


def test_a_value_may_stand_below_its_label():
    document = Document("DATE\n: 07 FEB 2026 09:15AM\nTOTAL\nRM\n61.25\n")
    assert document.date("date")[0] == dt.date(2026, 2, 7)
    assert document.money("total") == 61.25


def test_values_may_stand_below_a_stack_of_labels():
    assert Document("TOTAL (INCL GST)\nCASH\nCHANGE\n6.40\n10.00\n3.60\n").money("total") == 6.4


def test_values_may_stand_in_the_row_below_a_row_of_labels():
    document = Document("Factuur Nummer | Factuurdatum | Vervaldatum\nFA/25/1 | 23 mei 2025 | 6 juni 2025\n")
    assert document.identifier("invoice_number") == "FA/25/1"
    assert document.date("due_date")[0] == dt.date(2025, 6, 6)


def test_the_total_is_the_one_after_rounding_and_not_one_of_the_tax_summary():
    text = "TOTAL\n18.22\nROUNDING ADJUSTMENT\n-0.02\nTOTAL ROUNDED\n18.20\nGST SUMMARY\nTOTAL\n17.19\n"
    assert Document(text).money("total") == 18.2


def test_a_total_that_nobody_labelled_is_what_was_paid_less_the_change():
    assert Document("CASH 20.00\nCHANGE 7.45\n").money("total") == 12.55


def test_sentences_of_a_mail_are_read():
    text = (
        "Subject: Rechnung RE-7\n\nanbei unsere Rechnung RE-7 vom 19.2.26.\n"
        "Der Gesamtbetrag beläuft sich auf CHF 4'484.62.\nBitte überweisen Sie den Betrag bis zum 21.3.26.\n"
        "\n-- \nBergkäserei AG\n"
    )
    document = Document(text)
    assert document.vendor == "Bergkäserei AG"
    assert document.money("total") == 4484.62
    assert document.date("due_date")[0] == dt.date(2026, 3, 21)
    assert document.date("date")[0] == dt.date(2026, 2, 19)


def test_utf8_that_was_read_as_windows_1252_is_repaired():
    assert Document("Möbel GmbH\nTotal: 5 €".encode().decode("cp1252")).vendor == "Möbel GmbH"


def test_a_very_long_document_is_read_at_its_beginning_and_end():
    text = "Northwind Ltd\nInvoice No.: N-17\n" + "filler line\n" * 100_000 + "Total: 12.50\n"
    document = Document(text)
    assert (document.vendor, document.identifier("invoice_number")) == ("Northwind Ltd", "N-17")


def test_a_text_that_is_no_business_paper_has_no_vendor():
    assert Document("Canteen, week 12\n\nMonday: lentil soup").vendor is None
