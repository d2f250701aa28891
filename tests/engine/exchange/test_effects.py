"""What a person is told of a reply of no use."""

from __future__ import annotations

import pytest

from runware_provider.engine.api.replies import read_reply
from runware_provider.engine.exchange.effects import trouble_of


@pytest.mark.parametrize(
    ("status", "body", "trouble"),
    [
        (200, b"", "HTTP 200, and no JSON"),
        (502, b"<html>", "HTTP 502, and no JSON"),
        (301, b"", "HTTP 301, a redirect, which is not followed"),
        (500, b"{}", "HTTP 500"),
        (429, b"{}", "HTTP 429: it has no room"),
    ],
)
def test_a_reply_of_no_use_says_what_is_wrong_with_it(status: int, body: bytes, trouble: str) -> None:
    assert trouble_of(read_reply(status, body)) == trouble


def test_where_every_task_was_refused_for_want_of_room_that_is_what_is_said() -> None:
    assert trouble_of(read_reply(400, b"{}"), has_no_room=True) == "HTTP 400: it has no room"
