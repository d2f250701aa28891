from __future__ import annotations

import enum
from typing import Any, Literal

import pyarrow as pa
import pytest

from runware_provider.engine.errors import BadInput
from runware_provider.engine.labels import Labels, labels_of
from runware_provider.engine.schema.answer_schema import output_schema
from runware_provider.engine.schema.label_answers import LabelSchema


class Topic(enum.StrEnum):
    """What the customer writes about."""

    BILLING = "billing"
    DELIVERY = "delivery"


class Untold(enum.Enum):
    A = "a"
    B = "b"


@pytest.mark.parametrize(
    ("output_type", "labels"),
    [
        (["b", "a"], Labels(("b", "a"))),
        (("a", "b c"), Labels(("a", "b c"))),
        (Literal["a", "b"], Labels(("a", "b"))),
        (Topic, Labels(("billing", "delivery"), "Topic", "What the customer writes about.")),
        (Untold, Labels(("a", "b"), "Untold")),
        ({"enum": ["a", "b"]}, Labels(("a", "b"))),
        (
            {"type": "string", "enum": ["a", "b"], "title": "T", "description": "D"},
            Labels(("a", "b"), "T", "D"),
        ),
    ],
)
def test_labels_can_be_written_in_five_ways(output_type: Any, labels: Labels) -> None:
    assert labels_of(output_type) == labels


@pytest.mark.parametrize(
    "output_type",
    [
        None,
        int,
        {"type": "object"},
        {"enum": [1, 2], "type": "integer"},
        {"enum": ["a", "b"], "minLength": 1},
    ],
)
def test_what_asks_for_something_else_is_no_list_of_labels(output_type: Any) -> None:
    assert labels_of(output_type) is None


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "fewer than two"),
        (["a"], "fewer than two"),
        (["a", "b", "a"], "'a' stands there twice"),
        (["a", 1], "the label 1 is no text"),
        (["a", " "], "is no text"),
        (["a", None], "is no text"),
        (["a", "\ud800"], "is no text"),
        (Literal["a", 2], "the label 2 is no text"),
    ],
)
def test_labels_that_nobody_can_choose_from_are_refused(names: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words) as refused:
        labels_of(names)
    assert refused.value.field == "output_type"
    assert refused.value.remedy


def test_the_model_is_asked_for_an_object_with_one_of_the_labels() -> None:
    schema = output_schema(Topic)
    assert schema.wire() == {
        "title": "Topic",
        "description": "What the customer writes about.",
        "type": "object",
        "properties": {"label": {"type": "string", "enum": ["billing", "delivery"]}},
        "required": ["label"],
        "additionalProperties": False,
    }
    assert (schema.title, schema.description) == ("Topic", "What the customer writes about.")


def test_a_label_is_stored_as_text() -> None:
    schema = output_schema(["billing", "delivery"])
    assert isinstance(schema, LabelSchema)
    assert schema.arrow_type == pa.string()
    assert schema.fit({"label": "billing"}).value == "billing"
    assert pa.array(["billing", None], schema.arrow_type).to_pylist() == ["billing", None]


def test_a_label_that_stands_alone_is_taken_and_recorded() -> None:
    fit = output_schema(["billing", "delivery"]).fit("delivery")
    assert (fit.value, fit.problems, fit.mends) == ("delivery", [], ("bare_label",))


@pytest.mark.parametrize("words", ["Billing", "BILLING.", "Label: billing", "label:Billing.", " billing "])
def test_a_label_that_stands_alone_may_differ_in_case_and_end_in_a_full_stop(words: str) -> None:
    fit = output_schema(["billing", "delivery"]).fit(words)
    assert (fit.value, fit.problems, fit.mends) == ("billing", [], ("bare_label",))


