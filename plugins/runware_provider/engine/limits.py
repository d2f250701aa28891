"""Bounds of a job, and of what it costs."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from runware_provider.engine.errors import BadInput
from runware_provider.engine.field_types import (
    Price,
    Seconds,
    WholeNumber,
    default_for_nothing,
    number_or_nothing,
)
from runware_provider.engine.value_object import ValueObject

WhenShort = Literal["stop", "partial"]

FIRST_LOOK_UP_S = 30.0
"""By then most answers are there. What getResponse has forgotten is not waited for much longer."""


class Limits(ValueObject):
    """Bounds of a job: on what it holds in memory, has under way, and tries again."""

    argument: ClassVar[str] = "limits"

    requests: Annotated[WholeNumber, Field(ge=1, le=4_000)] = 1_000
    """Requests with tasks under way at once, at most, and up to 32 beside them that look for answers: how many it takes, the job
    finds out by itself. It keeps a part of the files that the process may have open free."""
    max_outstanding: Annotated[WholeNumber, Field(ge=1, le=100_000)] = 12_000
    """Inferences under way at the vendor at once, at most: how many fit, the job finds out by itself."""
    tasks_per_request: Annotated[WholeNumber, Field(ge=1, le=1000)] = 50
    """Tasks in one POST, at most; with sync delivery as few as `requests` allows, since the reply waits for the slowest, and
    at most 8; with stream delivery one."""
    request_bytes: Annotated[WholeNumber, Field(ge=10_000)] = 4_000_000
    """Bytes of one POST."""
    polls_per_request: Annotated[WholeNumber, Field(ge=1, le=1000)] = 100
    """getResponse tasks in one POST."""
    batch_rows: Annotated[WholeNumber, Field(ge=1)] = 5_000
    """Records of a batch, at most."""
    batch_bytes: Annotated[WholeNumber, Field(ge=1_000)] = 16_000_000
    """Bytes of a batch once it is decoded, at most, unless one record alone has more."""
    max_prompt_chars: Annotated[WholeNumber, Field(ge=1)] = 900_000
    """Longer prompts, and longer conversations, are skipped, never truncated."""
    max_input_tokens: Annotated[WholeNumber, Field(ge=1)] | None = None
    """Requests of more tokens, by estimate, are skipped, never truncated."""
    attempts: Annotated[WholeNumber, Field(ge=1, le=20)] = 3
    """Attempts for a record before it is `failed`."""
    retry_lost: bool = True
    """Whether an accepted inference that never showed up, and may have been billed, gets a further attempt."""
    poll_interval_s: Seconds = 1.0
    """Seconds between two looks at a result at least, where answers take long; fast ones are looked for sooner, and looks
    become rarer with its age."""
    deadline_s: Seconds = 1_800.0
    """Seconds after which an inference that never showed up is looked for in the archive, then given up."""
    request_timeout_s: Seconds = 60.0
    """Seconds until a POST is given up; its tasks are then asked for, not sent blindly again."""
    sync_timeout_s: Seconds = 300.0
    """The same for sync delivery, where the reply waits for the answers; with stream delivery, between two signs of life."""
    stream_timeout_s: Seconds = 1_800.0
    """The same for stream delivery as a whole, whatever keeps the stream alive."""
    unreachable_s: Seconds = 300.0
    """Seconds without one usable reply after which the job stops; that there is no room is none."""
    lease_s: Annotated[float, Field(ge=4, allow_inf_nan=False)] = 60.0
    """Seconds after which a process that gave no sign is taken for dead, and another run goes on with its work."""
    lease_wait_s: Seconds = 300.0
    """Seconds to wait for another run that is at work on the same dataset, before this one stops."""

    @property
    def first_look_up_s(self) -> float:
        """Seconds without an answer after which the archive is asked for it, though `deadline_s` has not passed."""
        return min(FIRST_LOOK_UP_S, self.deadline_s / 4)


class Budget(ValueObject):
    """What a run may cost, with all its tries; at least one of `usd` and `tokens`."""

    argument: ClassVar[str] = "budget"

    usd: Annotated[
        Annotated[float, Field(gt=0, allow_inf_nan=False)] | None, BeforeValidator(number_or_nothing)
    ] = None
    """What all tries of the run may cost together, in USD."""
    tokens: Annotated[Annotated[WholeNumber, Field(ge=1)] | None, BeforeValidator(number_or_nothing)] = None
    """Prompt and completion tokens together."""
    when_short: Annotated[WhenShort, default_for_nothing("stop")] = "stop"
    """`stop`: refuse a job whose estimate exceeds the budget, and stop one that reaches it. `partial`: go as far
    as it gets; what was not sent is `skipped` with the code `budget`, and the dataset is published."""
    usd_per_million: tuple[Price, Price] | None = None
    """USD per million tokens in and out, where the API names no price for the model."""

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.usd is None and self.tokens is None:
            raise BadInput("budget", "it bounds nothing", "Give usd, tokens, or both")
        return self
