"""The sample data in include/: documents and what is expected of them, and the answers, right but for a named few."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

INCLUDE = Path(__file__).resolve().parents[1] / "include"
WRONG = {
    "total": {"doc-00017", "doc-00070", "doc-00111", "doc-00171"},
    "due_date": {"doc-00020", "doc-00083", "doc-00140"},
    "vendor": {"doc-00028", "doc-00096", "doc-00161"},
    "invoice_date": {"doc-00051", "doc-00107"},
    "invoice_number": {"doc-00015", "doc-00129"},
    "purchase_order": {"doc-00015", "doc-00129"},
    "line_items": {"doc-00016", "doc-00122"},
    "currency": {"doc-00039"},
}
"""Where each field is wrong on purpose."""
WRONG_LABELS = {"2026-01-01-017", "2026-01-02-003", "2026-01-02-036", "2026-01-03-024", "2026-01-04-016"}
NEVER_SENT = {"doc-00011": "empty", "doc-00019": "null", "doc-00029": "enormous"}


def rows_of(name: str) -> list[dict[str, Any]]:
    return [dict(row) for row in pq.read_table(INCLUDE / name).to_pylist()]


def by_name(name: str) -> dict[str, dict[str, Any]]:
    return {row["document_id"]: row for row in rows_of(name)}


def test_each_document_has_its_answer_which_is_right_but_for_a_named_few() -> None:
    bodies = {name: row["body"] for name, row in by_name("documents").items()}
    expected, answers = by_name("documents-expected.parquet"), by_name("answers/documents.parquet")
    texts = {row["text"] for row in answers.values()}
    assert {name for name, body in bodies.items() if body not in texts} == set(NEVER_SENT)
    for name, answer in answers.items():
        assert answer["text"] == bodies[name]
        assert (answer["company"], answer["date"]) == (answer["vendor"], answer["invoice_date"])
    for field, wrong in WRONG.items():
        assert {name for name, row in answers.items() if row[field] != expected[name][field]} == wrong, field
    compared = {*WRONG, "document_id", "layout", "condition"}
    assert {field for row in expected.values() for field in row} == compared


def test_each_message_has_its_label_which_is_right_but_for_a_named_few() -> None:
    expected = {row["text"]: row["expected_label"] for row in rows_of("texts")}
    answers = {row["text"]: row for row in rows_of("answers/texts.parquet")}
    assert answers.keys() == expected.keys()
    wrong = {row["text_id"] for text, row in answers.items() if row["label"] != expected[text]}
    assert wrong == WRONG_LABELS
    assert {row["queue"] for row in answers.values()} == {"accounting", "engineering", "sales"}
    assert all(row["order"] is None or row["order"] in text for text, row in answers.items())


def test_the_page_counts_what_is_wrong() -> None:
    page = (INCLUDE / "README.md").read_text(encoding="utf-8")
    wrong = set().union(*WRONG.values())
    assert f"It is right but for {len(wrong)} documents" in " ".join(page.split())
    for field in WRONG.keys() - {"purchase_order"}:
        told = [
            line
            for line in page.splitlines()
            if f"`{field}`" in line and line.endswith(f"| {len(WRONG[field])} |")
        ]
        assert told, field


def test_documents_and_what_is_expected_stand_in_the_same_order_and_what_is_expected_is_printed() -> None:
    documents, expected = rows_of("documents"), rows_of("documents-expected.parquet")
    assert [row["document_id"] for row in documents] == [row["document_id"] for row in expected]
    for document, right in zip(documents, expected, strict=True):
        if right["condition"] in {"clean", "noisy", "injection", "markup"}:
            for field in ("vendor", "invoice_number", "purchase_order"):
                assert right[field] is None or right[field] in document["body"]
    conditions = {row["document_id"]: row["condition"] for row in expected}
    assert {name: conditions[name] for name in NEVER_SENT} == NEVER_SENT


def test_no_file_of_the_samples_is_a_burden_to_a_checkout() -> None:
    assert max(path.stat().st_size for path in INCLUDE.rglob("*.parquet")) < 200_000
