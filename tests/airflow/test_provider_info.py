from __future__ import annotations

import json
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest

from runware_provider import configuration, connection_fields, hook
from runware_provider.engine.endpoint import DEFAULT_BASE_URL
from runware_provider.engine.errors import BadInput
from runware_provider.engine.spec import Limits, Spec
from runware_provider.provider_info import OPTIONS, SECTION, get_provider_info

PROJECT = Path(__file__).parents[2]
AIRFLOW = Path(airflow.__path__[0])
INFO = get_provider_info()
(CONNECTION,) = INFO["connection-types"]


def schema(name: str) -> dict[str, Any]:
    return json.loads((AIRFLOW / name).read_text(encoding="utf-8"))


def imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def test_airflow_takes_it() -> None:
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


@pytest.mark.parametrize("part", ["connection-types", "config", "task-decorators"])
def test_its_parts_keep_the_stricter_rules_for_providers_of_airflow_itself(part: str) -> None:
    strict = schema("provider.yaml.schema.json")
    strict["properties"][part]["definitions"] = strict.get("definitions", {})
    jsonschema.validate(INFO[part], {**strict["properties"][part], "definitions": strict["definitions"]})


def test_its_name_is_that_of_the_wheel() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert INFO["package-name"] == project["name"]


def test_what_it_names_exists_and_says_the_same_of_itself() -> None:
    assert imported(CONNECTION["hook-class-name"]) is hook.RunwareHook
    assert CONNECTION["connection-type"] == hook.RunwareHook.conn_type
    assert CONNECTION["hook-name"] == hook.RunwareHook.hook_name
    (decorator,) = INFO["task-decorators"]
    assert callable(imported(decorator["class-name"]))
    assert CONNECTION["ui-field-behaviour"]["placeholders"] == {"host": DEFAULT_BASE_URL}


def test_the_fields_of_the_connection_are_those_that_the_hook_reads_with_their_bounds() -> None:
    fields = CONNECTION["conn-fields"]
    assert tuple(fields) == connection_fields.BOUNDS
    for name, field in fields.items():
        for outside in (field["schema"]["minimum"] - 1, field["schema"]["maximum"] + 1):
            with pytest.raises(BadInput):
                Limits(**{name: outside})
        Limits(**{name: field["schema"]["maximum"]})


def test_every_option_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def every_value() -> list[Any]:
        spec = Spec(source="in", destination="out", prompt="{{ record.a }}")
        return [
            configuration.within_budget(spec).budget,
            configuration.progress_interval_s(),
            configuration.makes_assets(),
            configuration.webhook_texts(),
            configuration.page_roots(),
            configuration.page_texts(),
        ]

    for option, told in OPTIONS.items():
        before = every_value()
        monkeypatch.setenv(f"AIRFLOW__{SECTION}__{option}".upper(), told["example"])
        assert every_value() != before, option


def test_the_page_of_the_connection_shows_every_field_and_option() -> None:
    page = (PROJECT / "docs" / "reference" / "connection.md").read_text(encoding="utf-8")
    assert "<!-- from the code: connection -->" in page
    assert "<!-- from the code: configuration -->" in page


def test_to_tell_it_imports_nothing_of_what_it_names(fresh_python: Any) -> None:
    told = "import sys; from runware_provider.provider_info import get_provider_info as info; info(); "
    printed = fresh_python(told + "print(sorted(name for name in sys.modules if '_provider' in name))")
    assert printed.splitlines()[-1] == "['runware_provider', 'runware_provider.provider_info']"
    assert "airflow" not in fresh_python(
        told + "print(sorted(name for name in sys.modules if 'airflow' in name))"
    )
