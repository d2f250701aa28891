"""How staged batches become the dataset, all at once, whoever dies, or wakes after it was overtaken.

A dataset folder is the destination, or `key=value` folders below it for a partition. It holds nothing but

    part-00042-<publish id>.parquet    rows of many batches, in the input's order
    _SUCCESS                           empty; there while no publish is under way

and the job's state folder holds

    manifest.json                      counts, cost, and the names of the files that are the dataset
    staged/<publish id>/               batches, then the parts that are made of them
    replaced/                          parts of the publish before, for ten minutes or so

The manifest decides: a publish writes its parts in the state folder, copies them beside the old ones, swaps the
manifest against the version that it read at its start, and only then takes away what is in the way. What is in the
way was listed before the swap and stands in the manifest as `replaced`, so that a publish that goes on after a crash
never touches the parts of one that began later. Before the swap the old dataset is complete, after it the new one;
between `_SUCCESS` going and coming, a reader that takes every Parquet file it finds may see the parts of both.

A part whose rows are those of the part at its place stays as it is. Where all of them do, nothing is published: the
parts, `_SUCCESS` and the publish's id stay, and only the manifest's account of the run is new.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from runware_provider.engine.dataset.destination import SUCCESS
from runware_provider.engine.dataset.own_parts import own_files, staged_part
from runware_provider.engine.dataset.part_writing import write_part
from runware_provider.engine.dataset.parts import PART_BYTES, parts_of
from runware_provider.engine.dataset.published_manifest import (
    MANIFEST,
    manifest_with,
    part_names,
    read_manifest,
    replaced_names,
    shows_forgotten,
    swap_manifest,
)
from runware_provider.engine.dataset.replaced_parts import GRACE_S, keep_for_a_while, remove_outdated
from runware_provider.engine.dataset.staging import stage_folder, staged_files
from runware_provider.engine.errors import PublishConflict
from runware_provider.engine.state_records import encoded
from runware_provider.engine.storage.stores import STALE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runware_provider.engine.dataset.part_writing import WrittenPart
    from runware_provider.engine.dataset.parts import Part
    from runware_provider.engine.dataset.staged_batch import StagedBatch
    from runware_provider.engine.storage.stores import Storage, Version

    File = Mapping[str, Any]
    """A part as the manifest has it."""

AT_ONCE = 16
"""Parts that are copied or removed at once: each is a request to some stores, and readers should meet few of them."""


def publish(  # noqa: PLR0913 - keywords, each a fact of its own
    storage: Storage,
    *,
    folder: str,
    state_folder: str,
    publish_id: str,
    staged: Sequence[StagedBatch],
    manifest: Mapping[str, Any],
    previous: Version | None,
    part_bytes: int = PART_BYTES,
    at_once: int = AT_ONCE,
    grace_s: float = GRACE_S,
    now: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """Make staged batches the dataset, in place of what it was. They stay staged: to discard them is the caller's.

    Done twice with the same id, or again after a crash, it comes to the same. After a `PublishConflict`, the
    staged batches can be published under a new id; the old one stays lost.

    Args:
        storage: where both folders lie.
        folder: the dataset's, from `dataset_folder`.
        state_folder: the job's.
        publish_id: never used for two publishes.
        staged: in the order of their rows, whoever staged them; at least one, which may be without rows.
        manifest: what to record, as JSON values; `format`, `publish_id`, `unchanged`, `files` and `replaced` are added.
        previous: the version of the manifest that this publish builds on, read at its start.
        part_bytes: about as large as a part becomes.
        at_once: parts that are copied or removed at once.
        grace_s: for which a replaced part stays for readers of the manifest before; 0 for not at all.
        now: seconds since the epoch.

    Returns:
        The manifest as written. Its `publish_id` is that of the publish before where that has the very same rows.

    Raises:
        PublishConflict: another publish came first; its dataset stands.
        StateUnreadable: the present manifest cannot be read, or a batch is not what was staged.
    """
    stage = stage_folder(storage, state_folder, publish_id)
    if not staged:
        raise ValueError("a publish needs at least one batch")
    # Before anything is touched: a manifest that is no JSON is a fault of the caller.
    encoded(manifest_with(manifest, publish_id=publish_id, files=[]))
    parts = parts_of(staged, part_bytes)
    own = _Publish(storage, folder, state_folder, publish_id, stage, parts, at_once, grace_s, now)
    return own.run(manifest, previous)


def stands(storage: Storage, folder: str, state_folder: str, manifest: Mapping[str, Any]) -> bool:
    """Whether a dataset is there as its manifest says: all of its parts, with their sizes, and none of another publish.

    Args:
        storage: where both folders lie.
        folder: the dataset's.
        state_folder: where the manifest lies.
        manifest: as it was read.
    """
    listed = _listed(storage, folder, state_folder)
    if listed.keys() != {SUCCESS, *part_names(manifest)}:
        return False
    return all(listed[file["path"]] == file.get("bytes") for file in manifest["files"])


def restate(
    storage: Storage,
    state_folder: str,
    record: Mapping[str, Any],
    before: Mapping[str, Any],
    version: Version | None,
) -> dict[str, Any]:
    """Tell what a run did, of a dataset that stays as it is; returns the manifest as written.

    Args:
        storage: where the manifest lies.
        state_folder: the folder that it lies in.
        record: what the run tells, as for `publish`.
        before: the manifest of the dataset.
        version: of that.

    Raises:
        PublishConflict: another publish came first; its dataset stands.
    """
    manifest = manifest_with(
        record,
        publish_id=before["publish_id"],
        files=before["files"],
        unchanged=True,
        forgotten=shows_forgotten(before),
    )
    if not swap_manifest(storage, state_folder, manifest, version):
        raise PublishConflict(
            f"{storage.join(state_folder, MANIFEST)}: another publish of the same dataset came first; run again to build"
            " on what is there"
        )
    return manifest


@dataclass(frozen=True)
class _Publish:
    storage: Storage
    folder: str
    state_folder: str
    publish_id: str
    stage: str
    parts: Sequence[Part]
    at_once: int
    grace_s: float
    now: Callable[[], float]
    written: dict[str, WrittenPart] = field(default_factory=dict)
    """By their names in the dataset's folder, the parts that this publish has written in the state folder."""

    def run(self, record: Mapping[str, Any], previous: Version | None) -> dict[str, Any]:
        current = read_manifest(self.storage, self.state_folder)
        before, version = current or (None, None)
        if before is not None and self._is_ours(before):
            return self._finish(before)
        if version != previous:
            raise PublishConflict(
                f"another run published {self.folder} since this one began; run again to build on it"
            )
        own_names = {self._name(part) for part in self.parts}
        if before is not None and not own_names.isdisjoint(before["replaced"]):
            raise PublishConflict(
                f"publish {self.publish_id} has lost before, and its parts may be removed at any moment; "
                "publish under a new id"
            )
        return self._replace(record, before, version)

    def _replace(
        self, record: Mapping[str, Any], before: dict[str, Any] | None, version: Version | None
    ) -> dict[str, Any]:
        listed = self._listed()
        kept = self._kept(before, listed)
        # Nothing to publish, and nothing in the way: only what the run tells is new.
        if (
            before is not None
            and self._is_same(before, kept)
            and listed.keys() == {SUCCESS, *part_names(before)}
        ):
            manifest = restate(self.storage, self.state_folder, record, before, version)
            self._tidy()
            return manifest
        try:
            self._write([part for part in self.parts if part.number not in kept])
            self._keep_for_a_while(before, kept)
            self._place()
        except FileNotFoundError as error:
            return self._lost(f"a staged batch is gone ({error.filename})")
        return self._swap(record, before, version, kept)

    def _swap(
        self,
        record: Mapping[str, Any],
        before: dict[str, Any] | None,
        version: Version | None,
        kept: Mapping[int, File],
    ) -> dict[str, Any]:
        """Make what is placed, and what was kept, the dataset."""
        files = [kept.get(part.number) or self._file(part) for part in self.parts]
        names = {str(file["path"]) for file in files}
        present = (self._listed().keys() | part_names(before)) - {SUCCESS}
        # A listing may be late, so what it does not show is asked for by name.
        if not all(self.storage.exists(self._path(name)) for name in names - present):
            return self._lost("another publish removed parts of this one")
        # Where only remains of the dead are in the way, it is the publish before that is mended.
        is_mended = before is not None and self._is_same(before, kept)
        manifest = manifest_with(
            record,
            publish_id=str(before["publish_id"]) if before is not None and is_mended else self.publish_id,
            files=files,
            replaced=present - names,
            unchanged=is_mended,
            forgotten=bool(kept) and shows_forgotten(before),
        )
        if not swap_manifest(self.storage, self.state_folder, manifest, version):
            return self._lost("another publish of the same dataset came first")
        return self._finish(manifest)

    def _kept(self, before: Mapping[str, Any] | None, listed: Mapping[str, int]) -> dict[int, File]:
        """By number, the parts of the publish before that hold the rows of ours, and are there."""
        if before is None:
            return {}
        return {
            part.number: file
            for part, file in zip(self.parts, before["files"], strict=False)
            if _holds(file, part) and self._is_there(file, listed)
        }

    def _is_same(self, before: Mapping[str, Any], kept: Mapping[int, File]) -> bool:
        return len(kept) == len(self.parts) == len(before["files"])

    def _is_there(self, file: File, listed: Mapping[str, int]) -> bool:
        name = file["path"]
        if name in listed:
            return bool(listed[name] == file.get("bytes"))
        return self.storage.exists(self._path(name))

    def _write(self, parts: Sequence[Part]) -> None:
        for part in parts:
            path = staged_part(self.storage, self.stage, part.number)
            self.written[self._name(part)] = write_part(self.storage, path, part.batches)

    def _place(self) -> None:
        """Put the parts beside the old ones, all at once: what takes long is done before a reader can meet both."""
        self.storage.delete(self._path(SUCCESS))
        self._for_each(
            self.written, lambda name: self.storage.copy(self.written[name].path, self._path(name))
        )

    def _keep_for_a_while(self, before: Mapping[str, Any] | None, kept: Mapping[int, File]) -> None:
        """For readers of the manifest before, unless nobody is to read its parts any more."""
        if self.grace_s == 0 or shows_forgotten(before):
            return
        leaving = part_names(before) - {str(file["path"]) for file in kept.values()}
        keep = partial(keep_for_a_while, self.storage, self.folder, self.state_folder)
        self._for_each(leaving, keep)

    def _for_each(self, names: Iterable[str], do: Callable[[str], None]) -> None:
        if self.at_once == 1:
            for name in sorted(names):
                do(name)
            return
        with ThreadPoolExecutor(self.at_once) as pool:
            for done in [pool.submit(do, name) for name in sorted(names)]:
                done.result()

    def _lost(self, reason: str) -> dict[str, Any]:
        """Withdraw, unless another process with our own id came first, or a reply that was lost."""
        current = read_manifest(self.storage, self.state_folder)
        if current and self._is_ours(current[0]):
            return self._finish(current[0])
        for name, part in self.written.items():
            self.storage.delete(self._path(name))
            self.storage.delete(part.path)
        if current and self._is_whole(part_names(current[0])):
            self.storage.create_new(self._path(SUCCESS), b"")
        raise PublishConflict(f"{self.folder}: {reason}; run again to build on what is there")

    def _finish(self, manifest: dict[str, Any]) -> dict[str, Any]:
        self._for_each(replaced_names(manifest), lambda name: self.storage.delete(self._path(name)))
        current = read_manifest(self.storage, self.state_folder)
        # Else a later publish is at work, and owns the mark.
        if current and current[0]["publish_id"] == manifest["publish_id"]:
            self.storage.create_new(self._path(SUCCESS), b"")
        self._tidy()
        return manifest

    def _tidy(self) -> None:
        for part in self.written.values():
            self.storage.delete(part.path)
        _remove_dead_stages(self.storage, self.state_folder, self.now())
        remove_outdated(self.storage, self.state_folder, self.now(), self.grace_s)
        self.storage.sweep(self.state_folder)
        self.storage.sweep(self.folder)

    def _is_ours(self, manifest: Mapping[str, Any]) -> bool:
        return bool(manifest["publish_id"] == self.publish_id)

    def _is_whole(self, names: set[str]) -> bool:
        """Whether the folder holds these parts and no others, whatever a late listing says."""
        others = self._listed().keys() - names - {SUCCESS}
        return all(self.storage.exists(self._path(name)) for name in names) and not any(
            self.storage.exists(self._path(name)) for name in others
        )

    def _listed(self) -> dict[str, int]:
        return _listed(self.storage, self.folder, self.state_folder)

    def _file(self, part: Part) -> dict[str, Any]:
        name = self._name(part)
        written = self.written[name]
        return {"path": name, "rows": part.rows, "bytes": written.bytes, "content": part.content}

    def _name(self, part: Part) -> str:
        return f"{_beginning(part)}{self.publish_id}.parquet"

    def _path(self, name: str) -> str:
        return self.storage.join(self.folder, name)


def _listed(storage: Storage, folder: str, state_folder: str) -> dict[str, int]:
    """The bytes of the files of all publishes in a dataset's folder, by their names; never those of others."""
    entries = storage.list(folder, recursive=False)
    current = read_manifest(storage, state_folder)
    manifest = None if current is None else current[0]
    own = own_files(storage, folder, state_folder, entries, manifest)
    return {name: entry.size for name, entry in own.items()}


def _holds(file: File, part: Part) -> bool:
    """Whether a published file has the rows of a part, at its place; manifests of earlier versions do not say."""
    return bool(file.get("content") == part.content and file["path"].startswith(_beginning(part)))


def _beginning(part: Part) -> str:
    return f"part-{part.number:05d}-"


def _remove_dead_stages(storage: Storage, state_folder: str, now: float) -> None:
    """Remove what others staged whose newest file is a day old: they are dead."""
    for _, group in groupby(staged_files(storage, state_folder), lambda entry: entry.path.rpartition("/")[0]):
        entries = list(group)
        ages = [now - entry.modified for entry in entries if entry.modified is not None]
        if len(ages) == len(entries) and min(ages) > STALE_S:
            for entry in entries:
                storage.delete(entry.path)
