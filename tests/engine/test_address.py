from __future__ import annotations

import pytest

from runware_provider.engine.address import whole_address
from runware_provider.engine.endpoint import DEFAULT_BASE_URL, Endpoint
from runware_provider.engine.errors import BadInput


@pytest.mark.parametrize("written", ["", " ", "api.runware.ai", "https://api.runware.ai", "api.runware.ai/"])
def test_what_leaves_something_out_is_the_vendors(written: str) -> None:
    assert whole_address(written) == DEFAULT_BASE_URL


@pytest.mark.parametrize("slashes", ["", "/", "//"])
def test_a_mere_slash_is_no_path(slashes: str) -> None:
    assert whole_address(f"https://api.example.com{slashes}") == "https://api.example.com/v1"
    assert whole_address(f"https://api.example.com/v2{slashes}") == "https://api.example.com/v2"


def test_what_is_written_comes_before_what_is_said_beside_it() -> None:
    beside = {"port": 8443, "scheme": "https", "path": "/v2/"}
    assert whole_address("http://localhost:80/v3", **beside) == "http://localhost:80/v3"
    assert whole_address("localhost", **beside) == "https://localhost:8443/v2"


@pytest.mark.parametrize("written", ["http://[::1", "https://x y", "https://", "ftp://x", "https://x:y"])
def test_what_is_no_address_is_refused_by_the_endpoint(written: str) -> None:
    with pytest.raises(BadInput, match="base URL"):
        Endpoint(whole_address(written), "a-key")
