"""Fills docs/performance.md: its tables and charts are made of the figures, and nobody edits a number by hand.

    python benchmarks/performance_page.py build/bench/figures.json

Between `<!-- figures: NAME -->` and `<!-- end of figures -->` stands what `figure_tables.py` made; the charts lie beside the page, in
docs/performance/, with the figures themselves.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import figure_charts
import figure_tables

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "performance.md"
FOLDER = DOCS / "performance"
FIGURES = FOLDER / "figures.json"
PLACE = re.compile(r"(<!-- figures: ([\w-]+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)


def main() -> None:
    """Fill the page with the figures of a file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("figures", type=Path, nargs="?", default=FIGURES, help="those of the page by default")
    publish(json.loads(parser.parse_args().figures.read_text(encoding="utf-8")))


def parts_of_the_same_day(now: dict[str, Any]) -> dict[str, Any]:
    """What the page shows already, where one table may stand beside the other: measured on one day, on one machine.

    Raises:
        SystemExit: it is of another day, or of another machine.
    """
    shown = json.loads(FIGURES.read_text(encoding="utf-8"))
    differs = [name for name in now if name != "load" and shown["about"].get(name) != now[name]]
    if differs:
        raise SystemExit(
            f"The page's figures are of another {differs[0]}: measure all parts, or leave --page out."
        )
    parts: dict[str, Any] = shown["parts"]
    return parts


def publish(figures: dict[str, Any]) -> None:
    """Fill the page and its folder with these figures."""
    write(FOLDER, figures)
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), figures), encoding="utf-8")


def write(folder: Path, figures: dict[str, Any]) -> None:
    """Write the figures and their charts into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    told = json.dumps(figures, indent=1, ensure_ascii=False)
    (folder / FIGURES.name).write_text(f"{told}\n", encoding="utf-8")
    for name, drawn in figure_charts.all_of(figures).items():
        (folder / f"{name}.svg").write_text(drawn, encoding="utf-8")


def filled(page: str, figures: dict[str, Any]) -> str:
    """A page with the tables in the places that name them.

    Raises:
        KeyError: a place names none that these figures have.
    """
    made = figure_tables.all_of(figures)
    return PLACE.sub(lambda place: f"{place[1]}\n{made[place[2]]}\n\n{place[3]}", page)


if __name__ == "__main__":
    main()
