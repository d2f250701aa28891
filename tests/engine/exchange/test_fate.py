from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.api.error_families import Family
from runware_provider.engine.api.replies import Reply, read_archive, read_poll, read_reply
from runware_provider.engine.attempt import Attempt, Entry, History, Kind
from runware_provider.engine.errors import BalanceExhausted, KeyRefused, ModelUnknown, Unreachable
from runware_provider.engine.exchange.fate import Fates, may_be_billed
from runware_provider.engine.exchange.flight import Flight
from runware_provider.engine.exchange.inference import OUTSTANDING, Inference, Phase
from runware_provider.engine.exchange.patience import PATIENCE, TRIES_TOGETHER
from runware_provider.engine.identity import Key, task_uuid
from runware_provider.engine.memory.ledger_index import LedgerIndex
from runware_provider.engine.outcome.standing import MOST_SPENT, standing
from runware_provider.engine.spec import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runware_provider.engine.exchange.effects import Effects


JOB = bytes(range(16))
LIMITS = Limits(attempts=3, deadline_s=60, poll_interval_s=1)


# ---------------------------------------------------------------- whole lives against a model of the vendor


POISONED = (
    "lost",
    "timed out",
    read_reply(500, b"oops"),
    read_reply(504, b"slow"),
    read_reply(400, b'{"errors":[{"code":"invalidSomething"}]}'),
    read_reply(400, b"<html>blocked</html>"),
    read_reply(200, b'{"data":[]}'),
)


@dataclass
class Run:
    """A task that the vendor executes."""

    ends: float
    answered: bool
    silent: bool
    """getResponse says nothing of it while it runs."""
    forgotten: float
    """When getResponse forgets the result."""
    archived: bool
    """Whether the archive ever knows it."""


@dataclass
class Known:
    """What the vendor, and the test, knows of a UUID."""

    run: Run | None = None
    reserved: bool = False
    rejected: bool = False
    first_sent: float | None = None
    told_accepted: float | None = None
    told_error: bool = False
    lies: int = 0
    denied: float | None = None
    """When the archive last said that it does not know it."""


@dataclass
class Vendor:
    """The API as the contract allows it to be: chaotic until a moment, and well-behaved from then on."""

    rng: random.Random
    chaos_until: float
    chaos: float
    """How much of what it does goes wrong until then."""
    reserves_rejected: bool
    most_tasks: int
    known: dict[str, Known] = field(default_factory=dict)
    executed: list[str] = field(default_factory=list)
    late: list[tuple[float, str]] = field(default_factory=list)
    poison: frozenset[Key] = frozenset()
    """Records whose requests always fail as a whole, in this way."""
    poisoned: Reply | str = "lost"

    def of(self, name: str) -> Known:
        return self.known.setdefault(name, Known())

    def wild(self, now: float, share: float = 1.0) -> bool:
        return now < self.chaos_until and self.rng.random() < self.chaos * share

    def arrive(self, now: float) -> None:
        """Requests that were given up by the client arrive after all."""
        due = [one for one in self.late if one[0] <= now]
        self.late = [one for one in self.late if one[0] > now]
        for _, name in due:
            self.accept(name, now)

    def accept(self, name: str, now: float) -> bool:
        known = self.of(name)
        if known.run is not None or known.reserved:
            return False
        slow = self.rng.choice([1.0, 5.0, 30.0, 90.0]) if now < self.chaos_until else 3.0
        ends = now + self.rng.random() * slow
        known.run = Run(
            ends,
            answered=not self.wild(now, 0.3),
            silent=self.wild(now, 0.5),
            forgotten=ends + self.rng.random() * 40 if self.wild(now, 0.2) else float("inf"),
            archived=not self.wild(now, 0.3),
        )
        self.executed.append(name)
        return True

    # submit

    def submit(self, chunk: list[Inference], now: float) -> Reply | str:
        names = [one.task_uuid for one in chunk]
        for name in names:
            known = self.of(name)
            known.first_sent = now if known.first_sent is None else known.first_sent
        if len(chunk) > self.most_tasks:
            return read_reply(413, b"" if self.rng.random() < 0.5 else b'{"errors":[{"code":"tooLarge"}]}')
        if any(one.key in self.poison for one in chunk):
            return self.poisoned
        if not self.wild(now):
            return self.reply(200, [self.said_of_submission(name, now) for name in names])
        return self.rng.choice(
            [self.lose, self.refuse_all, self.garble, self.mix, self.mix, self.mix, self.mix]
        )(names, now)

    def lose(self, names: list[str], now: float) -> Reply | str:
        kind = self.rng.choice(["not sent", "lost", "lost", "timed out"])
        for name in names if kind != "not sent" else ():
            arrives = self.rng.random()
            if arrives < 0.4:
                self.accept(name, now)
            elif arrives < 0.6:
                self.late.append((now + self.rng.random() * 20, name))
        return kind

    def refuse_all(self, names: list[str], now: float) -> Reply:
        status, code = self.rng.choice(
            [(429, "rateLimitExceeded"), (402, "insufficientCredits"), (401, "invalidApiKey"), (429, "")]
        )
        for name in names:
            self.reject(name, now)
        return read_reply(status, json.dumps({"errors": [{"code": code}]}).encode() if code else b"")

    def garble(self, names: list[str], now: float) -> Reply:
        for name in names:
            if self.rng.random() < 0.5:
                self.accept(name, now)
        status = self.rng.choice([200, 500, 502, 503, 504])
        return read_reply(status, self.rng.choice([b"", b"<html>", b'{"data":[{"taskUU', b"{}"]))

    def mix(self, names: list[str], now: float) -> Reply:
        return self.reply(
            200 if self.rng.random() < 0.5 else 400, [self.wild_word(name, now) for name in names]
        )

    def reject(self, name: str, now: float) -> None:
        known = self.of(name)
        if known.run is None:
            known.reserved = known.reserved or self.reserves_rejected
        known.rejected = True
        if self.wild(now, 0.3) and known.run is not None:
            known.run.archived = False  # a refused replay may overwrite what the archive has

    def said_of_submission(self, name: str, now: float) -> dict[str, Any] | None:
        known = self.of(name)
        fresh = self.accept(name, now)
        known.told_accepted = now if known.told_accepted is None else known.told_accepted
        if fresh:
            return {"taskUUID": name}
        return {"errors": {"code": "conflictTaskUUID", "taskUUID": name}}

    def wild_word(self, name: str, now: float) -> dict[str, Any] | None:
        words = [self.said_of_submission] * 8 + [self.silence] * 4 + [self.no_room] * 3 + [self.answer] * 2
        if self.of(name).run is None:
            words += [self.time_out, self.fail, self.fail]
        return self.rng.choice(words)(name, now)

    def silence(self, name: str, now: float) -> None:
        if self.rng.random() < 0.5:
            self.accept(name, now)

    def no_room(self, name: str, now: float) -> dict[str, Any]:
        self.reject(name, now)
        return {"errors": {"code": "inferenceRateLimitExceeded", "taskUUID": name}}

    def time_out(self, name: str, now: float) -> dict[str, Any]:
        self.silence(name, now)
        self.of(name).told_error = True
        return {"errors": {"code": "timeoutProvider", "taskUUID": name}}

    def fail(self, name: str, now: float) -> dict[str, Any]:  # noqa: ARG002 - a word like the others
        self.of(name).told_error = self.of(name).reserved = True
        code = self.rng.choice(["providerError", "inferenceError", "internalServerError", "newCode"])
        return {"errors": {"code": code, "taskUUID": name}}

    def answer(self, name: str, now: float) -> dict[str, Any]:
        self.said_of_submission(name, now)
        run = self.of(name).run
        if run is None or not run.answered:
            return {"taskUUID": name, "status": "processing"}
        run.ends = min(run.ends, now)
        return {"taskUUID": name, "text": "done", "cost": 1.0}

    # getResponse

    def poll(self, names: list[str], now: float) -> Reply | str:
        if self.wild(now, 0.7):
            return self.trouble(read_poll)
        return read_poll(200, self.sort(self.state_of(name, now) for name in names))

    def trouble(self, read: Callable[[int, bytes], Reply]) -> Reply | str:
        """A question that was not answered."""
        status, content = self.rng.choice(
            [
                (0, b""),
                (200, b"<html>"),
                (500, b'{"errors":[{"code":"internalServerError"}]}'),
                (503, b"{}"),
                (429, b'{"errors":[{"code":"rateLimitExceeded"}]}'),
                (400, b'{"errors":[{"code":"invalidRequest"}]}'),
                (400, b'{"errors":[{"code":"rateLimitExceeded"}]}'),
                (404, b'{"detail":"Not Found"}'),
                (413, b""),
            ]
        )
        return read(status, content) if status else "lost"

    def state_of(self, name: str, now: float) -> dict[str, Any] | None:
        known = self.of(name)
        run = known.run
        if self.wild(now, 0.1):
            known.lies += 1
            known.told_error = known.told_error or known.lies > 3
            return {"errors": {"code": "rateLimitExceeded", "taskUUID": name}}
        if self.wild(now, 0.05):
            return {"errors": {"code": self.rng.choice(["taskNotFound", "taskExpired"]), "taskUUID": name}}
        if run is None or now >= run.forgotten or (now < run.ends and run.silent) or self.wild(now, 0.1):
            return None
        if now < run.ends:
            known.told_accepted = now if known.told_accepted is None else known.told_accepted
            return {"taskUUID": name, "status": "processing"}
        if run.answered:
            return {"taskUUID": name, "text": "done", "cost": 1.0}
        known.told_error = True
        return {"errors": {"code": "providerError", "taskUUID": name}}

    # getTaskDetails

    def look_up(self, names: list[str], now: float) -> Reply | str:
        if self.wild(now, 0.7):
            return self.trouble(read_archive)
        return self.archive([self.stored(name, now) for name in names])

    def stored(self, name: str, now: float) -> dict[str, Any] | None:
        known = self.of(name)
        run = known.run
        if self.wild(now, 0.05):
            known.told_error = True
            return {"taskUUID": name, "response": {"errors": [{"code": "conflictTaskUUID"}]}}
        if run is None or now < run.ends or not run.archived:
            known.denied = now
            return None
        if run.answered:
            return {"taskUUID": name, "response": {"data": [{"text": "done", "cost": 1.0}]}}
        known.told_error = True
        return {"taskUUID": name, "response": {"errors": [{"code": "providerError"}]}}

    # replies

    def reply(self, status: int, words: Iterable[dict[str, Any] | None]) -> Reply:
        return read_reply(status, self.sort(words))

    def archive(self, words: Iterable[dict[str, Any] | None]) -> Reply:
        return read_archive(200, self.sort(words))

    def sort(self, words: Iterable[dict[str, Any] | None]) -> bytes:
        said = [word for word in words if word is not None]
        said += [word for word in said if self.rng.random() < 0.1]
        self.rng.shuffle(said)
        errors = [word["errors"] for word in said if "errors" in word]
        return json.dumps(
            {"data": [word for word in said if "errors" not in word], "errors": errors}
        ).encode()


