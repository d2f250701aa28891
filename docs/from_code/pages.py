"""The pages of jobs, each with the right that it asks for."""

from __future__ import annotations

from from_code.markdown import code
from runware_provider.pages.routes import ROUTES
from runware_provider.pages.run_view import URL_PREFIX


def routes() -> str:
    """A table of the routes."""
    head = ["| address | what it shows | whoever asks needs |", "|---|---|---|"]
    rows = [f"| {code(URL_PREFIX + route.path)} | {route.shows} | {route.right.value} |" for route in ROUTES]
    return "\n".join([*head, *rows])
