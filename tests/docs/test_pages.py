"""Every code block of every page runs, in its page's order, and prints what the page says that it prints."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docs import blocks as page_blocks

if TYPE_CHECKING:
    from tests.docs.reader import Reader

TESTS = Path(__file__).resolve().parents[1]


ELSEWHERE = {
    "getting-started.md": "docs/test_page_getting_started.py",
    "local-server.md": "testing/test_local_server_page.py",
    "how-to/test-offline.md": "docs/test_page_test_offline.py",
    "money-and-failures.md": "test_money_page.py",
    "object-stores.md": "test_object_stores_page.py",
    "quality.md": "docs/test_page_quality.py",
    "schema-evolution.md": "test_schema_evolution_page.py",
}
"""Pages whose blocks have a file of their own: they need more than a reader has at hand, or much time, and a file is what
a process of the tests takes."""
RUN_BY_A_TEST = "behind it runs this"
"""Ends the reason of a block with commands that Airflow knows with Flask AppBuilder alone."""
RUN_HERE = [page for page in page_blocks.pages() if page not in ELSEWHERE and page_blocks.blocks(page)]


@pytest.mark.parametrize("page", RUN_HERE)
def test_every_block_of_the_page_does_what_the_page_says(page: str, reader: Reader) -> None:
    reader.follow(page)


def test_commands_of_airflow_that_are_not_run_are_ones_that_it_takes(reader: Reader) -> None:
    commands = [
        command
        for page in RUN_HERE
        for block in page_blocks.blocks(page)
        if block.not_run and block.language == "bash" and not block.not_run.endswith(RUN_BY_A_TEST)
        for command in block.text.replace("\\\n", " ").splitlines()
        if command.startswith("airflow ")
    ]
    assert commands
    parse = "from airflow.cli.cli_parser import get_parser; get_parser().parse_args({!r})"
    for command in commands:
        reader.python(parse.format(shlex.split(command)[1:]))


def test_every_block_says_in_which_language_it_is() -> None:
    known = (*page_blocks.RUN, page_blocks.OUTPUT, *page_blocks.DATA)
    blocks = [block for page in page_blocks.pages() for block in page_blocks.blocks(page)]
    assert [block.place for block in blocks if block.language not in known] == []


def test_pages_that_have_a_test_of_their_own_have_it() -> None:
    for page, test in ELSEWHERE.items():
        assert page in (TESTS / test).read_text(encoding="utf-8")
