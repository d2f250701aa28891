"""What all the chosen records ask, in columns: the source is read and rendered once, whoever looks at it."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runware_provider.engine.identity import FINGERPRINT_BYTES
from runware_provider.engine.job.batch_work import RECORDS_AT_ONCE, records_of
from runware_provider.engine.job.chosen_records import chosen_records
from runware_provider.engine.job.question import Request
from runware_provider.engine.job.template_check import TemplateCheck
from runware_provider.engine.templates.prompt import Skip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.job.questioner import Questioner
    from runware_provider.engine.turns import Turns

NOT_KEPT: Turns = ()
"""In the place of turns, which are many and long; whoever sends them renders them again."""


@dataclass
class Asked:
    """Some 21 bytes a request, in the source's order; what several records ask alike is there several times."""

    records: int = 0
    """Chosen records."""
    left_out: int = 0
    """Records of the source that are not chosen."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Rows that are never sent, by reason."""
    fingerprints: bytearray = field(default_factory=bytearray, repr=False)
    """16 bytes each."""
    samples: array[int] = field(default_factory=lambda: array("B"), repr=False)
    """At most 100 samples are asked of a record."""
    tokens: array[int] = field(default_factory=lambda: array("I"), repr=False)
    """Of each prompt, by estimate."""

    def __len__(self) -> int:
        return len(self.samples)

    def add(self, request: Request) -> None:
        """Note one more."""
        self.fingerprints += request.fingerprint
        self.samples.append(request.sample)
        self.tokens.append(request.tokens)

    def question_at(self, place: int) -> tuple[bytes, int]:
        """Fingerprint and sample of one request."""
        start = place * FINGERPRINT_BYTES
        return bytes(self.fingerprints[start : start + FINGERPRINT_BYTES]), self.samples[place]

    def requests(self) -> Iterator[list[Request]]:
        """The requests without their prompts, some at a time."""
        for start in range(0, len(self), RECORDS_AT_ONCE):
            stop = min(start + RECORDS_AT_ONCE, len(self))
            yield [self._request(place) for place in range(start, stop)]

    def _request(self, place: int) -> Request:
        fingerprint, sample = self.question_at(place)
        return Request(NOT_KEPT, fingerprint, sample, self.tokens[place])


def asked_by(prepared: Prepared, questioner: Questioner) -> Asked:
    """Go through the chosen records once.

    Raises:
        BadInput: the source cannot be read, or the template is rendered for no record.
    """
    asked = Asked()
    columns = prepared.messages.columns
    template = TemplateCheck(prepared.messages.field)
    for chosen in chosen_records(prepared, columns):
        asked.records += chosen.records.num_rows
        asked.left_out += chosen.left_out
        tried: list[list[Skip | None]] = []
        for records in records_of(chosen.records, columns):
            for record in records:
                samples = questioner.ask(record)
                _note(asked, samples)
                tried.append([samples[0] if isinstance(samples[0], Skip) else None])
        template.check(tried, last=chosen.last)
    return asked


def _note(asked: Asked, samples: list[Request | Skip]) -> None:
    for request in samples:
        if isinstance(request, Skip):
            asked.skipped[request.code] += 1
        else:
            asked.add(request)
