"""Whether a text can be stored and sent: half a surrogate pair has no encoding."""

from __future__ import annotations


def is_encodable(text: str) -> bool:
    """Whether UTF-8 can hold the text."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
