"""One process at a time has the lease, whatever is slow, dies, sleeps or gets no answer."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import AtWork, StateUnreadable
from runware_provider.engine.memory.lease import KEPT_S, Lease
from runware_provider.engine.memory.lease_keeping import held_meanwhile
from runware_provider.engine.memory.lease_rules import (
    IN_TRANSIT_S,
    KERNEL_SHARE,
    REGISTRATION_S,
    Grant,
    Holder,
    may_resend_after_s,
    may_take,
)
from runware_provider.engine.memory.processes import has_ended, holds, holds_no_more, this_process
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.engine.storage.port import StoredFile
from tests.forked import nursery

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOR_S = 60.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Files:
    """A store in memory with a clock of its own; `meanwhile` is called around each operation."""

    def __init__(self, clock: Clock) -> None:
        self.files: dict[str, tuple[bytes, float]] = {}
        self.clock = clock
        self.meanwhile: Callable[[str], None] = lambda _: None

    def list(self, folder: str, **_: Any) -> list[StoredFile]:
        self.meanwhile("list")
        listed = [
            StoredFile(path, len(data), at)
            for path, (data, at) in sorted(self.files.items())
            if path.startswith(folder)
        ]
        self.meanwhile("listed")
        return listed

    def exists(self, path: str) -> bool:
        return path in self.files

    def read(self, path: str) -> bytes:
        self.meanwhile("read")
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path][0]

    def create_new(self, path: str, data: bytes) -> bool:
        self.meanwhile("create")
        created = path not in self.files
        if created:
            self.files[path] = (bytes(data), self.clock())
        self.meanwhile("created")
        return created

    def delete(self, path: str) -> None:
        self.files.pop(path, None)

    def join(self, *names: str) -> str:
        return "/".join(names)


def holder(number: int) -> Holder:
    return Holder(host="somewhere", pid=number)


def lease(files: Files, clock: Clock, number: int = 1, *, ended: bool = False) -> Lease:
    return Lease(
        files,  # type: ignore[arg-type] # as much of a store as a lease needs
        "state",
        for_s=FOR_S,
        clock=clock,
        holder=holder(number),
        ended=lambda _: ended,
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def files(clock: Clock) -> Files:
    return Files(clock)


def test_who_comes_first_has_it_and_who_comes_later_gets_it_when_it_is_given_back(
    files: Files, clock: Clock
) -> None:
    first, second = lease(files, clock, 1), lease(files, clock, 2)
    assert first.try_to_take() is None
    clock.now += 8
    in_the_way = second.try_to_take()
    assert in_the_way is not None
    assert in_the_way.holder.pid == 1
    clock.now += 8
    in_the_way = second.try_to_take()
    assert in_the_way is not None
    assert in_the_way.silent_s == 8
    assert (first.left_s(), second.left_s()) == (44, 0)
    first.release()
    assert second.try_to_take() is None
    assert (first.left_s(), second.left_s()) == (0, FOR_S)
    assert second.may_resend_after_s == REGISTRATION_S


def test_a_silent_holder_is_waited_for_as_long_as_it_said_and_then_overtaken(
    files: Files, clock: Clock
) -> None:
    first, second = lease(files, clock, 1), lease(files, clock, 2)
    assert first.try_to_take() is None
    assert second.try_to_take() is not None
    clock.now += FOR_S - 1
    assert second.try_to_take() is not None
    clock.now += 1
    assert second.try_to_take() is None
    assert second.may_resend_after_s == FOR_S * KERNEL_SHARE + IN_TRANSIT_S
    assert first.left_s() == 0
    first.renew()
    assert first.lost
    first.release()
    assert second.left_s() == FOR_S


def test_who_renews_keeps_it_and_who_waits_begins_to_count_anew(files: Files, clock: Clock) -> None:
    first, second = lease(files, clock, 1), lease(files, clock, 2)
    assert first.try_to_take() is None
    for _ in range(20):
        assert second.try_to_take() is not None
        clock.now += FOR_S / 2
        first.renew()
        assert first.left_s() == FOR_S


def test_who_is_known_to_be_gone_is_not_waited_for(files: Files, clock: Clock) -> None:
    assert lease(files, clock, 1).try_to_take() is None
    second = lease(files, clock, 2, ended=True)
    assert second.try_to_take() is None
    assert second.may_resend_after_s == REGISTRATION_S


def test_a_slow_look_or_creation_shortens_the_lease_and_never_lengthens_it(
    files: Files, clock: Clock
) -> None:
    mine = lease(files, clock)

    def slowly(operation: str) -> None:
        clock.now += 7 if operation in {"list", "listed", "create", "created"} else 0

    files.meanwhile = slowly
    assert mine.try_to_take() is None
    assert mine.left_s() <= FOR_S - 4 * 7


def test_a_renewal_whose_reply_was_lost_counts_as_none_and_the_next_one_counts(
    files: Files, clock: Clock
) -> None:
    mine = lease(files, clock)
    assert mine.try_to_take() is None
    clock.now += 20

    def lose_the_reply(operation: str) -> None:
        if operation == "created":
            files.meanwhile = lambda _: None
            raise OSError("no reply")

    files.meanwhile = lose_the_reply
    with pytest.raises(OSError, match="no reply"):
        mine.renew()
    assert mine.left_s() == FOR_S - 20
    clock.now += 10
    mine.renew()
    assert mine.left_s() == FOR_S
    assert not mine.lost


def test_who_let_it_lapse_and_was_not_overtaken_goes_on(files: Files, clock: Clock) -> None:
    mine = lease(files, clock)
    assert mine.try_to_take() is None
    clock.now += 10 * FOR_S
    assert mine.left_s() < 0
    mine.renew()
    assert mine.left_s() == FOR_S


def test_who_was_overtaken_long_ago_does_not_slip_into_a_hole_that_was_swept(
    files: Files, clock: Clock
) -> None:
    mine, other = lease(files, clock, 1), lease(files, clock, 2, ended=True)
    assert mine.try_to_take() is None
    assert other.try_to_take() is None
    other.release()
    for _ in range(3):
        clock.now += KEPT_S + 1
        assert other.try_to_take() is None
        other.release()
    clock.now += 1
    assert "state/leases/00000002.lease" not in files.files
    mine.renew()
    assert mine.lost


def test_old_files_are_swept_and_few_stay(files: Files, clock: Clock) -> None:
    mine = lease(files, clock)
    assert mine.try_to_take() is None
    for _ in range(500):
        clock.now += 15
        mine.renew()
    assert len(files.files) <= 2 * KEPT_S / 15 + 3
    assert mine.left_s() == FOR_S


def grant_with(**changes: Any) -> bytes:
    record = {"format": 1, **Grant(1, holder(1), FOR_S).record()}
    return json.dumps({**record, **changes}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b'{"format": 1, "number": 1}',
        b'{"format": 2}',
        b"[1]",
        # For ever, or a time that nothing comes before: it would be waited for without end.
        grant_with(for_s=1e308),
        grant_with(for_s=-1.0),
        grant_with(for_s="x"),
        grant_with(number=0),
        grant_with(number=[1]),
        grant_with(holder=["x"]),
        grant_with(holder={"host": 7, "pid": 1}),
        grant_with(holder={"host": "h", "pid": "1"}),
    ],
)
def test_a_damaged_or_newer_lease_is_an_error_and_not_free(
    files: Files, clock: Clock, content: bytes
) -> None:
    files.files["state/leases/00000001.lease"] = (content, clock.now)
    with pytest.raises(StateUnreadable, match=r"leases/00000001\.lease"):
        lease(files, clock).try_to_take()


def test_a_grant_reads_back_as_it_was_written() -> None:
    grant = Grant(7, this_process(), 60.0, released=True)
    assert Grant.of(json.loads(json.dumps(grant.record())), "path") == grant


def test_the_rules_of_who_may_take_it() -> None:
    grant = Grant(3, holder(1), FOR_S)
    assert may_take(None, unchanged_s=0, ended=False)
    assert may_take(replace(grant, released=True), unchanged_s=0, ended=False)
    assert may_take(grant, unchanged_s=0, ended=True)
    assert may_take(grant, unchanged_s=FOR_S, ended=False)
    assert not may_take(grant, unchanged_s=FOR_S - 0.001, ended=False)
    assert may_resend_after_s(None, ended=False) == REGISTRATION_S
    assert may_resend_after_s(grant, ended=True) == REGISTRATION_S
    assert may_resend_after_s(replace(grant, released=True), ended=False) == REGISTRATION_S
    assert may_resend_after_s(grant, ended=False) == 35


WHAT = st.sampled_from(["take", "renew", "release"])
ACTS = st.tuples(st.integers(0, 2), WHAT, st.sampled_from([0, 1, 20, 59, 61, 700]))
"""Who does what, and the seconds that pass before."""
DELAYS = st.sampled_from([0, 0, 0, 0, 1, 30, 65, 700])


class World:
    """Three processes at one store; around each operation time passes, others act, and replies are lost."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.clock = Clock()
        self.files = Files(self.clock)
        self.files.meanwhile = self.meanwhile
        self.leases = [lease(self.files, self.clock, number) for number in range(3)]
        self.busy: set[int] = set()

    def check(self) -> None:
        assert sum(each.left_s() > 0 for each in self.leases) <= 1

    def act(self, who: int, what: str) -> None:
        if who in self.busy:
            return
        self.busy.add(who)
        with contextlib.suppress(OSError):
            self.acts(self.leases[who], what)
        self.busy.discard(who)
        self.check()

    @staticmethod
    def acts(mine: Lease, what: str) -> None:
        if what == "renew":
            mine.renew()
        elif what == "release":
            mine.release()
        elif mine.left_s() == 0 and not mine.lost:
            mine.try_to_take()

    def meanwhile(self, operation: str) -> None:
        self.clock.now += self.data.draw(DELAYS)
        self.check()
        if len(self.busy) < 2 and self.data.draw(st.booleans()):
            self.act(self.data.draw(st.integers(0, 2)), self.data.draw(WHAT))
        if operation == "created" and self.data.draw(st.integers(0, 9)) == 0:
            raise OSError("no reply")


