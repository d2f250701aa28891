"""What the rows of a job follow from, beside what its ledger has: the same, and they are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from runware_provider import __version__
from runware_provider.engine.dataset.schema_text import schema_text
from runware_provider.engine.job.cutting import split_id
from runware_provider.engine.job.request_digests import digest_of, shows_itself

if TYPE_CHECKING:
    from runware_provider.engine.job.prepare import Prepared


def what_rows_follow_from(prepared: Prepared) -> list[Any] | None:
    """All of it as JSON; None where rows may become others although it stays as it is."""
    spec, files = prepared.spec, prepared.dataset.files
    # A model's validators are the user's own code, of which nobody knows whether it is what it was.
    if isinstance(spec.output_type, type) and issubclass(spec.output_type, BaseModel):
        return None
    # Answers that are too old have to be looked for in each run.
    if spec.memory.retention_days is not None:
        return None
    # What the budget did not reach for, a further question about an answer say, the next run may ask.
    if spec.budget is not None and spec.budget.when_short == "partial":
        return None
    # What an object of the user's own holds may not be what it hashes to.
    if not shows_itself(prepared.messages.variables):
        return None
    # Nobody knows whether such a file still is what it was.
    if not all(file.stamp for file in files):
        return None
    return [
        __version__,
        split_id(files, [prepared.ranges]),
        [file.stamp for file in files],
        prepared.digests,
        prepared.rows_digest,
        schema_text(prepared.output_schema),
        repr((spec.failures.most, spec.publish.on_empty, spec.partition)),
    ]


def digest_for_shards(prepared: Prepared) -> str:
    """What a split notes of it: another one, and the shards are gone through again, of which no question is paid for twice."""
    told = what_rows_follow_from(prepared)
    # Within a run they stay what they are, whatever is cleared; the next one goes through all of them.
    return digest_of(told if told is not None else repr(prepared.spec.run))