class Life:
    """A job's loop without I/O: intents before sends, verdicts durable before they are settled, death at any time."""

    def __init__(
        self, seed: int, *, keys: int = 4, deaths: int = 0, poison: int = 0, chaos: float = 0.5
    ) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - a repeatable test
        self.keys = [Key(number.to_bytes(16, "big"), 0, 0) for number in range(keys)]
        self.vendor = Vendor(
            self.rng,
            chaos_until=self.rng.choice([30.0, 200.0, 600.0]),
            chaos=chaos,
            reserves_rejected=self.rng.random() < 0.5,
            most_tasks=self.rng.choice([1, 2, 100]),
            poison=frozenset(self.keys[:poison]),
            poisoned=self.rng.choice(POISONED),
        )
        self.deaths = deaths
        self.now = 0.0
        self.ledger: dict[tuple[Key, int], Entry] = {}
        self.final: dict[Key, Entry] = {}
        self.checked = 0
        self.start()

    @staticmethod
    def names_of(key: Key) -> set[str]:
        """The UUIDs of all attempts that there may be."""
        return {task_uuid(JOB, key, number) for number in range(1, 20)}

    def start(self) -> None:
        """A process begins with what is durable."""
        self.flight = Flight()
        self.fates = Fates(self.flight, LIMITS, spread=self.rng.random())
        self.pending: list[tuple[list[tuple[Inference, Entry]], list[Entry]]] = []
        for key in self.keys:
            known = standing(self.history(key), LIMITS.attempts)
            if key in self.final:
                assert known.shown is not None
                assert known.shown.number == self.final[key].attempt
                assert known.shown.kind == self.final[key].kind
            elif known.shown is not None:  # durable, but its process died before it heard of that
                self.final[key] = self.ledger[key, known.shown.number]
            else:
                self.flight.add(self.inference(key, known), self.now)

    def history(self, key: Key) -> History:
        held = [
            Attempt(entry.attempt, entry.kind, entry.family, 0, 0)
            for (other, _), entry in self.ledger.items()
            if other == key
        ]
        return History(0, tuple(held))

    def inference(self, key: Key, known: Any) -> Inference:
        perhaps_sent = known.fate_unknown and (known.sent_again or not known.rejected)
        return Inference(
            key=key,
            turns=(),
            size=10,
            attempt=known.attempt,
            counted=known.counted,
            spent=known.spent,
            task_uuid=task_uuid(JOB, key, known.attempt),
            phase=Phase.ASK if known.fate_unknown else Phase.READY,
            rejected=known.rejected,
            intended=perhaps_sent,
            doubted_at=self.now if perhaps_sent else None,
        )

    def commit(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            held = self.ledger.get((entry.key, entry.attempt))
            if held is None or entry.kind > held.kind:
                self.ledger[entry.key, entry.attempt] = entry

    def run(self) -> None:
        for _ in range(20_000):
            if len(self.final) == len(self.keys):
                return
            self.step()
            self.check()
        raise AssertionError(f"stuck at {self.now}: {[(one.phase, one) for one in self.flight]}")

    def step(self) -> None:
        self.vendor.arrive(self.now)
        acts = [act for act in (self.settle, self.send, self.ask, self.look_up) if self.rng.random() < 0.8]
        self.rng.shuffle(acts)
        if self.deaths and self.rng.random() < 0.02:
            self.deaths -= 1
            self.start()
        else:
            acted = [act() for act in acts]
            if not any(acted):
                self.wait()

    def wait(self) -> None:
        """Time goes on to the next moment at which something is due."""
        due = self.flight.due(Phase.READY, Phase.WAITING, Phase.LOOK_UP)
        if self.pending:
            return
        assert due is not None, "nothing is due, and nothing is under way"
        self.now = max(self.now + 0.01, min(due, self.now + 20.0))

    def settle(self) -> bool:
        if not self.pending:
            return False
        verdicts, rejections = self.pending.pop(self.rng.randrange(len(self.pending)))
        self.commit([*(entry for _, entry in verdicts), *rejections])
        for one, entry in verdicts:
            if self.fates.settled(one, entry, JOB, self.now):
                assert one.key not in self.final
                self.final[one.key] = entry
        return True

    def apply(self, effects: Effects) -> bool:
        if effects.verdicts or effects.rejections:
            self.pending.append((effects.verdicts, effects.rejections))
        if effects.stop is not None:  # the job stops, keeps what it has, and is run again
            while self.settle():
                pass
            self.now += 5
            self.start()
        return True

    def send(self) -> bool:
        chunk = self.flight.take_to_send(self.now, self.rng.choice([1, 2, 10]), 1000)
        if not chunk:
            return False
        self.commit([one.intent() for one in chunk if not one.intended])
        for one in chunk:
            one.intended = True
            one.sent_at = self.now if one.sent_at is None else one.sent_at
            self.check_before_send(one)
        told = self.vendor.submit(chunk, self.now)
        if self.dies():
            return True
        if isinstance(told, Reply):
            return self.apply(self.fates.sent(chunk, told, self.now))
        if told == "not sent":
            return self.apply(self.fates.not_sent(chunk, self.now))
        return self.apply(self.fates.send_unknown(chunk, self.now, split=told == "timed out"))

    def ask(self) -> bool:
        chunk = self.flight.take_to_ask(self.now, self.rng.choice([1, 2, 10]))
        if not chunk:
            return False
        told = self.vendor.poll([one.task_uuid for one in chunk], self.now)
        if self.dies():
            return True
        if isinstance(told, Reply):
            return self.apply(self.fates.asked(chunk, told, self.now))
        return self.apply(self.fates.ask_failed(chunk, self.now))

    def look_up(self) -> bool:
        chunk = self.flight.take_to_look_up(self.now, self.rng.choice([1, 2, 10]))
        if not chunk:
            return False
        told = self.vendor.look_up([one.task_uuid for one in chunk], self.now)
        if self.dies():
            return True
        if isinstance(told, Reply):
            return self.apply(self.fates.looked_up(chunk, told, self.now))
        return self.apply(self.fates.look_up_failed(chunk, self.now))

    def dies(self) -> bool:
        """Between a request and what would have been done about its reply."""
        if not self.deaths or self.rng.random() > 0.05:
            return False
        self.deaths -= 1
        self.start()
        return True

    # the invariants

    def check_before_send(self, one: Inference) -> None:
        sent = {Kind.SENT_AGAIN} if one.rejected else {Kind.INTENT}
        assert self.ledger[one.key, one.attempt].kind in sent
        for number in range(1, one.attempt):
            assert self.ledger[one.key, number].kind in {Kind.ERROR, Kind.SPENT}
            before = self.vendor.of(task_uuid(JOB, one.key, number))
            if before.run is None or not before.run.answered or before.told_error:
                continue
            began = before.told_accepted if before.told_accepted is not None else before.first_sent
            assert before.denied is not None, "another attempt, and the archive was not asked"
            assert began is not None
            assert self.now >= began + LIMITS.deadline_s, "another attempt before the deadline of the last"

    def check(self) -> None:
        held = list(self.flight)
        assert self.flight.outstanding == sum(one.phase in OUTSTANDING for one in held)
        assert not any(one.phase in {Phase.SENDING, Phase.BUSY, Phase.DONE} for one in held)
        settling = {id(one) for verdicts, _ in self.pending for one, _ in verdicts}
        assert settling == {id(one) for one in held if one.phase is Phase.SETTLING}
        queued = sum(one.phase in {Phase.READY, Phase.ASK, Phase.WAITING, Phase.LOOK_UP} for one in held)
        assert queued + len(settling) == len(held)
        assert not queued or self.flight.due(Phase.READY, Phase.WAITING, Phase.LOOK_UP) is not None
        assert {one.key for one in held} == set(self.keys) - set(self.final)
        for one in held:
            assert one.counted < LIMITS.attempts
            assert one.due < self.now + 400

    def check_end(self) -> None:
        kinds = {
            key: Counter(entry.kind for (other, _), entry in self.ledger.items() if other == key)
            for key in self.keys
        }
        for key, counts in kinds.items():
            assert counts[Kind.ERROR] <= LIMITS.attempts
            assert counts[Kind.SPENT] <= MOST_SPENT + 1
            assert counts[Kind.ANSWERED] <= 1
            assert not counts[Kind.INTENT]
            assert not counts[Kind.REJECTED]
            assert self.final[key].kind >= Kind.SPENT
        assert len(set(self.vendor.executed)) == len(self.vendor.executed)
        answers = sum(entry.kind is Kind.ANSWERED for entry in self.final.values())
        self.start()
        assert not len(self.flight)
        assert sum(entry.kind is Kind.ANSWERED for entry in self.ledger.values()) == answers


def lived(seed: int, **how: Any) -> Life:
    life = Life(seed, **how)
    life.run()
    life.check_end()
    return life


def test_every_record_ends_once_and_is_paid_once_whatever_the_vendor_does(subtests: pytest.Subtests) -> None:
    for seed in range(120):
        with subtests.test(seed=seed):
            lived(seed)


def test_death_at_any_moment_changes_nothing_about_that(subtests: pytest.Subtests) -> None:
    for seed in range(1000, 1150):
        with subtests.test(seed=seed):
            lived(seed, deaths=12)


def test_a_vendor_in_full_chaos_only_delays_the_end(subtests: pytest.Subtests) -> None:
    for seed in range(2000, 2040):
        with subtests.test(seed=seed):
            lived(seed, deaths=3, chaos=0.95)


def test_a_record_that_spoils_every_request_fails_alone(subtests: pytest.Subtests) -> None:
    for seed in range(3000, 3060):
        with subtests.test(seed=seed):
            life = lived(seed, keys=6, poison=1, chaos=0)
            assert [life.final[key].kind for key in life.keys] == [Kind.ERROR] + [Kind.ANSWERED] * 5
            assert not {name for name in life.vendor.executed if name in life.names_of(life.keys[0])}


# ---------------------------------------------------------------- one transition after the other


class Bench:
    """Inferences that were just sent, and what becomes of them."""

    def __init__(self, number: int = 1, *, limits: Limits = LIMITS, **fields: Any) -> None:
        self.flight = Flight()
        self.fates = Fates(self.flight, limits, spread=0.0)
        self.fates.asked([], read_poll(200, b'{"data":[]}'), 0.0)  # the API spoke to this process before
        self.all = [self.new(one, **fields) for one in range(number)]
        self.one = self.all[0]
        self.name = self.one.task_uuid
        self.send(0.0)

    def new(self, number: int, **fields: Any) -> Inference:
        key = Key(number.to_bytes(16, "big"), 0, 0)
        made = {"attempt": 1, "counted": 0, "size": 10, **fields}
        one = Inference(key=key, turns=(), task_uuid=task_uuid(JOB, key, 1), **made)
        self.flight.add(one, 0.0)
        return one

    def send(self, now: float) -> list[Inference]:
        chunk = self.flight.take_to_send(now, 100, 10_000)
        for one in chunk:
            one.sent_at = now if one.sent_at is None else one.sent_at
            one.intended = True
        return chunk

    def sent(
        self, now: float, status: int = 200, *, retry_after_s: float | None = None, **body: Any
    ) -> Effects:
        chunk = [one for one in self.all if one.phase is Phase.SENDING]
        return self.fates.sent(chunk, read_reply(status, as_json(body), retry_after_s), now)

    def accepted(self, now: float = 0.0) -> Bench:
        self.sent(now, data=[{"taskUUID": one.task_uuid} for one in self.all])
        return self

    def in_doubt(self, now: float = 0.0) -> Bench:
        self.fates.send_unknown([one for one in self.all if one.phase is Phase.SENDING], now, split=False)
        return self

    def asked(self, now: float, status: int = 200, **body: Any) -> Effects:
        chunk = self.flight.take_to_ask(now, 100)
        assert chunk, "nothing to ask for"
        return self.fates.asked(chunk, read_poll(status, as_json(body)), now)

    def looked_up(self, now: float, status: int = 200, **body: Any) -> Effects:
        chunk = self.flight.take_to_look_up(now, 100)
        assert chunk, "nothing to look up"
        return self.fates.looked_up(chunk, read_archive(status, as_json(body)), now)

    def hears_nothing(self, **archived: Any) -> list[float]:
        """Asked for and looked up in vain until it ends; returns when the archive was asked."""
        looks, self.verdict = [], None
        archived = archived or {"data": []}
        while self.verdict is None:
            now = self.due
            if self.one.phase is Phase.LOOK_UP:
                looks.append(now)
                effects = self.looked_up(now, **archived)
            else:
                effects = self.asked(now, data=[])
            self.verdict = only(effects) if effects.verdicts else None
        return looks

    def error(self, code: str, **fields: Any) -> dict[str, Any]:
        return {"code": code, "message": "said so", "taskUUID": self.name, **fields}

    def result(self, **fields: Any) -> dict[str, Any]:
        return {"taskUUID": self.name, "text": "Hi", **fields}

    @property
    def due(self) -> float:
        """When the first one is due."""
        return self.one.due


def as_json(body: dict[str, Any]) -> bytes:
    return body["raw"] if "raw" in body else json.dumps(body).encode()


def only(effects: Effects) -> Entry:
    assert len(effects.verdicts) == 1
    return effects.verdicts[0][1]


# replies to what was sent


def test_an_acknowledged_task_waits_and_is_soon_asked_for_while_nobody_knows_how_long_it_takes() -> None:
    bench = Bench()
    effects = bench.sent(5.0, data=[{"taskUUID": bench.name}])
    assert (bench.one.phase, bench.due, bench.one.deadline) == (Phase.WAITING, 5.1, 65.0)
    assert effects.usable
    assert not effects.verdicts


def test_a_result_in_the_reply_is_a_verdict_with_its_facts() -> None:
    bench = Bench()
    item = bench.result(cost=0.5, usage={"promptTokens": 3, "cachedTokens": 1, "completionTokens": 2})
    effects = bench.sent(4.0, data=[item])
    entry = only(effects)
    assert (entry.kind, entry.attempt, entry.cost, entry.latency_s) == (Kind.ANSWERED, 1, 0.5, 4.0)
    assert (entry.prompt_tokens, entry.cached_tokens, entry.completion_tokens) == (3, 1, 2)
    assert json.loads(entry.item or b"") == item
    assert bench.one.phase is Phase.SETTLING
    assert [ended.latency_s for ended in effects.answered] == [4.0]
    assert bench.fates.settled(bench.one, entry, JOB, 5.0)
    assert not len(bench.flight)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("providerError", 400),
        ("providerError", 200),
        ("inferenceError", 400),
        ("somethingNew", 400),
        ("internalServerError", 400),
        ("invalidPrompt", 400),
        ("contentPolicyViolation", 400),
        ("inferenceRateLimitRequestTooLarge", 429),
        ("providerBadRequest", 400),
    ],
)
def test_an_error_that_names_a_task_is_its_verdict(code: str, status: int) -> None:
    bench = Bench()
    entry = only(bench.sent(1.0, status, errors=[bench.error(code, parameter=["a", "b"], cost=0.25)]))
    assert (entry.kind, entry.code, entry.cost) == (Kind.ERROR, code, 0.25)
    assert entry.message == "said so (parameter: a, b)"
    assert bench.one.phase is Phase.SETTLING


