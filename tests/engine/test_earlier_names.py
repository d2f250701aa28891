"""An argument under the name that it had is refused with the name that it has."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from runware_provider.engine.cli_options import parsed
from runware_provider.engine.earlier_names import CLASSES_NOW, NOW, as_written, renamed
from runware_provider.engine.errors import BadInput
from runware_provider.engine.spec import Answers, Limits, Spec
from runware_provider.engine.spec_options import earlier_flags, spec_options

FIELDS = {option.field for option in spec_options()}
NEEDED = {"source": "in", "destination": "out", "prompt": "{{ record.body }}"}
ALONE = sorted(name for name in NOW if "." not in name and name not in Spec.model_fields)


def test_what_takes_the_place_of_an_earlier_name_is_there() -> None:
    assert {now for now in NOW.values() if "." in now} - FIELDS == set()
    assert set(NOW) & FIELDS == set()


@pytest.mark.parametrize("name", ALONE)
def test_an_argument_that_has_moved_is_refused_with_where_it_is(name: str) -> None:
    with pytest.raises(BadInput) as refused:
        Spec(**NEEDED, **{name: "x"})
    assert str(refused.value) == f"{name}: there is no such argument any more. Write {as_written(NOW[name])}"


def test_a_value_object_of_the_new_name_with_a_field_of_the_old_one_is_refused_alike() -> None:
    half_upgraded: dict[str, Any] = {"reasks": 2}
    with pytest.raises(BadInput, match=r"answers\.reasks: .* Write answers=Answers\(output_retries=...\)"):
        Answers(**half_upgraded)
    with pytest.raises(BadInput, match=r"Write answers=Answers\(model_profile=...\)"):
        Spec(**NEEDED, answers={"traits": None})
    with pytest.raises(BadInput, match=r"Write limits=Limits\(batch_rows=...\)"):
        Limits(shard_rows=5)  # type: ignore[call-arg]


def test_what_never_was_an_argument_is_answered_with_those_that_there_are() -> None:
    assert renamed("colour") is None
    with pytest.raises(BadInput, match="Answers takes: output_mode, output_retries"):
        Answers(colour=1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("module", "name"),
    [("spec", "Structured"), ("spec", "ModelTraits"), ("spec", "Report"), ("traits", "ModelTraits")],
)
def test_the_import_of_a_class_that_has_moved_says_what_to_import(module: str, name: str) -> None:
    place, _, class_name = CLASSES_NOW[name].rpartition(".")
    with pytest.raises(ImportError, match=f"{name} is not here any more: from {place} import {class_name}$"):
        exec(f"from runware_provider.engine.{module} import {name}")  # noqa: S102 - as a DAG has it
    assert hasattr(importlib.import_module(place), class_name)


@pytest.mark.parametrize("module", ["spec", "traits"])
def test_what_never_was_there_is_missed_as_python_misses_it(module: str) -> None:
    assert not hasattr(importlib.import_module(f"runware_provider.engine.{module}"), "Restructured")


def test_an_option_that_is_called_otherwise_is_answered_with_its_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert earlier_flags()["--reasks"] == "--output-retries"
    for flag, now in earlier_flags().items():
        with pytest.raises(SystemExit):
            parsed(["run", *(f"--{name}={value}" for name, value in NEEDED.items()), f"{flag}=1"])
        told = " ".join(capsys.readouterr().err.split())
        assert f"there is no option {flag} any more: it is {now} now" in told


def test_an_option_whose_field_has_moved_keeps_its_name() -> None:
    flags = {option.flag for option in spec_options()}
    assert {"--columns", "--state", "--failures", "--max-failed", "--max-input-tokens"} <= flags
