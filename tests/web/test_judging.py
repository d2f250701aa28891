"""What is let in, of whatever may come with a URL that was given out."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api.replies import read_call
from runware_provider.engine.inbox.addresses import claim
from runware_provider.web.judging import status_unless_kept
from tests.receivers import SECRET, Vendor

TASK = "6a1f9a3e-6f0e-4a9b-8a45-0d3a5e1f7c11"
OTHER = "0b8f1c52-9d0c-4f43-9c0e-7f6f0f6c8a22"

pieces = st.sampled_from(
    [TASK, TASK.upper(), OTHER, "text", "success", "processing", "taskUUID", None, 1, 2.5]
)
keys = st.sampled_from(["taskUUID", "data", "errors", "error", "text", "status", "code", "tools", "input"])
bodies = st.recursive(
    pieces,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(keys, below, max_size=4),
    max_leaves=20,
)


@given(body=bodies)
def test_what_is_kept_says_how_the_proven_task_ended_and_nothing_of_any_other(body: Any) -> None:
    said = claim(urlsplit(Vendor("http://localhost/hook").address(TASK)).query.encode())
    assert said is not None
    content = json.dumps(body).encode()
    status = status_unless_kept(said, content, [SECRET], now=0)
    read = read_call(content)
    if status is None or status == 204:
        assert read.task_uuids == {TASK}
        assert read.is_final == (status is None)
    else:
        assert status in {400, 404}
        assert read.task_uuids != {TASK}


@given(content=st.binary(max_size=300))
def test_no_bytes_get_in(content: bytes) -> None:
    said = claim(urlsplit(Vendor("http://localhost/hook").address(TASK)).query.encode())
    assert said is not None
    assert status_unless_kept(said, content, [SECRET], now=0) == 404
