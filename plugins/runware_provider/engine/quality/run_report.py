"""The report that a run ends with: what it needs is checked before anything is paid, and it is kept after the publish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from runware_provider.engine.errors import BadInput
from runware_provider.engine.job.prepare import prepare
from runware_provider.engine.quality.expected import Expected
from runware_provider.engine.quality.profile import PLAIN
from runware_provider.engine.quality.report import report
from runware_provider.engine.quality.saving import save

if TYPE_CHECKING:
    from runware_provider.engine.spec import Report as Wish
    from runware_provider.engine.spec import Spec
    from runware_provider.engine.storage.stores import Stores


def check_report(wish: Wish, spec: Spec, stores: Stores) -> None:
    """See that the expected values go with what the job will write; sends nothing.

    Args:
        wish: with or without expected values.
        spec: the job.
        stores: opens the stores that the paths name.

    Raises:
        BadInput: they do not, or the job itself cannot work.
    """
    if wish.expected is None or wish.key is None:
        return
    table = expected_table(wish.expected, stores, field="report.expected")
    prepared = prepare(spec, stores)
    result = prepared.check.arrow_type if prepared.check is not None else pa.string()
    struct = result if pa.types.is_struct(result) else pa.struct([(PLAIN, result)])
    Expected(table, wish.key, prepared.kept_schema, struct)


def keep_report(wish: Wish, spec: Spec, stores: Stores) -> dict[str, str]:
    """Look at what was just published, and keep the report in the state folder.

    Args:
        wish: with or without expected values.
        spec: the job that has published.
        stores: opens the stores that the paths name.

    Returns:
        The paths, `html` and `markdown`.

    Raises:
        EngineError: there is no report; the dataset stands all the same.
        OSError: the store failed; the dataset stands all the same.
    """
    storage = stores.open(spec.destination)
    expected = (
        expected_table(wish.expected, stores, field="report.expected") if wish.expected is not None else None
    )
    found = report(
        storage,
        spec.destination,
        spec.partition,
        state=spec.state,
        expected=expected,
        key=wish.key,
        tolerance=wish.tolerance,
    )
    return save(found, storage, found.state_folder)


def expected_table(path: str, stores: Stores, *, field: str) -> Any:
    """The expected values in a Parquet file.

    Args:
        path: of one file.
        stores: opens the store in which it lies.
        field: what the user calls it.

    Raises:
        BadInput: there is no such file, or it is no Parquet.
    """
    try:
        with stores.open(path, field=field).open(path) as file:
            return pq.read_table(file)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise BadInput(field, f"there is no file {path} that can be read", "Name a Parquet file") from None
    except pa.ArrowInvalid:
        raise BadInput(field, f"{path} is no Parquet file", "Convert it") from None
