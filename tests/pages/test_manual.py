"""What the manual says of the pages is made of what the application serves."""

from __future__ import annotations

from from_code import made
from runware_provider.pages.routes import ROUTES, Right
from runware_provider.pages.run_view import URL_PREFIX


def test_every_route_is_in_the_manual_with_the_right_that_it_asks_for() -> None:
    rows = made("pages").splitlines()[2:]
    assert len(rows) == len(ROUTES)
    for row, route in zip(rows, ROUTES, strict=True):
        assert f"`{URL_PREFIX}{route.path}`" in row
        assert row.endswith(f"| {route.right.value} |")


def test_whatever_quotes_a_record_asks_for_the_right_to_texts() -> None:
    public = {route.path for route in ROUTES if route.right is not Right.TEXTS}
    assert public == {"/", "/{dag_id}/{run_id}/{task_id}/{map_index}", "/static/{name}"}
