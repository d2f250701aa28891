"""What a DAG's first task asks, as the options of the engine's command line: `run`, `plan` and `preview`.

`python -m runware_provider.testing.tryout.dag_arguments DAG_FILE FOLDER` writes them into the folder, as the JSON
array `options.json`. A schema that is a class in the DAG file is written beside it, since a command line
takes it from a file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import GenerateJsonSchema

if TYPE_CHECKING:
    from collections.abc import Iterable

OPTIONS: Final = "options.json"


def options(task: Any, folder: Path) -> list[str]:
    """The options that ask what this task asks; its limit is left to the caller.

    Args:
        task: a text inference operator without templates in what is read here.
        folder: gets the schema, if the task has one.
    """
    folders = [Path(task.dag.folder), *(Path(path) for path in task.dag.template_searchpath or ())]
    found = ["--source", task.source, "--destination", task.destination, "--model", task.model]
    if task.prompt is not None:
        found += ["--prompt", _path(task.prompt, folders)]
    else:
        found += ["--messages", _messages(task.messages, folders)]
    if task.system_prompt:
        found += ["--system-prompt", _path(task.system_prompt, folders)]
    if task.output_type is not None:
        found += ["--schema", str(_schema(task.output_type, folder, folders))]
    if task.settings is not None:
        found += ["--settings", task.settings.model_dump_json(exclude_defaults=True)]
    return found


def _path(value: str, folders: Iterable[Path]) -> str:
    """The file that the value names, or the value."""
    if "\n" in value:
        return value
    return next((str(folder / value) for folder in folders if (folder / value).is_file()), value)


def _messages(messages: Any, folders: Iterable[Path]) -> str:
    """The file that they are in, the one expression that they are, or the list itself."""
    return _path(messages, folders) if isinstance(messages, str) else json.dumps(messages)


def _schema(output_type: Any, folder: Path, folders: Iterable[Path]) -> Path:
    if isinstance(output_type, str):
        return Path(_path(output_type, folders))
    schema = output_type
    if not isinstance(schema, dict):
        schema = output_type.model_json_schema(schema_generator=_Untitled)
    path = folder / "schema.json"
    path.write_text(json.dumps(schema), encoding="utf-8")
    return path


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles that pydantic makes of the fields' names, as the operator does."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the signature is given
        return False


def main(dag_file: str, folder: str) -> None:
    """Write the options of the file's first task."""
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 - seconds, which only this command needs

    bag = DagBag(dag_folder=dag_file)
    if not bag.dags:
        sys.exit(f"{dag_file} holds no DAG: {bag.import_errors}")
    dag = next(iter(bag.dags.values()))
    found = options(dag.tasks[0], Path(folder))
    (Path(folder) / OPTIONS).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
