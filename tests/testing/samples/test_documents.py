from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.testing.samples.damage import DAMAGES, ENORMOUS_CHARACTERS
from runware_provider.testing.samples.documents import (
    DEFAULT_COUNT,
    DOCUMENT_SCHEMA,
    EXPECTED_SCHEMA,
    condition_at,
    document,
    tables,
)
from runware_provider.testing.samples.support_texts import DAYS, LABELS, support_texts

INCLUDE = Path(__file__).resolve().parents[3] / "include"


@pytest.fixture(scope="module")
def samples():
    documents, expected = tables()
    return list(zip(documents.to_pylist(), expected.to_pylist(), strict=True))


def in_condition(samples, condition):
    return [(row, expected) for row, expected in samples if expected["condition"] == condition]


def test_another_seed_gives_other_documents():
    (first, _), (second, _) = tables(count=12, seed=1), tables(count=12, seed=2)
    assert first["document_id"].equals(second["document_id"])
    assert not first["body"].equals(second["body"])


def test_a_document_does_not_depend_on_how_many_there_are():
    few, _ = tables(count=10)
    many, _ = tables(count=25)
    assert few.equals(many.slice(0, 10))


@pytest.mark.parametrize(
    ("path", "make"),
    [
        ("documents/documents.parquet", lambda: tables()[0]),
        ("documents-expected.parquet", lambda: tables()[1]),
        *((f"texts/ds={day}/texts.parquet", lambda day=day: support_texts(7)[day]) for day in DAYS),
    ],
)
def test_what_is_checked_in_is_what_the_generator_writes(path, make):
    assert pq.ParquetFile(INCLUDE / path).read().equals(make())


def test_a_checked_in_file_stays_below_one_megabyte():
    assert max(path.stat().st_size for path in INCLUDE.rglob("*.parquet")) < 1_000_000


def test_documents_and_expected_fields_stand_in_the_same_order(samples):
    assert len(samples) == DEFAULT_COUNT >= 200
    assert all(row["document_id"] == expected["document_id"] for row, expected in samples)
    assert len({row["document_id"] for row, _ in samples}) == len(samples)


def test_kinds_languages_currencies_and_layouts_are_many(samples):
    def distinct(column):
        return {(row | expected)[column] for row, expected in samples} - {None}

    assert distinct("kind") == {"invoice", "receipt", "order"}
    assert distinct("language") == {"en", "de", "fr", "es", "it", "nl"}
    assert len(distinct("currency")) == 8
    assert distinct("layout") == {"letter", "grid", "markdown", "mail", "stacked", "export", "till"}
    assert distinct("condition") == {*DAMAGES, "empty", "null"}


def test_one_body_is_empty_and_one_is_null_and_nothing_is_expected_of_them(samples):
    ((empty, of_empty),) = in_condition(samples, "empty")
    ((null, of_null),) = in_condition(samples, "null")
    assert (empty["body"], null["body"]) == ("", None)
    for expected in (of_empty, of_null):
        assert expected["vendor"] is None
        assert expected["line_items"] == []


def test_one_document_is_enormous_and_still_has_its_facts(samples):
    ((row, expected),) = in_condition(samples, "enormous")
    assert len(row["body"]) > ENORMOUS_CHARACTERS
    assert expected["total"] is not None
    assert sorted(len(row["body"] or "") for row, _ in samples)[-2] < 10_000


def test_the_document_with_orders_to_the_model_expects_its_real_fields(samples):
    ((row, expected),) = in_condition(samples, "injection")
    assert "ignore all previous instructions" in row["body"]
    assert "ACME Holdings" in row["body"]
    assert expected["vendor"] in row["body"]
    assert expected["vendor"] != "ACME Holdings"
    assert expected["total"] > 0


def test_the_document_with_template_syntax_holds_it_as_it_is(samples):
    ((row, _),) = in_condition(samples, "markup")
    assert "</document>" in row["body"]
    assert "{{ 7 * 7 }}" in row["body"]


def test_a_truncated_document_expects_only_what_is_left_of_it(samples):
    truncated = in_condition(samples, "truncated")
    assert any(expected["total"] is None for _, expected in truncated)
    for row, expected in truncated:
        for fact in ("vendor", "invoice_number", "purchase_order"):
            assert expected[fact] is None or expected[fact] in row["body"]
        for item in expected["line_items"]:
            assert item["description"] in row["body"]


def test_a_misfiled_paper_expects_nothing(samples):
    for _, expected in in_condition(samples, "misfiled"):
        about = {"document_id", "condition"}
        assert not any(value for name, value in expected.items() if name not in about)


def test_noise_leaves_names_and_numbers_readable(samples):
    noisy = in_condition(samples, "noisy")
    assert noisy
    for row, expected in noisy:
        assert expected["vendor"] in row["body"]
        assert expected["invoice_number"] in row["body"]


@pytest.mark.parametrize("column", ["vendor", "invoice_number", "purchase_order"])
def test_an_expected_text_of_a_clean_document_is_printed_in_it(samples, column):
    for row, expected in in_condition(samples, "clean"):
        assert expected[column] is None or expected[column] in row["body"]


def test_an_expected_total_is_printed_with_all_its_digits(samples):
    for row, expected in in_condition(samples, "clean"):
        written = "".join(letter for letter in row["body"] if letter.isdigit() or letter == "\n")
        total = str(expected["total"]).replace(".", "")
        assert total in written or (expected["currency"] == "JPY" and total.removesuffix("00") in written)


def test_items_and_the_total_of_an_order_agree_up_to_discount_and_tax(samples):
    for row, expected in in_condition(samples, "clean"):
        subtotal = sum(item["amount"] for item in expected["line_items"])
        lowest = subtotal * (100 - 10) / 100
        highest = subtotal * (100 if row["kind"] == "receipt" else 125) / 100
        assert int(lowest) <= expected["total"] <= highest + 1


def test_a_due_date_is_expected_of_invoices_only(samples):
    due = [(row, expected) for row, expected in samples if expected["due_date"]]
    assert {row["kind"] for row, _ in due} == {"invoice"}
    assert all(expected["due_date"] > expected["invoice_date"] for _, expected in due)


def test_a_condition_with_a_body_is_known_to_the_damages():
    assert {condition_at(index) for index in range(DEFAULT_COUNT)} - {"empty", "null"} == set(DAMAGES)


def test_the_tables_have_their_declared_schemas():
    documents, expected = tables(count=3)
    assert documents.schema.equals(DOCUMENT_SCHEMA)
    assert expected.schema.equals(EXPECTED_SCHEMA)
    assert pa.types.is_large_string(documents.schema.field("body").type)


def test_a_document_of_its_own_equals_its_row(samples):
    row, expected = samples[17]
    assert document(17).row == row
    assert document(17).expected["total"] == expected["total"]


def test_each_day_of_support_messages_has_every_label_and_unique_names():
    made = support_texts(seed=7)
    assert len(made) >= 3
    assert sum(table.num_rows for table in made.values()) >= 120
    for table in made.values():
        assert set(table["expected_label"].to_pylist()) == set(LABELS)
    names = [name for table in made.values() for name in table["text_id"].to_pylist()]
    assert len(set(names)) == len(names)
    texts = [text for table in made.values() for text in table["text"].to_pylist()]
    assert not any("{" in text for text in texts)


def test_the_text_of_a_table_survives_a_round_trip_through_parquet():
    documents, _ = tables(count=30)
    buffer = io.BytesIO()
    pq.write_table(documents, buffer)
    assert pq.read_table(buffer).equals(documents)
