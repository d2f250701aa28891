from __future__ import annotations

from pathlib import Path

import pytest

import runware_provider
from runware_provider.installation import TwoCopies, registers_itself

PLUGINS = Path(runware_provider.__file__).parents[1]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the metadata of the wheel, on the path."""
    metadata = tmp_path / "site" / "airflow_provider_runware-9.8.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(
        "Metadata-Version: 2.4\nName: airflow-provider-runware\nVersion: 9.8\n", encoding="utf-8"
    )
    metadata.with_name("entry_points.txt").write_text(
        "[airflow.plugins]\nrunware = runware_provider.plugin:RunwarePlugin\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path / "site"


def test_the_only_copy_registers_itself() -> None:
    assert registers_itself(str(PLUGINS / "runware_plugin.py"))


def test_a_copy_beside_the_wheel_names_both_places_and_the_remedy(installed: Path) -> None:
    (installed / "runware_provider").mkdir()
    with pytest.raises(TwoCopies) as found:
        registers_itself(str(PLUGINS / "runware_plugin.py"))
    said = str(found.value)
    assert f"airflow-provider-runware 9.8 in {installed / 'runware_provider'}" in said
    assert f"In use is {PLUGINS / 'runware_provider'}" in said
    assert f"delete {PLUGINS / 'runware_provider'} and {PLUGINS / 'runware_plugin.py'}" in said
    assert "uninstall airflow-provider-runware" in said


def test_a_copy_that_another_one_hides_says_so(tmp_path: Path) -> None:
    with pytest.raises(TwoCopies, match="another copy") as found:
        registers_itself(str(tmp_path / "runware_plugin.py"))
    assert str(tmp_path / "runware_provider") in str(found.value)


@pytest.mark.usefixtures("installed")
def test_what_is_installed_in_place_is_registered_by_its_entry_point() -> None:
    assert not registers_itself(str(PLUGINS / "runware_plugin.py"))


def test_metadata_that_registers_nothing_is_no_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / "airflow_provider_runware.egg-info" / "SOURCES.txt"
    left.parent.mkdir()
    left.write_text("pyproject.toml\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert registers_itself(str(PLUGINS / "runware_plugin.py"))


def test_metadata_that_registers_nothing_hides_no_installation(
    installed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (installed / "runware_provider").mkdir()
    (tmp_path / "left" / "airflow_provider_runware.egg-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path / "left"))
    with pytest.raises(TwoCopies, match=r"airflow-provider-runware 9\.8"):
        registers_itself(str(PLUGINS / "runware_plugin.py"))
