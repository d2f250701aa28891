"""What is to be seen of a run, while it goes and afterwards: counts and sums, and no text of a record. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

State = Literal[
    "planned", "running", "waiting", "stopped", "staged", "published", "unchanged", "preview", "refused"
]
"""`planned`: waits for a person's approval. `waiting`: all is sent, and the worker was given back. `staged`: a shard that is done."""
Verdict = Literal["waiting", "approved", "refused", "timed_out", "not_needed"]


@dataclass(frozen=True)
class Older:
    """How many are waited for longer than some time."""

    than_s: float
    """In seconds."""
    inferences: int


@dataclass(frozen=True)
class Waited:
    """What a run waits for."""

    what: str
    inferences: int
    longest_s: float
    """How long the first of them is waited for, in seconds."""
    older: list[Older] = field(default_factory=list)
    """Of these inferences, the shortest time first: who is older than a minute is older than ten seconds, too. Times that
    nobody has waited for are left out."""


@dataclass(frozen=True)
class Approval:
    """What a person was asked before anything was paid."""

    to_ask: int
    """Questions that are not answered yet."""
    most_usd: float | None
    """What they may cost at most; None where nobody knows the prices."""
    likely_usd: float | None
    above_usd: float
    """Nobody is asked where it costs no more than this."""
    verdict: Verdict
    by: str = ""
    """Who decided."""
    at: str = ""
    """When, in UTC (ISO 8601)."""
    samples: int = 0
    """Answers that were asked for beforehand, to be looked at."""
    budget_usd: float | None = None
    """What the run, with all its tries, may have paid in all once that is decided; None where nobody knows the prices."""
    budget_tokens: int | None = None
    """The same in tokens, where nobody knows the prices."""
    spent_usd: float = 0.0
    """What the run had paid when that was reckoned, such as for samples: `budget_usd` holds it."""
    asks: str = ""
    """What the parts of the questions hash to, so that no other ones are taken for approved; empty where nobody noted it."""


@dataclass(frozen=True)
class RunRecord:
    """A run at one moment, as one process of it saw it."""

    run: str
    """Its name, such as `dag/task/run id/map index`; empty where it has none."""
    state: State
    started_at: str
    """Of its first try, in UTC (ISO 8601), as all times here. What had published before begins anew."""
    at: str
    """Of this record."""
    source: str
    destination: str
    model: str
    rows: int
    """That it is about."""
    rows_done: int
    reused: int = 0
    """Of the rows done, those that earlier runs asked: they cost this one nothing."""
    outcomes: dict[str, int] = field(default_factory=dict)
    """Rows done, by outcome."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Rows that did not succeed, by error code; the most frequent 20."""
    under_way: int = 0
    """Inferences at the vendor."""
    window: int | None = None
    """Inferences that may be under way; None where nobody says."""
    window_reason: str = ""
    rows_a_second: float = 0.0
    left_s: float | None = None
    """Seconds left at this rate; None where it says nothing of the rest."""
    quiet_s: float = 0.0
    """Since a row was done."""
    latency_median_s: float | None = None
    latency_slow_s: float | None = None
    """Of a hundred answers of late, 95 were faster."""
    asked_again: int = 0
    """Questions under way once more, since their last answers do not fit."""
    waits: list[Waited] = field(default_factory=list)
    paid_usd: float = 0.0
    """By this run, with all its tries, as far as the API reported it."""
    foreseen_usd: float | None = None
    """What it will have paid in the end; None where nobody can tell."""
    budget_usd: float | None = None
    budget_tokens: int | None = None
    trouble: str = ""
    """What is wrong with the API at this moment."""
    reason: str = ""
    """Why it stopped."""
    remedy: str = ""
    publish_id: str | None = None
    """Of what it published."""
    request: str = ""
    """Names `requests/<this>.json`, which holds what was asked (`run_request`); empty where nobody noted it."""
    approval: Approval | None = None
    earlier_tries: int = 0
    """Of the rows done, those that earlier tries of this very run asked: what they cost is in `paid_usd`."""
    try_started_at: str = ""
    """Of this try; empty where nobody knows."""
    asks: str = ""
    """What hashes of that which its rows ask; a try that asks otherwise counts its rows anew. Empty where nobody knows."""


@dataclass(frozen=True)
class PastRun:
    """A run that has ended, in a line of the history."""

    run: str
    state: State
    started_at: str
    finished_at: str
    model: str
    rows: int
    outcomes: dict[str, int]
    paid_usd: float
    """By this run."""
    cost_usd: float | None = None
    """Of the answers that its dataset shows, whoever paid for them; None where it published none."""
    publish_id: str | None = None
    hits: dict[str, dict[str, int]] = field(default_factory=dict)
    """With expected values: of the worst fields, `hits` and `of`."""
