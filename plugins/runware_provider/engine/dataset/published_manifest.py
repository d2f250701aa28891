"""The manifest as a file: it names the parts that are the dataset, and is swapped as a whole (docs/decisions/0004)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runware_provider.engine.dataset.destination import is_part
from runware_provider.engine.errors import PublishConflict
from runware_provider.engine.state_records import damaged, decoded, encoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runware_provider.engine.storage.stores import Storage, Version

FORMAT = 1
MANIFEST = "manifest.json"
FAILURES = "failures"
"""Where, in a job's state folder, the manifest of its dataset of failures lies, with the same beside it."""
_KINDS = {"publish_id": str, "files": list, "replaced": list}
"""What every manifest holds."""
_ADDED = frozenset({"format", "publish_id", "unchanged", "files", "replaced", "forgotten"})
"""What a publish adds to what a run tells."""
_TRIES = 5


def read_manifest(storage: Storage, state_folder: str) -> tuple[dict[str, Any], Version] | None:
    """What the current publish holds, with the version to swap it against; None before the first publish.

    Raises:
        StateUnreadable: the manifest is damaged, or of a newer format.
    """
    path = storage.join(state_folder, MANIFEST)
    content = storage.read_versioned(path)
    if content is None:
        return None
    data, version = content
    manifest = decoded(data, path, newest=FORMAT)
    if not all(isinstance(manifest.get(key), kind) for key, kind in _KINDS.items()):
        raise damaged(path)
    if not all(isinstance(file, dict) and isinstance(file.get("path"), str) for file in manifest["files"]):
        raise damaged(path)
    return manifest, version


def swap_manifest(
    storage: Storage, state_folder: str, manifest: Mapping[str, Any], version: Version | None
) -> bool:
    """Write a manifest in the place of the one that was read, unless another one is there by now."""
    return storage.replace_if(storage.join(state_folder, MANIFEST), encoded(manifest), version)


def manifest_with(  # noqa: PLR0913 - keywords, each a fact of its own
    record: Mapping[str, Any],
    *,
    publish_id: str,
    files: Sequence[Mapping[str, Any]],
    replaced: Iterable[str] = (),
    unchanged: bool = False,
    forgotten: bool = False,
) -> dict[str, Any]:
    """A manifest of what a run tells, and of the files that are the dataset.

    Args:
        record: what the run tells, as JSON values; what it says of a publish does not count.
        publish_id: of the dataset.
        files: its parts.
        replaced: names of parts that are in the way.
        unchanged: whether the dataset is the one before.
        forgotten: whether a part is among the files that may show what somebody had forgotten.
    """
    return {
        "format": FORMAT,
        "publish_id": publish_id,
        "unchanged": unchanged,
        **{key: value for key, value in record.items() if key not in _ADDED},
        "files": list(files),
        "replaced": sorted(replaced),
        **({"forgotten": True} if forgotten else {}),
    }


def mark_forgotten(storage: Storage, state_folder: str) -> None:
    """Note that the dataset may show what was forgotten: once they are replaced, its parts are kept for no reader.

    Raises:
        PublishConflict: the manifest is changed again and again.
        StateUnreadable: it cannot be read.
    """
    for _ in range(_TRIES):
        current = read_manifest(storage, state_folder)
        if current is None or swap_manifest(
            storage, state_folder, {**current[0], "forgotten": True}, current[1]
        ):
            return
    raise PublishConflict(f"{storage.join(state_folder, MANIFEST)} is changed again and again; try again")


def shows_forgotten(manifest: Mapping[str, Any] | None) -> bool:
    """Whether a part that a manifest names may show what somebody had forgotten."""
    return manifest is not None and manifest.get("forgotten") is True


def part_names(manifest: Mapping[str, Any] | None) -> set[str]:
    """The names of the parts that a manifest says are the dataset; a name that is none of ours is not touched."""
    files = manifest["files"] if manifest is not None else []
    return {file["path"] for file in files if is_part(file["path"])}


def replaced_names(manifest: Mapping[str, Any]) -> list[str]:
    """The names of the parts that a publish takes away; a name that is none of ours is not touched."""
    return [name for name in manifest["replaced"] if isinstance(name, str) and is_part(name)]
