"""JSON that a person wrote, into a file or behind an option. Pure."""

from __future__ import annotations

import json
from typing import Any, Final

_BYTE_ORDER_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"


def read_written_json(text: str) -> Any:
    """The value that the text is; a byte order mark, which some editors put before it, is no part of it.

    Raises:
        ValueError: it is no JSON, is nested more deeply than Python reads, or has an integer of more digits than that.
    """
    try:
        return json.loads(text.removeprefix(_BYTE_ORDER_MARK))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
