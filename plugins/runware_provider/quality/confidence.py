"""Numbers by which a model says how sure it is, and how often it is right where it says so. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.quality.profile import ValueKind, below, kind_of, names_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BINS: Final = 10
_WORDS = r"confidences?|certainty|probability|likelihood|score|proba?|conf"
_NAMED = re.compile(
    rf"(?:^|[._])(?:{_WORDS})(?:$|[._])|(?:Confidence|Probability|Score|Certainty)$", re.IGNORECASE
)
_SUFFIX = re.compile(rf"[._](?:{_WORDS})$|^(?:{_WORDS})[._]", re.IGNORECASE)


def is_named_so(path: str) -> bool:
    """Whether a field's name says that it tells how sure the model is."""
    return bool(_NAMED.search(path))


@dataclass
class Bin:
    """Rows in which the model is about as sure."""

    rows: int = 0
    right: int = 0
    total: float = 0.0
    """Of what it says, to be divided by the rows."""


@dataclass
class Sureness:
    """How sure the model says to be, and how often what it says so of is right."""

    path: str
    of: str
    """The field that it is said of; empty for the whole answer."""
    bins: list[Bin] = field(default_factory=lambda: [Bin() for _ in range(BINS)])
    outside: int = 0
    """Rows in which the number is none between 0 and 1."""

    @property
    def rows(self) -> int:
        """With a number and expected values."""
        return sum(bin_.rows for bin_ in self.bins)

    @property
    def right(self) -> int:
        """Of these."""
        return sum(bin_.right for bin_ in self.bins)

    @property
    def mean(self) -> float:
        """What the model says on average."""
        return sum(bin_.total for bin_ in self.bins) / max(1, self.rows)

    def halves(self) -> tuple[Bin, Bin]:
        """The rows in which it is less sure, and those in which it is surer, as near to halves as bins can be cut."""
        cuts = range(1, BINS)
        cut = min(cuts, key=lambda place: abs(2 * sum(bin_.rows for bin_ in self.bins[:place]) - self.rows))
        return _together(self.bins[:cut]), _together(self.bins[cut:])

    def add(self, said: pa.Array, right: pa.BooleanArray) -> None:
        """Count these rows; those without a number are passed over."""
        numbers = said.cast(pa.float64(), safe=False)
        inside = pc.fill_null(
            pc.and_(pc.greater_equal(numbers, 0.0), pc.less_equal(numbers, 1.0)), fill_value=False
        )
        self.outside += len(numbers.filter(pc.invert(inside)).drop_null())
        numbers, right = numbers.filter(inside), right.filter(inside)
        places = pc.min_element_wise(pc.floor(pc.multiply(numbers, float(BINS))), BINS - 1.0)
        table = pa.table({"place": places, "number": numbers, "right": right.cast(pa.int64())})
        sums = [("number", "sum"), ("right", "sum"), ("right", "count")]
        for row in table.group_by("place", use_threads=False).aggregate(sums).to_pylist():
            bin_ = self.bins[int(row["place"])]
            bin_.rows += row["right_count"]
            bin_.right += row["right_sum"]
            bin_.total += row["number_sum"]


def _together(bins: list[Bin]) -> Bin:
    return Bin(
        sum(bin_.rows for bin_ in bins), sum(bin_.right for bin_ in bins), sum(bin_.total for bin_ in bins)
    )


class SurenessByField:
    """All such numbers of a result, against what is right.

    Only numbers whose names say so are looked at, and those of lists are not.
    """

    def __init__(self) -> None:
        self._fields: dict[str, Sureness] = {}

    def add(self, results: pa.StructArray, right: Mapping[str, pa.BooleanArray]) -> None:
        """Count these rows.

        Args:
            results: all of them with expected values.
            right: by the path of a field that has an expected value, whether it is as expected.
        """
        for path, said in _numbers("", results):
            judged = {name: rows for name, rows in right.items() if name != path}
            if is_named_so(path) and judged:
                about = _about(path, judged)
                sureness = self._fields.setdefault(path, Sureness(path, about))
                sureness.add(said, judged[about] if about else _all_of(judged))

    def fields(self) -> tuple[Sureness, ...]:
        """Those that said something between 0 and 1, and nothing else."""
        return tuple(said for said in self._fields.values() if said.rows and not said.outside)


def _numbers(path: str, structs: pa.StructArray) -> Iterator[tuple[str, pa.Array]]:
    for index, name in enumerate(names_of(structs.type)):
        values = pc.struct_field(structs, [index])
        kind = kind_of(values.type)
        if kind is ValueKind.GROUP:
            yield from _numbers(below(path, name), values)
        elif kind in {ValueKind.NUMBER, ValueKind.WHOLE}:
            yield below(path, name), values


def _about(path: str, right: Mapping[str, pa.BooleanArray]) -> str:
    """The field that a number is said of: `vendor` for `vendor_confidence`; none for `confidence`, or an unknown one."""
    name = _SUFFIX.sub("", path)
    return name if name != path and name in right else ""


def _all_of(right: Mapping[str, pa.BooleanArray]) -> pa.BooleanArray:
    """Rows in which every field is as expected."""
    first, *others = right.values()
    for rows in others:
        first = pc.and_(first, rows)
    return first
