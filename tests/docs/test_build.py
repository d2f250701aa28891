"""`make docs` builds without a warning, and its pages need no network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = ("--quiet", "--fail-on-warning", "--keep-going")
FETCHED = re.compile(r"""<(?:script|img|link|iframe|source)\b[^>]*?(?:src|href)=["'](?:https?:)?//[^"']+""")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = Path(__file__).resolve().parents[2]
    folder = tmp_path_factory.mktemp("built")
    ran = subprocess.run(
        [sys.executable, "-m", "sphinx", *COMMAND, "-d", folder / "doctrees", "docs", folder / "html"],
        cwd=project,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": "plugins:docs", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return folder / "html"


def test_make_docs_runs_the_same_command(project: Path) -> None:
    makefile = (project / "Makefile").read_text(encoding="utf-8")
    assert f"-m sphinx {' '.join(COMMAND)} docs build/docs" in makefile


def test_every_page_is_built(built: Path, docs: Path) -> None:
    pages = {path.relative_to(docs).with_suffix(".html") for path in docs.rglob("*.md")}
    assert {path for path in pages if not (built / path).is_file()} == set()


def test_no_page_fetches_anything_from_elsewhere(built: Path) -> None:
    assert [
        found for page in built.rglob("*.html") for found in FETCHED.findall(page.read_text(encoding="utf-8"))
    ] == []


def test_what_the_code_says_is_in_the_reference(built: Path) -> None:
    reference = (built / "reference" / "arguments.html").read_text(encoding="utf-8")
    assert "retention_days" in reference
    assert "from the code:" not in reference


def test_what_is_to_be_copied_has_plain_quotes_and_dashes(built: Path) -> None:
    page = (built / "reference" / "command-line.html").read_text(encoding="utf-8")
    assert "--max-outstanding" in page
    assert (
        re.findall(
            "[\u2018\u2019\u201c\u201d\u2013\u2014]", page.partition("<article")[2].partition("</article")[0]
        )
        == []
    )


def test_long_codes_in_tables_may_be_broken_between_their_words(built: Path) -> None:
    assert "insufficient<wbr>Credits" in (built / "reference" / "codes.html").read_text(encoding="utf-8")


def test_the_first_page_leads_to_how_to_pages_and_to_the_reference(built: Path) -> None:
    page = (built / "index.html").read_text(encoding="utf-8")
    links = re.findall(r'href="([\w/-]+)\.html', page.partition("<article")[2].partition("</article")[0])
    assert len([link for link in links if link.startswith("how-to/")]) >= 3
    assert "reference/arguments" in links
