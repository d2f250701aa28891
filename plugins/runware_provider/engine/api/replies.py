"""The API's words as they come back: replies and archived ones, in all the shapes that the contract names.

They are read leniently, since one strange item must not hide its siblings. An error gets its family here, where it is
known what was asked and with which HTTP status it came, and nowhere else: whoever decides compares it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from runware_provider.engine.api.error_families import STEPS, Family, Step, family_of, is_telling
from runware_provider.engine.api.redact import UNKNOWN_CODE, one_line, plain_code, storable
from runware_provider.engine.api.request_bodies import encoded
from runware_provider.engine.api.results import holds_answer, is_finished, objects, status_of
from runware_provider.engine.schema.written_numbers import read_float

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_DEPTH = 200
"""JSON below this is cut: no schema of ours goes so deep, and one such item must not hide its siblings."""
MOST_LISTS = 3
"""Lists in lists that are looked into for items; the contract knows one."""
MOST_DIGITS = 300
"""Integers with more digits are read as floats."""
HOOK_FIELD = "webhookURL"
"""Of a task; an answer has no use for it."""
QUESTION_IN_TROUBLE = frozenset({401, 403, 408, 429})
"""Statuses below 500 that are said of a question, and not of the tasks that it asks for."""
NOT_HERE = frozenset({301, 302, 303, 304, 307, 308, 404, 405, 410})
"""Statuses of a server that is not the API, or not at this address."""
_decode_strictly = msgspec.json.Decoder(float_hook=read_float).decode


def decode(content: bytes) -> Any:
    """JSON as lenient as a reply needs it: one strange answer must not hide its siblings.

    Half a surrogate pair, bytes that are no UTF-8, NaN, endless numbers and bottomless nesting are survived.
    Nothing for what is no JSON at all.
    """
    try:
        return _decode_strictly(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    text = content.decode("utf-8-sig", errors="replace")
    try:
        return _read_leniently(text)
    except RecursionError:
        return _read_leniently(_shallow(text))


def _read_leniently(text: str) -> Any:
    try:
        return json.loads(text, parse_int=_number, parse_float=read_float)
    except ValueError:
        return None


_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
"""A text, which may lack its end, or a bracket. It never goes back, so the time taken grows with the length alone."""


def _shallow(text: str) -> str:
    """JSON text without what is nested too deeply; null stands in its place."""
    pieces: list[str] = []
    depth = copied = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == MOST_DEPTH + 1:
                pieces.append(text[copied : token.start()] + "null")
        elif token[0] in "]}":
            depth -= 1
            if depth == MOST_DEPTH:
                copied = token.end()
    return "".join(pieces) + text[copied:] if depth <= MOST_DEPTH else ""


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= MOST_DIGITS else float(digits)


def encode_item(item: Mapping[str, Any]) -> bytes:
    """An item as JSON, to be kept; what UTF-8 cannot hold is escaped, what is nested too deeply left out.

    So is an echo of the URL that the task was to be brought to, beside the answer or within an error: it holds a proof.
    """
    kept = {key: _without_hook(value) for key, value in item.items() if key != HOOK_FIELD}
    try:
        return encoded(kept)
    except RecursionError:
        return encoded({key: value for key, value in kept.items() if not isinstance(value, dict | list)})


def _without_hook(value: Any) -> Any:
    if not isinstance(value, dict) or HOOK_FIELD not in value:
        return value
    return {key: inner for key, inner in value.items() if key != HOOK_FIELD}


@dataclass(frozen=True)
class ApiError:
    """An error object of a reply."""

    spelt: str = field(repr=False)
    """Its code as the API wrote it: nobody is shown it."""
    family: Family
    """What it means, by its code, and by the HTTP status where that is said of the same thing."""
    message: str = field(repr=False)
    parameter: str | None = None
    item: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def code(self) -> str:
        """Its code as it may be shown."""
        return plain_code(self.spelt)


@dataclass(frozen=True)
class Reply:
    """A reply sorted by what it says of each task; `readable` is false for garbage and for half a body."""

    status: int
    readable: bool
    acknowledged: frozenset[str] = frozenset()
    processing: frozenset[str] = frozenset()
    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """By task UUID, the finished items as they came."""
    failures: Mapping[str, ApiError] = field(default_factory=dict)
    """By task UUID."""
    unnamed: tuple[ApiError, ...] = ()
    """Errors that name no task."""
    retry_after_s: float | None = None
    stored: frozenset[str] = frozenset()
    """Of the failures those that the archive holds as what became of the task itself."""

    def names(self, name: str) -> bool:
        """Whether it says anything of the task with this UUID."""
        return any(
            name in named for named in (self.results, self.failures, self.acknowledged, self.processing)
        )

    @property
    def task_uuids(self) -> frozenset[str]:
        """Those of all tasks that it says anything of."""
        return self.acknowledged.union(self.processing, self.results, self.failures)

    @property
    def is_final(self) -> bool:
        """Whether it says how any task ended."""
        return bool(self.results or self.failures)

    @property
    def throttled(self) -> bool:
        """Whether all that was said is that there is no room now."""
        if self.results or self.acknowledged or self.processing:
            return False
        said = [*self.failures.values(), *self.unnamed]
        if not said:
            return self.status == 429
        return all(error.family is Family.RATE for error in said)

    @property
    def question_in_trouble(self) -> bool:
        """Whether the status says that the question, not its tasks, was in trouble."""
        return self.status in QUESTION_IN_TROUBLE or self.status >= 500

    @property
    def from_the_api(self) -> bool:
        """Whether the API itself spoke: not a server in trouble, not whoever answers at a wrong address."""
        if self.status == 429:
            return True
        if not self.readable or self.status >= 500:
            return False
        if self.names_something or self.status < 300:
            return True
        # Another server says that there is nothing here; the API would say so in its own words.
        if self.status in NOT_HERE:
            return not self.is_vague
        return bool(self.unnamed)

    @property
    def is_vague(self) -> bool:
        """Whether nothing in it shows that it is the API which spoke: it names no task, and no error that the API has."""
        if self.names_something or self.throttled:
            return False
        if not self.unnamed:
            return self.status >= 300
        return not any(is_telling(error.spelt) for error in self.unnamed)

    @property
    def is_elsewhere(self) -> bool:
        """Whether it says that there is no API at this address."""
        return self.status in NOT_HERE and self.is_vague

    @property
    def names_something(self) -> bool:
        """Whether it says anything of any task."""
        return bool(self.results or self.failures or self.acknowledged or self.processing)

    @property
    def refuses_the_question(self) -> bool:
        """Whether the API itself will not answer what was asked, and not only for now."""
        gravest = self.gravest
        if gravest is None or not self.from_the_api or self.question_in_trouble:
            return False
        return gravest.family not in {Family.RATE, Family.SERVER, Family.TIMEOUT}

    @property
    def unheard(self) -> bool:
        """Whether a question was refused, so that its reply is no word on the tasks that it does not name."""
        if self.question_in_trouble or not self.from_the_api:
            return True
        return any(error.family is not Family.LOST for error in self.unnamed)

    @property
    def gravest(self) -> ApiError | None:
        """Of the errors that name no task, the one that stops the job, or else the first."""
        stops = (error for error in self.unnamed if STEPS[error.family] is Step.STOP)
        return next(stops, self.unnamed[0] if self.unnamed else None)

    def says_in_use(self, name: str) -> bool:
        """Whether it says that this task UUID was used before."""
        error = self.failures.get(name, self.gravest)
        return error is not None and error.family is Family.CONFLICT

    @property
    def as_a_whole(self) -> ApiError:
        """What it says of tasks that it does not name: its gravest error, or else its bare status."""
        return self.gravest or bare_status(self.status)


def bare_status(status: int) -> ApiError:
    """What an HTTP status says where the body says nothing."""
    code = f"http{status}"
    return ApiError(code, family_of(code, status), f"HTTP {status} without a usable body")


def read_reply(status: int, content: bytes, retry_after_s: float | None = None) -> Reply:
    """Sort a reply to tasks, whatever the HTTP status: an HTTP 400 can carry results for sibling tasks.

    The status is said of the tasks: it says the family of an error whose code says nothing.
    """
    return _sorted(status, content, retry_after_s, status_of_tasks=status)


def read_poll(status: int, content: bytes, retry_after_s: float | None = None) -> Reply:
    """Sort a reply to getResponse: its status is said of the question, and never of a task that an error names."""
    return _sorted(status, content, retry_after_s, status_of_tasks=None)


def read_call(content: bytes) -> Reply:
    """Sort the body of a webhook's call, in all shapes that the contract names (section 6); there is no status.

    Receiver and job read it by this one function: what a call is let in for is what it counts for.
    """
    return _sorted(200, content, None, status_of_tasks=None)


def _sorted(
    status: int, content: bytes, retry_after_s: float | None, *, status_of_tasks: int | None
) -> Reply:
    decoded = decode(content)
    if not isinstance(decoded, dict | list):
        return Reply(status, readable=False, retry_after_s=retry_after_s)
    acknowledged: set[str] = set()
    processing: set[str] = set()
    results: dict[str, Mapping[str, Any]] = {}
    failures: dict[str, ApiError] = {}
    unnamed: list[ApiError] = []
    for item, is_error in _items(decoded):
        name = _name_of(item)
        said_of = status_of_tasks if name is not None else status
        error = _api_error(item, said_of) if is_error else _error_of(item, said_of)
        if error is not None:
            if name is not None:
                failures.setdefault(name, error)
            else:
                unnamed.append(error)
        elif name is None:
            continue
        elif is_finished(item):
            results.setdefault(name, item)
        elif status_of(item) in {"", "accepted"}:
            acknowledged.add(name)
        else:
            processing.add(name)
    for name in results:
        failures.pop(name, None)
    return Reply(
        status,
        readable=True,
        acknowledged=frozenset(acknowledged - results.keys()),
        processing=frozenset(processing - results.keys()),
        results=results,
        failures=failures,
        unnamed=tuple(unnamed),
        retry_after_s=retry_after_s,
    )


def read_archive(reply_status: int, content: bytes) -> Reply:
    """A getTaskDetails reply, sorted like any other by what each `response` says.

    An item whose `response` holds nothing usable counts as processing: the archive knows the task. The status is said
    of the question, and never of a task.
    """
    decoded = decode(content)
    if not isinstance(decoded, dict | list):
        return Reply(reply_status, readable=False)
    results: dict[str, Mapping[str, Any]] = {}
    failures: dict[str, ApiError] = {}
    known: set[str] = set()
    stored: set[str] = set()
    unnamed: list[ApiError] = []
    for item, is_error in _items(decoded):
        name = _name_of(item)
        if name is None:
            if is_error:
                unnamed.append(_api_error(item, reply_status))
        elif is_error:
            failures.setdefault(name, _api_error(item))
        else:
            known.add(name)
            own: dict[str, ApiError] = {}
            for archived, archived_is_error in _archived(item):
                _sort_archived(name, archived, archived_is_error, results, own)
            stored |= own.keys()
            failures |= own
    for name in results:
        failures.pop(name, None)
    return Reply(
        reply_status,
        stored=frozenset(stored & failures.keys()),
        readable=True,
        processing=frozenset(known - results.keys() - failures.keys()),
        results=results,
        failures=failures,
        unnamed=tuple(unnamed),
    )


def _name_of(item: Mapping[str, Any]) -> str | None:
    """The UUID of the task that an item is about, as we spell it: whether its letters are capitals means nothing."""
    name = item.get("taskUUID")
    return name.lower() if isinstance(name, str) else None


def _archived(item: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """What an archive's item holds of answers: a reply, a lone item, either as a JSON text, or the item itself."""
    if "response" not in item:
        if _error_of(item) is not None or holds_answer(item):
            yield item, False
        return
    response = item["response"]
    if isinstance(response, str):
        response = decode(response.encode(errors="replace"))
    items = list(_items(response))
    if not items and isinstance(response, dict):
        items = [(response, False)]
    yield from items


