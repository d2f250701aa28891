"""The page on tests without the vendor: it has a file of its own, because it takes long."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.docs.reader import Reader


def test_every_block_of_the_page_does_what_the_page_says(reader: Reader) -> None:
    reader.follow("how-to/test-offline.md")
