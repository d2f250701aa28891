"""Every code block of every page runs, in its page's order, and prints what the page says that it prints."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import pytest

if TYPE_CHECKING:
    from types import ModuleType

TESTS = Path(__file__).resolve().parents[1]


def loaded(name: str) -> ModuleType:
    """A module of this folder; the tests are no package, so it is found by its path."""
    spec = importlib.util.spec_from_file_location(
        f"{__name__}_{name}", Path(__file__).with_name(f"{name}.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclass looks itself up
    spec.loader.exec_module(module)
    return module


BLOCKS = loaded("blocks")
ELSEWHERE = {
    "local-server.md": "testing/test_local_server_page.py",
    "money-and-failures.md": "test_money_page.py",
    "object-stores.md": "test_object_stores_page.py",
    "schema-evolution.md": "test_schema_evolution_page.py",
}
"""Pages whose blocks have a test of their own, because they need more than a reader has at hand."""
RUN_HERE = [page for page in BLOCKS.pages() if page not in ELSEWHERE and BLOCKS.blocks(page)]


@pytest.mark.parametrize("page", RUN_HERE)
def test_every_block_of_the_page_does_what_the_page_says(page: str, reader: Any) -> None:
    reader.server.clear_faults()
    printed = ""
    for block in BLOCKS.blocks(page):
        try:
            if block.not_run:
                continue
            if block.language == BLOCKS.OUTPUT:
                assert_printed(block.text, printed)
            elif block.language == "json":
                json.loads(block.text)
            elif block.language == "jinja":
                jinja2.Environment(autoescape=True).parse(block.text)
            else:
                printed = getattr(reader, block.language)(block.text)
        except Exception as error:
            error.add_note(f"in {block.place}")
            raise


def test_commands_of_airflow_that_are_not_run_are_ones_that_it_takes(reader: Any) -> None:
    commands = [
        command
        for page in RUN_HERE
        for block in BLOCKS.blocks(page)
        if block.not_run and block.language == "bash"
        for command in block.text.replace("\\\n", " ").splitlines()
        if command.startswith("airflow ")
    ]
    assert commands
    parse = "from airflow.cli.cli_parser import get_parser; get_parser().parse_args({!r})"
    for command in commands:
        reader.python(parse.format(shlex.split(command)[1:]))


def test_every_block_says_in_which_language_it_is() -> None:
    known = (*BLOCKS.RUN, BLOCKS.OUTPUT, *BLOCKS.DATA)
    blocks = [one for page in BLOCKS.pages() for one in BLOCKS.blocks(page)]
    assert [one.place for one in blocks if one.language not in known] == []


def test_pages_that_have_a_test_of_their_own_have_it() -> None:
    for page, test in ELSEWHERE.items():
        assert page.partition("/")[0] in (TESTS / test).read_text(encoding="utf-8")


def assert_printed(shown: str, printed: str) -> None:
    """Fail unless the output is as shown, where `...` stands for whatever."""
    pattern = ".*?".join(re.escape(part.strip("\n ")) for part in shown.strip().split("..."))
    assert re.fullmatch(f"\\s*{pattern}\\s*", printed, re.DOTALL), (
        f"it printed:\n{printed}\nand not:\n{shown}"
    )
