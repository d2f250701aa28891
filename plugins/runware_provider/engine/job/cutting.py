"""Cuts a source into shards. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from itertools import accumulate
from typing import TYPE_CHECKING

from runware_provider.engine.dataset.source import FileRange, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runware_provider.engine.dataset.source import SourceFile

NEAR_ENOUGH = 0.2
"""Of a shard: how far from its even share it may end so that a file is not cut."""


def cut(ranges: Sequence[FileRange], files: Sequence[SourceFile], shards: int) -> list[tuple[FileRange, ...]]:
    """Cut rows into shards of about as many bytes each, in their order; where a file ends nearby, there.

    Args:
        ranges: the rows, in order; at least one.
        files: that they lie in.
        shards: how many are wished. There are fewer where there are fewer rows.
    """
    weights = {file.path: max(1.0, file.bytes / max(1, file.rows)) for file in files}
    ends = list(accumulate(part.rows * weights[part.path] for part in ranges))
    share = ends[-1] / shards
    pieces: list[list[FileRange]] = [[]]
    for part, end in zip(ranges, ends, strict=True):
        start = end - part.rows * weights[part.path]
        done = 0
        for number in range(len(pieces), shards):
            boundary = number * share
            if boundary > end + NEAR_ENOUGH * share:
                break
            # A range that ends near the boundary belongs to this side of it as a whole, one that begins near it, to the
            # other side.
            if abs(boundary - end) <= NEAR_ENOUGH * share:
                row = part.rows
            elif boundary - start <= NEAR_ENOUGH * share:
                row = 0
            else:
                row = round((boundary - start) / weights[part.path])
            row = min(max(row, done), part.rows)
            _add(pieces[-1], part, done, row)
            done = row
            pieces.append([])
        _add(pieces[-1], part, done, part.rows)
    return [joined(piece) for piece in pieces if piece]


def _add(piece: list[FileRange], part: FileRange, start: int, end: int) -> None:
    if end > start:
        piece.append(FileRange(part.path, part.start + start, end - start))


def bytes_of(ranges: Iterable[FileRange], files: Sequence[SourceFile]) -> int:
    """About how many bytes these rows have."""
    weights = {file.path: file.bytes / max(1, file.rows) for file in files}
    return round(sum(part.rows * weights[part.path] for part in ranges))


def _named(file: SourceFile) -> list[object]:
    """What names a file's rows; with the columns that its folders give them, where there are any."""
    named: list[object] = [file.path, file.rows, file.digest]
    return [*named, list(file.partition)] if file.partition else named


def split_id(files: Sequence[SourceFile], shards: Sequence[Sequence[FileRange]]) -> str:
    """What names a split: another one for other files, other contents or other cuts."""
    told = {
        "files": [_named(file) for file in files],
        "shards": [[asdict(part) for part in shard] for shard in shards],
    }
    return hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=6).hexdigest()
