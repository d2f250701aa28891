"""Whether something fits, and the words for it if not: where, what, and a short piece of the value.

A value that does not fit a schema has problems; a schema that does not fit Arrow is refused.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_PROBLEMS = 20
"""Problems told of one value."""
SHOWN = 100
"""Characters of a value that a message quotes."""
UNKNOWN_KEYS, OMITTED_ITEMS = "unknown_keys", "omitted_items"
"""What is noted of an answer of which something was left out."""
NO_ENCODING = "a string holds half of a surrogate pair, which no encoding can store"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a value does not fit; for its author, who is a model, and for the log.

    `path` is written like `$.lines[2].amount`; the message quotes at most some 200 characters of the value.
    """

    path: str
    message: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"

    def below(self, path: str) -> Problem:
        """The same problem, of a value that holds this one at `path`."""
        return Problem(path + self.path.removeprefix("$"), self.message)


class Checked(NamedTuple):
    """A value as its check gives it, the problems that it has, and what was noted on the way."""

    value: Any
    problems: list[Problem]
    notes: tuple[str, ...] = ()
    made: Any = None
    """The instance of the model that was made of it; None where no model checks."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A value as `pa.array` takes it, or the problems that it has."""

    value: Any = field(repr=False)
    problems: list[Problem]
    mends: tuple[str, ...] = ()
    """What was mended in the value for it to fit, by name."""
    doubt: str | None = field(default=None, repr=False)
    """Why the value may be a slip though it fits; for its author, who may say it again."""
    answer: Any = field(default=None, repr=False)
    """The same for Python: an instance of the model that it was checked by, else the JSON value that fits; None of a label."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refuses a schema, in the name of the argument it was given in."""

    argument: str

    def __call__(self, path: str, problem: str, remedy: str) -> NoReturn:
        """Names the place inside of the schema, what is wrong there, and what to write instead.

        Raises:
            BadInput: always.
        """
        raise BadInput(self.argument, f"at {path}: {problem}", remedy) from None


def joined(path: str, name: str) -> str:
    """The path of a property: like `$.name`, or `$["a name"]` where it is no plain word."""
    return f"{path}.{name}" if re.fullmatch(r"\w+", name) else f"{path}[{json.dumps(clip(name, 60))}]"


def path_of(parts: Iterable[str | int]) -> str:
    """The path that leads over names and indices, like `$.lines[2].amount`."""
    path = "$"
    for part in parts:
        path = f"{path}[{part}]" if isinstance(part, int) else joined(path, str(part))
    return path


def clip(text: str, length: int) -> str:
    """The text, or its beginning and an ellipsis: at most `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def short(value: Any) -> str:
    """A value as a message quotes it: at most `SHOWN` characters, whatever it holds."""
    try:
        return clip(repr(value), SHOWN)
    except (ValueError, RecursionError):  # an integer or a nesting that Python will not print
        return f"the {type(value).__name__}"
