"""The frame of every page: its head, its sheet and its script, and what a browser may do in it.

Nothing stands in a page that a browser would run or be styled by: sheet and script are files of their own, so the policy
allows no others, and a text that got through as markup could do nothing.
"""

from __future__ import annotations

import hashlib
import html
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from runware_provider.pages.links_between import ON_TASK
from runware_provider.pages.page_bits import escaped
from runware_provider.quality.parts import html_of
from runware_provider.quality.style import STYLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.pages.links_between import Links
    from runware_provider.quality.parts import Part

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""The header `Content-Security-Policy` of every page."""
SHEET: Final = "page.css"
SCRIPT: Final = "page.js"
TITLE_CHARS: Final = 200

_OURS = files(__package__) / "static"

STATIC: Final[Mapping[str, tuple[bytes, str]]] = {
    SHEET: (STYLE.encode() + (_OURS / SHEET).read_bytes(), "text/css; charset=utf-8"),
    SCRIPT: ((_OURS / SCRIPT).read_bytes(), "text/javascript; charset=utf-8"),
}
"""What is served below `static/`: name, content, media type. Public: nothing of a job is in it."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{sheet}">
<script src="{script}"></script>
</head>
<body>
<main data-page{renew}>
{body}
</main>
<p class="renewal" role="status"></p>
</body>
</html>
"""


def page(title: str, parts: Sequence[Part], *, links: Links = ON_TASK, renew_s: float | None = None) -> str:
    """A page as a whole HTML document.

    Args:
        title: of the browser's tab, as plain text; it may hold a stranger's.
        parts: what the page shows.
        links: of this page.
        renew_s: the page's script fetches it again after so many seconds; None where it stays as it is.
    """
    return _PAGE.format(
        title=escaped(title, TITLE_CHARS),
        sheet=html.escape(_versioned(links, SHEET)),
        script=html.escape(_versioned(links, SCRIPT)),
        renew="" if renew_s is None else f' data-renew="{renew_s:g}"',
        body=html_of(parts),
    )


def _versioned(links: Links, name: str) -> str:
    """A browser keeps what it has fetched until the file is another one."""
    return f"{links.static(name)}?{hashlib.sha256(STATIC[name][0]).hexdigest()[:10]}"
