"""The commands with which records are asked again, as somebody copies them into a terminal. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.object_place import is_object_url, object_place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROGRAM: Final = "runware"
_FLAGS: Final = {
    "source": "--source",
    "destination": "--destination",
    "memory.state": "--state",
    "failures.dataset": "--failures",
}


@dataclass(frozen=True)
class AskingAgain:
    """What a run asked, and where that is noted."""

    path: str
    """Of the file of the request."""
    record: Mapping[str, Any] = field(repr=False)
    """What is in it."""

    @property
    def why_not(self) -> str:
        """Why no command asks this again, or what it lacks, in a sentence of ours; empty where one does."""
        # Whoever pastes a command obeys it: what cannot be seen has no place in one.
        if not all(word.isprintable() for word in self._all_words()):
            return "No command asks these again: a path or a partition holds characters that cannot be seen."
        if not self.asks_the_same:
            return (
                "No command asks these again: the answers fit a pydantic class that says what no JSON Schema can, such as a"
                " decimal. Run the task again with `retry_failed=True`."
            )
        missing = [flag for name, flag in _FLAGS.items() if name in self._left_out]
        missing += ["--filter"] if "filters" in self._left_out else []
        if missing:
            named = ", ".join(f"`{flag}`" for flag in missing)
            return f"What {named} was given may have held a password, and was not noted: write it behind the command."
        return ""

    @property
    def has_command(self) -> bool:
        """Whether there is a command at all, that lacks an option at most."""
        return self.asks_the_same and all(word.isprintable() for word in self._all_words())

    @property
    def asks_the_same(self) -> bool:
        """Whether the file of the request asks the same of the model; else everything would be paid for anew."""
        return self.record.get("asks_the_same", True) is True

    def failed(self) -> str:
        """Everything that did not succeed, and nothing else that was asked."""
        return shlex.join([*self._run(), "--retry-failed"])

    def unasked(self) -> str:
        """What has no answer yet."""
        return shlex.join(self._run())

    def these(self, task_uuids: Sequence[str]) -> str:
        """What these tasks asked, whatever they were answered: the answers are forgotten, so that the run asks again."""
        forget = self._forget()
        for uuid in dict.fromkeys(task_uuids):
            forget += _option("--task-uuid", uuid)
        return f"{shlex.join(forget)} && \\\n{shlex.join(self._run())}"

    def cost(self) -> str:
        """What asking again would cost; nothing is sent."""
        return shlex.join([PROGRAM, "plan", *self._run()[2:], "--retry-failed"])

    @property
    def _left_out(self) -> Sequence[str]:
        left_out = self.record.get("left_out")
        return left_out if isinstance(left_out, list) else ()

    def _all_words(self) -> list[str]:
        return [*self._run(), *self._forget()]

    def _forget(self) -> list[str]:
        words = [PROGRAM, "forget", *self._words("destination"), *self._words("memory.state")]
        partition = self._at("partition")
        for key, value in partition.items() if isinstance(partition, dict) else ():
            words += _option("--partition", f"{key}={value}")
        return words

    def _run(self) -> list[str]:
        words = [PROGRAM, "run", *_option("--request", _for_a_terminal(self.path))]
        # A terminal knows no connection of Airflow's: its store takes the credentials of the environment.
        for name in _FLAGS:
            url = self._at(name)
            if isinstance(url, str) and _for_a_terminal(url) != url:
                words += self._words(name)
        # What is published already is to be replaced.
        if self._at("publish.if_exists") == "error":
            words += ["--if-exists", "overwrite"]
        return words

    def _words(self, name: str) -> list[str]:
        url = self._at(name)
        return _option(_FLAGS[name], _for_a_terminal(url)) if isinstance(url, str) else []

    def _at(self, path: str) -> Any:
        value: Any = self.record.get("spec")
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value


def _option(flag: str, value: str) -> list[str]:
    """What begins like an option is no value but with an equals sign."""
    return [f"{flag}={value}"] if value.startswith("-") else [flag, value]


def _for_a_terminal(url: str) -> str:
    """A URL without the Airflow connection that it names."""
    if not is_object_url(url):
        return url
    try:
        conn_id = object_place(url).conn_id
    except BadInput:
        return url
    return url if conn_id is None else url.replace(f"//{conn_id}@", "//", 1)
