"""The reference says something of everything that there is."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from from_code import PLACE, fill, made
from from_code.arguments import INHERITED
from from_code.command_line import commands, options
from runware_provider.engine import errors, spec
from runware_provider.engine.job import run_job
from runware_provider.engine.rows import INFERENCE_TYPE
from runware_provider.engine.traits import ModelTraits
from runware_provider.operators import TextInferenceOperator
from runware_provider.testing import LocalServer, ServerSettings

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = re.compile(r"^`([^` ]+)[^`]*`.*\n: *(.*)$", re.MULTILINE)
OBJECTS = [kind.__name__ for kind in spec.ValueObject.__subclasses__()]


def entries(made: str) -> dict[str, str]:
    """What is said of each, by its name."""
    return dict(ENTRY.findall(made))


def undescribed(made: str, names: set[str]) -> set[str]:
    """What has no entry, or an empty one."""
    described = {name for name, said in entries(made).items() if said}
    return names - described


def test_every_argument_of_the_operator_is_described_in_its_docstring() -> None:
    names = set(inspect.signature(TextInferenceOperator.__init__).parameters) - set(INHERITED)
    assert undescribed(made("operator operators.TextInferenceOperator"), names) == set()


@pytest.mark.parametrize("name", OBJECTS)
def test_every_field_of_a_value_object_is_described_below_it(name: str) -> None:
    fields = getattr(spec, name).model_fields
    assert undescribed(made(f"object {name}"), {one.alias or field for field, one in fields.items()}) == set()


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_option_of_the_command_line_has_a_help_text(name: str) -> None:
    command = commands()[name]
    assert undescribed(made(f"command {name}"), {one.option_strings[-1] for one in options(command)}) == set()


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
        "errors",
        "manifest",
        "object",
        "objects",
        "operator",
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
        failures=str(tmp_path / "failed"),
        limit=3,
    )
    with LocalServer(ServerSettings(latency=0)) as server:
        published = await run_job(job, spec.Endpoint(server.base_url, server.key))
        with pytest.raises(errors.KeyRefused) as refused:
            await run_job(job.model_copy(update={"limit": 4}), spec.Endpoint(server.base_url, "another-key"))
    listed = set(
        re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (.*?) \|", made("manifest"), re.MULTILINE)))
    )
    of_a_stop = {"reason", "remedy", "records_done", "still_at_vendor"}
    assert set(published) - listed == set()
    assert set(refused.value.manifest) - listed - of_a_stop == set()
    assert listed - set(published) == set()


def test_every_trait_of_a_model_is_on_the_page_of_structured_output(docs: Path) -> None:
    page = (docs / "structured-output.md").read_text(encoding="utf-8")
    listed = page.partition("| trait | says |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", listed, re.MULTILINE) == [one.name for one in fields(ModelTraits)]