@given(st.lists(ACTS, min_size=4, max_size=25), st.data())
def test_never_have_two_processes_the_right_to_send(
    acts: list[tuple[int, str, int]], data: st.DataObject
) -> None:
    world = World(data)
    for who, what, pause in acts:
        world.clock.now += pause
        world.check()
        world.act(who, what)


# processes


def test_this_process_is_there_and_its_lease_counts_until_it_is_given_up() -> None:
    mine = this_process()
    assert has_ended(mine)
    holds(mine.nonce)
    assert not has_ended(mine)
    holds_no_more(mine.nonce)
    assert has_ended(mine)


def describe(path: str) -> None:
    mine = this_process()
    told = {
        name: getattr(mine, name) for name in ("host", "pid", "boot_id", "pid_namespace", "started", "nonce")
    }
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - in a forked process
        json.dump(told, file)


def test_a_process_that_was_here_and_is_gone_is_known_to_be_gone(tmp_path: Path) -> None:
    path = tmp_path / "told.json"
    process = nursery().Process(target=describe, args=(str(path),))
    process.start()
    process.join()
    gone = Holder(**json.loads(path.read_text(encoding="utf-8")))
    assert has_ended(gone)
    for elsewhere in (
        {"boot_id": "another"},
        {"pid_namespace": "pid:[1]"},
        {"started": None},
        {"boot_id": None},
    ):
        assert not has_ended(replace(gone, **elsewhere))


