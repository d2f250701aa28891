"""docs/faults.md says of each fault what the engine's tests expect of it, and of each family what the code does."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runware_provider.engine.api.error_families import STEPS, family_of
from runware_provider.testing import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

TESTS = Path(__file__).resolve().parent
PAGE = (TESTS.parent / "docs" / "faults.md").read_text(encoding="utf-8")
PLACES = {"textInference": "submission", "getResponse": "poll", "getTaskDetails": "archive"}
AS_SENT = "as sent"


def loaded(name: str) -> ModuleType:
    """A module of the engine's tests; they are no package, so it is found by its path."""
    spec = importlib.util.spec_from_file_location(f"{__name__}_{name}", TESTS / "engine" / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


FAULTS = loaded("test_faults")


class Told(NamedTuple):
    """What the page says, or a case expects, of one fault with one code and one delivery."""

    fault: str
    code_sent: str
    delivery: str
    outcome: str
    again: int


def cells(header: str) -> list[list[str]]:
    """The body of the table with this header, cell by cell."""
    lines = PAGE.splitlines()
    start = lines.index(header) + 2
    body = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        body.append([cell.strip() for cell in line.strip("|").split("|")])
    return body


def rows() -> list[list[str]]:
    return cells("| Fault | With | Delivery | What happens | Outcome | Code | Again |")


def told_by(row: list[str]) -> Iterable[Told]:
    fault, codes, deliveries, _, outcome, _, again = row
    for code in codes.split(","):
        for delivery in deliveries.split(","):
            yield Told(
                fault, code.strip().strip("`"), delivery.strip(), outcome.strip("`").strip(), int(again)
            )


def named(fault: Any) -> str:
    place = PLACES.get(fault.task_type, "")
    always = fault.kind == "fail_task" and fault.times is None
    question = " of a first answer" if fault.without == FAULTS.SHOWN else ""
    question = " of an output retry" if fault.contains == FAULTS.SHOWN else question
    return f"`{fault.kind}`{f' at {place}' if place else ''}{question}{', always' if always else ''}"


def expected_by(case: Any) -> Told:
    settings = ", ".join(f"`{name}`" for name in sorted(case.settings))
    faults = " + ".join(dict.fromkeys(map(named, case.faults)))
    asked_again = ", ".join(f"`{name}`" for name, value in case.answers.items() if value)
    parts = (
        faults,
        f"server {settings}" if settings else "",
        f"answers {asked_again}" if asked_again else "",
    )
    label = ", ".join(filter(None, parts))
    codes = [
        one.code or (str(one.status or "") if one.kind == "refuse_request" else "") for one in case.faults
    ]
    (other,) = set(case.outcomes) - {"succeeded"} or {"succeeded"}
    return Told(label, next(filter(None, codes), ""), case.delivery, other, case.again)


def test_the_page_says_of_every_case_what_the_case_expects() -> None:
    listed = [told for row in rows() for told in told_by(row)]
    assert len(listed) == len(set(listed)), "a row stands twice"
    assert set(listed) == {expected_by(case) for case in FAULTS.CASES}


def test_every_kind_of_fault_has_a_row_but_those_of_webhooks() -> None:
    named_there = {kind for row in rows() for kind in re.findall(r"`(\w+)`", row[0])} & set(KINDS)
    assert named_there == set(KINDS) - FAULTS.NOT_OURS


def test_the_page_names_the_faults_that_may_cost_a_second_inference() -> None:
    (sentence,) = re.findall(r"executed again only after one of (.*?):", PAGE, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) == FAULTS.MAY_COST_ANOTHER
    costly = [row[0] for row in rows() if int(row[6])]
    assert all(any(f"`{kind}`" in fault for kind in FAULTS.MAY_COST_ANOTHER) for fault in costly)


def test_the_codes_of_the_page_are_those_of_the_rows(tmp_path: Path) -> None:
    wanted = {}
    for row in rows():
        if row[4] == "`succeeded`":
            assert not row[5]
            continue
        for told in told_by(row):
            wanted[told] = told.code_sent if row[5] == AS_SENT else row[5].strip("`")
    cases = {expected_by(case): case for case in FAULTS.CASES}
    with loaded("conftest").places_below(tmp_path) as new_place:
        ran = FAULTS.side_by_side([cases[told] for told in wanted], new_place)
    for told, code in wanted.items():
        _, manifest = FAULTS.finished(cases[told], ran)
        assert manifest["reasons"] == {code: 1}, told


def test_the_page_says_of_every_family_what_follows_from_it() -> None:
    families = {
        family.strip("`"): (step.strip("`"), codes)
        for family, step, codes, _ in cells("| Family | Step | Codes, for example | What follows |")
    }
    assert {name: step for name, (step, _) in families.items()} == {
        family.value: step.value for family, step in STEPS.items()
    }
    for name, (_, codes) in families.items():
        examples = re.findall(r"`(\w+)`", codes)
        assert examples
        assert {family_of(code).value for code in examples} == {name}
