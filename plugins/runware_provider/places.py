"""Where that is found which a task writes: known before anything is asked. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.dataset.destination import partition_folders
from runware_provider.engine.dataset.published_manifest import MANIFEST
from runware_provider.engine.shown_urls import without_password
from runware_provider.quality.spec import FOLDER, REPORT

if TYPE_CHECKING:
    from runware_provider.engine.spec import Spec


@dataclass(frozen=True)
class Places:
    """Paths and URLs, spelt as the DAG spells destination and state folder."""

    output: str
    """The dataset, or the hive partition of it."""
    state: str
    manifest: str
    report: str | None
    """The page; None where no report is wished for."""

    @classmethod
    def of(cls, spec: Spec, *, reports: bool) -> Places:
        """Of what was asked for.

        Raises:
            BadInput: a value of the partition makes no name of a folder.
        """
        folders = partition_folders(spec.partition)
        state = _below(spec.state_folder, *folders)
        return cls(
            output=_below(spec.destination, *folders),
            state=state,
            manifest=_below(state, MANIFEST),
            report=_below(state, FOLDER, f"{REPORT}.html") if reports else None,
        )

    def told(self) -> dict[str, str]:
        """As JSON, without what is not there."""
        places = {
            "output": self.output,
            "state": self.state,
            "manifest": self.manifest,
            "report": self.report,
        }
        return {name: place for name, place in places.items() if place is not None}


def _below(folder: str, *names: str) -> str:
    return "/".join([without_password(folder).rstrip("/"), *names])
