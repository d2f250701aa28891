"""Which process this is, and whether another one of this machine is still there; from Linux's /proc."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from runware_provider.engine.memory.lease_rules import Holder

_HELD_HERE: set[str] = set()
"""Nonces of this process's leases; one that is not among them was given up, whether or not that could be written."""


def this_process() -> Holder:
    """This process as the holder of a new lease."""
    return Holder(
        host=socket.gethostname(),
        pid=os.getpid(),
        boot_id=_boot_id(),
        pid_namespace=_pid_namespace(),
        started=_started(os.getpid()),
    )


def holds(nonce: str) -> None:
    """Remember that this process holds a lease."""
    _HELD_HERE.add(nonce)


def holds_no_more(nonce: str) -> None:
    """Remember that it does not."""
    _HELD_HERE.discard(nonce)


def has_ended(holder: Holder) -> bool:
    """Whether a holder was on this machine, since its last start, and is gone; False where nobody can tell."""
    known = (holder.boot_id, holder.pid_namespace, holder.started)
    if None in known or known[:2] != (_boot_id(), _pid_namespace()):
        return False
    if _started(holder.pid) != holder.started:
        return True
    return holder.pid == os.getpid() and holder.nonce not in _HELD_HERE


def _boot_id() -> str | None:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


def _pid_namespace() -> str | None:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None


def _started(pid: int) -> int | None:
    """When a process began; None where there is none, or where it has ended and nobody has taken note of that."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name of the program stands in brackets, and may itself have blanks and brackets.
    fields = text.rpartition(")")[2].split()
    state, started = fields[0], fields[19]
    return None if state in {"Z", "X"} else int(started)
