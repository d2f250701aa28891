"""The API's words as they are sent: tasks, what names them, and questions about them.

A task is assembled from bytes that are the same for every record, so a large schema is encoded once.
"""

from __future__ import annotations

import hashlib
import json
import struct
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from runware_provider.engine.schema.written_numbers import WrittenFloat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.api.forcing import Forced
    from runware_provider.engine.spec import Delivery, Settings

FINGERPRINT_BYTES = 16


def _as_written(value: Any) -> msgspec.Raw:
    if isinstance(value, WrittenFloat):
        return msgspec.Raw(value.text.encode())
    raise NotImplementedError


_encode = msgspec.json.Encoder(enc_hook=_as_written).encode


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What a further attempt at an answer says beside the prompt."""

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
        self._hashes: dict[int, Any] = {}
        self._tails: dict[tuple[int, Delivery, int | None], bytes] = {}

    def fields(self, sample: int) -> dict[str, Any]:
        """The request without messages and UUID, as sent for the n-th sample (from 0)."""
        return self._fixed if self._seed is None else {**self._fixed, "seed": self._seed + sample}

    def fingerprint(self, prompt: str, sample: int) -> bytes:
        """What identifies a request: 16 bytes, the same whenever the same is asked (docs/decisions/0002)."""
        started = self._hashes.get(sample)
        if started is None:
            started = hashlib.blake2b(digest_size=FINGERPRINT_BYTES, person=b"runware-fp-1")
            started.update(_canonical(self.fields(sample)))
            self._hashes[sample] = started
        whole = started.copy()
        whole.update(json.dumps(messages(prompt), separators=(",", ":")).encode())
        return bytes(whole.digest())

    def task(
        self,
        prompt: str,
        sample: int,
        task_uuid: str,
        delivery: Delivery,
        follow_up: FollowUp | None = None,
    ) -> bytes:
        """One textInference task as JSON."""
        max_tokens = follow_up.max_tokens if follow_up is not None else None
        tail = self._tails.get((sample, delivery, max_tokens))
        if tail is None:
            rest = {
                **_with_max_tokens(self.fields(sample), max_tokens),
                "deliveryMethod": "async" if delivery == "poll" else "sync",
                "includeCost": True,
                "includeUsage": True,
                "numberResults": 1,
            }
            tail = b"," + encoded(rest)[1:]
            self._tails[sample, delivery, max_tokens] = tail
        head = b'{"taskType":"textInference","taskUUID":"' + task_uuid.encode()
        return head + b'","messages":' + encoded(messages(prompt, follow_up)) + tail


def messages(prompt: str, follow_up: FollowUp | None = None) -> list[dict[str, str]]:
    """One user turn, and what follows it; the last turn is always the user's.

    The system prompt lives in `settings`, a system role is refused by the API.
    """
    asked = {"role": "user", "content": prompt}
    if follow_up is None or follow_up.answer is None or follow_up.complaint is None:
        return [asked]
    return [
        asked,
        {"role": "assistant", "content": follow_up.answer},
        {"role": "user", "content": follow_up.complaint},
    ]


def task_uuid(job_id: bytes, fingerprint: bytes, sample: int, generation: int, attempt: int) -> str:
    """The idempotency key of one attempt: a hash in the shape of a UUID v4 (docs/decisions/0001)."""
    digest = hashlib.blake2b(digest_size=16, person=b"runware-uuid-1")
    digest.update(job_id + fingerprint + struct.pack(">III", sample, generation, attempt))
    return str(uuid.UUID(bytes=digest.digest(), version=4))


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


def _canonical(fields: Mapping[str, Any]) -> bytes:
    """Top level and `settings` in alphabetical order, since their order means nothing to a model.

    Inside `tools` and `jsonSchema` the order stays as sent: a model fills properties in the order it reads them.
    """
    ordered = {key: fields[key] for key in sorted(fields)}
    if isinstance(ordered.get("settings"), dict):
        ordered["settings"] = {key: ordered["settings"][key] for key in sorted(ordered["settings"])}
    return json.dumps(ordered, separators=(",", ":")).encode()