def test_a_pid_that_another_process_has_got_since_is_no_sign_of_life() -> None:
    started = this_process().started
    assert started is not None
    assert has_ended(replace(this_process(), pid=os.getppid(), started=started + 1))


# waiting


def test_who_waits_says_for_whom_and_gives_up_in_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = LocalStorage()
    caplog.set_level("INFO", "runware_provider")
    with held_meanwhile(Lease(storage, str(tmp_path)), most_s=1) as waited:
        assert not waited
        with (
            pytest.raises(
                AtWork,
                match=f"another run is at work on .* \\(process {os.getpid()} on .*did not end within 0 s",
            ),
            held_meanwhile(Lease(storage, str(tmp_path)), most_s=0.2),
        ):
            raise AssertionError
    assert "This run waits for it" in caplog.text
    with held_meanwhile(Lease(storage, str(tmp_path)), most_s=1) as waited:
        assert not waited


def test_a_lease_is_renewed_meanwhile_and_a_store_that_fails_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(LocalStorage):
        tried = 0

        def create_new(self, path: str, data: Any) -> bool:
            Failing.tried += 1
            if Failing.tried in {3, 4}:
                raise OSError("away")
            if Failing.tried == 7:
                renewed.set()
            return super().create_new(path, data)

    renewed = threading.Event()
    with held_meanwhile(Lease(Failing(), str(tmp_path), for_s=0.4), most_s=1):
        assert renewed.wait(30)
    assert caplog.text.count("could not be renewed (away)") == 1
    assert len(list((tmp_path / "leases").iterdir())) >= 5
