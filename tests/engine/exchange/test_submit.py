"""What is asked of the ledger where a reply alone does not say enough."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.api.replies import read_reply
from runware_provider.engine.exchange.fate import Fates
from runware_provider.engine.exchange.flight import Flight
from runware_provider.engine.exchange.inference import Inference, Phase
from runware_provider.engine.exchange.submit import Submitter
from runware_provider.engine.identity import Key, task_uuid
from runware_provider.engine.memory.ledger import Ledger
from runware_provider.engine.spec import Limits
from runware_provider.engine.storage.local import LocalStorage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

JOB = bytes(range(16))
LIMITS = Limits(deadline_s=1_800)


class Template:
    """Makes tasks of which nobody reads anything."""

    def task(self, *_: Any) -> bytes:
        return b"{}"


@dataclass
class Api:
    """Answers each request with the next of some bodies."""

    bodies: list[bytes]
    asked: int = field(default=0)

    async def post(self, _content: bytes, _timeout_s: float) -> Any:
        self.asked += 1
        return read_reply(400, self.bodies.pop(0))


@pytest.fixture
def open_ledger(tmp_path: Path) -> Iterator[Callable[[], Ledger]]:
    opened: list[Ledger] = []

    def make() -> Ledger:
        opened.append(Ledger(LocalStorage(lambda _: None), str(tmp_path / "ledger")))
        return opened[-1]

    yield make
    for ledger in opened:
        ledger.close()


def inference() -> Inference:
    key = Key(bytes(16), 0, 0)
    return Inference(key=key, prompt="", size=10, attempt=1, counted=0, task_uuid=task_uuid(JOB, key, 1))


def conflict(one: Inference) -> bytes:
    return b'{"errors":[{"code":"conflictTaskUUID","taskUUID":"%s"}]}' % one.task_uuid.encode()


def submitter(ledger: Ledger, *bodies: bytes) -> Submitter:
    flight = Flight()
    fates = Fates(flight, LIMITS, spread=0.0)
    return Submitter(Api(list(bodies)), ledger, flight, fates, Template(), "poll", 5.0, lambda: 0.0)  # type: ignore[arg-type] # as much of them as is used


async def sent(sender: Submitter, one: Inference) -> None:
    if one.phase is Phase.READY and sender.flight.get(one.key) is None:
        sender.flight.add(one, 0.0)
    sender.flight.move(one, Phase.SENDING, 0.0)
    async with sender.ledger.writing():
        await sender.send([one], ahead=False)


async def test_a_first_send_that_conflicts_is_waited_for_in_full_where_a_twin_meant_to_send_it(
    open_ledger: Callable[[], Ledger],
) -> None:
    ours, twin = open_ledger(), open_ledger()
    one = inference()
    async with twin.writing():
        await twin.commit([one.intent()], at_once=True)
    await sent(submitter(ours, conflict(one)), one)
    assert (one.phase, one.unexplained, one.verdict_if_not_found, one.deadline) == (
        Phase.WAITING,
        False,
        None,
        LIMITS.deadline_s,
    )


async def test_a_first_send_that_conflicts_and_that_nothing_explains_is_waited_for_a_minute(
    open_ledger: Callable[[], Ledger],
) -> None:
    one = inference()
    await sent(submitter(open_ledger(), conflict(one)), one)
    assert (one.phase, one.unexplained, one.deadline) == (Phase.WAITING, True, 60.0)


async def test_a_conflict_without_a_name_is_about_the_only_task(open_ledger: Callable[[], Ledger]) -> None:
    one = inference()
    await sent(submitter(open_ledger(), b'{"errors":[{"code":"conflictTaskUUID"}]}'), one)
    assert (one.unexplained, one.deadline) == (True, 60.0)


async def test_a_conflict_after_a_lost_reply_is_explained_by_the_send_before(
    open_ledger: Callable[[], Ledger],
) -> None:
    one = inference()
    sender = submitter(open_ledger(), b"<html>", conflict(one))
    await sent(sender, one)
    assert one.phase is Phase.ASK
    await sent(sender, one)
    assert (one.unexplained, one.deadline) == (False, LIMITS.deadline_s)


class CountedWrites:
    """Notes what is written together; the first write fails where that is wished."""

    def __init__(self, *, first_fails: bool = False) -> None:
        self.writes: list[list[Key]] = []
        self._first_fails = first_fails

    async def commit(self, entries: Any, **_: Any) -> None:
        self.writes.append([entry.key for entry in entries])
        await asyncio.sleep(0)  # as long as a write takes, the others wait
        if self._first_fails and len(self.writes) == 1:
            raise OSError("the disk is full")


def chunks_of_one(number: int) -> list[list[Inference]]:
    keys = [Key(bytes(16), sample, 0) for sample in range(number)]
    return [
        [Inference(key=key, prompt="", size=10, attempt=1, counted=0, task_uuid=task_uuid(JOB, key, 1))]
        for key in keys
    ]


async def sent_at_once(sender: Submitter, chunks: list[list[Inference]]) -> list[Any]:
    for chunk in chunks:
        for each in chunk:
            sender.flight.add(each, 0.0)
            sender.flight.move(each, Phase.SENDING, 0.0)
    sends = [sender.send(chunk, ahead=True) for chunk in chunks]
    return await asyncio.gather(*sends, return_exceptions=True)


async def test_requests_that_are_made_at_once_have_their_intents_written_together() -> None:
    ledger: Any = CountedWrites()
    chunks = chunks_of_one(50)
    sender = submitter(ledger, *[b"{}"] * 50)
    await sent_at_once(sender, chunks)
    # The first does not know of the others yet.
    assert [len(keys) for keys in ledger.writes] == [1, 49]
    assert len({key for keys in ledger.writes for key in keys}) == 50


async def test_whose_intent_could_not_be_written_is_not_sent_and_the_others_write_their_own() -> None:
    ledger: Any = CountedWrites(first_fails=True)
    chunks = chunks_of_one(5)
    sender = submitter(ledger, *[b"{}"] * 4)
    told = await sent_at_once(sender, chunks)
    assert [isinstance(each, OSError) for each in told] == [True, False, False, False, False]
    assert not chunks[0][0].intended
    assert all(chunk[0].intended for chunk in chunks[1:])
    assert sender.client.asked == 4  # type: ignore[attr-defined] # the stand-in above
