"""Which copy of this package Airflow uses, where there may be two: in the plugins folder, and as the wheel.

One or the other is right. With both, every process would import one of them and the folder's plugin would stand beside
the wheel's, of another version perhaps, and nobody would be told.
"""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.metadata import Distribution

WHEEL: Final = "airflow-provider-runware"
ENTRY_POINTS: Final = "airflow.plugins"
PACKAGE: Final = __name__.partition(".")[0]


class TwoCopies(Exception):  # noqa: N818 - it says what is the case, in Airflow's list of plugins that failed
    """The package is installed and lies in the plugins folder as well."""


def registers_itself(plugin_file: str) -> bool:
    """Whether the plugin in the plugins folder has to register itself, since no wheel does it.

    Args:
        plugin_file: the path of the file in the plugins folder that Airflow runs.

    Raises:
        TwoCopies: the message names both places and what to do.
    """
    beside = Path(plugin_file).resolve().parent / PACKAGE
    in_force = Path(__file__).resolve().parent
    wheel = _installation()
    installed = _place_of(wheel)
    if wheel is not None and (installed is None or installed == beside) and in_force == beside:
        return False  # installed in place, for development: its entry point registers the plugin
    if wheel is None and in_force == beside:
        return True
    raise TwoCopies(_sentence(beside, installed or in_force, in_force, wheel))


def _installation() -> Distribution | None:
    """What Airflow registers by itself, by its entry point.

    Metadata without one, as a source distribution holds beside the package, is no installation.
    """
    found = distributions(name=WHEEL)
    return next((one for one in found if one.entry_points.select(group=ENTRY_POINTS)), None)


def _place_of(wheel: Distribution | None) -> Path | None:
    """The folder of the installed package; nothing where it is not installed, or in place."""
    if wheel is None:
        return None
    place = Path(str(wheel.locate_file(PACKAGE)))
    return place.resolve() if place.is_dir() else None


def _sentence(beside: Path, other: Path, in_force: Path, wheel: Distribution | None) -> str:
    kind = f"{WHEEL} {wheel.version}" if wheel is not None else "another copy"
    removal = f"uninstall {WHEEL}" if wheel is not None else "take its folder off the Python path"
    return (
        f"The Runware provider is here twice: in {beside}, and as {kind} in {other}. In use is {in_force}, and the other"
        f" is not. Keep one of them: delete {beside} and {beside.parent / 'runware_plugin.py'}, or {removal}; then restart"
        " Airflow"
    )