@pytest.mark.parametrize(
    ("code", "status"),
    [("timeoutProvider", 400), ("requestTimeout", 200), ("providerError", 500), ("taskNotFound", 400)],
)
def test_an_error_after_which_the_task_may_run_on_is_looked_into(code: str, status: int) -> None:
    bench = Bench()
    assert not bench.sent(0.0, status, errors=[bench.error(code)]).verdicts
    assert bench.one.phase is Phase.ASK
    bench.asked(bench.due, data=[])
    entry = only(bench.looked_up(bench.due, data=[]))
    assert (entry.kind, entry.code) == (Kind.ERROR, code)


def test_a_task_that_ran_on_after_its_error_is_answered() -> None:
    bench = Bench()
    bench.sent(0.0, 400, errors=[bench.error("timeoutProvider")])
    bench.asked(bench.due, data=[{"taskUUID": bench.name, "status": "processing"}])
    assert only(bench.asked(bench.due, data=[bench.result()])).kind is Kind.ANSWERED


@pytest.mark.parametrize("named", [True, False])
def test_a_rate_limit_sends_the_same_task_again_later_and_counts_nothing(named: bool) -> None:  # noqa: FBT001 - a parameter of the test
    bench = Bench()
    told = bench.error("rateLimitExceeded") if named else {"code": "rateLimitExceeded"}
    effects = bench.sent(1.0, 429, errors=[told], retry_after_s=7.0)
    assert effects.refused == 1
    assert [entry.kind for entry in effects.rejections] == [Kind.REJECTED]
    assert (bench.one.phase, bench.due) == (Phase.READY, 8.0)
    assert (bench.one.task_uuid, bench.one.counted, bench.one.spent) == (bench.name, 0, 0)
    bench.send(8.0)
    assert not bench.sent(8.0, 429, errors=[told]).rejections, "one rejection is enough to remember"


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("status", [200, 429])
def test_a_reply_that_only_says_that_there_is_no_room_is_not_usable(named: bool, status: int) -> None:  # noqa: FBT001 - a parameter of the test
    bench = Bench()
    told = bench.error("rateLimitExceeded") if named else {"code": "rateLimitExceeded"}
    effects = bench.sent(1.0, status, errors=[told])
    assert (effects.usable, effects.throttled, effects.stop) == (False, True, None)


