"""Which segments make up the ledger: what `base.json` names, then number after number until one is missing.

    ledger/
      base.json              what was merged or rewritten, swapped as a whole
      00000132.segment       the tail: numbered without a gap, each created exclusively
      merged-<random>-0001.segment
      <start>-<writer>-<n>.segment   of format 1; still read, never written

No listing is needed to find what the tail holds, since a listing may be late; only segments of format 1 are
found by one. Segments that were merged stay for a day, for whoever is reading them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.state_records import decoded, encoded, understood

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runware_provider.engine.storage.stores import Storage, Version

FORMAT = 3
_READ = (2, 3)
"""Formats of `base.json` that are read: from 3 on it has to prove its content, and says nothing else."""
_PROVEN_SINCE = 3
BASE = "base.json"
SUFFIX = ".segment"
_NUMBERED = re.compile(r"(\d{8,})\.segment")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\.segment")
"""Of any format."""
_MERGED = re.compile(r"merged-[0-9a-f]+-\d{4,}\.segment")


@dataclass(frozen=True)
class Held:
    """A segment that `base.json` names."""

    name: str
    bytes: int
    """About; 0 where it is not known."""


@dataclass(frozen=True)
class Superseded:
    """Segments whose entries lie in others now."""

    at: int
    """Seconds since the epoch."""
    names: tuple[str, ...]
    erase: bool = False
    """To be removed as soon as possible: they hold what somebody wished to be forgotten."""


@dataclass(frozen=True)
class Base:
    """What `base.json` says; empty where there is none."""

    through: int = 0
    """Every numbered segment up to this one counts only if it is named."""
    segments: tuple[Held, ...] = ()
    superseded: tuple[Superseded, ...] = ()

    def names(self) -> set[str]:
        """Everything that is named, whether it counts or not."""
        return {held.name for held in self.segments} | {name for one in self.superseded for name in one.names}


@dataclass(frozen=True)
class Listing:
    """What a listing shows; it may be late."""

    numbers: frozenset[int]
    merged: frozenset[str]
    old: tuple[str, ...]
    """Of format 1, in order."""


def read_base(storage: Storage, folder: str) -> tuple[Base, Version | None]:
    """What `base.json` says, with the version to swap it against.

    Raises:
        StateUnreadable: it is damaged, or of a newer format.
    """
    path = storage.join(folder, BASE)
    found = storage.read_versioned(path)
    if found is None:
        return Base(), None
    data, version = found
    record = decoded(data, path, newest=FORMAT, proven_since=_PROVEN_SINCE)
    with understood(path):
        return _base(record), version


def swap_base(storage: Storage, folder: str, base: Base, version: Version | None, now: float) -> bool:
    """Replace `base.json`; False if somebody else was faster."""
    record = {
        "format": FORMAT,
        "compacted_at": _iso(now),
        "through": base.through,
        "segments": [{"name": held.name, "bytes": held.bytes} for held in base.segments],
        "superseded": [
            {"at": _iso(one.at), "erase": one.erase, "segments": list(one.names)} for one in base.superseded
        ],
    }
    return storage.replace_if(storage.join(folder, BASE), encoded(record, proven=True), version)


def finish_erasure(
    storage: Storage, folder: str, base: Base, version: Version | None, now: float
) -> tuple[Base, Version | None]:
    """Remove what is to be erased, if a death left it behind; then `base.json` need not say so any more.

    Returns:
        What `base.json` says then, with its version; as given, if somebody else rewrote it.
    """
    remove(storage, folder, [name for one in base.superseded if one.erase for name in one.names])
    rest = replace(base, superseded=tuple(one for one in base.superseded if not one.erase))
    swap_base(storage, folder, rest, version, now)
    found = read_base(storage, folder)
    return found if found[0] == rest else (base, version)


def remove(storage: Storage, folder: str, names: Iterable[str]) -> None:
    """Remove segments that no `base.json` lets count.

    Raises:
        StateUnreadable: the folder is a symbolic link, and nothing behind a link is removed.
    """
    if storage.is_link(folder):
        raise StateUnreadable(
            f"{folder} is a symbolic link, and nothing behind a link is removed; put the folder itself in its place"
        )
    for name in names:
        storage.delete(storage.join(folder, name))


def listing(storage: Storage, folder: str) -> Listing:
    """What there seems to be."""
    names = [entry.path.rpartition("/")[2] for entry in storage.list(folder, recursive=False)]
    segments = sorted(name for name in names if name.endswith(SUFFIX))
    numbers = {int(found[1]) for name in segments if (found := _NUMBERED.fullmatch(name))}
    merged = {name for name in segments if _MERGED.fullmatch(name)}
    old = tuple(name for name in segments if name not in merged and not _NUMBERED.fullmatch(name))
    return Listing(frozenset(numbers), frozenset(merged), old)


def left_over(base: Base, seen: Listing) -> list[str]:
    """What was listed, but can never count again once `base.json` was swapped against the version of `base`.

    Whoever wrote a merged segment that is not named read `base.json` before that swap, so its own must fail. Whoever
    took a number that was merged already writes the same again under a later one.
    """
    named = base.names()
    numbered = [numbered_name(number) for number in sorted(seen.numbers) if number <= base.through]
    return [name for name in [*sorted(seen.merged), *numbered] if name not in named]


def numbered_name(number: int) -> str:
    """The name of a segment of the tail."""
    return f"{number:08d}{SUFFIX}"


def merged_name(writer: str, number: int) -> str:
    """The name of a segment that holds what others held.

    Args:
        writer: hexadecimal digits that nobody else uses.
        number: from 1.
    """
    return f"merged-{writer}-{number:04d}{SUFFIX}"


def _base(held: dict[str, Any]) -> Base:
    if held["format"] not in _READ:
        raise ValueError(held["format"])
    return Base(
        int(held["through"]),
        tuple(Held(_name(one["name"]), int(one["bytes"])) for one in held["segments"]),
        tuple(
            Superseded(
                int(datetime.fromisoformat(one["at"]).timestamp()),
                tuple(map(_name, one["segments"])),
                bool(one["erase"]),
            )
            for one in held["superseded"]
        ),
    )


def _name(written: Any) -> str:
    """A segment's name; what is named is read, and removed, so nothing may lead out of the folder."""
    if not isinstance(written, str) or not _NAME.fullmatch(written):
        raise ValueError("it names what is no segment")
    return written


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
