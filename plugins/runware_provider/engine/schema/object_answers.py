"""Answers that are objects: whether one fits what was asked for, as it is or once it is mended, and what is stored of it."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runware_provider.engine.schema.arrival import arrived
from runware_provider.engine.schema.arrow_values import UnfitError, converter
from runware_provider.engine.schema.checking import TOO_DEEP
from runware_provider.engine.schema.mending import NUMBER_FROM_TEXT, mended
from runware_provider.engine.schema.number_texts import (
    decimals_as_written,
    integers_as_written,
    numbers_from_texts,
)
from runware_provider.engine.schema.places import place_of
from runware_provider.engine.schema.problems import MAX_PROBLEMS, Fit, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from runware_provider.engine.schema.arrival import Arrival
    from runware_provider.engine.schema.checking import Check
    from runware_provider.engine.schema.nodes import Node

EMPTY_OBJECT = "empty_object"
"""What is noted of an answer in which nothing is known."""
_ROUNDS = 3
"""Of mends: what a text or a list of one holds may have keys of another style, and texts in it that are numbers."""
_EMPTY = (
    "the object is empty: give what was asked for, or the empty object again if really nothing of it is known"
)
_NO_OBJECT = "null is no object; give what was asked for"


class OutputSchema:
    """A pydantic model or JSON Schema; made by `output_schema`.

    `json_schema` is self-contained and is what an answer should satisfy; `arrow_type` is the struct that is
    stored; `title` fits the API's rule for a tool's name; `description` is the whole's, for the column.
    """

    def __init__(  # noqa: PLR0913 - what `output_schema` found out, each once
        self,
        json_schema: dict[str, Any],
        wire: dict[str, Any],
        node: Node,
        check: Check,
        title: str,
        *,
        read_as: dict[str, Any] | None = None,
        lenient_numbers: bool = False,
    ) -> None:
        self.json_schema = json_schema
        self.arrow_type: pa.DataType = node.arrow
        self.title = re.sub(r"[^A-Za-z0-9_-]+", "_", title).strip("_")[:64] or "answer"
        self.description: str | None = wire.get("description")
        self._wire = wire
        self._check = check
        self._convert = converter(node)
        of_model = read_as is not None
        read_as = wire if read_as is None else read_as
        self._place = place_of(read_as)
        self._read_numbers = numbers_from_texts(read_as) if lenient_numbers else None
        self._keep_digits = [
            keep for keep in (decimals_as_written(read_as), integers_as_written(read_as)) if keep
        ]
        # Of a model's moments, pydantic knows which may have no offset; for its decimals it takes numbers.
        self._of_model = of_model

    @property
    def described(self) -> frozenset[str]:
        """The keys of an answer's outermost object that are described."""
        return frozenset(self._place.properties)

    @property
    def parameters(self) -> Mapping[str, frozenset[str]]:
        """None: these are no tools."""
        return {}

    def wire(self) -> dict[str, Any]:
        """The JSON Schema that is sent: references are inlined, the order of properties is kept."""
        return copy.deepcopy(self._wire)

    def fit(self, value: Any) -> Fit:
        """Checks a value and converts it, in one pass over it; in two where it has to be mended.

        Args:
            value: what a JSON text holds, as Python.
        """
        try:
            return self._as_it_is_or_mended(value)
        except RecursionError:
            return Fit(None, [TOO_DEEP])

    def _as_it_is_or_mended(self, value: Any) -> Fit:
        arrival = arrived(self._place, value)
        as_it_is = fit = self._fitted(arrival)
        mends = dict(arrival.notes)
        for _ in range(_ROUNDS):
            if not fit.problems:
                break
            notes: dict[str, None] = {}
            value = self._mended(arrival.value, notes)
            if not notes:
                break
            arrival = arrived(self._place, value)
            fit = self._fitted(arrival)
            mends.update({**arrival.notes, **notes})
        if not fit.problems:
            # Most answers fit as they came, and are not written anew.
            return replace(fit, mends=tuple(mends | dict.fromkeys(fit.mends))) if mends else fit
        # What is told is left once the answer is mended, and is wrong with the model's own words where they show it.
        left = [problem for problem in as_it_is.problems if problem in fit.problems]
        return Fit(None, left or fit.problems)

    def _mended(self, value: Any, notes: dict[str, None]) -> Any:
        of_schema = not self._of_model
        value = mended(self._place, value, notes, assume_utc=of_schema, write_decimals=of_schema)
        if self._read_numbers is None:
            return value
        numbered = self._read_numbers(value)
        if numbered is not value:
            notes[NUMBER_FROM_TEXT] = None
        return numbered

    def _fitted(self, arrival: Arrival) -> Fit:
        value = arrival.value
        for keep in self._keep_digits:
            value = keep(value)
        checked, problems, notes, made = self._check(value)
        if problems or arrival.misfits:
            return Fit(None, [*arrival.misfits, *problems][:MAX_PROBLEMS])
        try:
            converted = self._convert(checked)
        except UnfitError as error:
            return Fit(None, error.problems())
        # A schema that names no type at its root lets null pass, which is no answer.
        if not isinstance(converted, dict):
            return Fit(None, [Problem("$", _NO_OBJECT)])
        answer = checked if made is None else made
        # An empty object may say that nothing is known, or be what a model says that did not try.
        if not value:
            return Fit(converted, [], (EMPTY_OBJECT,), doubt=_EMPTY, answer=answer)
        return Fit(converted, [], notes, answer=answer)
