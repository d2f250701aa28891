"""What a job does about answers that the vendor brings by webhook."""

from __future__ import annotations

from typing import ClassVar, Literal

from runware_provider.engine.field_types import Seconds
from runware_provider.engine.value_object import ValueObject

WhenUnreachable = Literal["stop", "poll"]


class Webhook(ValueObject):
    """What is done about answers that the vendor brings, with `delivery="webhook"`."""

    argument: ClassVar[str] = "webhook"

    verify: bool = False
    """Fetch each answer that was brought once more, with getResponse, and take that one: then a call is only news that an
    answer is there."""
    when_unreachable: WhenUnreachable = "stop"
    """What to do where the receiver does not answer at its public URL before the first task is sent: `stop` the job, which
    has paid nothing then, or `poll` for the answers."""
    overdue_s: Seconds = 60.0
    """Seconds after which an answer that was not brought is asked for; later where answers take long: after three times
    what half of them take."""
