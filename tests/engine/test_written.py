"""How many rows may fail, and where things are written: what a DAG, a template or a command line gives, read."""

from __future__ import annotations

import pytest

from runware_provider.engine.errors import BadInput
from runware_provider.engine.spec import Budget, Failures, Memory


@pytest.mark.parametrize(
    ("given", "read"),
    [
        *((20, 20), (0.1, 0.1), (1.0, 1.0), (0, 0), (None, None)),
        *(("20", 20), (" 0.1 ", 0.1), ("1.0", 1.0), ("none", None), ("None", None)),
    ],
)
def test_how_many_may_fail_is_a_count_or_a_share_also_as_a_text(
    given: float | str | None, read: float | None
) -> None:
    most = Failures(most=given).most
    assert (most, type(most)) == (read, type(read))


@pytest.mark.parametrize("given", [True, -1, -0.1, 1.5, "2.5", "many", "", "nan", "-1", [1]])
def test_what_is_neither_is_refused(given: object) -> None:
    with pytest.raises(BadInput, match=r"failures\.most: .* neither a count nor a share"):
        Failures(most=given)


@pytest.mark.parametrize("rendered", ["", "  ", "None", "null"])
def test_what_a_template_renders_to_without_a_value_is_none(rendered: str) -> None:
    assert Memory(state=rendered).state is None
    assert Failures(dataset=rendered).dataset is None
    assert Budget(tokens=7, usd=rendered).usd is None  # type: ignore[arg-type]


def test_a_budget_that_a_template_left_without_any_bound_is_refused() -> None:
    with pytest.raises(BadInput, match="budget: it bounds nothing"):
        Budget(usd="None")  # type: ignore[arg-type]
