"""How Sphinx builds these pages: `make docs`. Nothing is fetched, neither while building nor while reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from breakable_codes import BreakableCodes
from from_code import fill
from inline_svg import InlineSvg
from runware_provider import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "Runware provider for Apache Airflow"
version = release = __version__
author = "the authors of airflow-provider-runware"
extensions = ["myst_parser", "sphinx_copybutton"]
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4
exclude_patterns = ["diagrams", "from_code"]
nitpicky = True
smartquotes = False  # options and values are to be copied as they stand
language = "en"

html_theme = "furo"
html_title = "Runware provider"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {"color-brand-primary": "#4b32a8", "color-brand-content": "#4b32a8"},
    "dark_css_variables": {"color-brand-primary": "#b7a6ff", "color-brand-content": "#b7a6ff"},
}
copybutton_exclude = ".linenos, .gp, .go"
copybutton_selector = "div:not(.highlight-text):not(.highlight-json) > div.highlight > pre"  # no outputs
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


def setup(app: Sphinx) -> None:
    """Fill the tables that are made from the code, let them wrap, and draw the diagrams in the page's own colours."""
    app.connect("source-read", _filled)
    app.add_post_transform(InlineSvg)
    app.add_post_transform(BreakableCodes)


def _filled(_app: Sphinx, _page: str, source: list[str]) -> None:
    source[0] = fill(source[0])