def test_a_reply_that_has_no_room_for_some_only_is_usable() -> None:
    bench = Bench(2)
    accepted = [{"taskUUID": bench.all[1].task_uuid}]
    effects = bench.sent(1.0, errors=[bench.error("rateLimitExceeded")], data=accepted)
    assert (effects.usable, effects.throttled) == (True, False)


@pytest.mark.parametrize("status", [429, 503])
def test_nobody_waits_longer_for_room_than_for_an_api_that_does_not_answer(status: int) -> None:
    patience_s = LIMITS.unreachable_s
    assert Bench().sent(1.0, status, retry_after_s=patience_s).stop is None
    stop = Bench().sent(1.0, status, retry_after_s=99_999.0).stop
    assert isinstance(stop, Unreachable)
    assert "99,999 seconds" in stop.reason
    assert "limits.unreachable_s" in stop.reason


def test_the_wait_for_room_is_no_latency() -> None:
    bench = Bench()
    bench.sent(0.0, 429, errors=[bench.error("rateLimitExceeded")])
    bench.send(50.0)
    assert only(bench.sent(52.0, data=[bench.result()])).latency_s == 2.0


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("invalidApiKey", 401, KeyRefused),
        ("insufficientCredits", 402, BalanceExhausted),
        ("modelNotFound", 400, ModelUnknown),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_what_no_later_request_can_mend_stops_the_job(
    code: str,
    status: int,
    kind: type[Exception],
    named: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    bench = Bench(2)
    errors = [{"code": "providerError"}, {"code": code}]
    if named:
        errors = [{"code": code, "taskUUID": one.task_uuid} for one in bench.all]
    effects = bench.sent(0.0, status, errors=errors)
    assert isinstance(effects.stop, kind)
    assert not effects.verdicts
    assert [one.phase for one in bench.all] == [Phase.READY] * 2
    assert len(effects.rejections) == 2


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refusal_without_a_body_stops_the_job_too(status: int) -> None:
    assert Bench().sent(0.0, status, raw=b"<html>").stop is not None


def test_a_conflict_proves_that_the_task_was_accepted() -> None:
    bench = Bench()
    assert not bench.sent(0.0, 400, errors=[bench.error("conflictTaskUUID")]).verdicts
    assert (bench.one.phase, bench.one.accepted, bench.one.deadline) == (Phase.WAITING, True, 60.0)


def test_a_conflict_without_a_name_belongs_to_the_only_task() -> None:
    bench = Bench()
    bench.sent(0.0, 400, errors=[{"code": "conflictTaskUUID"}])
    assert bench.one.accepted


def test_a_conflict_after_a_refusal_is_polled_a_while_then_spent() -> None:
    bench = Bench()
    bench.sent(0.0, 429, errors=[bench.error("rateLimitExceeded")])
    bench.send(1.0)
    bench.sent(1.0, 400, errors=[bench.error("conflictTaskUUID")])
    assert bench.one.deadline == 11.0
    now = bench.due
    while bench.one.phase is Phase.WAITING:
        bench.asked(now, data=[])
        now = bench.due
    assert now >= 11.0
    entry = only(bench.looked_up(now, data=[]))
    assert (entry.kind, entry.code) == (Kind.SPENT, "conflictTaskUUID")
    assert entry.message
    assert not bench.fates.settled(bench.one, entry, JOB, now)
    assert (bench.one.attempt, bench.one.counted, bench.one.spent) == (2, 0, 1)
    assert (bench.one.phase, bench.due) == (Phase.READY, now)


def test_a_conflict_after_a_refusal_and_a_lost_reply_is_waited_for_in_full() -> None:
    bench = Bench()
    bench.sent(0.0, 429, errors=[bench.error("rateLimitExceeded")])
    bench.send(1.0)
    bench.in_doubt(1.0)
    bench.asked(bench.due, data=[])
    bench.looked_up(bench.due, data=[])
    now = bench.due
    bench.send(now)
    bench.sent(now, 400, errors=[bench.error("conflictTaskUUID")])
    assert bench.one.deadline == now + 60


# a conflict that nothing in the ledger explains

LONG = Limits(attempts=3, deadline_s=1_800, poll_interval_s=1)


def in_use_by_nobody_known(
    *, limits: Limits = LONG, latency_s: float | None = None, number: int = 1
) -> Bench:
    """Inferences whose first send conflicts, at 0.0; perhaps after others were answered."""
    bench = Bench(number, limits=limits)
    if latency_s is not None:
        answered = [bench.new(100 + one) for one in range(20)]
        for one in answered:
            one.sent_at = -latency_s
        said = [{"taskUUID": one.task_uuid, "text": "Hi"} for one in answered]
        bench.fates.sent(answered, read_reply(200, as_json({"data": said})), 0.0)
    for one in bench.all:
        one.unexplained = True
    bench.sent(
        0.0, 400, errors=[bench.error("conflictTaskUUID", taskUUID=one.task_uuid) for one in bench.all]
    )
    return bench


@pytest.mark.parametrize(
    ("latency_s", "deadline_s", "waited_s"),
    [(None, 1_800, 60), (2, 1_800, 60), (30, 1_800, 150), (None, 7, 7), (300, 1_200, 1_200)],
)
def test_an_answer_that_somebody_else_may_have_is_waited_for_as_long_as_answers_take_and_a_minute_at_least(
    latency_s: float | None, deadline_s: float, waited_s: float
) -> None:
    limits = LONG.model_copy(update={"deadline_s": deadline_s})
    bench = in_use_by_nobody_known(limits=limits, latency_s=latency_s)
    assert (bench.one.phase, bench.one.deadline) == (Phase.WAITING, waited_s)


def test_what_is_in_use_and_whose_answer_nobody_has_is_given_up_and_not_paid_for_again() -> None:
    bench = in_use_by_nobody_known()
    looks = bench.hears_nothing()
    now, entry = looks[-1], bench.verdict
    assert looks == [30.0, 60.0]
    assert entry is not None
    assert (entry.kind, entry.family, entry.code) == (Kind.ERROR, "conflict", "lost")
    assert may_be_billed(entry)
    assert bench.fates.settled(bench.one, entry, JOB, now)
    known = standing(History(0, (Attempt(1, entry.kind, entry.family, 0, 0),)), LONG.attempts)
    assert known.ended_by is not None, "nor does the next run pay for it"


def test_what_is_in_use_is_collected_wherever_its_answer_is() -> None:
    polled, archived, running = (in_use_by_nobody_known() for _ in range(3))
    assert only(polled.asked(1.0, data=[polled.result()])).latency_s is None, "nobody knows when it was sent"
    for now in (1.0, 60.0):
        archived.asked(now, data=[])
    stored = {"taskUUID": archived.name, "response": {"data": [archived.result()]}}
    assert only(archived.looked_up(60.0, data=[stored])).kind is Kind.ANSWERED
    running.asked(1.0, data=[{"taskUUID": running.name, "status": "processing"}])
    running.asked(600.0, data=[{"taskUUID": running.name, "status": "processing"}])
    running.looked_up(600.0, data=[])
    assert running.one.phase is Phase.WAITING, "it is at work, and that takes as long as it takes"


def test_a_task_that_the_reply_does_not_name_is_asked_for() -> None:
    bench = Bench(2)
    effects = bench.sent(0.0, data=[{"taskUUID": bench.all[1].task_uuid}])
    assert (bench.one.phase, bench.due) == (Phase.ASK, 1.0)
    assert bench.all[1].phase is Phase.WAITING
    assert effects.usable


@pytest.mark.parametrize(
    ("status", "raw"),
    [
        (200, b"<html>"),
        (200, b'{"data":[{"task'),
        (500, b""),
        (502, b"<html>"),
        (503, b'{"errors":[{"code":"serviceUnavailable"}]}'),
        (504, b"{}"),
        (400, b""),
        (400, b"{}"),
        (404, b'{"detail":"Not Found"}'),
        (404, b'{"errors":[{"code":"route"}]}'),
        (301, b"{}"),
    ],
)
def test_a_reply_that_is_not_the_apis_leaves_the_fate_open(status: int, raw: bytes) -> None:
    bench = Bench()
    effects = bench.sent(0.0, status, raw=raw)
    assert bench.one.phase is Phase.ASK
    assert bench.due >= 1.0
    assert not effects.usable
    assert not effects.verdicts
    assert effects.refused == (status in {503, 504})


def test_a_lost_reply_is_asked_for_then_looked_up_then_sent_again_as_it_was() -> None:
    bench = Bench().in_doubt()
    assert (bench.one.phase, bench.due) == (Phase.ASK, 1.0)
    bench.asked(1.0, data=[])
    assert bench.one.phase is Phase.LOOK_UP
    bench.looked_up(1.0, data=[])
    assert (bench.one.phase, bench.one.task_uuid, bench.one.attempt) == (Phase.READY, bench.name, 1)
    assert bench.one.intended


def test_a_connection_that_never_opened_leaves_nothing_in_doubt() -> None:
    bench = Bench()
    effects = bench.fates.not_sent([bench.one], 3.0)
    assert (bench.one.phase, bench.due, bench.one.doubted_at, bench.one.sent_at) == (
        Phase.READY,
        4.0,
        None,
        None,
    )
    assert not effects.usable


def test_what_is_lost_again_and_again_is_given_up_at_its_deadline() -> None:
    bench = Bench()
    now, entry = 0.0, None
    while entry is None:
        bench.in_doubt(now)
        bench.asked(bench.due, data=[])
        effects = bench.looked_up(bench.due, data=[])
        now = bench.due
        entry = only(effects) if effects.verdicts else None
        bench.send(now)
    assert (entry.kind, entry.family) == (Kind.ERROR, "lost")
    assert 60 <= now < 200


# what is too large, and who spoils a request


@pytest.mark.parametrize(
    ("raw", "family"),
    [
        (b"<html>", "too_large"),
        (b'{"errors":[{"code":"requestEntityTooLarge"}]}', "too_large"),
        (b'{"errors":[{"code":"valueTooLong"}]}', "validation"),
        (b'{"errors":[{"code":"arrayTooLong"}]}', "validation"),
    ],
)
def test_too_large_a_request_is_halved_until_the_culprit_stands_alone(raw: bytes, family: str) -> None:
    bench = Bench(8)
    culprit = bench.all[5]
    now, sizes = 0.0, []
    chunk = bench.all
    while chunk:
        sizes.append(len(chunk))
        if culprit in chunk:
            effects = bench.fates.sent(chunk, read_reply(413, raw), now)
            if len(chunk) == 1:
                assert only(effects).family == family
        else:
            names = [{"taskUUID": one.task_uuid} for one in chunk]
            bench.fates.sent(chunk, read_reply(200, as_json({"data": names})), now)
        chunk = bench.send(now)
    assert sizes[:3] == [8, 4, 4]
    assert max(sizes[3:]) <= 2
    assert culprit.phase is Phase.SETTLING
    assert {one.phase for one in bench.all if one is not culprit} == {Phase.WAITING}
    assert not any(one.rejected or one.counted or one.doubted_at is not None for one in bench.all)


@pytest.mark.parametrize("code", ["invalidPrompt", "contentPolicyViolation", "newCode", "providerError"])
def test_a_refusal_that_names_nobody_tells_the_tasks_of_a_request_apart(code: str) -> None:
    bench = Bench(4)
    effects = bench.sent(0.0, 400, errors=[{"code": code}])
    assert not effects.verdicts
    assert [(one.phase, one.together) for one in bench.all] == [(Phase.ASK, 2)] * 4
    alone = Bench()
    assert only(alone.sent(0.0, 400, errors=[{"code": code}])).code == code


def test_an_error_without_a_name_belongs_to_the_only_task_without_a_word() -> None:
    bench = Bench(3)
    effects = bench.sent(
        0.0,
        400,
        data=[{"taskUUID": one.task_uuid} for one in bench.all[1:]],
        errors=[{"code": "invalidPrompt"}],
    )
    assert only(effects).key == bench.one.key


@pytest.mark.parametrize("split", [True, False])
def test_a_request_that_timed_out_is_halved_at_once_and_another_lost_one_later(split: bool) -> None:  # noqa: FBT001 - a parameter of the test
    bench = Bench(8)
    bench.fates.send_unknown(bench.all, 0.0, split=split)
    assert {one.together for one in bench.all} == ({4} if split else {1_000_000})
    for one in bench.all:
        one.unanswered_sends = TRIES_TOGETHER
        bench.flight.move(one, Phase.SENDING, 0)
    bench.fates.send_unknown(bench.all, 0.0, split=False)
    assert {one.together for one in bench.all} == {4}


# replies to getResponse


def test_a_task_that_is_processing_is_asked_for_ever_more_rarely() -> None:
    bench = Bench().accepted()
    pauses = []
    now = bench.due
    for _ in range(80):
        bench.asked(now, data=[{"taskUUID": bench.name, "status": "processing"}])
        pauses.append(bench.due - now)
        if bench.one.phase is Phase.LOOK_UP:
            bench.looked_up(now, data=[])
        now = bench.due
    assert (pauses[0], max(pauses)) == (pytest.approx(0.1), 10.0)


def test_a_task_that_processes_for_ever_is_given_up_in_the_end() -> None:
    bench = Bench().accepted()
    now, entry = bench.due, None
    while entry is None:
        if bench.one.phase is Phase.LOOK_UP:
            effects = bench.looked_up(now, data=[{"taskUUID": bench.name, "response": None}])
        else:
            effects = bench.asked(now, data=[{"taskUUID": bench.name, "status": "processing"}])
        entry = only(effects) if effects.verdicts else None
        now = bench.due
    assert entry.code == "taskLost"
    assert 600 <= now < 700


def test_an_empty_reply_means_nothing_before_the_deadline() -> None:
    bench = Bench(limits=LONG).accepted()
    assert bench.hears_nothing() == pytest.approx([30, 60, 120, 240, 480, 960, 1_800], abs=10)
    entry = bench.verdict
    assert entry is not None
    assert (entry.kind, entry.family, entry.code) == (Kind.ERROR, "lost", "taskLost")
    assert "billed" in (entry.message or "")


@pytest.mark.parametrize("said", [[], [{"status": "processing"}]])
def test_what_the_archive_has_is_not_waited_for_until_the_deadline(said: list[dict[str, Any]]) -> None:
    bench = Bench(limits=LONG).accepted()
    while bench.one.phase is Phase.WAITING:
        now = bench.due
        bench.asked(now, data=[{"taskUUID": bench.name, **item} for item in said])
    assert now == pytest.approx(30, abs=10)
    stored = {"taskUUID": bench.name, "response": {"data": [bench.result()]}}
    assert only(bench.looked_up(now, data=[stored])).kind is Kind.ANSWERED


def test_a_usable_reply_ends_the_back_off_of_a_record() -> None:
    bench = Bench()
    for _ in range(6):
        now = bench.one.due
        bench.in_doubt(now)
        assert bench.due - now <= 8.0
        bench.fates.ask_failed(bench.flight.take_to_ask(bench.due, 1), bench.due)
        bench.asked(bench.due, data=[])
        assert bench.one.failed_requests == 0
        bench.looked_up(bench.due, data=[])
        bench.send(bench.due)


def test_an_error_that_names_nobody_is_of_the_task_that_alone_can_be_meant() -> None:
    bench = Bench(3, limits=LONG).accepted()
    told = {"code": "providerError", "message": "said so"}
    rest = [{"taskUUID": bench.all[2].task_uuid, "status": "processing"}]
    bench.asked(1.0, data=rest, errors=[told])
    assert bench.flight.take_to_ask(1.5, 10) == [bench.all[2]]
    first, second = bench.flight.take_to_ask(5.0, 10), bench.flight.take_to_ask(5.0, 10)
    assert [len(first), len(second)] == [1, 1], "those that it may be about are asked for alone"
    assert {*first, *second} == set(bench.all[:2])


@pytest.mark.parametrize(
    ("told", "ended", "before_s"),
    [
        ("providerError", "providerError", 60),
        ("taskPending", "taskLost", 1_900),
        ("invalidRequest", "taskLost", 1_900),
    ],
)
def test_an_error_that_names_nobody_ends_a_task_early_only_if_it_can_be_nothing_but_its_end(
    told: str, ended: str, before_s: float
) -> None:
    bench = Bench(2, limits=LONG).accepted()
    error = {"code": told, "message": "said so"}
    effects = bench.asked(1.0, data=[{"taskUUID": bench.all[1].task_uuid, "text": "Hi"}], errors=[error])
    looks = []
    while bench.one.phase is not Phase.SETTLING:
        if bench.one.phase is Phase.LOOK_UP:
            looks.append(bench.due)
            effects = bench.looked_up(bench.due, data=[])
        else:
            bench.asked(bench.due, 400, errors=[error])
    assert only(effects).code == ended
    assert looks[0] < 10, "the archive may know its error"
    assert bench.due < before_s


@pytest.mark.parametrize("code", ["taskNotFound", "taskExpired", "taskFailedOrNotFound", "taskCancelled"])
def test_a_lost_task_is_looked_up_and_given_up_only_after_it_had_time_to_settle_in(code: str) -> None:
    bench = Bench(limits=Limits(attempts=3, deadline_s=1800)).accepted()
    bench.asked(1.0, 400, errors=[bench.error(code)])
    assert bench.one.phase is Phase.LOOK_UP
    assert not bench.looked_up(1.0, data=[]).verdicts
    assert bench.one.phase is Phase.WAITING
    bench.asked(61.0, 400, errors=[bench.error(code)])
    assert only(bench.looked_up(61.0, data=[])).family == "lost"


@pytest.mark.parametrize(
    "code", ["providerError", "internalServerError", "timeoutProvider", "invalidPrompt", "new"]
)
def test_an_error_of_a_finished_task_is_its_verdict(code: str) -> None:
    bench = Bench().accepted()
    entry = only(bench.asked(1.0, 400, errors=[bench.error(code)]))
    assert (entry.kind, entry.code) == (Kind.ERROR, code)


@pytest.mark.parametrize("code", ["invalidTaskUUID", "somethingNew"])
def test_a_refused_question_about_an_unknown_task_is_no_verdict_on_it(code: str) -> None:
    bench = Bench().in_doubt()
    assert not bench.asked(1.0, 400, errors=[bench.error(code)]).verdicts
    assert bench.one.phase is Phase.LOOK_UP


def test_a_failure_may_come_with_the_status_of_its_error() -> None:
    bench = Bench(2).accepted()
    other = {"taskUUID": bench.all[1].task_uuid, "text": "Hi"}
    effects = bench.asked(1.0, 500, data=[other], errors=[bench.error("inferenceError")])
    assert [entry.kind for _, entry in effects.verdicts] == [Kind.ERROR, Kind.ANSWERED]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, "rateLimitExceeded", Kind.SPENT),
        (200, "rateLimitExceeded", Kind.SPENT),
        (500, "internalServerError", Kind.ERROR),
        (504, "timeoutProvider", Kind.ERROR),
    ],
)
def test_an_error_that_may_be_the_polls_is_the_tasks_only_after_some_patience(
    status: int, code: str, kind: Kind
) -> None:
    bench = Bench().accepted()
    for _ in range(PATIENCE):
        effects = bench.asked(bench.due, status, errors=[bench.error(code)])
        assert not effects.verdicts
        assert bench.one.phase is Phase.WAITING
    bench.asked(bench.due, status, errors=[bench.error(code)])
    assert bench.one.phase is Phase.LOOK_UP
    assert only(bench.looked_up(bench.due, data=[])).kind is kind


