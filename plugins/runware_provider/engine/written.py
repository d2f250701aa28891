"""What a job writes: the dataset, that of the rows that failed, and the state folder, its memory."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from runware_provider.engine.errors import BadInput
from runware_provider.engine.field_types import Place, WholeNumber, default_for_nothing, number_or_nothing
from runware_provider.engine.value_object import ValueObject, is_template, shown, template_remedy

OnEmpty = Literal["write", "skip", "fail"]
IfExists = Literal["overwrite", "error"]
IfSchemaBreaks = Literal["error", "allow"]
Reuse = Literal["partition", "dataset"]

DEFAULT_MOST_FAILURES = 0.1


class Publish(ValueObject):
    """What the dataset has beside the answers, and when it is not written."""

    argument: ClassVar[str] = "publish"

    columns: tuple[str, ...] | None = None
    """The input's columns that the output keeps; all by default."""
    flatten: bool = False
    """Make the fields of the result columns of their own, in the place of the column `result`."""
    keep_raw: bool = False
    """Keep the raw answer of every row, not only of those that did not fit."""
    on_empty: OnEmpty = "write"
    """What an input without records does: `write` an empty dataset, `skip` the job, or `fail` it."""
    if_exists: IfExists = "overwrite"
    """`overwrite` replaces the dataset (or the partition), `error` refuses to."""
    if_schema_breaks: IfSchemaBreaks = "error"
    """What to do where the schema has changed since other partitions were written, so that readers of all of them
    break: refuse before anything is paid, or go on."""


def _count_or_share(value: object) -> int | float | None:
    """1 is one row, 1.0 is all of them; as a text, too, as a template or the command line gives it.

    Raises:
        BadInput: it is neither.
    """
    read = _read(value) if isinstance(value, str) else value
    if read is None:
        return None
    if isinstance(read, int) and not isinstance(read, bool) and read >= 0:
        return read
    if isinstance(read, float) and 0 <= read <= 1:
        return read
    remedy = "Give a whole number of rows, a share such as 0.1, or None for no bound"
    if is_template(value):
        remedy = template_remedy("failures.most")
    raise BadInput("failures.most", f"{shown(read)} is neither a count nor a share", remedy)


def _read(text: str) -> object:
    """The number that the text is, None for the word, or the text."""
    text = text.strip()
    if text.lower() == "none":
        return None
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        return text


class Failures(ValueObject):
    """How many rows may fail, and where those that did are written besides."""

    argument: ClassVar[str] = "failures"

    most: Annotated[Any, BeforeValidator(_count_or_share)] = DEFAULT_MOST_FAILURES
    """How many rows may end other than `succeeded` or `skipped`, or be skipped since their prompt could not be rendered,
    for the dataset to be published: a count (`20`) or a share of those to be asked (`0.1`), `None` for any number. Beyond
    it nothing is published, and what was paid for is kept; a prompt that fails again and again is stopped early."""
    dataset: Place = None
    """Where to write the rows that neither succeeded nor were skipped, as a dataset of their own besides."""


class Memory(ValueObject):
    """What is remembered of what was paid for, where, and for how long."""

    argument: ClassVar[str] = "memory"

    state: Place = None
    """The state folder; by default the destination's sibling `<destination>.state`."""
    reuse: Annotated[Reuse, default_for_nothing("partition")] = "partition"
    """`dataset`: what another partition of the destination asked identically is not asked again."""
    retention_days: Annotated[
        Annotated[WholeNumber, Field(ge=0)] | None, BeforeValidator(number_or_nothing)
    ] = None
    """Days after which answers that the published rows do not use are erased from the ledger; kept by default."""
