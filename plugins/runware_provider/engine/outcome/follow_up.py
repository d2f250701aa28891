"""What is asked next about an answer that does not fit, and which of several answers has the last word. Pure.

An answer that was cut off is asked for again with room for more tokens; one that does not fit is shown to the model,
with what is wrong with it. Each is the next attempt of the same inference (docs/decisions/0001), and what it says
follows from the answers before it, so whoever reads them from the ledger asks the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.api.replies import decode
from runware_provider.engine.api.request_bodies import FollowUp
from runware_provider.engine.api.results import read_result
from runware_provider.engine.outcome.rows import Judgement, Outcome
from runware_provider.engine.outcome.thinking import without_thinking
from runware_provider.engine.spending.picodollars import sum_of_known

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runware_provider.engine.api.output_mode import Forced
    from runware_provider.engine.api.results import Result
    from runware_provider.engine.attempt import Entry

DEFAULT_MAX_TOKENS = 32_768
"""What the API lets an answer have where a request does not say."""
MOST_SHOWN = 200_000
"""Characters of an answer that are shown; longer ones are cut."""
COMPLAINT_TOKENS = 1_500
"""Of what is said about an answer that does not fit, about, at its longest: 2,000 characters and some words around them."""
NOTHING_SAID = "(empty)"
OUT_OF_BUDGET = "the budget was used up before it was asked again"
_SUMMED = ("prompt_tokens", "cached_tokens", "completion_tokens", "cost_usd")


@dataclass(frozen=True, slots=True)
class Policy:
    """How much may be asked again."""

    output_retries: int = 0
    """How often an answer that does not fit is shown to the model."""
    max_tokens: int = DEFAULT_MAX_TOKENS
    """What a first answer may have."""
    most_tokens: int | None = None
    """What one that was cut off may be given in the end; nothing where it is not asked for again."""

    @property
    def asks_nothing(self) -> bool:
        """Whether every first answer is the last word."""
        return self.output_retries == 0 and self.most_tokens is None

    def longer(self, max_tokens: int | None) -> int | None:
        """Twice as many tokens, as far as that is allowed; nothing where no more are.

        Args:
            max_tokens: what the answer could have, if not what a first one may.
        """
        before = self.max_tokens if max_tokens is None else max_tokens
        if self.most_tokens is None or self.most_tokens <= before:
            return None
        return min(2 * before, self.most_tokens)

    @property
    def rooms(self) -> list[int]:
        """The tokens that the answers to one question may have, one after the other, if each is cut off."""
        rooms = [self.max_tokens]
        while (longer := self.longer(rooms[-1])) is not None:
            rooms.append(longer)
        return rooms

    @property
    def further_answers(self) -> int:
        """How often one question may be asked again, at most: with its errors shown, or with more room."""
        return len(self.rooms) - 1 + self.output_retries


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What questions come to if every answer is as long as it may be, and everything is asked again that may be."""

    inferences: int
    prompt_tokens: int
    """As well as prompts can be estimated."""
    completion_tokens: int


def ceiling(policy: Policy, questions: int, prompt_tokens: int) -> Ceiling:
    """The most that questions may come to; attempts that end in errors, which are not billed, are not in it.

    Args:
        policy: what may be asked again.
        questions: how many there are.
        prompt_tokens: of all their prompts together.
    """
    rooms, each = policy.rooms, 1 + policy.further_answers
    shown = (each - 1) * (rooms[-1] + COMPLAINT_TOKENS) if policy.output_retries else 0
    completion = sum(rooms) + policy.output_retries * rooms[-1]
    return Ceiling(questions * each, prompt_tokens * each + questions * shown, questions * completion)


@dataclass(frozen=True, slots=True)
class OutputRetry:
    """What the next attempt asks, beside the prompt."""

    shows: int | None = None
    """Which of the answers it shows; none where it only gives more room."""
    max_tokens: int | None = None
    """Other than the job's."""


def output_retry_after(answers: Sequence[Judgement], policy: Policy) -> OutputRetry | None:
    """What follows from the answers to one inference, the oldest first; nothing if all is said.

    It is worked out from the first answer on, so that it is the same in every process, and bounded by what the
    policy says now and not by what it said when they were asked for.
    """
    # Never answered: what is asked next is no output retry.
    if not answers:
        return None
    output_retry, shown = OutputRetry(), 0
    for place, answer in enumerate(answers):
        longer = policy.longer(output_retry.max_tokens) if answer.cut else None
        # An answer that was cut off is asked for with more room, as long as there is more to be had: paid for.
        if longer is not None:
            output_retry = replace(output_retry, max_tokens=longer)
        # One that does not fit is shown to the model, as often as the user allows: paid for.
        elif _to_be_shown(answer) and shown < policy.output_retries:
            shown += 1
            output_retry = replace(output_retry, shows=place)
        # This one is the last: it fits, or nothing more is allowed. Its rows show the best of the answers.
        else:
            return None
    return output_retry


