"""What the parts of a job hash to, so that a later run can say what changed. Pure.

The hashes are in manifests and split records (docs/decisions/0004, 0012), so what they are made of has the words that it
was first written with, whatever the arguments are called by now.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date, time, timedelta
from decimal import Decimal
from types import NoneType
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.model_profile import ModelProfile
    from runware_provider.engine.spec import Spec

_ASKED: Final = "prompt"
_MODE: Final = "forcing"
_PROFILE: Final = "traits"
_RETRIES: Final = "reasks"
"""Not a part of the first request, but of what is asked further."""
_NO_RETRIES: Final = [0, None]
_MODES: Final = {"native": "json_schema"}
"""What an output mode was first called, where it has another name now."""
_ARGUMENTS: Final = {
    _MODE: "answers.output_mode",
    _PROFILE: "answers.model_profile",
    _RETRIES: "answers.output_retries",
}
"""By what a part was first called: what a person calls it."""

_SHOW_THEMSELVES: Final = (NoneType, bool, int, float, str, bytes, timedelta, Decimal, UUID)
"""Kinds of values that print all that they hold."""
_LISTS: Final = (list, tuple)


def request_digests(spec: Spec, schema: Any) -> dict[str, str]:
    """What the parts of the request hash to, under the names that the manifest has for them.

    Args:
        spec: what the user asked for.
        schema: as it is sent; None where there is none.
    """
    answers = spec.answers
    parts = {
        "model": spec.model,
        _ASKED: _asked(spec),
        "system_prompt": spec.system_prompt,
        "schema": schema,
        "tool_choice": spec.tool_choice.model_dump() if spec.tool_choice else None,
        "settings": spec.settings.model_dump(mode="json"),
        _MODE: _MODES.get(answers.output_mode, answers.output_mode),
        _PROFILE: _first_repr(answers.model_profile),
        _RETRIES: [answers.output_retries, answers.max_tokens_if_truncated],
    }
    return {name: digest_of(part) for name, part in parts.items()}


def digest_of(part: Any) -> str:
    """What a part of the request hashes to in the manifest."""
    return hashlib.blake2b(json.dumps(part).encode(), digest_size=8).hexdigest()


def digest_of_rows(spec: Spec, variables: Mapping[str, Any]) -> str:
    """Of what chooses records and shapes rows, beside the request.

    Args:
        spec: what the user asked for.
        variables: those that the prompt can depend on. What else a run is called or has (its id, its day) changes no
            row, and two runs of which only that differs do the same work.
    """
    answers, profile = spec.answers, spec.answers.model_profile
    reading = {
        "reasks": answers.output_retries,
        "max_tokens_if_truncated": answers.max_tokens_if_truncated,
        "untyped": answers.untyped,
        "lenient_numbers": answers.lenient_numbers,
        "traits": profile.model_dump(mode="json") if profile is not None else None,
    }
    parts = (
        spec.filters,
        spec.limit,
        spec.samples,
        spec.publish.columns,
        spec.publish.flatten,
        spec.publish.keep_raw,
        spec.limits.max_input_tokens,
        spec.failures.dataset,
        spec.refresh,
        spec.retry_failed,
        spec.limits.attempts,
        spec.limits.retry_lost,
        spec.limits.max_prompt_chars,
        [(name, _shown(value)) for name, value in sorted(variables.items(), key=_name)],
        reading,
    )
    return digest_of(repr(parts))


def shows_itself(value: Any) -> bool:
    """Whether two values that hash alike are sure to make the same texts: what is of another kind may hide what it holds."""
    if isinstance(value, dict):
        return all(shows_itself(part) for item in value.items() for part in item)
    if isinstance(value, list | tuple):
        return all(map(shows_itself, value))
    return type(value) in _SHOW_THEMSELVES or isinstance(value, date | time)


def _shown(value: Any) -> Any:
    """What a variable hashes as: itself, and a time with its offset and its fold, which not every kind of time prints."""
    if isinstance(value, dict):
        return {name: _shown(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_shown, value)) if type(value) in _LISTS else value
    if isinstance(value, date | time):
        return f"{value!r} {value.isoformat()} {getattr(value, 'fold', 0)}"
    return value


def _name(item: tuple[str, Any]) -> str:
    return item[0]


def changed_parts(
    digests: Mapping[str, str], published: Mapping[str, object], *, asked_by: str = _ASKED
) -> list[str]:
    """Which parts of the request differ from those of the last publish, as the arguments are called.

    Args:
        digests: of the request.
        published: the last publish's manifest; empty where nothing is published.
        asked_by: the argument that says what is asked: `prompt` or `messages`.
    """
    told = published.get("request")
    before = told if isinstance(told, dict) else {}
    # What was published before there were output retries had none.
    if before:
        before = {_RETRIES: digest_of(_NO_RETRIES), **before}
    differ = [name for name, digest in digests.items() if name in before and before[name] != digest]
    called = {**_ARGUMENTS, _ASKED: asked_by}
    return [called.get(name, name) for name in differ]


def _asked(spec: Spec) -> Any:
    """What is asked of each record; one message of the user's is what a prompt is, and hashes as one."""
    messages = spec.messages
    if messages is None:
        return spec.prompt
    if isinstance(messages, str):
        return {"messages": messages}
    if len(messages) == 1:
        return messages[0].content
    return [[message.role, message.content] for message in messages]


def _first_repr(profile: ModelProfile | None) -> str:
    """How a profile printed itself when manifests first had it."""
    if profile is None:
        return repr(None)
    return f"ModelTraits({', '.join(f'{name}={value!r}' for name, value in profile)})"
