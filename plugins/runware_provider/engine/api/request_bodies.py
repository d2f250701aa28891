"""The API's words as they are sent: tasks, what names them, and questions about them.

A task is assembled from bytes that are the same for every record, so a large schema is encoded once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from runware_provider.engine.identity import Fingerprinter
from runware_provider.engine.schema.written_numbers import WrittenFloat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.api.output_mode import Forced
    from runware_provider.engine.spec import Delivery, Settings
    from runware_provider.engine.turns import Turns


def _as_written(value: Any) -> msgspec.Raw:
    if isinstance(value, WrittenFloat):
        return msgspec.Raw(value.text.encode())
    raise NotImplementedError


DELIVERY_METHODS: Mapping[Delivery, str] = {
    "poll": "async",
    "sync": "sync",
    "stream": "stream",
    "webhook": "async",
}
"""What the API calls each way in which answers come."""
_encode = msgspec.json.Encoder(enc_hook=_as_written).encode


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What a further attempt at an answer says beside what was asked."""

    answer: str | None = field(default=None, repr=False)
    """The model's own answer, shown to it."""
    complaint: str | None = field(default=None, repr=False)
    """What is wrong with it."""
    max_tokens: int | None = None
    """Instead of what the settings say."""

    @property
    def words(self) -> tuple[str, ...]:
        """Its texts."""
        return tuple(text for text in (self.answer, self.complaint) if text is not None)


class RequestTemplate:
    """Everything about a request that is the same for every record of a job."""

    def __init__(self, *, model: str, settings: Settings, forced: Forced) -> None:
        self._seed = settings.seed
        fixed: dict[str, Any] = {"model": model, "outputFormat": "TEXT", **forced.fields}
        nested = _api_settings(settings, forced.system_prompt)
        if nested:
            fixed["settings"] = nested
        self._fixed = fixed
        self._fingerprinters: dict[int, Fingerprinter] = {}
        self._tails: dict[tuple[int, Delivery, int | None], bytes] = {}

    def fields(self, sample: int) -> dict[str, Any]:
        """The request without messages and UUID, as sent for the n-th sample (from 0)."""
        return self._fixed if self._seed is None else {**self._fixed, "seed": self._seed + sample}

    def fingerprint(self, turns: Turns, sample: int) -> bytes:
        """What identifies a request: 16 bytes, the same whenever the same is asked (docs/decisions/0002)."""
        fingerprinter = self._fingerprinters.get(sample)
        if fingerprinter is None:
            fingerprinter = self._fingerprinters[sample] = Fingerprinter(self.fields(sample))
        return fingerprinter.of(turns)

    def task(  # noqa: PLR0913 - what one task has of its own
        self,
        turns: Turns,
        sample: int,
        task_uuid: str,
        delivery: Delivery,
        follow_up: FollowUp | None = None,
        *,
        webhook_url: str | None = None,
    ) -> bytes:
        """One textInference task as JSON.

        Args:
            turns: what is asked.
            sample: of the record, from 0.
            task_uuid: of the attempt.
            delivery: how the answer comes.
            follow_up: what is said beside the prompt; None for nothing.
            webhook_url: where the vendor is to bring the answer; None where it is asked for. It is of this task alone, and
                no part of what identifies the request.
        """
        max_tokens = follow_up.max_tokens if follow_up is not None else None
        tail = self._tails.get((sample, delivery, max_tokens))
        if tail is None:
            rest = {
                **_with_max_tokens(self.fields(sample), max_tokens),
                "deliveryMethod": DELIVERY_METHODS[delivery],
                "includeCost": True,
                "includeUsage": True,
                "numberResults": 1,
            }
            tail = b"," + encoded(rest)[1:]
            self._tails[sample, delivery, max_tokens] = tail
        head = b'{"taskType":"textInference","taskUUID":"' + task_uuid.encode() + b'"'
        if webhook_url is not None:
            head += b',"webhookURL":' + encoded(webhook_url)
        return head + b',"messages":' + encoded(messages(turns, follow_up)) + tail


def messages(turns: Turns, follow_up: FollowUp | None = None) -> list[dict[str, str]]:
    """What was asked, and what follows it; the last turn is always the user's.

    The system prompt lives in `settings`, a system role is refused by the API.
    """
    asked = [{"role": str(turn.role), "content": turn.content} for turn in turns]
    if follow_up is None or follow_up.answer is None or follow_up.complaint is None:
        return asked
    return [
        *asked,
        {"role": "assistant", "content": follow_up.answer},
        {"role": "user", "content": follow_up.complaint},
    ]


def body(tasks: Sequence[bytes]) -> bytes:
    """Many tasks as the array that the API takes."""
    return b"[" + b",".join(tasks) + b"]"


def encoded(value: Any) -> bytes:
    """JSON; what UTF-8 cannot hold is escaped."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def get_response(task_uuids: Sequence[str]) -> bytes:
    """Ask for the results of many tasks."""
    return _encode([{"taskType": "getResponse", "taskUUID": one} for one in task_uuids])


def get_task_details(task_uuids: Sequence[str]) -> bytes:
    """Ask the archive about many tasks."""
    return _encode([{"taskType": "getTaskDetails", "taskUUID": one} for one in task_uuids])


def authentication(key: str) -> bytes:
    """The free check of a key."""
    return _encode([{"taskType": "authentication", "apiKey": key}])


def account_details(task_uuid: str) -> bytes:
    """The free question about the account."""
    return _encode([{"taskType": "accountManagement", "taskUUID": task_uuid, "operation": "getDetails"}])


def _api_settings(settings: Settings, system_prompt: str | None) -> dict[str, Any]:
    named = {
        "systemPrompt": system_prompt,
        "temperature": settings.temperature,
        "topP": settings.top_p,
        "frequencyPenalty": settings.frequency_penalty,
        "presencePenalty": settings.presence_penalty,
        "maxTokens": settings.max_tokens,
        "stopSequences": list(settings.stop_sequences) if settings.stop_sequences else None,
        "thinkingLevel": settings.thinking_level,
    }
    return {**{key: value for key, value in named.items() if value is not None}, **settings.extra}


def _with_max_tokens(fields: dict[str, Any], max_tokens: int | None) -> dict[str, Any]:
    if max_tokens is None:
        return fields
    return {**fields, "settings": {**fields.get("settings", {}), "maxTokens": max_tokens}}
