"""A few of the inferences under way, by which who knows nothing else tells whether it is time to collect. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runware_provider.engine.api.error_families import STEPS, Family, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runware_provider.engine.api.replies import Reply


@dataclass
class Sample:
    """What getResponse has said of them so far.

    Args:
        task_uuids: of accepted inferences.
        share: of these, which are to be there before it is time; more than 0, and at most 1.
    """

    task_uuids: Sequence[str]
    share: float
    _there: set[str] = field(default_factory=set, repr=False)

    @property
    def awaited(self) -> list[str]:
        """Those to be asked for."""
        return [name for name in self.task_uuids if name not in self._there]

    @property
    def there(self) -> int:
        """How many a worker would find answered, or ended otherwise, or would have to look for in the archive."""
        return len(self._there)

    @property
    def is_enough(self) -> bool:
        """Whether it is time to collect."""
        return self.there >= math.ceil(self.share * len(self.task_uuids))

    def brought(self, task_uuids: Iterable[str]) -> None:
        """These were brought by the vendor."""
        self._there.update(name for name in task_uuids if name in self.task_uuids)

    def saw(self, reply: Reply, *, overdue: bool) -> None:
        """Take in what getResponse says of those that are awaited.

        Args:
            reply: to a question for them.
            overdue: whether their answers should be there by now.
        """
        for name in self.awaited:
            # Nothing is said of what runs, and of what is forgotten or expired. By now the archive, which a worker asks,
            # has to tell them apart.
            is_to_be_looked_for = overdue and not reply.unheard and not reply.names(name)
            if name in reply.results or _has_failed(name, reply) or is_to_be_looked_for:
                self._there.add(name)


def is_refused_for_good(reply: Reply) -> bool:
    """Whether the API will not answer a later question either, such as where the key is not valid any more."""
    gravest = reply.gravest
    if gravest is not None and STEPS[gravest.family] is Step.STOP:
        return True
    return reply.status in {401, 403} and not reply.results


def _has_failed(name: str, reply: Reply) -> bool:
    """Whether an error names the task, and is not about the question."""
    error = reply.failures.get(name)
    if error is None or error.family is Family.RATE:
        return False
    return not reply.question_in_trouble
