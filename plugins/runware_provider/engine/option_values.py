"""What is written behind an option, read: pairs, lists, JSON, and files of prompts, schemas and tools.

Each function takes the option as it is written, for the message, and raises BadInput where the text is not what the
function reads, a file is missing, or it is no text in UTF-8.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runware_provider.engine.errors import BadInput
from runware_provider.engine.filter_text import read_filter
from runware_provider.engine.output_types import understood
from runware_provider.engine.value_object import is_template
from runware_provider.engine.written_json import read_written_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.filters import Filter

SHOWN = 60
"""Characters of a wrong value that a message repeats."""


def comma_separated(_option: str, text: str) -> list[str]:
    """The parts between the commas, without the space around them."""
    return [part.strip() for part in text.split(",")]


def pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Values by key, each given once, from texts like `ds=2026-01-01`."""
    values = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise BadInput(option, f"{text[:SHOWN]!r} has no '='", "Write it like ds=2026-01-01")
        if key in values:
            raise BadInput(option, f"{key[:SHOWN]!r} is given twice", "Drop one of them")
        values[key] = value
    return values


def filters(option: str, texts: Sequence[str]) -> list[Filter]:
    """Filters that must hold together, from texts like `total > 100`."""
    try:
        return [read_filter(text) for text in texts]
    except BadInput as error:
        raise BadInput(option, error.problem, error.remedy) from None


def prompt(option: str, text: str) -> str:
    """The template's text itself, or that of the file which the text names."""
    return _text_or_file(option, text, (".j2",))


def messages(option: str, text: str) -> Any:
    """The messages in a file or in the text itself, or the one expression that the text is.

    A content that is one line and ends in `.j2` is that of such a file: beside the file of the messages, or where the
    command was called.
    """
    said = text.strip()
    if said.startswith("["):
        return _with_contents(option, _json(option, said), Path())
    if is_template(text):
        return text
    return _with_contents(option, _json_file(option, said), Path(said).parent)


def system_prompt(option: str, text: str) -> str:
    """The system prompt itself, or that of the file which the text names."""
    return _text_or_file(option, text, (".j2", ".txt", ".md"))


def json_object(option: str, text: str) -> dict[str, Any]:
    """The JSON object that the text is."""
    like = """Write an object in quotes, like '{"name": 1}'"""
    try:
        value = read_written_json(text)
    except ValueError as error:
        raise BadInput(option, f"it is no JSON ({error})", like) from None
    if not isinstance(value, dict):
        raise BadInput(option, "it is no JSON object", like)
    return value


def schema_file(option: str, path: str) -> dict[str, Any]:
    """The JSON Schema in a file."""
    schema = _json_file(option, path)
    if not isinstance(schema, dict):
        remedy = "A JSON Schema is an object with `properties`"
        raise BadInput(option, f"{path} holds no JSON object", remedy)
    return schema


def tools_file(option: str, path: str) -> list[Any]:
    """The tools in a file, which holds a list of them or a single one."""
    tools = _json_file(option, path)
    if not tools:
        raise BadInput(option, f"{path} holds no tool", "Write a list of tools into it, or leave it out")
    return tools if isinstance(tools, list) else [tools]


def labels(option: str, text: str) -> Any:
    """The labels between the commas, without the space around them."""
    try:
        return understood([label.strip() for label in text.split(",")])
    except BadInput as error:
        raise BadInput(option, error.problem, f"{error.remedy}, like {option} billing,delivery") from None


def _text_or_file(option: str, text: str, suffixes: tuple[str, ...]) -> str:
    """The text itself, or the content of the file that a single line names: one that is there, or ends like one."""
    if "\n" in text:
        return text
    path = Path(text.strip())
    with contextlib.suppress(OSError, ValueError):  # too long for a path, or with a NUL: it is the text
        if path.is_file():
            return _content(option, path)
    is_sentence = " " in text.strip() and path.suffix != ".j2"
    if is_sentence or path.suffix not in suffixes:
        return text
    return _content(option, path)


def _with_contents(option: str, given: Any, folder: Path) -> Any:
    """The messages, with the text of each file that is named as a content; what is no list of objects stays as it is."""
    if not isinstance(given, list):
        return given
    return [_with_content(option, message, folder) for message in given]


def _with_content(option: str, message: Any, folder: Path) -> Any:
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, str) or not _names_a_template(content):
        return message
    return {**message, "content": _content(option, folder / content.strip())}


def _names_a_template(content: str) -> bool:
    """Whether a content is the name of a file, as in a DAG: by its ending alone, for an example may be any file's name."""
    return "\n" not in content.strip() and content.strip().endswith(".j2")


def _json(option: str, text: str) -> Any:
    try:
        return read_written_json(text)
    except ValueError as error:
        raise BadInput(
            option, f"it is no JSON ({error})", "Write a list of messages, or the path of one"
        ) from None


def _json_file(option: str, path: str) -> Any:
    try:
        return read_written_json(_content(option, Path(path)))
    except ValueError as error:
        raise BadInput(option, f"{path} holds no JSON ({error})", "Mend the file") from None


def _content(option: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        remedy = f"Check the path; where it is relative, it begins in {Path.cwd()}"
        raise BadInput(option, f"there is no file {path}", remedy) from None
    except UnicodeDecodeError as error:
        raise BadInput(option, f"{path} is no text in UTF-8 ({error.reason})", "Save it as UTF-8") from None
    except OSError as error:
        raise BadInput(option, f"{path} cannot be read ({error.strerror})", "Mend that") from None
