"""What a task has read and written, for OpenLineage: datasets with their columns and numbers of rows.

Airflow's OpenLineage provider calls `lineage_of` by way of the operator, and nobody else does: without it nothing here is
imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from runware_provider.assets import before_wildcards, local_folder
from runware_provider.engine.storage.object_place import is_object_url, object_place

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

_ADDED: Final = ("result", "inference")
"""Columns of the output that the source does not have, where the results are not flattened."""


@dataclass(frozen=True)
class Lineage:
    """Facts of one task.

    Args:
        source: as it was asked for; None where the task read none.
        output: the dataset's root; None where the task wrote none.
        manifest: of what it published; empty before that.
    """

    source: str | None
    output: str | None
    manifest: Mapping[str, Any]


def dataset_name(path: str, *, is_glob: bool) -> tuple[str, str]:
    """Namespace and name of a path or URL, as OpenLineage's naming of datasets has them; of a glob, its folder.

    Args:
        path: of a source or destination.
        is_glob: whether `*`, `?` and `[` are wildcards in it.
    """
    whole = before_wildcards(path) if is_glob else path
    if not is_object_url(whole):
        return "file", local_folder(whole)
    place = object_place(whole)
    canonical = place.canonical
    key = "/".join(name for name in place.key.split("/") if name)
    return canonical.removesuffix(f"/{key}") if key else canonical, key or "/"


def lineage_of(facts: Lineage) -> Any:
    """The lineage as the OpenLineage provider takes it, an `OperatorLineage`.

    Raises:
        ImportError: the provider is not installed.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage  # noqa: PLC0415 - optional

    inputs = [] if facts.source is None else [_input(facts.source, facts.manifest)]
    outputs = [] if facts.output is None else [_output(facts.output, facts.manifest)]
    return OperatorLineage(inputs=inputs, outputs=outputs)


def _input(source: str, manifest: Mapping[str, Any]) -> Any:
    from openlineage.client.event_v2 import InputDataset  # noqa: PLC0415 - optional
    from openlineage.client.facet_v2 import input_statistics_input_dataset  # noqa: PLC0415 - optional

    namespace, name = dataset_name(source, is_glob=True)
    if not manifest:
        return InputDataset(namespace, name)
    schema = schema_of(manifest)
    added = {*_ADDED, *(manifest.get("flattened") or ())}
    # Columns that the output does not keep are not told: nobody reads the source again for this.
    kept = [field for field in schema if field.name not in added]
    rows = manifest["records"] + manifest["records_left_out"]
    statistics = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=rows)
    return InputDataset(
        namespace, name, facets=_schema_facet(kept), inputFacets={"inputStatistics": statistics}
    )


def _output(output: str, manifest: Mapping[str, Any]) -> Any:
    from openlineage.client.event_v2 import OutputDataset  # noqa: PLC0415 - optional
    from openlineage.client.facet_v2 import output_statistics_output_dataset  # noqa: PLC0415 - optional

    namespace, name = dataset_name(output, is_glob=False)
    if not manifest:
        return OutputDataset(namespace, name)
    files = manifest["files"]
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=manifest["rows"], size=sum(file["bytes"] for file in files), fileCount=len(files)
    )
    facets = _schema_facet(list(schema_of(manifest)))
    return OutputDataset(namespace, name, facets=facets, outputFacets={"outputStatistics": statistics})


def schema_of(manifest: Mapping[str, Any]) -> pa.Schema:
    """The schema of the dataset that a manifest is about."""
    from runware_provider.engine.dataset.schema_text import schema_of_text  # noqa: PLC0415 - heavy: pyarrow

    return schema_of_text(manifest["schema"])


def _schema_facet(fields: list[pa.Field]) -> dict[str, Any]:
    from openlineage.client.facet_v2 import schema_dataset  # noqa: PLC0415 - optional

    return {"schema": schema_dataset.SchemaDatasetFacet(fields=[_field(field) for field in fields])}


def _field(field: pa.Field) -> Any:
    from openlineage.client.facet_v2 import schema_dataset  # noqa: PLC0415 - optional

    # A struct's `fields` are its own; of other types Arrow's word says all there is.
    children = list(field.type.fields) if hasattr(field.type, "fields") and field.type.num_fields else []
    named = "struct" if children else str(field.type)
    return schema_dataset.SchemaDatasetFacetFields(
        name=field.name, type=named, fields=[_field(child) for child in children]
    )
