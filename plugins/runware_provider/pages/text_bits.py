"""What the pages with texts have in common: how many records, fields of a row, links to rows of another label. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from runware_provider.quality.parts import Fold, Link
from runware_provider.quality.wording import visible

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from runware_provider.quality.parts import Part

MOST_RECORDS: Final = 20
"""On a page."""
_MOST_LABEL_CHARS: Final = 200
"""Of an error code or a path in a link."""
INFERENCE: Final = "inference"
"""The column of a row that says what became of it."""


def struct(value: Any) -> dict[str, Any]:
    """A value of a file, where it is a struct; else an empty one."""
    return value if isinstance(value, dict) else {}


def other_labels(  # noqa: PLR0913 - by keyword, each a word of its own
    seen: AbstractSet[str | None],
    shown: str | None,
    *,
    leaf: str,
    key: str,
    each: str,
    all_of_them: str,
    title: str,
    anchor: str,
) -> list[Part]:
    """Links to the rows of each other label that may stand in a link, and to those of all; nothing where there is no other one.

    Args:
        seen: labels that occur.
        shown: the one whose rows are shown; None for all.
        leaf: of the page.
        key: of the label in its query.
        each: what a link says before a label.
        all_of_them: what the link to all says.
        title: of the links.
        anchor: where they stand.
    """
    others = sorted(
        label for label in seen - {shown} if label is not None and len(label) <= _MOST_LABEL_CHARS
    )
    # The only label that there is leads nowhere else.
    if not others or (shown is None and len(others) == 1):
        return []
    links: list[Part] = [
        Link(f"{each} {visible(label)}", f"{leaf}?{urlencode({key: label})}")
        for label in others[:MOST_RECORDS]
    ]
    if shown is not None:
        links.append(Link(all_of_them, leaf))
    return [Fold(title, links, anchor)]