def test_a_rate_limit_on_a_poll_never_turns_an_open_fate_into_a_new_uuid() -> None:
    bench = Bench().in_doubt()
    while bench.one.phase is Phase.ASK:
        bench.asked(bench.due, 429, errors=[bench.error("rateLimitExceeded")])
    assert not bench.looked_up(bench.due, data=[]).verdicts
    assert (bench.one.phase, bench.one.task_uuid) == (Phase.READY, bench.name)


TROUBLES = [
    (200, b"<html>"),
    (408, b"{}"),
    (429, b""),
    (500, b"{}"),
    (503, b'{"errors":[{"code":"serviceUnavailable"}]}'),
    (400, b'{"errors":[{"code":"invalidRequest"}]}'),
    (200, b'{"errors":[{"code":"rateLimitExceeded"}]}'),
    (404, b"{}"),
    (413, b""),
]


@pytest.mark.parametrize(("status", "raw"), TROUBLES)
def test_a_question_that_was_not_heard_says_nothing_of_its_tasks(status: int, raw: bytes) -> None:
    for bench in (Bench().accepted(), Bench().in_doubt()):
        before = bench.one.phase
        effects = bench.asked(bench.due, status, raw=raw)
        assert bench.one.phase is before
        assert not effects.verdicts
        assert effects.stop is None
    late = Bench().accepted()
    late.hears_nothing(status=status, raw=raw)
    entry = late.verdict
    assert entry is not None
    assert (entry.kind, entry.family, entry.code) == (Kind.ERROR, "conflict", "lost")
    assert late.fates.settled(late.one, entry, JOB, late.due), "nobody pays for it again unasked"


