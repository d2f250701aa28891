"""Who may work on a state folder now, and when what another process sent may be sent again. Pure.

A lease is a row of numbered files, each created exclusively: the newest says who holds it, and for how long. Its holder
renews it by creating the next number, gives it back by creating the next number as `released`, and has lost it when
somebody else was first.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from runware_provider.engine.state_records import understood

if TYPE_CHECKING:
    from collections.abc import Mapping

REGISTRATION_S = 2.0
"""Seconds that an API may take to know a task that it took on; a UUID that is sent twice within them runs twice."""
IN_TRANSIT_S = 5.0
"""The same after a process that fell silent: what it sent last may arrive this much later than it should have."""
LONGEST_S = 86_400.0
"""Seconds that a lease may last; what claims more is damaged."""
KERNEL_SHARE = 0.5
"""Of a lease: how long the operating system goes on trying to hand over what a process has written to a connection."""


@dataclass(frozen=True)
class Holder:
    """A process, so that others on its machine can see whether it is still there.

    Args:
        host: the machine's name, for a person.
        pid: of the process.
        boot_id: of the machine since it was started; None where nobody says.
        pid_namespace: in which the pid counts; None where nobody says.
        started: when the process began, in the kernel's ticks since the machine was started; None where nobody says.
        nonce: of one lease, so that a process can have several.
    """

    host: str
    pid: int
    boot_id: str | None = None
    pid_namespace: str | None = None
    started: int | None = None
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@dataclass(frozen=True)
class Grant:
    """What one lease file says."""

    number: int
    holder: Holder
    for_s: float
    """Seconds after which a holder that has not renewed it sends nothing any more."""
    released: bool = False

    def record(self) -> dict[str, Any]:
        """Say it as JSON."""
        holder = asdict(self.holder)
        return {"number": self.number, "for_s": self.for_s, "released": self.released, "holder": holder}

    @classmethod
    def of(cls, record: Mapping[str, Any], path: str) -> Grant:
        """Read it.

        Args:
            record: the file's JSON.
            path: for the error.

        Raises:
            StateUnreadable: it is no lease.
        """
        with understood(path, "remove it, once no run is at work on this folder"):
            holder = Holder(**record["holder"])
            grant = cls(int(record["number"]), holder, float(record["for_s"]), bool(record["released"]))
            _check(grant)
            return grant


def _check(grant: Grant) -> None:
    """Refuse what no process wrote: a lease without an end would be waited for without one.

    Raises:
        ValueError: a field holds what it cannot.
    """
    holder = grant.holder
    words = [holder.host, holder.nonce, holder.boot_id or "", holder.pid_namespace or ""]
    numbers = [holder.pid, holder.started or 0]
    if not all(isinstance(word, str) for word in words) or not all(type(number) is int for number in numbers):
        raise ValueError("a holder's fields are of other types")
    if grant.number < 1 or not 0 < grant.for_s <= LONGEST_S:
        raise ValueError("a number is out of its range")


def may_take(newest: Grant | None, *, unchanged_s: float, ended: bool) -> bool:
    """Whether somebody who looked at the newest grant may create the next one for himself.

    Args:
        newest: None where there never was one.
        unchanged_s: seconds between two looks at it, from the end of the first to the beginning of the last.
        ended: whether its holder is known to be gone.
    """
    # Nobody holds it.
    if newest is None or newest.released:
        return True
    # Nobody can use it any more, so that there is nothing to wait for.
    if ended:
        return True
    # Its holder counts from before the grant was written, so that for the holder it has ended by now.
    return unchanged_s >= newest.for_s


def may_resend_after_s(newest: Grant | None, *, ended: bool) -> float:
    """Seconds after taking over within which nothing is sent that the process before may have sent.

    Args:
        newest: the grant of the process before.
        ended: whether that process is known to be gone; what it had not handed over went with it.
    """
    if newest is None or newest.released or ended:
        return REGISTRATION_S
    # It fell silent. It has stopped writing, but its operating system may still be handing over what it wrote.
    return newest.for_s * KERNEL_SHARE + IN_TRANSIT_S
