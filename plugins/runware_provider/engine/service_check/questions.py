"""The tasks that are sent: a handful, short, ours. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.api.output_mode import Forced, force_schema
from runware_provider.engine.api.request_bodies import RequestTemplate, encoded
from runware_provider.engine.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

NO_SUCH_MODEL: Final = "no-such-model-of-anybody"
TOOL: Final = "weather_report"
SCHEMA: Final = {
    "type": "object",
    "title": TOOL,
    "description": "Note what the weather is.",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "number"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Question:
    """One task of ours, without its UUID.

    Attributes:
        prompt: what the user's turn says.
        max_tokens: of the answer.
        delivery: the API's word.
        changes: of fields at top level, beside what every task has.
        forces_tool: whether a call of the tool of `SCHEMA` is forced.
    """

    prompt: str
    max_tokens: int
    delivery: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    forces_tool: bool = False

    def task(self, model: str, task_uuid: str) -> bytes:
        """The task as JSON."""
        forced = Forced("text")
        if self.forces_tool:
            forced = force_schema("tool", model, None, SCHEMA, TOOL)
        template = RequestTemplate(model=model, settings=Settings(max_tokens=self.max_tokens), forced=forced)
        usual = {
            "taskType": "textInference",
            "taskUUID": task_uuid,
            "messages": [{"role": "user", "content": self.prompt}],
            **template.fields(0),
            "deliveryMethod": self.delivery,
            "includeCost": True,
            "includeUsage": True,
            "numberResults": 1,
        }
        return encoded({**usual, **self.changes})


ONE_WORD: Final = Question("Is snow white or black? Answer with one word.", 32, "sync")
SLOW: Final = Question("Count from 1 to 80 in words, separated by commas.", 400, "async")
COLOUR: Final = Question("Name a colour. Answer with one word.", 32, "async")
ANIMAL: Final = Question("Name an animal. Answer with one word.", 32, "async")
FRUIT: Final = Question("Name a fruit. Answer with one word.", 32, "async")
CALL: Final = Question("It is 4 degrees in Oslo. Note that.", 128, "sync", forces_tool=True)
STREAMED: Final = Question("Name three rivers, separated by commas.", 64, "stream")
HOOKED: Final = Question("Name a metal. Answer with one word.", 32, "async")
SYSTEM_ROLE: Final = Question(
    "",
    32,
    "sync",
    {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Name a river. Answer with one word."},
        ]
    },
)
UNKNOWN_MODEL: Final = Question("Name a tree. Answer with one word.", 32, "sync", {"model": NO_SUCH_MODEL})

PAID: Final = (ONE_WORD, SLOW, COLOUR, ANIMAL, FRUIT, CALL)
"""Those that are always asked and paid for."""
UNPAID: Final = (SYSTEM_ROLE, UNKNOWN_MODEL, SYSTEM_ROLE, ONE_WORD)
"""Those that the service is believed to refuse: the second system role in an array, and the answered question once more under
its UUID. If it takes them all the same, they cost something, too."""


def hooked(url: str) -> Question:
    """The question whose answer is posted to a URL; it is sent, and counted, with that URL."""
    return replace(HOOKED, changes={"webhookURL": url})


def paid_questions(*, streams: bool, webhook_url: str | None) -> tuple[Question, ...]:
    """What is paid for if all is as assumed.

    Args:
        streams: whether a stream is asked for.
        webhook_url: where a webhook is to arrive, as long as that of a task; None where none is asked for.
    """
    asked = [*PAID]
    if streams:
        asked.append(STREAMED)
    if webhook_url is not None:
        asked.append(hooked(webhook_url))
    return tuple(asked)


def at_most_usd(model: str, price: Callable[[bytes, int], float], asked: Sequence[Question]) -> float:
    """USD that questions may cost, and with them those that are believed to be refused.

    Args:
        model: that is asked.
        price: USD that a task may cost at most, of the task and its `max_tokens`.
        asked: what is paid for.
    """
    return sum(price(question.task(model, NOBODY), question.max_tokens) for question in (*asked, *UNPAID))


NOBODY: Final = "00000000-0000-4000-8000-000000000000"
"""The UUID of no task, as long as any."""