@pytest.mark.parametrize(("status", "raw"), TROUBLES)
def test_without_an_archive_what_was_never_accepted_is_sent_again_in_the_end(status: int, raw: bytes) -> None:
    bench = Bench().in_doubt()
    while bench.one.phase is not Phase.READY:
        bench.asked(bench.due, data=[])
        bench.looked_up(bench.due, status, raw=raw)
    assert (bench.one.phase, bench.one.task_uuid, bench.one.attempt) == (Phase.READY, bench.name, 1)


def test_a_result_counts_whatever_the_status_beside_it() -> None:
    for status in (200, 400, 429, 500):
        bench = Bench().accepted()
        assert only(bench.asked(1.0, status, data=[bench.result()])).kind is Kind.ANSWERED


def test_a_conflict_on_a_poll_does_not_put_the_deadline_off() -> None:
    bench = Bench().accepted()
    now = bench.due
    while bench.one.phase is Phase.WAITING:
        bench.asked(now, 400, errors=[bench.error("conflictTaskUUID")])
        now = bench.due
    assert bench.one.deadline == 60.0


@pytest.mark.parametrize(
    ("code", "status", "phase"),
    [
        ("invalidApiKey", 401, Phase.WAITING),
        ("insufficientCredits", 402, Phase.WAITING),
        ("insufficientCredits", 400, Phase.SETTLING),
        ("modelNotFound", 400, Phase.SETTLING),
    ],
)
def test_a_stop_on_a_poll_keeps_what_runs_and_spends_what_was_never_run(
    code: str, status: int, phase: Phase
) -> None:
    bench = Bench().accepted()
    effects = bench.asked(1.0, status, errors=[bench.error(code)])
    assert effects.stop is not None
    assert bench.one.phase is phase
    assert [entry.kind for _, entry in effects.verdicts] == [Kind.SPENT] * (phase is Phase.SETTLING)


