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
    run: str = ""
    """The name of the run, which names its record in the state folder; empty where it has none."""
    shard: int | None = None
    """Which shard of the dataset the task asks, from 0; None where it asks no single one."""

    @classmethod
    def of(cls, spec: Spec, *, reports: bool, shard: int | None = None) -> Places:
        """Of what was asked for; of a shard, too, they are those of the whole dataset.

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
            run=spec.run or "",
            shard=shard,
        )

    def told(self) -> dict[str, str | int]:
        """As JSON, without what is not there."""
        told: dict[str, str | int] = {"output": self.output, "state": self.state, "manifest": self.manifest}
        if self.report is not None:
            told["report"] = self.report
        if self.run:
            told["run"] = self.run
        if self.shard is not None:
            told["shard"] = self.shard
        return told


def _below(folder: str, *names: str) -> str:
    return "/".join([without_password(folder).rstrip("/"), *names])
