"""Our Markdown as one HTML page: no script, nothing to load, light and dark, on paper and on a phone. Pure.

Nothing but headings, lists, tables, code and bold text is read in the Markdown, and every text is escaped. What is
drawn is drawn from the text of cells that are ours: a share gets a meter, an interval its place between 0 and 100 %,
the bars of a histogram become an image, and an outcome its colour. A stranger's value is code, which nothing is drawn of.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from typing import TYPE_CHECKING, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from runware_provider.quality.style import STYLE
from runware_provider.quality.wording import SPARKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OUTCOMES: Final = frozenset({"succeeded", "invalid", "refused", "failed", "skipped"})
WIDE = 7
"""From so many columns on, a table becomes a list on a phone."""

_MARKDOWN = MarkdownIt("zero").enable(["heading", "list", "table", "backticks", "emphasis", "entity"])
_SHARE = re.compile(r"[<>]?([\d.]+) %")
_INTERVAL = re.compile(r"([\d.]+)\u2013([\d.]+) %")
_HISTOGRAM = re.compile(f"([{SPARKS}]+) ?(.*)")
_BETWEEN_WORDS = re.compile(r"(?<=_)(?=\w)|(?=\.)")
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{digest}'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}</main>
</body>
</html>
"""


def framed(title: str, body: str) -> str:
    """A page of its own, to be opened, mailed or attached.

    Args:
        title: plain text.
        body: HTML of ours, in which every text is escaped.
    """
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return _PAGE.format(digest=digest, title=html.escape(title), style=STYLE, body=body)


def title_of(markdown: str) -> str:
    """The text of the heading that a document begins with."""
    return _text_of(_MARKDOWN.parse(markdown)[1])


def inline_of(markdown: str) -> str:
    """A line of our Markdown, such as a title with a stranger's value in it as code, as HTML."""
    return str(_MARKDOWN.renderInline(markdown))


def plain_of(markdown: str) -> str:
    """The same as text, for what is read aloud."""
    return _text_of(_MARKDOWN.parseInline(markdown)[0])


def body_of(markdown: str) -> str:
    """What stands in the body of a page.

    Args:
        markdown: ours.
    """
    tokens = _MARKDOWN.parse(markdown)
    return str(_MARKDOWN.renderer.render(list(_folded(_arranged(tokens))), _MARKDOWN.options, {}))


def _text_of(inline: Token) -> str:
    return "".join(part.content for part in inline.children or ())


def _folded(tokens: Iterator[Token]) -> Iterator[Token]:
    """Headings of the third rank become what unfolds what follows them."""
    is_open = False
    for token in tokens:
        if token.type == "heading_open" and is_open:
            yield _markup("</details>\n")
            is_open = False
        if token.tag != "h3":
            yield token
        elif token.type == "heading_open":
            is_open = True
            yield _markup("<details><summary>")
        else:
            yield _markup("</summary>\n")
    if is_open:
        yield _markup("</details>\n")


def _arranged(tokens: Sequence[Token]) -> Iterator[Token]:
    """Tables in boxes that scroll, their cells named and drawn."""
    headers: list[str] = []
    heading, column = "", 0
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = _text_of(tokens[index + 1])
        if token.type == "table_open":
            headers = _headers(tokens, index)
            token.attrSet("class", _class_of(headers))
            label = html.escape(heading)
            yield _markup(f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">')
        if token.type == "tr_open":
            column = 0
        if token.type in {"th_open", "td_open"}:
            _arrange_cell(token, tokens[index + 1], headers[column])
            column += 1
        yield token
        if token.type == "table_close":
            yield _markup("</div>\n")


def _headers(tokens: Sequence[Token], table: int) -> list[str]:
    end = next(index for index in range(table, len(tokens)) if tokens[index].type == "thead_close")
    return [tokens[index + 1].content for index in range(table, end) if tokens[index].type == "th_open"]


def _class_of(headers: Sequence[str]) -> str:
    if not any(headers):
        return "facts"
    return "wide" if len(headers) >= WIDE else "narrow"


def _arrange_cell(cell: Token, inline: Token, header: str) -> None:
    classes = ["n"] if cell.attrs.pop("style", None) else []
    if cell.type == "td_open":
        cell.attrSet("data-name", header)
        classes += _classes_of(inline, header)
        inline.children = _drawn(inline, header)
    if classes:
        cell.attrSet("class", " ".join(classes))


def _classes_of(inline: Token, header: str) -> list[str]:
    """What a cell is for the style sheet: an outcome in its colour, or nothing, which a phone leaves out."""
    if not inline.children:
        return ["empty"]
    is_outcome = header and _is_ours(inline) and inline.content in OUTCOMES
    return [inline.content] if is_outcome else []


def _drawn(inline: Token, header: str) -> list[Token]:
    """What stands in a cell."""
    parts = inline.children or []
    drawing = _drawing(inline.content) if _is_ours(inline) else None
    if drawing is not None:
        return [_markup(drawing)]
    if header == "field":
        return [_breakable(part) for part in parts]
    if parts and parts[0].type == "code_inline" and header.startswith("most"):
        return list(_one_below_the_other(parts))
    return parts


def _is_ours(inline: Token) -> bool:
    """Whether a cell is plain text; a stranger's value is code, or has an entity in the place of a bar."""
    return [part.content for part in inline.children or () if part.type == "text"] == [inline.content]


def _breakable(part: Token) -> Token:
    """A field's path that a narrow page breaks between its words rather than inside of one."""
    if part.type != "code_inline":
        return part
    return _markup(f"<code>{_BETWEEN_WORDS.sub('<wbr>', html.escape(part.content))}</code>")


def _one_below_the_other(parts: Sequence[Token]) -> Iterator[Token]:
    """Values with their counts, each in a line of its own."""
    for part in parts:
        is_between = part.type == "text" and part.content.endswith(", ")
        if is_between:
            part.content = part.content.removesuffix(", ")
        yield part
        if is_between:
            yield _markup("<br>")


def _markup(text: str) -> Token:
    return Token("html_inline", "", 0, content=text)


def _drawing(text: str) -> str | None:
    """The text of a cell with its picture; None where there is none."""
    if found := _SHARE.fullmatch(text):
        return f"{html.escape(text)}{_bar(0, float(found[1]), 'share')}"
    if found := _INTERVAL.fullmatch(text):
        return f"{text}{_bar(float(found[1]), float(found[2]), 'interval')}"
    if found := _HISTOGRAM.fullmatch(text):
        return f"{_bars([SPARKS.index(bar) for bar in found[1]])}<small>{html.escape(found[2])}</small>"
    return None


def _bar(low: float, high: float, name: str) -> str:
    """A stretch of the way from 0 to 100 %; what is more than nothing shows."""
    width = max(high - low, 1) if high else 0
    return (
        f'<svg class="bar {name}" width="100" height="6" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rail" width="100" height="6"/>'
        f'<rect class="mark" x="{min(low, 99):g}" width="{width:.4g}" height="6"/></svg>'
    )


def _bars(heights: Sequence[int]) -> str:
    width = 130 / len(heights)
    tallest = len(SPARKS) - 1
    rects = "".join(
        f'<rect class="mark" x="{place * width + 0.5:.4g}" y="{28 - 28 * height / tallest:.4g}" width="{width - 1:.4g}"'
        f' height="{28 * height / tallest:.4g}"/>'
        for place, height in enumerate(heights)
        if height
    )
    return (
        '<svg class="bars" width="130" height="29" viewBox="0 0 130 29" role="img" aria-label="histogram">'
        f'<rect class="rail" y="28" width="130" height="1"/>{rects}</svg>'
    )
