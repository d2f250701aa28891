"""What arguments were called before, and where they are now: an old name is refused with the new one, and the page for who upgrades is made of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW: Final[Mapping[str, str]] = {
    "columns": "publish.columns",
    "flatten": "publish.flatten",
    "keep_raw": "publish.keep_raw",
    "on_empty": "publish.on_empty",
    "if_exists": "publish.if_exists",
    "if_schema_breaks": "publish.if_schema_breaks",
    "max_failed": "failures.most",
    "failures": "failures.dataset",
    "state": "memory.state",
    "reuse": "memory.reuse",
    "retention_days": "memory.retention_days",
    "forcing": "answers.output_mode",
    "structured": "answers",
    "structured.reasks": "answers.output_retries",
    "structured.max_tokens_if_truncated": "answers.max_tokens_if_truncated",
    "structured.untyped": "answers.untyped",
    "structured.lenient_numbers": "answers.lenient_numbers",
    "structured.traits": "answers.model_profile",
    "max_input_tokens": "limits.max_input_tokens",
    "limits.shard_rows": "limits.batch_rows",
    "limits.shard_bytes": "limits.batch_bytes",
}
"""By the name that a field of the spec or of one of its value objects had."""
CLASSES_NOW: Final[Mapping[str, str]] = {
    "Structured": "runware_provider.engine.spec.Answers",
    "ModelTraits": "runware_provider.engine.spec.ModelProfile",
    "Report": "runware_provider.quality.spec.Report",
}
"""What was imported from `engine.spec` and `engine.traits`, and from where under which name it is."""
WHERE: Final = "where"
FILTERS_NOW: Final = (
    'Choose records with filters=[("country", "==", "de"), ("total", ">", 100)];'
    " what needs more than that, choose with a query in a task before this one"
)
"""In the place of `where`, which had a language of its own."""
_NO_MORE: Final = "there is no such argument any more"


def renamed(name: str) -> BadInput | None:
    """The refusal of an argument, or of a field of a value object, that is called otherwise by now; None for any other name.

    Args:
        name: as it was written, with or without that of the value object.
    """
    if name == WHERE:
        return BadInput(name, _NO_MORE, FILTERS_NOW)
    now = NOW.get(name) or _BY_FIELD.get(name.rpartition(".")[2])
    return None if now is None else BadInput(name, _NO_MORE, f"Write {as_written(now)}")


def as_written(field: str) -> str:
    """A field of a value object as a DAG has it, such as `memory=Memory(state=...)`."""
    argument, _, name = field.partition(".")
    return (
        f"{argument}={argument.capitalize()}({name}=...)"
        if name
        else f"{argument}={argument.capitalize()}(...)"
    )


def no_such_name(module: str, name: str) -> ImportError | AttributeError:
    """What a module raises for a name that it has not: where a class is that was imported from it, or what Python says.

    Args:
        module: its full name.
        name: as it was imported.
    """
    now = CLASSES_NOW.get(name)
    if now is None:
        return AttributeError(f"module {module!r} has no attribute {name!r}")
    place, _, class_name = now.rpartition(".")
    return ImportError(f"{name} is not here any more: from {place} import {class_name}")


_BY_FIELD: Final = {
    old.rpartition(".")[2]: now
    for old, now in NOW.items()
    if old.rpartition(".")[2] != now.rpartition(".")[2]
}
"""By the last part of the earlier name, where that is another one now: `answers={"reasks": 2}` is one half of an upgrade."""