def test_a_stop_of_the_whole_poll_leaves_everything_waiting() -> None:
    bench = Bench(2).accepted()
    effects = bench.asked(1.0, 401, errors=[{"code": "invalidApiKey"}])
    assert isinstance(effects.stop, KeyRefused)
    assert {one.phase for one in bench.all} == {Phase.WAITING}
    bench = Bench(2).accepted()
    assert isinstance(bench.asked(1.0, 403, data=[]).stop, KeyRefused)


# replies from the archive


def to_look_up(*, accepted: bool) -> Bench:
    bench = Bench().accepted() if accepted else Bench().in_doubt()
    bench.asked(100.0, data=[])
    assert bench.one.phase is Phase.LOOK_UP
    return bench


@pytest.mark.parametrize("accepted", [True, False])
def test_what_the_archive_has_is_the_answer(accepted: bool) -> None:  # noqa: FBT001 - a parameter of the test
    bench = to_look_up(accepted=accepted)
    stored = {"taskUUID": bench.name, "response": {"data": [bench.result()]}}
    assert only(bench.looked_up(100.0, data=[stored])).kind is Kind.ANSWERED


@pytest.mark.parametrize(
    ("code", "kind"),
    [("providerError", Kind.ERROR), ("invalidPrompt", Kind.ERROR), ("insufficientCredits", Kind.SPENT)],
)
def test_what_the_archive_says_of_an_end_is_a_verdict(code: str, kind: Kind) -> None:
    bench = to_look_up(accepted=True)
    stored = {"taskUUID": bench.name, "response": {"errors": [{"code": code}]}}
    effects = bench.looked_up(100.0, data=[stored])
    assert only(effects).kind is kind
    assert effects.stop is None, "it is history, and no word on what comes next"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("rateLimitExceeded", Kind.SPENT),
        ("internalServerError", Kind.ERROR),
        ("timeoutProvider", Kind.ERROR),
        ("somethingNew", Kind.ERROR),
    ],
)
def test_an_error_that_the_archive_stores_is_the_tasks_own(code: str, kind: Kind) -> None:
    bench = to_look_up(accepted=True)
    stored = {"taskUUID": bench.name, "response": {"errors": [{"code": code}]}}
    assert only(bench.looked_up(bench.due, data=[stored])).kind is kind