def test_a_label_is_taken_as_written_before_any_other_is_looked_for() -> None:
    schema = output_schema(["Bug", "bug", "etc.", "label: x", "x"])
    assert [schema.fit(words).value for words in ("bug", "Bug", "Etc", "label: x", "X")] == [
        "bug",
        "Bug",
        "etc.",
        "label: x",
        "x",
    ]
    assert schema.fit("BUG").problems  # which of the two?


@pytest.mark.parametrize(
    ("value", "label", "mends"),
    [
        ({"label": "Billing"}, "billing", ("spelling",)),
        ({"Label": "billing"}, "billing", ("key_style",)),
        ({"label": "billing", "confidence": 0.9}, "billing", ("unknown_keys",)),
        ({"label": 3}, "3", ("spelling",)),
        (3, "3", ("bare_label",)),
        (["billing"], "billing", ("bare_label", "list_of_one")),
        ([{"label": "billing"}], "billing", ("list_of_one",)),
    ],
)
def test_a_label_is_taken_where_nothing_has_to_be_guessed(
    value: Any, label: str, mends: tuple[str, ...]
) -> None:
    fit = output_schema(["billing", "delivery", "3"]).fit(value)
    assert (fit.value, fit.problems, fit.mends) == (label, [], mends)


@pytest.mark.parametrize(
    ("words", "label"),
    [
        ("It asks about an invoice, so the category is:\n\n- **billing**", "billing"),
        ("It is about money.\nLabel: Billing.", "billing"),
        ("The category is **billing**.", "billing"),
        ("Category: billing", "billing"),
        ("It is about an invoice. Final answer: Billing.", "billing"),
        ("The category is not **billing**.", None),
        ("What it has no category: billing", None),
        ("Unlike billing: delivery comes late", None),
        ("Category: billing or delivery", None),
        ("It could be delivery, but the category is **billing**", None),
        ("billing\nthat is what it is about", None),
        ("**billing** or so", None),
        ("x" * 20_000 + "\nbilling", None),
        ("", None),
    ],
)
def test_the_one_label_that_an_explanation_ends_with_is_taken(words: str, label: str | None) -> None:
    assert Labels(("billing", "delivery")).at_the_end(words) == label


def test_a_label_is_looked_for_in_short_texts_only() -> None:
    made = output_schema(["billing", "delivery"])
    short, long = ("Label:" + " " * blanks + "Billing" for blanks in (900, 1_000))
    for words in (short, {"label": short}):
        assert made.fit(words).value == "billing"
    for words in (long, {"label": long}):
        assert made.fit(words).problems
    assert made.fit_in_prose(f"It is so.\n{short}").value == "billing"
    assert made.fit_in_prose(f"It is so.\n{long}") is None
    assert output_schema(["b" * 2_000, "c"]).fit("b" * 2_000).value == "b" * 2_000


@pytest.mark.parametrize("words", ["not billing", "billing or delivery", "billings", "Label:", "", "."])
def test_words_that_are_no_label_are_none(words: str) -> None:
    assert output_schema(["billing", "delivery"]).fit(words).problems


@pytest.mark.parametrize(
    "value",
    [
        {"label": "other"},
        {"label": "Billings"},
        {"label": None},
        {},
        "other",
        None,
        3,
        ["billing", "billing"],
        {"label": "billing", "Label": "delivery"},
        {"category": "billing"},
    ],
)
def test_another_label_is_a_problem(value: Any) -> None:
    schema = output_schema(["billing", "delivery"])
    fit = schema.fit(value)
    assert (fit.value, fit.mends) == (None, ())
    assert fit.problems


def test_the_problem_of_a_wrong_label_names_the_labels() -> None:
    (problem,) = output_schema(["billing", "delivery"]).fit({"label": "other"}).problems
    assert problem.path == "$.label"
    assert "['billing', 'delivery']" in problem.message


@pytest.mark.parametrize("output_type", ["billing", 3, None])
def test_what_is_neither_type_nor_schema_nor_labels_is_refused(output_type: Any) -> None:
    with pytest.raises(BadInput, match="list of labels"):
        output_schema(output_type)