NOT_TAKEN: Final = "reply_too_large"
"""The code of an answer that came in a reply larger than anything is taken."""


def _to_be_shown(answer: Judgement) -> bool:
    """Whether seeing its errors may help: with no more room than before it would be cut off again."""
    # It fits, and may be a slip all the same: its author may say it again.
    if answer.doubt is not None:
        return True
    was_cut_off = answer.facts.get("finish_reason") == "length"
    # There is nothing to show of an answer that was not taken, and the next one would be as large.
    was_taken = answer.facts.get("error_code") != NOT_TAKEN
    return answer.outcome is Outcome.INVALID and was_taken and not was_cut_off


def last_word(
    answers: Sequence[Judgement], errors: int, note: str | None = None, *, errors_usd: float | None = None
) -> Judgement:
    """What counts of the answers to one inference, the oldest first: the last that fits, or else the last.

    Args:
        answers: at least one; their facts are those of one attempt each.
        errors: attempts that ended without an answer.
        note: why it was not asked further, where it is not the number of times.
        errors_usd: what the attempts that ended without an answer cost; None where no cost was reported.
    """
    # One answer, and nothing besides: its facts are the row's.
    if len(answers) == 1 and errors == 0 and note is None:
        return answers[0]
    chosen = _chosen(answers)
    facts = {**chosen.facts, "attempts": errors + len(answers), "reasks": len(answers) - 1}
    for name in _SUMMED:
        facts[name] = _sum(answer.facts.get(name) for answer in answers)
    # A row's cost is the bill of all its attempts, of those too that brought nothing.
    facts["cost_usd"] = sum_of_known([facts["cost_usd"], errors_usd])
    if note is not None and chosen.outcome is not Outcome.SUCCEEDED:
        facts["error_message"] = f"{facts.get('error_message') or ''}; {note}"
    return replace(chosen, facts=facts)


def _chosen(answers: Sequence[Judgement]) -> Judgement:
    for wished in (Outcome.SUCCEEDED, Outcome.INVALID):
        with_it = [answer for answer in answers if answer.outcome is wished]
        if with_it:
            return with_it[-1]
    return answers[-1]


def _sum(values: Iterable[Any]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def ended_with(family: str | None) -> str:
    """The note on an inference whose last attempts ended in errors, after an answer that does not fit."""
    return f"asked again, it ended in an error ({family or 'unknown'})"


def follow_up(
    output_retry: OutputRetry, answers: Sequence[tuple[Entry, Judgement]], forced: Forced
) -> FollowUp:
    """The words of an output retry.

    Args:
        output_retry: made from these answers.
        answers: as the ledger has them, and what is thought of them.
        forced: where an answer stands.
    """
    if output_retry.shows is None:
        return FollowUp(max_tokens=output_retry.max_tokens)
    entry, judgement = answers[output_retry.shows]
    item = decode(entry.item or b"{}")
    result = read_result(item if isinstance(item, dict) else {})
    problem = str(judgement.doubt or judgement.facts.get("error_message") or "it does not fit")
    return FollowUp(_shown(result), _complaint(problem, forced), output_retry.max_tokens)


def _shown(result: Result) -> str:
    """The model's answer as it may read it again."""
    calls = [
        {"name": name, "arguments": _arguments(arguments)} if len(result.calls) > 1 else _arguments(arguments)
        for name, arguments in result.calls
    ]
    if calls:
        shown = json.dumps(calls if len(calls) > 1 else calls[0], ensure_ascii=False)
    else:
        shown = without_thinking(result.text or "")
    shown = shown if shown.strip() else NOTHING_SAID
    return shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]} ..."


def _arguments(arguments: Any) -> Any:
    """As an object also where they came as its JSON text, unless that is what cannot be read."""
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments


def _complaint(problem: str, forced: Forced) -> str:
    return f"Your answer does not fit. What is wrong with it:\n{problem}\n\n{_remedy(forced)}"


def _remedy(forced: Forced) -> str:
    match forced.reading:
        case "arguments":
            return f"Call {forced.tool_name} again, with all of its arguments and these mistakes corrected."
        case "calls":
            return "Call the tools again, with all of their arguments and these mistakes corrected."
        case "json":
            return "Give the whole JSON object again with these mistakes corrected, and nothing else."
        case "text":
            return "Answer again with these mistakes corrected, and give nothing but the answer."
