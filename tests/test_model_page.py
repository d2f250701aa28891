"""docs/model-page.md has a row for each field of the vendor's page, and names tests that there are."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from runware_provider.engine.api.request_bodies import DELIVERY_METHODS
from runware_provider.engine.spec import Delivery
from runware_provider.testing.api.checks import FIELDS, SETTINGS_FIELDS

PROJECT = Path(__file__).resolve().parents[1]
PAGE = (PROJECT / "docs" / "model-page.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([^`]+)` \| .+? \| .+? \| (.+) \|$", re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
OF_TOOLS = {"tools.type", "tools.name", "tools.description", "tools.schema"}
OF_CHOICES = {"toolChoice.type", "toolChoice.name"}
NOT_ON_THE_PAGE = {"jsonSchema"}
"""Of other models."""


def rows() -> dict[str, list[tuple[str, str]]]:
    """By field, the files and names of the tests that hold it."""
    return {field: NAMED.findall(held_by) for field, held_by in ROW.findall(PAGE)}


@cache
def source(file: str) -> str:
    return (PROJECT / file).read_text(encoding="utf-8")


def test_every_field_of_the_vendors_page_has_a_row_and_nothing_else_has() -> None:
    top_level = set(FIELDS) - {"settings"} - NOT_ON_THE_PAGE
    settings = {f"settings.{name}" for name in SETTINGS_FIELDS}
    methods = {f"deliveryMethod: {method}" for method in DELIVERY_METHODS.values()}
    assert set(rows()) == top_level | settings | methods | OF_TOOLS | OF_CHOICES


def test_every_way_in_which_answers_come_is_sent_as_one_of_the_vendors_methods() -> None:
    assert set(DELIVERY_METHODS) == set(get_args(Delivery))
    assert set(DELIVERY_METHODS.values()) == {"sync", "async", "stream"}


@pytest.mark.parametrize("field", rows())
def test_every_row_names_tests_that_there_are(field: str) -> None:
    named = rows()[field]
    assert named
    for file, test in named:
        assert re.search(rf"^(async )?def {test}\(", source(file), re.MULTILINE), f"{file} has no {test}"


def test_every_test_that_the_page_names_beside_its_table_is_there_too() -> None:
    for file, test in NAMED.findall(PAGE):
        assert f"def {test}(" in source(file)
