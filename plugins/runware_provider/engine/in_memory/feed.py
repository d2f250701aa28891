"""The questions of one call: brought to the exchange together, each with its last word in the end. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runware_provider.engine.identity import Key
from runware_provider.engine.job.question import Question, Request
from runware_provider.engine.outcome.rows import Judgement, Outcome
from runware_provider.engine.outcome.standing import NOTHING_KNOWN
from runware_provider.engine.templates.prompt import Skip

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from runware_provider.engine.api.request_bodies import FollowUp
    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.exchange.flight import Flight
    from runware_provider.engine.exchange.inference import Inference
    from runware_provider.engine.job.output_retries import OutputRetries
    from runware_provider.engine.job.questioner import Requester
    from runware_provider.engine.outcome.rows import Judge

GENERATION = 0
"""Nothing is ever asked anew within a call."""


def key_of(request: Request) -> Key:
    """What identifies a question within the call: whoever asks the same shares its answer."""
    return Key(request.fingerprint, request.sample, GENERATION)


@dataclass(kw_only=True)
class QuestionFeed:
    """The questions of one call.

    Args:
        requests: what each asks, or why it does not, in order.
        requester: makes inferences of them.
        flight: what is under way.
        retries: the answers that do not fit, and what is asked next.
        judge: of the answers.
        job_id: from which the UUIDs are made; of this call alone.
        now: seconds, from any moment.
    """

    requests: Sequence[Request | Skip]
    requester: Requester
    flight: Flight
    retries: OutputRetries
    judge: Judge
    job_id: bytes
    now: Callable[[], float]
    may_ask: bool = True
    """Whether the budget reaches for more."""
    ended: dict[Key, Judgement] = field(default_factory=dict, repr=False)
    """The last words so far."""
    _loaded: bool = False

    # what the exchange calls

    def wants(self) -> bool:
        """Whether the questions are still to be brought."""
        return not self._loaded

    def all_loaded(self) -> bool:
        """Whether they were."""
        return self._loaded

    def exhausted(self) -> bool:
        """Whether they were: none is ever let go."""
        return self._loaded

    def pending(self) -> set[asyncio.Task[None]]:
        """None: nothing is written."""
        return set()

    async def load(self) -> None:
        """Bring all questions, each once."""
        now = self.now()
        for request in self.requests:
            if isinstance(request, Skip) or self.flight.get(key_of(request)) is not None:
                continue
            question = Question(key_of(request), request, NOTHING_KNOWN)
            self.flight.add(self.requester.inference(question, self.job_id, now), now)
        self._loaded = True

    def settle(self, inference: Inference, entry: Entry) -> FollowUp | None:
        """Keep the last word; or say what to ask further about an answer that does not fit."""
        following = self.retries.after(inference, entry, may_ask=self.may_ask)
        if isinstance(following, Judgement):
            self.ended[inference.key] = following
            return None
        return following

    def budget_is_used_up(self) -> None:
        """From now on nothing new is asked."""
        self.may_ask = False

    async def end_without_budget(self, inferences: Sequence[Inference]) -> None:
        """These are not asked any more."""
        for inference in inferences:
            self.ended[inference.key] = self.retries.without_money(inference)

    # the end

    def end_the_rest(self, code: str, why: str) -> None:
        """Give everything that has no last word one, since nothing more is sent or waited for.

        Args:
            code: names what ended the call.
            why: the same in words.
        """
        for inference in list(self.flight):
            answered = self.retries.given_up(inference, why)
            self.ended[inference.key] = answered or _left(inference, code, why, self.judge)
        for request in self.requests:
            # Not even brought: the call ended before.
            if isinstance(request, Request) and key_of(request) not in self.ended:
                self.ended[key_of(request)] = self.judge.never_sent(code, why)

    def judgements(self) -> list[tuple[Judgement, bool]]:
        """The last word on each question, in order, and whether an earlier one of them asked the same."""
        seen: set[Key] = set()
        last_words: list[tuple[Judgement, bool]] = []
        for request in self.requests:
            if isinstance(request, Skip):
                last_words.append((self.judge.skipped(request), False))
                continue
            key = key_of(request)
            last_words.append((self.ended[key], key in seen))
            seen.add(key)
        return last_words


def _left(inference: Inference, code: str, why: str, judge: Judge) -> Judgement:
    handed_over = inference.sent_at is not None or inference.accepted
    # Nothing of it ever left this process.
    if not handed_over and not inference.counted:
        return judge.never_sent(code, why)
    told = f"{why}; it may have been sent, and billed" if handed_over else why
    unknown = judge.given_up(inference.counted, inference.task_uuid, errors_usd=inference.errors_usd)
    facts = {**unknown.facts, "error_code": code, "error_message": told}
    facts["attempts"] = inference.counted + handed_over
    return Judgement(Outcome.FAILED, None, facts)
