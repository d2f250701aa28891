"""Answers that are calls of the user's own tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from runware_provider.engine.schema.nodes import list_of
from runware_provider.engine.schema.object_answers import EMPTY_OBJECT
from runware_provider.engine.schema.problems import MAX_PROBLEMS, UNKNOWN_KEYS, Fit, Problem, short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.schema.object_answers import OutputSchema


class ToolSchema:
    """The user's own tools; made by `tool_schema`.

    `arrow_type` is list<struct<name: string, arguments: struct<[tool]: struct<...>, ...>>>: of the arguments,
    the field of the tool that was called is filled. Tools without parameters have no field there.
    """

    def __init__(self, tools: Mapping[str, OutputSchema]) -> None:
        self._tools = tools
        self._stored = {name: tool for name, tool in tools.items() if tool.arrow_type.num_fields}
        fields = [pa.field("name", pa.string())]
        if self._stored:
            arguments = [pa.field(name, tool.arrow_type) for name, tool in self._stored.items()]
            fields.append(pa.field("arguments", pa.struct(arguments)))
        self.arrow_type: pa.DataType = list_of(pa.struct(fields))

    @property
    def described(self) -> frozenset[str]:
        """None: an answer is a list of calls."""
        return frozenset()

    @property
    def parameters(self) -> Mapping[str, frozenset[str]]:
        """What each tool can be given, by its name."""
        return {name: tool.described for name, tool in self._tools.items()}

    def fit(self, value: Sequence[tuple[str, Any]]) -> Fit:
        """Checks tool calls and converts them.

        Args:
            value: the calls in their order, each a name and its arguments.
        """
        converted: list[dict[str, Any]] = []
        calls: list[dict[str, Any]] = []
        problems: list[Problem] = []
        mends: dict[str, None] = {}
        for index, (name, arguments) in enumerate(value):
            if name not in self._tools:
                known = ", ".join(self._tools)
                problems.append(Problem(f"$[{index}].name", f"{short(name)} is no tool; there are: {known}"))
                continue
            fit = self._tools[name].fit(arguments)
            problems += [problem.below(f"$[{index}].arguments") for problem in fit.problems]
            # A tool may well be called with nothing that it could be given.
            mends.update(dict.fromkeys(mend for mend in fit.mends if mend != EMPTY_OBJECT))
            # Of one that can be given nothing, nothing is stored.
            if name not in self._stored and arguments:
                mends[UNKNOWN_KEYS] = None
            converted.append(self._row(name, fit.value))
            calls.append({"name": name, "arguments": fit.answer})
        if problems:
            return Fit(None, problems[:MAX_PROBLEMS], tuple(mends))
        return Fit(converted, [], tuple(mends), answer=calls)

    def _row(self, name: str, arguments: Any) -> dict[str, Any]:
        if not self._stored:
            return {"name": name}
        return {"name": name, "arguments": {name: arguments} if name in self._stored else None}