def _sort_archived(
    name: str,
    item: Mapping[str, Any],
    is_error: bool,  # noqa: FBT001 - as `_items` tells it
    results: dict[str, Mapping[str, Any]],
    failures: dict[str, ApiError],
) -> None:
    if _name_of(item) not in (name, None):
        return
    error = _api_error(item) if is_error else _error_of(item)
    if error is not None:
        failures.setdefault(name, error)
    elif is_finished(item):
        results.setdefault(name, item)


def _items(decoded: Any, depth: int = 0) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Every item of a reply or webhook body, and whether it stood among the errors."""
    if isinstance(decoded, list) and depth < MOST_LISTS:
        for part in decoded:
            yield from _items(part, depth + 1)
    elif isinstance(decoded, dict):
        yield from _items_of(decoded)


def _items_of(body: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], bool]]:
    # The vendor's own shape; lists that are empty or none say that there is nothing, not that the body is an item.
    if "data" in body or "errors" in body:
        for item in objects(body.get("data")):
            yield item, False
        for item in objects(body.get("errors")):
            yield item, True
    # An item that nothing is wrapped around.
    elif "taskUUID" in body or "taskType" in body:
        yield body, _is_bare_error(body)
    # A lone error, inside of `error` or by itself.
    elif isinstance(body.get("error"), dict):
        yield body["error"], True
    elif "code" in body:
        yield body, True


def _is_bare_error(body: Mapping[str, Any]) -> bool:
    """Whether what nothing is wrapped around is an error object, which names its task as an item does."""
    return "code" in body and not status_of(body) and not holds_answer(body)


def _error_of(item: Mapping[str, Any], http_status: int | None = None) -> ApiError | None:
    """An error that came among the data: `status: "error"`, or something in `error`, unless it says success."""
    inner = item.get("error")
    status = status_of(item)
    if status != "error" and (status == "success" or not inner or not isinstance(inner, dict | str)):
        return None
    if isinstance(inner, dict):
        return _api_error({**item, **inner}, http_status)
    return _api_error({"message": inner or "", **item}, http_status)


def _api_error(item: Mapping[str, Any], http_status: int | None = None) -> ApiError:
    spelt = storable(item.get("code") or UNKNOWN_CODE)
    parameter = item.get("parameter")
    if isinstance(parameter, list):
        parameter = ", ".join(storable(part) for part in parameter)
    return ApiError(
        spelt=spelt,
        family=family_of(spelt, http_status),
        message=one_line(item.get("message") or ""),
        parameter=one_line(parameter) if parameter is not None else None,
        item=item,
    )
