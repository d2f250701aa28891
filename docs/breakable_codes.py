"""Long names in tables may be broken between their words, so that a table fits a page and a phone."""

from __future__ import annotations

import re
from html import escape

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

BETWEEN_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[_/.])(?=\w)")


class BreakableCodes(SphinxPostTransform):
    """Marks in the codes of tables where a line may end; what is copied from the page stays as it was."""

    default_priority = 300  # after references are resolved, which look at the codes
    formats = ("html",)

    def run(self, **_: object) -> None:
        """Replace each of them."""
        for table in self.document.findall(nodes.table):
            for code in list(table.findall(nodes.literal)):
                shown = BETWEEN_WORDS.sub("<wbr>", escape(code.astext()))
                html = f'<code class="docutils literal notranslate">{shown}</code>'
                code.replace_self(nodes.raw("", html, format="html"))
