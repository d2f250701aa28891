"""From a finished item to the value that was asked for: which of its text, its calls and its thoughts holds it. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runware_provider.engine.outcome.answer import Answer, read_arguments, read_json, read_text
from runware_provider.engine.outcome.beside import names_beside
from runware_provider.engine.outcome.calls_in_text import call_of, calls_in
from runware_provider.engine.schema.json_text import Fault, is_same
from runware_provider.engine.schema.places import style_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.api.output_mode import Forced
    from runware_provider.engine.api.results import Result

_NO_CALL = Fault("what a tool would be given is written into the text; call the tool")
_DIFFERENT = "there is more than one answer, and they differ; give one"


class ResultReader:
    """Reads results of one job.

    Args:
        forced: where the answer stands.
        described: the keys of the answer's outermost object; none where there are no such.
        tools: the parameters of each of the user's own tools.
    """

    def __init__(
        self, forced: Forced, described: frozenset[str], tools: Mapping[str, frozenset[str]]
    ) -> None:
        self._forced = forced
        self._described = described
        self._tools = tools

    def read(self, result: Result) -> Answer:
        """The answer, where it was asked for, or where it stands instead."""
        match self._forced.reading:
            case "text":
                return read_text(result.text)
            case "json":
                return self._json(result)
            case "calls":
                return self._calls(result)
            case "arguments":
                return self._arguments(result)

    def _json(self, result: Result) -> Answer:
        if result.text is None or not result.text.strip():
            return self._in_reasoning(result) or read_json(result.text)
        return self._alone(read_json(result.text))

    def _in_reasoning(self, result: Result) -> Answer | None:
        """The answer that a server took for a thought, if it is all that was thought."""
        if not result.reasoning or result.finish_reason == "length":
            return None
        answer = read_json(result.reasoning)
        is_whole = answer.problem is None and "surrounding_text" not in answer.mends
        if not is_whole or not isinstance(answer.value, dict):
            return None
        return _mended(answer, "answer_in_reasoning")

    def _alone(self, answer: Answer) -> Answer:
        """The answer, unless what it lacks stands beside it."""
        if not answer.beside or not isinstance(answer.value, dict):
            return answer
        given = {style_of(key) for key in answer.value}
        lacking = frozenset(name for name in self._described if style_of(name) not in given)
        stray = names_beside(answer.beside, lacking)
        if not stray:
            return answer
        problem = (
            f"`{stray[0][:60]}` stands beside the object; give one object with all of it, and nothing else"
        )
        return Answer(None, (), problem)

    def _arguments(self, result: Result) -> Answer:
        name = self._forced.tool_name
        if not result.calls:
            return self._instead_of_call(result)
        own = [read_arguments(arguments) for called, arguments in result.calls if called == name]
        if not own:
            wrong = ", ".join(sorted({called for called, _ in result.calls}))
            return Answer(None, (), f"the model called {wrong[:200]!r} instead of {name!r}")
        answer = self._one_of([self._out_of_envelope(read) for read in own])
        if answer.problem is None and self._text_differs(result, answer.value):
            return Answer(None, answer.mends, f"{_DIFFERENT}: the text beside the call is another object")
        return _mended(answer, "further_calls") if len(result.calls) > 1 else self._alone(answer)

    def _instead_of_call(self, result: Result) -> Answer:
        text = result.text
        if not text or not text.strip():
            return self._in_reasoning(result) or Answer(
                None, (), "the answer is empty: neither a tool call nor text"
            )
        name = str(self._forced.tool_name)
        calls = calls_in(text, [name])
        if calls is None:
            return _mended(self._alone(self._out_of_envelope(read_json(text))), "text_instead_of_call")
        if isinstance(calls, Fault):
            return Answer(None, ("text_instead_of_call",), calls.problem)
        wrong = sorted({called for called, _ in calls if called != name})
        if wrong:
            return Answer(None, (), f"the model called {', '.join(wrong)[:200]!r} instead of {name!r}")
        return _mended(self._one_of([read_arguments(arguments) for _, arguments in calls]), "call_in_text")

    def _out_of_envelope(self, answer: Answer) -> Answer:
        """The arguments of a call of the very tool, where the whole call stands in their place."""
        call = call_of(answer.value)
        if call is None or call[0] != self._forced.tool_name:
            return answer
        is_described = not self._described.isdisjoint({"arguments", "parameters", "input"})
        return answer if is_described else _mended(read_arguments(call[1]), *answer.mends, "call_in_text")

    def _text_differs(self, result: Result, value: Any) -> bool:
        """Whether the text beside a call is an answer of its own, and another one."""
        text = (result.text or "").strip()
        if not text.startswith(("{", "`", "<")):
            return False
        said = read_json(text).value
        is_answer = isinstance(said, dict) and not self._described.isdisjoint(said)
        return is_answer and not is_same(said, value)

    def _one_of(self, answers: Sequence[Answer]) -> Answer:
        """The answer that was given, once or several times; several that differ are none."""
        if len(answers) == 1:
            return answers[0]
        broken = next((answer for answer in answers if answer.problem is not None), None)
        if broken is not None:
            return broken
        if all(is_same(answer.value, answers[0].value) for answer in answers):
            return answers[0]
        return Answer(None, (), _DIFFERENT)

    def _calls(self, result: Result) -> Answer:
        written = self._written_calls(result.text)
        if isinstance(written, Fault):
            return Answer(None, (), written.problem)
        calls: Sequence[tuple[str, Any]] = result.calls or written
        if not calls and self._forced.calls_required:
            return Answer(None, (), "the model called no tool")
        mends = {} if result.calls or not written else {"call_in_text": None}
        read: list[tuple[str, Any]] = []
        for name, arguments in calls:
            answer = self._of_own_tool(name, arguments)
            if answer.problem is not None:
                return Answer(None, tuple(mends), f"the call of {name!r}: {answer.problem}")
            mends.update(dict.fromkeys(answer.mends))
            read.append((name, answer.value))
        # A call that was made may be written out, too; another one would be lost.
        if result.calls and any(not self._is_among(call, read) for call in written):
            return Answer(None, tuple(mends), f"{_DIFFERENT}: a further call is written into the text")
        return Answer(read, tuple(mends), None)

    def _written_calls(self, text: str | None) -> list[tuple[str, Any]] | Fault:
        """The calls in a text; a fault where it holds what a tool would be given, and does not say which tool."""
        calls = calls_in(text or "", self._tools, of_any=True)
        if calls is not None:
            return calls
        said = read_json(text).value if text and text.lstrip().startswith(("{", "`")) else None
        looks_given = (
            isinstance(said, dict) and said and any(said.keys() <= keys for keys in self._tools.values())
        )
        return _NO_CALL if looks_given else []

    def _is_among(self, call: tuple[str, Any], calls: Sequence[tuple[str, Any]]) -> bool:
        name, arguments = call
        value = self._of_own_tool(name, arguments).value
        return any(called == name and is_same(value, given) for called, given in calls)

    def _of_own_tool(self, name: str, arguments: Any) -> Answer:
        is_nothing = arguments is None or (isinstance(arguments, str) and arguments.strip() in {"", "null"})
        if is_nothing and self._tools.get(name) == frozenset():
            return Answer({}, ("empty_arguments",), None)
        return read_arguments(arguments)


def _mended(answer: Answer, *mends: str) -> Answer:
    return replace(answer, mends=(*mends, *answer.mends))
