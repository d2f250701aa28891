"""What is asked for of every record alike: the request but for its prompt, the check of an answer, and how often it is asked again. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runware_provider.engine.api.output_mode import Forced, force_schema, offer_tools, profile_of
from runware_provider.engine.api.request_bodies import RequestTemplate
from runware_provider.engine.errors import BadInput
from runware_provider.engine.outcome.follow_up import DEFAULT_MAX_TOKENS, Policy
from runware_provider.engine.schema.answer_schema import output_schema, tool_schema

if TYPE_CHECKING:
    from runware_provider.engine.outcome.rows import Check
    from runware_provider.engine.spec import Spec


@dataclass(frozen=True)
class AskedFor:
    """What a spec asks for, whatever the data."""

    forced: Forced
    check: Check | None
    sent: Any = field(repr=False)
    """The schema or the tools, as they are sent; None for text."""
    template: RequestTemplate = field(repr=False)
    follow_ups: Policy
    warnings: tuple[str, ...]


def asked_for_by(spec: Spec) -> AskedFor:
    """Fit model, schema, tools and settings together.

    Args:
        spec: what the user asked for.

    Raises:
        BadInput: they do not fit each other, or the model.
    """
    forced, check, sent = _output_mode(spec)
    return AskedFor(
        forced=forced,
        check=check,
        sent=sent,
        template=RequestTemplate(model=spec.model, settings=spec.settings, forced=forced),
        follow_ups=_follow_ups(spec),
        warnings=_warnings(spec),
    )


def _output_mode(spec: Spec) -> tuple[Forced, Check | None, Any]:
    wish = spec.answers
    if spec.tools:
        profile = profile_of(spec.model, wish.model_profile)
        forced = offer_tools(spec.tools, spec.tool_choice, spec.system_prompt, profile=profile)
        sent = forced.fields["tools"]
        functions = tuple(tool for tool in spec.tools if tool.type == "function")
        if forced.reading != "calls":
            return forced, None, sent
        calls = tool_schema(functions, untyped=wish.untyped, lenient_numbers=wish.lenient_numbers)
        return forced, calls, sent
    if spec.output_type is None:
        return Forced("text", {}, spec.system_prompt), None, None
    schema = output_schema(spec.output_type, untyped=wish.untyped, lenient_numbers=wish.lenient_numbers)
    sent = schema.wire()
    forced = force_schema(
        wish.output_mode, spec.model, spec.system_prompt, sent, schema.title, profile=wish.model_profile
    )
    return forced, schema, sent


def _follow_ups(spec: Spec) -> Policy:
    """How much may be asked again.

    Raises:
        BadInput: more tokens than the model takes, or no more than a first answer may have.
    """
    profile = profile_of(spec.model, spec.answers.model_profile)
    most = spec.answers.max_tokens_if_truncated
    usual = profile.default_max_tokens if profile is not None else None
    first = spec.settings.max_tokens or usual or DEFAULT_MAX_TOKENS
    takes = profile.max_tokens if profile is not None else None
    name = "answers.max_tokens_if_truncated"
    if most is not None and takes is not None and most > takes:
        problem = f"it is {most}, and {spec.model} takes at most {takes}"
        raise BadInput(name, problem, f"Choose {first + 1} to {takes}")
    if most is not None and most <= first:
        problem = f"it is {most}, and the first answer may have {first} tokens"
        raise BadInput(name, problem, "Choose more than settings.max_tokens, or leave it out")
    return Policy(spec.answers.output_retries, first, most)


def _warnings(spec: Spec) -> tuple[str, ...]:
    profile = profile_of(spec.model, spec.answers.model_profile)
    unknown = profile is None or not profile.says_output_mode
    if unknown and spec.output_type is not None and spec.answers.output_mode == "auto":
        warning = f"model {spec.model!r} is in no table of what models can do, so a tool is forced;"
        remedy = "say what it can do with answers.model_profile, or choose answers.output_mode 'native' or 'prompt'"
        return (f"{warning} {remedy}",)
    return ()
