"""Diagrams become part of the page, so that they follow its colours in light and dark."""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform


class InlineSvg(SphinxPostTransform):
    """Replaces an image that is a local SVG by its content; elsewhere, on a code host say, it is an image."""

    default_priority = 1  # before images are collected for the output
    formats = ("html",)

    def run(self, **_: object) -> None:
        """Replace each of them."""
        for image in list(self.document.findall(nodes.image)):
            if image["uri"].endswith(".svg") and "://" not in image["uri"]:
                drawn = (Path(self.env.srcdir) / image["uri"]).read_text(encoding="utf-8")
                label = f'role="img" aria-label="{nodes.unescape(image.get("alt", ""))}"'
                html = f'<div class="diagram">{drawn.replace("<svg ", f"<svg {label} ", 1)}</div>'
                image.replace_self(nodes.raw("", html, format="html"))
