"""What the user asks of a report; imports nothing heavy, so DAG files may import it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, model_validator

from runware_provider.engine.errors import BadInput
from runware_provider.engine.field_types import Text
from runware_provider.engine.value_object import ValueObject

FOLDER: Final = "reports"
"""Below the state folder of a dataset, or of a hive partition of it."""
MISSES: Final = "misses.parq"
"""The name of the file of misses beside them."""
REPORT: Final = "report"
"""The name of every publish's report, so that none outlives the rows that it is about."""


class Report(ValueObject):
    """The report on a dataset: what came out, what it cost and, with expected values, how much of it is right."""

    argument: ClassVar[str] = "report"

    expected: Text | None = None
    """A Parquet file with the key and the right values, in columns named like the fields of the result."""
    key: Text | None = None
    """The column that names a record, in the dataset and in the expected values."""
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """How far a number may be from the expected one, in its own unit (0.005 is half a cent); whole numbers may not."""

    @model_validator(mode="after")
    def _expected_values_have_a_key(self) -> Self:
        if (self.expected is None) != (self.key is None):
            missing = "key" if self.key is None else "expected"
            problem = "expected values and the key that tells whose they are go together"
            raise BadInput(f"report.{missing}", problem, f"Give {missing}, too")
        return self
