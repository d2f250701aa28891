"""What a process and all that it started hold in memory, from Linux's account in /proc."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MB = 1 << 20


def memory_mb(pid: int) -> float:
    """Memory that a process and its descendants hold now; 0 where it has ended.

    Of one process it is what is resident. Of several it is the sum of their proportional shares, so that a page that they
    share counts once.
    """
    pids = list(_tree(pid))
    read = _resident_bytes if len(pids) == 1 else _proportional_bytes
    return sum(map(read, pids)) / MB


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            started = children.read_text(encoding="ascii").split()
        except OSError:  # the thread has ended
            continue
        for child in started:
            yield from _tree(int(child))


def _resident_bytes(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except OSError:  # it has ended
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:  # it has ended
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
