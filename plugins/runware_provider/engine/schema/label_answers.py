"""Answers that are one label out of a list."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runware_provider.engine.labels import PROPERTY
from runware_provider.engine.schema.arrival import arrived
from runware_provider.engine.schema.checking import checked_by_schema
from runware_provider.engine.schema.mending import LIST_OF_ONE, SPELLING
from runware_provider.engine.schema.nodes import STRING
from runware_provider.engine.schema.object_answers import OutputSchema
from runware_provider.engine.schema.problems import UNKNOWN_KEYS, Fit, Refuse
from runware_provider.engine.schema.reading import node_of

if TYPE_CHECKING:
    from runware_provider.engine.labels import Labels

BARE_LABEL = "bare_label"
"""The mend of a label that comes without the object around it."""
LABEL_IN_PROSE = "label_in_prose"
"""The mend of a label at the end of an explanation."""


class LabelSchema(OutputSchema):
    """One label out of a list: the model is asked for an object with one property, stored is its text."""

    def __init__(self, labels: Labels) -> None:
        schema = labels.json_schema()
        node = node_of(schema, Refuse("output_type"))
        check = checked_by_schema(schema)
        super().__init__(schema, schema, node, check, labels.title)
        self.arrow_type = STRING.arrow
        self._labels = labels

    def fit(self, value: Any) -> Fit:
        """Checks the object that was asked for, or the label alone, and gives the label.

        Args:
            value: what a JSON text holds, as Python.
        """
        match value:
            case [inner]:
                fit = self.fit(inner)
                return replace(fit, mends=(*fit.mends, LIST_OF_ONE))
            case dict():
                return self._in_its_object(value)
        fit = super().fit({PROPERTY: self._word(value)})
        return fit if fit.problems else Fit(fit.value[PROPERTY], [], (BARE_LABEL,))

    def fit_in_prose(self, words: str) -> Fit | None:
        """The label that an explanation ends with, if it names no other.

        Args:
            words: of a text that is no JSON.
        """
        label = self._labels.at_the_end(words)
        return None if label is None else Fit(label, [], (LABEL_IN_PROSE,))

    def _in_its_object(self, value: dict[str, Any]) -> Fit:
        """The label of an object; whatever else stands there is left out, since it is no label."""
        arrival = arrived(self._place, value)
        if PROPERTY not in arrival.value or UNKNOWN_KEYS not in arrival.notes:
            alone = arrival.value
        else:
            alone = {PROPERTY: arrival.value[PROPERTY]}
        given = alone.get(PROPERTY)
        word = self._word(given)
        fit = super().fit({**alone, PROPERTY: word} if PROPERTY in alone else alone)
        problems = fit.problems or arrival.misfits
        if problems:
            return Fit(None, problems)
        spelling = () if word == given else (SPELLING,)
        return Fit(fit.value[PROPERTY], [], (*arrival.notes, *fit.mends, *spelling))

    def _word(self, value: Any) -> Any:
        """The label that is meant, or the value where there is none."""
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value) if str(value) in self._labels.names else value
        label = self._labels.meant(value) if isinstance(value, str) else None
        return value if label is None else label
