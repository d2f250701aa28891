"""A page as a browser would see it."""

from __future__ import annotations

from html.parser import HTMLParser

TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "link",
        "script",
        "body",
        "main",
        "nav",
        "h1",
        "h2",
        "p",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
    ),
    *(
        "div",
        "span",
        "b",
        "small",
        "code",
        "bdi",
        "time",
        "a",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "svg",
        "rect",
    ),
    *("details", "summary", "br", "wbr"),
}
ATTRIBUTES = {
    *(
        "lang",
        "charset",
        "name",
        "content",
        "href",
        "rel",
        "src",
        "class",
        "role",
        "title",
        "target",
        "scope",
        "datetime",
    ),
    *(
        "tabindex",
        "aria-label",
        "aria-hidden",
        "aria-current",
        "data-page",
        "data-renew",
        "data-name",
        "data-key",
    ),
    *("width", "height", "viewbox", "preserveaspectratio", "x", "y"),
}
VOID = {"meta", "link", "br", "wbr", "rect"}


class Seen(HTMLParser):
    """What is in a page: tags that are closed in turn, attributes, texts, links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.classes: set[str] = set()
        self.links: dict[str, str] = {}
        self.texts: list[str] = []
        self.labels: list[str] = []
        self._href = ""
        self.feed(page)
        self.close()
        assert self.open == []

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        given = dict(attrs)
        self.attributes.update(given)
        self.classes.update((given.get("class") or "").split())
        self.labels += [given["aria-label"]] if "aria-label" in given else []
        self._href = given.get("href") or "" if tag == "a" else self._href
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if "a" in self.open:
            self.links[self._href] = self.links.get(self._href, "") + data
