"""Finds the files that an argument names: beside the DAG first, then in its `template_searchpath`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.errors import BadInput
from runware_provider.engine.written_json import read_written_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import DAG

PROMPT_ENDINGS: Final = (".j2",)
SYSTEM_PROMPT_ENDINGS: Final = (".j2", ".txt", ".md")
SCHEMA_ENDINGS: Final = (".json",)
MESSAGES_ENDINGS: Final = (".json",)


def names_a_file(value: object, endings: tuple[str, ...]) -> bool:
    """Whether the value is one line that ends like a file, rather than the text itself."""
    return isinstance(value, str) and "\n" not in value.strip() and value.strip().endswith(endings)


def folders_of(dag: DAG) -> tuple[Path, ...]:
    """Where the DAG's files are looked for, in this order."""
    return (Path(dag.folder), *(Path(folder) for folder in dag.template_searchpath or ()))


def read_text(field: str, name: str, folders: Sequence[Path]) -> str:
    """The text of the file that the argument `field` names.

    Args:
        field: the argument's name, for the message.
        name: a path, absolute or below one of the folders.
        folders: where to look, in this order.

    Raises:
        BadInput: no folder holds the file (the message lists the places), or it is no UTF-8 text.
    """
    places = [folder / name.strip() for folder in folders]
    found = next((place for place in places if place.is_file()), None)
    if found is None and " " in name.strip():
        raise BadInput(  # without the line: it is rather the text itself, which no log should hold
            field,
            "one line that ends like a file is taken for a file's name, and there is no such file",
            f"Looked in: {', '.join(map(str, folders))}. If it is the text itself, let it end otherwise",
        )
    if found is None:
        looked = ", ".join(dict.fromkeys(str(place) for place in places))
        raise BadInput(
            field,
            f"there is no file {name.strip()!r}",
            f"Looked at: {looked}. Put it there, or add its folder to the DAG's template_searchpath",
        )
    try:
        return found.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise BadInput(field, f"{found} is no UTF-8 text", "Save it as UTF-8") from None


def read_schema(field: str, name: str, folders: Sequence[Path]) -> dict[str, Any]:
    """The JSON Schema in the file that the argument `field` names.

    Raises:
        BadInput: no folder holds the file, or it holds no JSON object.
    """
    schema = _read_json(field, name, folders)
    if not isinstance(schema, dict):
        raise BadInput(field, f"{name.strip()} holds no JSON object", "A JSON Schema is an object")
    return schema


def read_messages(field: str, name: str, folders: Sequence[Path]) -> list[Any]:
    """The messages in the file that the argument `field` names.

    Raises:
        BadInput: no folder holds the file, or it holds no JSON array.
    """
    messages = _read_json(field, name, folders)
    if not isinstance(messages, list):
        raise BadInput(
            field,
            f"{name.strip()} holds no JSON array",
            "Write a list of messages, each with role and content",
        )
    return messages


def _read_json(field: str, name: str, folders: Sequence[Path]) -> Any:
    text = read_text(field, name, folders)
    try:
        return read_written_json(text)
    except ValueError as error:
        raise BadInput(field, f"{name.strip()} is no JSON ({error})", "Mend the file") from None
