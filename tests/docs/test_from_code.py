"""The reference says something of everything that there is."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from from_code import PLACE, fill, made
from from_code.arguments import INHERITED, KINDS
from from_code.assumptions import assumption_rows
from from_code.command_line import commands, options
from from_code.models import model_rows
from runware_provider.engine import errors, spec
from runware_provider.engine.earlier_names import NOW
from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.in_memory.answer import Answer
from runware_provider.engine.job.run import run_job
from runware_provider.engine.outcome.rows import INFERENCE_TYPE
from runware_provider.engine.spending.pricing import LAST_SEEN
from runware_provider.groups import text_inference_group
from runware_provider.hook import Wish
from runware_provider.operators import TextInferenceOperator
from runware_provider.testing import LocalServer, ServerSettings

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = re.compile(r"^`([^` ]+)[^`]*`.*\n: *(.*)$", re.MULTILINE)


def entries(made: str) -> dict[str, str]:
    """What is said of each, by its name."""
    return dict(ENTRY.findall(made))


def undescribed(made: str, names: set[str]) -> set[str]:
    """What has no entry, or an empty one."""
    described = {name for name, said in entries(made).items() if said}
    return names - described


def test_every_argument_of_the_operator_is_described_in_its_docstring_or_below_the_field_of_the_spec() -> (
    None
):
    names = set(inspect.signature(TextInferenceOperator.__init__).parameters) - set(INHERITED)
    assert undescribed(made("operator operators.TextInferenceOperator"), names) == set()


def test_the_reference_says_which_arguments_are_templated() -> None:
    headings = re.findall(r"^`(\w+)` (.*)$", made("operator operators.TextInferenceOperator"), re.MULTILINE)
    templated = {name for name, facts in headings if facts.endswith(" · templated")}
    assert templated == set(TextInferenceOperator.template_fields)


def test_every_argument_of_the_group_is_described_in_its_docstring() -> None:
    names = set(inspect.signature(text_inference_group).parameters) - set(INHERITED)
    assert len(names) == 6
    assert undescribed(made("function groups.text_inference_group"), names) == set()


@pytest.mark.parametrize("name", KINDS)
def test_every_field_of_a_value_object_is_described_below_it(name: str) -> None:
    fields = KINDS[name].model_fields
    assert undescribed(made(f"object {name}"), {one.alias or field for field, one in fields.items()}) == set()


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_option_of_the_command_line_has_a_help_text(name: str) -> None:
    flags = {one.option_strings[-1] for one in options(commands()[name])}
    if " " in name:  # its other options are described at `run`, which has them, too
        flags -= {one.option_strings[-1] for one in options(commands()["run"])}
        assert flags
    assert undescribed(made(f"command {name}"), flags) == set()


def test_every_error_is_listed() -> None:
    kinds = {
        name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, Exception)
    }
    assert set(entries(made("errors"))) == kinds - {"EngineError", "JobStopped"}


def test_every_table_has_its_place_on_a_page(docs: Path) -> None:
    places = {name for page in docs.rglob("*.md") for name in PLACE.findall(page.read_text(encoding="utf-8"))}
    assert {place.partition(" ")[0] for place in places} == {
        "codes",
        "command",
        "configuration",
        "connection",
        "earlier",
        "errors",
        "function",
        "manifest",
        "object",
        "objects",
        "operator",
        "pages",
    }
    assert all("<!--" not in fill(f"<!-- from the code: {place} -->") for place in places)


def test_a_place_that_names_no_table_is_an_error() -> None:
    with pytest.raises(KeyError, match="weather"):
        fill("<!-- from the code: weather -->")


def test_every_field_of_the_output_is_on_its_page_with_its_type(docs: Path) -> None:
    page = (docs / "output.md").read_text(encoding="utf-8")
    told = {
        name: kind.replace(" of ", "<item: ") + (">" if " of " in kind else "")
        for names, kind in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (\w+(?: of \w+)?) \|", page, re.MULTILINE)
        for name in re.findall(r"\w+", names)
    }
    types = {field.name: str(field.type).replace("double", "float64") for field in INFERENCE_TYPE}
    assert {name: told.get(name) for name in types} == types
    assert "`result`" in page


def test_every_variable_that_is_read_is_on_the_page_of_the_connection(project: Path) -> None:
    page = (project / "docs" / "reference" / "connection.md").read_text(encoding="utf-8")
    sources = [*(project / "plugins").rglob("*.py"), *(project / "dags").glob("*.py")]
    read = re.compile(r"""(?:environ|environment)(?:\.get\(|\[)"(\w+)\"""")
    names = {name for one in sources for name in read.findall(one.read_text(encoding="utf-8"))}
    assert {"RUNWARE_API_KEY", "RUNWARE_OUTPUT"} <= names
    assert {name for name in names - {"PYTHONWARNINGS"} if f"`{name}`" not in page} == set()


async def test_every_key_of_a_manifest_is_listed(tmp_path: Path, project: Path) -> None:
    job = spec.Spec(
        source=str(project / "include" / "texts" / "ds=2026-01-01"),
        destination=str(tmp_path / "out"),
        prompt="{{ record.text }}",
        failures={"dataset": str(tmp_path / "failed")},
        limit=3,
    )
    with LocalServer(ServerSettings(latency=0)) as server:
        published = await run_job(job, Endpoint(server.base_url, server.key))
        with pytest.raises(errors.KeyRefused) as refused:
            await run_job(job.model_copy(update={"limit": 4}), Endpoint(server.base_url, "another-key"))
    listed = set(
        re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (.*?) \|", made("manifest"), re.MULTILINE)))
    )
    of_a_stop = {"reason", "remedy", "records_done", "still_at_vendor"}
    assert set(published) - listed == set()
    assert set(refused.value.manifest) - listed - of_a_stop == set()
    assert listed - set(published) == set()


def keys_of(told: object) -> set[str]:
    """The keys of an object and of those in it; what a count by reason holds are no keys of its format."""
    if isinstance(told, list):
        return {key for one in told for key in keys_of(one)}
    if not isinstance(told, dict):
        return set()
    return set(told) | {key for name, one in told.items() if name != "skipped" for key in keys_of(one)}


def of_the_command(command: str, folder: Path, source: Path) -> dict[str, Any]:
    """What a command of the command line prints about a few texts."""
    options = {
        "source": source,
        "destination": folder / "out",
        "prompt": "{{ record.text }}",
        "budget-usd": 9,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with LocalServer(ServerSettings(latency=0)) as server:
        ran = subprocess.run(
            [sys.executable, "-m", "runware_provider", command, *words],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(source.parents[2] / "plugins"),
                "RUNWARE_API_KEY": server.key,
                "RUNWARE_BASE_URL": server.base_url,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_every_key_of_a_plan_and_a_preview_is_listed(tmp_path: Path, docs: Path, project: Path) -> None:
    page = (docs / "reference" / "plan.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`.*?) \|(.*)", page, re.MULTILINE)
    listed = set(re.findall(r"`(\w+)`", " ".join(first for first, _ in cells)))
    (most,) = (said for first, said in cells if first == "`at_most`")
    source = project / "include" / "texts" / "ds=2026-01-01"
    planned = of_the_command("plan", tmp_path, source)
    shown = of_the_command("preview", tmp_path, source)
    (row, *_) = shown["preview"].pop("first_rows")
    manifest = set(re.findall(r"`(\w+)`", made("manifest")))
    assert set(row) == {"result", "inference"}
    assert shown.pop("preview").keys() - manifest == set()
    returned = keys_of(planned) | keys_of(shown) | {"preview", "first_rows"}
    assert returned - listed - set(planned["estimate"]["at_most"]) == set()
    assert listed - returned == set()
    assert set(re.findall(r"`(\w+)`", most)) == set(planned["estimate"]["at_most"])


def test_every_argument_without_an_option_of_its_name_is_on_the_page_of_the_command_line(docs: Path) -> None:
    page = (docs / "reference" / "command-line.md").read_text(encoding="utf-8")
    table = page.partition("| argument | on the command line |")[2].partition("\n\n")[0]
    arguments = set(inspect.signature(TextInferenceOperator.__init__).parameters) - set(INHERITED)
    options_of_run = {one.dest for one in options(commands()["run"])}
    named = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    # `--failures` is one of its fields alone.
    assert named == arguments - options_of_run | {"failures"}
    flags = {one.option_strings[-1] for one in options(commands()["run"])}
    assert set(re.findall(r"`(--[\w-]+)`", table)) <= flags


def test_every_earlier_name_is_on_the_page_for_who_upgrades_with_what_to_write() -> None:
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in made("earlier").splitlines()[2:]]
    assert len(rows) == len(NOW) + 1
    assert ["`max_failed=...`", "`failures=Failures(most=...)`", "as before"] in rows
    before = "`structured=Structured(reasks=...)`"
    assert [before, "`answers=Answers(output_retries=...)`", "`--reasks` is `--output-retries`"] in rows


def test_the_names_of_before_are_on_no_other_page(docs: Path) -> None:
    """Those that mean nothing any more; `state` and `columns` are words as well."""
    gone = re.compile(r"Structured\(|ModelTraits|\bforcing=|\bmax_failed=|re-ask|\btraits=")
    pages = {page.name: page.read_text(encoding="utf-8") for page in docs.rglob("*.md")}
    shown = {name for name, page in pages.items() if gone.search(page)}
    assert shown <= {"upgrade.md", "0002-fingerprint.md"}


def test_the_table_of_models_says_what_the_code_knows(docs: Path) -> None:
    shown = re.findall(r"^\| `.*$", (docs / "models.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert shown == model_rows(), "the rows of docs/models.md are those of model_rows()"


def test_the_table_of_assumptions_says_what_the_code_knows(docs: Path) -> None:
    page = (docs / "assumptions.md").read_text(encoding="utf-8")
    shown = page.partition("| id | contract |")[2].splitlines()[2:]
    rows = assumption_rows()
    assert shown[: len(rows)] == rows, "the rows of docs/assumptions.md are those of assumption_rows()"


def test_the_options_that_the_assumptions_name_are_ones_of_the_command_line(docs: Path) -> None:
    page = (docs / "assumptions.md").read_text(encoding="utf-8")
    known = {one.option_strings[-1] for command in commands().values() for one in options(command)}
    assert set(re.findall(r"`(--[\w-]+)", page)) <= known


def test_the_page_of_models_names_every_price_that_is_built_in(docs: Path) -> None:
    page = (docs / "models.md").read_text(encoding="utf-8")
    assert all(f"{price:.3f}" in page for prices in LAST_SEEN.values() for price in prices)


def test_every_word_of_a_question_is_described_as_the_operators(docs: Path) -> None:
    page = (docs / "how-to/ask-a-question.md").read_text(encoding="utf-8")
    assert [name for name in ("output_type", *Wish.__annotations__) if f"`{name}`" not in page] == []
    facts = {each.name for each in fields(Answer)}
    assert sorted(name for name in facts if f"`{name}`" not in page and f"answer.{name}" not in page) == []
