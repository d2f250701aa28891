from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Literal, Optional, TypedDict

import pytest
from pydantic import BaseModel

from runware_provider.engine.errors import BadInput
from runware_provider.engine.output_types import understood


class Invoice(BaseModel):
    total: float


class Topic(enum.Enum):
    BILLING = "billing"
    DELIVERY = "delivery"


@dataclass
class Plain:
    total: float


class Typed(TypedDict):
    total: float


@pytest.mark.parametrize(
    "output_type",
    [
        None,
        Invoice,
        {"type": "object", "properties": {"total": {"type": "number"}}},
        {"enum": ["a", "b"]},
        ("a", "b"),
        Literal["a", "b"],
        Topic,
    ],
)
def test_what_asks_for_something_is_kept_as_it_is(output_type: Any) -> None:
    assert understood(output_type) == output_type


def test_a_list_of_labels_becomes_a_tuple_that_nobody_changes() -> None:
    assert understood(["a", "b"]) == ("a", "b")


@pytest.mark.parametrize(
    ("output_type", "problem", "remedy"),
    [
        (3, "type int", "Give a pydantic model's class"),
        ("a, b", "type str", "a list of labels"),
        (int, "it is int", "class Answer(BaseModel): value: int"),
        (dict, "it is dict", "value: dict"),
        (list[Invoice], "it is list[", "class Answer(BaseModel): value: list["),
        (Invoice | Plain, "Invoice |", "class Answer(BaseModel): value: "),
        (Invoice | None, "| None", "Leave None away"),
        (Optional[Invoice], "Optional", "Leave None away"),  # noqa: UP045 - as some users write it
        (Invoice(total=1), "type Invoice", "Give the class Invoice, not an object of it"),
        (BaseModel, "it is BaseModel", "a class of your own"),
        (Plain, "it is Plain", "Derive it from pydantic.BaseModel"),
        (Typed, "it is Typed", "Derive it from pydantic.BaseModel"),
    ],
)
def test_what_asks_for_nothing_is_refused_with_what_to_write(
    output_type: Any, problem: str, remedy: str
) -> None:
    with pytest.raises(BadInput) as refused:
        understood(output_type)
    assert refused.value.field == "output_type"
    assert problem in refused.value.problem
    assert remedy in refused.value.remedy


@pytest.mark.parametrize("labels", [["one"], ["a", "a"], ["a", " "], ["a", 1], Literal["a", 1], {"enum": []}])
def test_labels_that_are_none_are_refused_by_name(labels: Any) -> None:
    with pytest.raises(BadInput, match="output_type"):
        understood(labels)
