"""From every state, with any one kind of reply repeated for ever, a job ends within the sum of its bounds.

The rules are driven without I/O, over a clock that jumps to whatever is due next, as `conversation.py` drives them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runware_provider.engine.api.replies import read_archive, read_poll, read_reply
from runware_provider.engine.attempt import Attempt, Entry, History, Kind
from runware_provider.engine.errors import JobStopped, Unreachable
from runware_provider.engine.exchange.calls import Calls
from runware_provider.engine.exchange.fate import Fates, may_be_billed
from runware_provider.engine.exchange.flight import Flight
from runware_provider.engine.exchange.inference import Inference, Phase
from runware_provider.engine.exchange.patience import OUTAGES, PROCESSING_DEADLINES
from runware_provider.engine.exchange.reach import Reach
from runware_provider.engine.identity import Key, task_uuid
from runware_provider.engine.outcome.standing import MOST_SPENT, standing
from runware_provider.engine.spec import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.api.replies import Reply
    from runware_provider.engine.exchange.effects import Effects

JOB = bytes(range(16))
LIMITS = Limits(attempts=2, deadline_s=600, unreachable_s=120, poll_interval_s=1)
PAUSES_S = 20 * 90
"""Of back-offs, which may come on top of each bound."""
OF_ATTEMPT_S = (PROCESSING_DEADLINES + 3) * LIMITS.deadline_s + OUTAGES * LIMITS.unreachable_s + PAUSES_S
BOUND_S = (LIMITS.attempts + MOST_SPENT + 1) * OF_ATTEMPT_S
LOST = "lost"
NOT_SENT = "not sent"

CODES = (
    "providerError",
    "contentPolicyViolation",
    "rateLimitExceeded",
    "internalServerError",
    "timeoutProvider",
    "invalidRequest",
    "unsupportedTaskType",
    "somethingNew",
    "taskNotFound",
    "conflictTaskUUID",
    "inferenceRateLimitRequestTooLarge",
)
WHOLE = (
    (200, b""),
    (200, b"<html>"),
    (200, b"[]"),
    (200, b'{"data":[]}'),
    (200, b'{"hello":"world"}'),
    (301, b""),
    (400, b""),
    (404, b'{"error":{"message":"no such route","code":null}}'),
    (408, b"{}"),
    (413, b""),
    (422, b'{"detail":[]}'),
    (429, b""),
    (500, b"{}"),
    (503, b"<html>"),
    (504, b"{}"),
)


def kinds(
    **more: Callable[[str], dict[str, Any]],
) -> dict[str, Callable[[list[str]], tuple[int, bytes] | str]]:
    """Kinds of replies by name: each makes status and body of a reply to these UUIDs, or says that none came."""
    made: dict[str, Callable[[list[str]], tuple[int, bytes] | str]] = {
        LOST: lambda _: LOST,
        NOT_SENT: lambda _: NOT_SENT,
    }
    for status, body in WHOLE:
        made[f"HTTP {status} {body!r}"] = lambda _, told=(status, body): told
    for status in (200, 400, 500):
        for code in CODES:
            made[f"HTTP {status} {code} of each"] = lambda names, s=status, c=code: (
                s,
                json.dumps({"errors": [{"code": c, "taskUUID": name} for name in names]}).encode(),
            )
            made[f"HTTP {status} {code} of nobody"] = lambda _, s=status, c=code: (
                s,
                json.dumps({"errors": [{"code": c}]}).encode(),
            )
            made[f"HTTP {status} {code} of the first and of nobody"] = lambda names, s=status, c=code: (
                s,
                json.dumps(
                    {"errors": [{"code": c, "taskUUID": names[0]}, {"code": "somethingNew"}]}
                ).encode(),
            )
    for name, item in more.items():
        made[name] = lambda names, item=item: (
            200,
            json.dumps({"data": [item(one) for one in names]}).encode(),
        )
    return made


SENT = kinds(
    accepted=lambda name: {"taskUUID": name},
    processing=lambda name: {"taskUUID": name, "status": "processing"},
    of_others=lambda _: {"taskUUID": "another"},
)
ASKED = kinds(
    processing=lambda name: {"taskUUID": name, "status": "processing"},
    of_others=lambda _: {"taskUUID": "another", "status": "processing"},
)
LOOKED_UP = kinds(
    without_answer=lambda name: {"taskUUID": name, "response": None},
    stored_conflict=lambda name: {"taskUUID": name, "response": {"errors": [{"code": "conflictTaskUUID"}]}},
    stored_no_room=lambda name: {"taskUUID": name, "response": {"errors": [{"code": "rateLimitExceeded"}]}},
    stored_error=lambda name: {"taskUUID": name, "response": {"errors": [{"code": "providerError"}]}},
)
STATES: dict[str, dict[str, Any]] = {
    "ready": {},
    "refused before": {"rejected": True},
    "in use by nobody known": {"unexplained": True},
    "in doubt": {"phase": Phase.ASK, "doubted_at": 0.0, "intended": True},
    "in doubt, refused before": {"phase": Phase.ASK, "doubted_at": 0.0, "rejected": True},
    "only looked for": {"phase": Phase.ASK, "doubted_at": 0.0, "intended": True, "only_look_for": True},
    "to be looked up": {"phase": Phase.LOOK_UP, "doubted_at": 0.0, "intended": True},
    "sent a moment ago by another": {"phase": Phase.ASK, "doubted_at": 0.0, "not_before": 35.0},
    "accepted": {"accept": True},
    "accepted, at work": {"accept": True, "processing": True},
    "accepted, to be looked up": {"accept": True, "look_up": True},
}


class Endless:
    """A job whose every request of one kind is answered alike, for ever."""

    def __init__(
        self,
        states: list[str],
        sent: str,
        asked: str,
        looked_up: str,
        *,
        reached: bool,
        calls: Calls | None = None,
    ) -> None:
        self.now = 0.0
        self.replies = {"sent": SENT[sent], "asked": ASKED[asked], "looked_up": LOOKED_UP[looked_up]}
        self.flight = Flight()
        self.fates = Fates(self.flight, LIMITS, spread=0.0, calls=calls)
        self.reach = Reach(LIMITS.unreachable_s)
        self.stop: JobStopped | None = None
        self.ends: dict[Key, Entry] = {}
        self.attempts: dict[Key, list[Entry]] = {}
        self.told: set[tuple[Key, int]] = set()
        """Attempts of which the API said something by their name."""
        self.accepted: set[tuple[Key, int]] = set()
        if reached:
            self.say_hello()
        for number, state in enumerate(states):
            self.begin(number, STATES[state])

    def say_hello(self) -> None:
        """Some other inference was answered before."""
        other = self.new(99)
        chunk = self.flight.take_to_send(0.0, 1, 1)
        body = json.dumps({"data": [{"taskUUID": other.task_uuid, "text": "Hi"}]}).encode()
        effects = self.fates.sent(chunk, read_reply(200, body), 0.0)
        self.reach.saw(effects, 0.0)
        self.flight.move(other, Phase.DONE, 0.0)

    def new(self, number: int, **fields: Any) -> Inference:
        key = Key(number.to_bytes(16, "big"), 0, 0)
        made = Inference(
            key=key, turns=(), size=10, attempt=1, counted=0, task_uuid=task_uuid(JOB, key, 1), **fields
        )
        self.flight.add(made, 0.0)
        return made

    def begin(self, number: int, state: dict[str, Any]) -> None:
        fields = {
            name: value for name, value in state.items() if name not in {"accept", "look_up", "processing"}
        }
        inference = self.new(number, **fields)
        if not state.get("accept"):
            return
        self.flight.move(inference, Phase.SENDING, 0.0)
        inference.sent_at = 0.0
        body = json.dumps({"data": [{"taskUUID": inference.task_uuid}]}).encode()
        self.fates.sent([inference], read_reply(200, body), 0.0)
        self.accepted.add((inference.key, 1))
        inference.processing = bool(state.get("processing"))
        if state.get("look_up"):
            self.flight.move(inference, Phase.LOOK_UP, 0.0)

    def run(self) -> None:
        while len(self.flight) and self.stop is None:
            self.step()
            self.stop = self.stop or self.reach.stop(self.now)
            assert self.now <= BOUND_S, [(one.phase, one) for one in self.flight]

    def step(self) -> None:
        acted = False
        for take, apply in (
            (self.to_send, self.send),
            (self.to_ask, self.ask),
            (self.to_look_up, self.look_up),
        ):
            chunk = take()
            if chunk:
                acted = True
                self.see(chunk, apply(chunk))
        if acted:
            return
        due = self.flight.due(Phase.READY, Phase.WAITING, Phase.LOOK_UP)
        assert due is not None, "nothing is due, and nothing has ended"
        self.now = max(self.now + 0.01, due)

    def to_send(self) -> list[Inference]:
        return self.flight.take_to_send(self.now, 10, 1_000)

    def to_ask(self) -> list[Inference]:
        return self.flight.take_to_ask(self.now, 10)

    def to_look_up(self) -> list[Inference]:
        return self.flight.take_to_look_up(self.now, 10)

    def said(self, request: str, chunk: list[Inference], read: Callable[[int, bytes], Reply]) -> Reply | str:
        told = self.replies[request]([one.task_uuid for one in chunk])
        if isinstance(told, str):
            return told
        reply = read(*told)
        self.told |= {(one.key, one.attempt) for one in chunk if one.task_uuid in reply.failures}
        if request == "sent" and len(chunk) == 1 and reply.unnamed:
            self.told.add((chunk[0].key, chunk[0].attempt))
        if request != "looked_up":
            known = reply.acknowledged | reply.processing
            self.accepted |= {(one.key, one.attempt) for one in chunk if one.task_uuid in known}
        return reply

    def send(self, chunk: list[Inference]) -> Effects:
        for one in chunk:
            assert not self.is_sent_in_vain(one)
            one.sent_at = self.now if one.sent_at is None else one.sent_at
            one.intended = True
        reply = self.said("sent", chunk, read_reply)
        if reply == NOT_SENT:
            return self.fates.not_sent(chunk, self.now)
        if isinstance(reply, str):
            return self.fates.send_unknown(chunk, self.now, split=False)
        return self.fates.sent(chunk, reply, self.now)

    def ask(self, chunk: list[Inference]) -> Effects:
        reply = self.said("asked", chunk, read_poll)
        if isinstance(reply, str):
            return self.fates.ask_failed(chunk, self.now)
        return self.fates.asked(chunk, reply, self.now)

    def look_up(self, chunk: list[Inference]) -> Effects:
        reply = self.said("looked_up", chunk, read_archive)
        if isinstance(reply, str):
            return self.fates.look_up_failed(chunk, self.now)
        if not reply.unheard:
            self.told |= {(one.key, one.attempt) for one in chunk}
        return self.fates.looked_up(chunk, reply, self.now)

    def is_sent_in_vain(self, inference: Inference) -> bool:
        """Whether an attempt before it may have been run, and neither an error named it nor the archive denied it."""
        before = {(inference.key, number) for number in range(1, inference.attempt)}
        return bool((before & self.accepted) - self.told)

    def see(self, chunk: list[Inference], effects: Effects) -> None:
        self.reach.saw(effects, self.now)
        self.stop = self.stop or effects.stop
        assert not any(one.phase in {Phase.SENDING, Phase.BUSY} for one in chunk)
        for one, entry in effects.verdicts:
            self.attempts.setdefault(one.key, []).append(entry)
            if self.fates.settled(one, entry, JOB, self.now):
                self.ends[one.key] = entry


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(STATES)), min_size=1, max_size=3),
    st.sampled_from(sorted(SENT)),
    st.sampled_from(sorted(ASKED)),
    st.sampled_from(sorted(LOOKED_UP)),
    st.booleans(),
    st.booleans(),
)
def test_a_job_ends_whatever_one_kind_of_reply_is_repeated_for_ever(  # noqa: PLR0917 - drawn
    states: list[str],
    sent: str,
    asked: str,
    looked_up: str,
    reached: bool,  # noqa: FBT001 - drawn
    waits_for_calls: bool,  # noqa: FBT001 - drawn
) -> None:
    calls = Calls(60.0) if waits_for_calls else None
    job = Endless(states, sent, asked, looked_up, reached=reached, calls=calls)
    job.run()
    if job.stop is not None:
        assert job.stop.reason
        return
    assert len(job.ends) == len(states)
    for entry in job.ends.values():
        if entry.kind is Kind.ERROR:
            assert entry.code
            assert entry.message is not None


LIFE = {"sent": "accepted", "asked": "HTTP 200 b'{\"data\":[]}'", "looked_up": "HTTP 200 b'{\"data\":[]}'"}


def ended(**kinds_of_replies: str) -> tuple[Endless, Entry]:
    job = Endless(["accepted"], **{**LIFE, **kinds_of_replies}, reached=True)
    job.run()
    assert job.stop is None
    (entry,) = job.ends.values()
    return job, entry


@pytest.mark.parametrize(
    "asked",
    ["HTTP 400 invalidRequest of nobody", "HTTP 200 somethingNew of nobody", "HTTP 200 b'{\"data\":[]}'"],
)
@pytest.mark.parametrize("looked_up", ["HTTP 400 unsupportedTaskType of nobody", "HTTP 500 b'{}'"])
def test_what_may_have_been_run_and_nobody_speaks_of_fails_without_a_further_attempt(
    asked: str, looked_up: str
) -> None:
    job, entry = ended(asked=asked, looked_up=looked_up)
    assert (entry.kind, entry.attempt, entry.code) == (Kind.ERROR, 1, "lost")
    assert "billed" in (entry.message or "")
    assert may_be_billed(entry)
    assert LIMITS.deadline_s <= job.now <= LIMITS.deadline_s + OUTAGES * LIMITS.unreachable_s + 200
    known = standing(History(0, (Attempt(1, entry.kind, entry.family, 0, 0),)), LIMITS.attempts)
    assert known.ended_by is not None, "nor does the next run pay for it"


def test_an_error_that_names_nobody_ends_the_task_that_alone_can_be_meant() -> None:
    job, entry = ended(asked="HTTP 200 providerError of nobody")
    assert (entry.code, len(job.attempts[entry.key])) == ("providerError", LIMITS.attempts)
    assert job.now < LIMITS.deadline_s


def test_an_api_that_never_spoke_and_says_that_there_is_nothing_here_ends_the_job_at_once() -> None:
    elsewhere = 'HTTP 404 b\'{"error":{"message":"no such route","code":null}}\''
    for state in ("ready", "in doubt", "to be looked up"):
        job = Endless([state] * 3, elsewhere, elsewhere, elsewhere, reached=False)
        job.run()
        assert isinstance(job.stop, Unreachable)
        assert job.now == 0.0
        for said in ("HTTP 404", "no such route", "https://api.runware.ai/v1"):
            assert said in job.stop.reason