@pytest.mark.parametrize("response", [None, {"errors": [{"code": "conflictTaskUUID"}]}])
def test_a_task_that_the_archive_knows_without_an_answer_is_waited_for(response: Any) -> None:
    bench = to_look_up(accepted=False)
    stored = {"taskUUID": bench.name, "response": response}
    assert not bench.looked_up(100.0, data=[stored]).verdicts
    assert (bench.one.phase, bench.one.accepted, bench.one.deadline) == (Phase.WAITING, True, 160.0)
    bench.asked(170.0, data=[])
    assert not bench.looked_up(170.0, data=[stored]).verdicts
    assert bench.one.phase is Phase.WAITING
    bench.asked(230.0, data=[])
    assert only(bench.looked_up(230.0, data=[stored])).code == "taskLost"


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("code", ["unknownError", "somethingNew", "timeout"])
def test_a_poll_that_is_refused_for_its_key_is_no_end_of_the_task_that_it_names(
    code: str, status: int
) -> None:
    bench = Bench().accepted()
    effects = bench.asked(1.0, status, errors=[bench.error(code)])
    assert isinstance(effects.stop, KeyRefused)
    assert not effects.verdicts
    assert bench.one.phase is Phase.WAITING


@pytest.mark.parametrize("code", ["unsupportedTaskType", "internalServerError", "rateLimitExceeded"])
def test_a_refused_look_up_is_no_word_on_the_task_that_it_names(code: str) -> None:
    for accepted in (True, False):
        bench = to_look_up(accepted=accepted)
        told = bench.error(code, taskType="getTaskDetails")
        assert not bench.looked_up(100.0, 400, errors=[told]).verdicts
        assert bench.one.phase is (Phase.WAITING if accepted else Phase.ASK)


def test_a_stop_from_the_archive_leaves_the_look_up_for_later() -> None:
    bench = to_look_up(accepted=True)
    effects = bench.looked_up(100.0, 401, errors=[{"code": "invalidApiKey"}])
    assert isinstance(effects.stop, KeyRefused)
    assert (bench.one.phase, bench.due) == (Phase.LOOK_UP, 101.0)


# verdicts that are durable


@pytest.mark.parametrize(
    ("family", "attempts"),
    [
        ("provider", 3),
        ("timeout", 3),
        ("server", 3),
        ("unknown", 3),
        ("lost", 3),
        ("validation", 1),
        ("safety", 1),
    ],
)
def test_errors_are_tried_again_under_new_uuids_as_often_as_the_policy_says(
    family: str, attempts: int
) -> None:
    bench = Bench()
    names, now, final = [], 0.0, False
    while not final:
        names.append(bench.one.task_uuid)
        bench.flight.move(bench.one, Phase.SETTLING, now)
        final = bench.fates.settled(bench.one, bench.one.entry(Kind.ERROR, family=family), JOB, now)
        now = bench.due
    assert len(set(names)) == len(names) == attempts
    assert bench.one.counted == attempts
    assert bench.one.phase is Phase.DONE
    assert now == sum(range(attempts)), "one second of pause, then two"


def test_spent_uuids_are_no_attempts_but_their_number_is_bounded() -> None:
    bench = Bench()
    for _ in range(MOST_SPENT):
        assert not bench.fates.settled(bench.one, bench.one.entry(Kind.SPENT), JOB, 0.0)
    assert (bench.one.counted, bench.one.attempt) == (0, MOST_SPENT + 1)
    assert bench.fates.settled(bench.one, bench.one.entry(Kind.SPENT), JOB, 0.0)


def test_clients_with_another_spread_come_back_at_another_time() -> None:
    pauses = []
    for spread in (0.0, 1.0):
        bench = Bench()
        Fates(bench.flight, LIMITS, spread=spread).not_sent([bench.one], 0.0)
        pauses.append(bench.due)
    assert pauses == [1.0, 1.5]


@given(
    st.sampled_from([Kind.SPENT, Kind.ERROR, Kind.ANSWERED]),
    st.sampled_from(Family),
    st.sampled_from([None, 0.0, 0.5]),
)
def test_a_budget_counts_of_a_verdict_what_the_ledger_counts_of_it_when_it_is_read_again(
    kind: Kind, family: Family, cost: float | None
) -> None:
    told = None if kind is Kind.ANSWERED else family.value
    entry = Entry(Key(bytes(16), 0, 0), 1, kind, family=told, cost=cost)
    index = LedgerIndex()
    index.add([entry], [(0, 0)], copied=[False], fresh=[True])
    is_counted = bool(index.unpriced_tokens("fresh")) or cost is not None
    assert may_be_billed(entry) == is_counted


def test_a_message_is_kept_short_and_what_came_is_kept_whole() -> None:
    bench = Bench()
    entry = only(bench.sent(0.0, 400, errors=[bench.error("providerError", message="x" * 9_000)]))
    assert len(entry.message or "") == 500
    assert json.loads(entry.item or b"")["message"] == "x" * 9_000
