from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runware_provider.engine.api.replies import (
    Reply,
    decode,
    encode_item,
    read_archive,
    read_call,
    read_poll,
    read_reply,
)
from runware_provider.engine.api.results import Result, cost_of, read_result, usage_of

if TYPE_CHECKING:
    from collections.abc import Sequence

A = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
B = "bbbbbbbb-bbbb-4bbb-9bbb-bbbbbbbbbbbb"
C = "cccccccc-cccc-4ccc-accc-cccccccccccc"
D = "dddddddd-dddd-4ddd-bddd-dddddddddddd"


def item(name: Any = A, **fields: Any) -> dict[str, Any]:
    return {"taskType": "textInference", "taskUUID": name, **fields}


def error(code: str = "providerError", name: Any = A, **fields: Any) -> dict[str, Any]:
    named = {} if name is None else {"taskUUID": name}
    return {"code": code, "message": "what went wrong", **named, **fields}


def reply(data: Any = None, errors: Any = None, status: int = 200) -> Reply:
    parts = {"data": data, "errors": errors}
    return read_reply(status, as_json({key: one for key, one in parts.items() if one is not None}))


def said_by(told: Reply) -> set[str]:
    """In which ways a reply speaks of anything."""
    kinds = ("results", "failures", "unnamed", "acknowledged", "processing")
    return {kind for kind in kinds if getattr(told, kind)}


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def archive(*items: Any, errors: Sequence[Any] = (), status: int = 200) -> Reply:
    return read_archive(status, as_json({"data": list(items), "errors": list(errors)}))


# replies


def test_bare_items_are_acknowledgements_and_no_results() -> None:
    told = reply([item(A), item(B)])
    assert told.acknowledged == {A, B}
    assert not told.results
    assert not told.failures


def test_processing_items_are_under_way() -> None:
    told = reply([item(A, status="processing"), item(B, status="processing", progress=40)])
    assert told.processing == {A, B}
    assert not told.results


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "success", "text": "Hi"},
        {"text": "Hi"},
        {"text": ""},
        {"status": "success", "text": None},
        {"text": None, "finishReason": "length"},
        {"tools": [{"id": "1", "name": "f", "input": {}}]},
        {"toolCalls": [{"name": "f", "arguments": "{}"}], "text": None},
        {"status": "completed", "text": "Hi"},
        {"status": "success", "text": "Hi", "error": None},
        {"status": "success", "text": "Hi", "error": {}},
        {"status": "success", "text": "Hi", "error": {"code": "warning"}},
        {"text": "Hi", "error": ""},
    ],
)
def test_an_item_with_an_answer_is_a_result(fields: dict[str, Any]) -> None:
    told = reply([item(A, **fields)])
    assert told.results == {A: item(A, **fields)}
    assert not told.acknowledged
    assert not told.failures


@pytest.mark.parametrize("status", ["processing", "queued", "pending", "running"])
def test_a_text_that_is_still_growing_is_no_result(status: str) -> None:
    told = reply([item(A, status=status, text="Once upon")])
    assert told.processing == {A}
    assert not told.results


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "error", "error": {"code": "providerError", "message": "no"}},
        {"error": {"code": "providerError", "message": "no"}},
        {"status": "error", "code": "providerError", "message": "no"},
        {"status": "error", "error": {"code": "providerError", "message": "no", "taskUUID": B}},
    ],
)
def test_an_error_among_the_data_is_a_failure_of_its_task(fields: dict[str, Any]) -> None:
    told = reply([item(A, **fields)])
    assert list(told.failures) == [A]
    assert (told.failures[A].code, told.failures[A].message) == ("providerError", "no")
    assert not told.results
    assert not told.acknowledged


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"status": "error"}, "unknownError", ""),
        ({"status": "error", "error": "it broke"}, "unknownError", "it broke"),
        ({"error": "it broke"}, "unknownError", "it broke"),
        ({"status": "error", "error": ["x"]}, "unknownError", "['x']"),
        ({"error": {"code": None, "message": None}}, "unknownError", ""),
        ({"error": {"code": 17, "message": {"a": 1}}}, "17", "{'a': 1}"),
    ],
)
def test_an_error_without_a_code_is_an_unknown_one(fields: dict[str, Any], code: str, message: str) -> None:
    told = reply([item(A, **fields)])
    assert (told.failures[A].code, told.failures[A].message) == (code, message)


def test_errors_are_sorted_by_the_task_that_they_name() -> None:
    told = reply([], [error("providerError", A), error("invalidApiKey", None)], status=400)
    assert {name: failure.code for name, failure in told.failures.items()} == {A: "providerError"}
    assert [one.code for one in told.unnamed] == ["invalidApiKey"]
    assert told.status == 400


@pytest.mark.parametrize("name", [None, 5, ["a"], {"a": 1}, True])
def test_an_error_whose_uuid_is_none_names_no_task(name: Any) -> None:
    told = reply([], [{**error(name=None), "taskUUID": name}])
    assert not told.failures
    assert len(told.unnamed) == 1


def test_the_parameters_of_an_error_may_be_a_list() -> None:
    told = reply([], [error(parameter=["settings", "temperature"]), error(name=B, parameter="model")])
    assert told.failures[A].parameter == "settings, temperature"
    assert told.failures[B].parameter == "model"
    assert reply([], [error()]).failures[A].parameter is None


def test_a_400_may_carry_results_for_sibling_tasks() -> None:
    told = reply([item(A, text="Hi"), item(B)], [error(name=C)], status=400)
    assert set(told.results) == {A}
    assert told.acknowledged == {B}
    assert set(told.failures) == {C}
    assert told.readable


@pytest.mark.parametrize("status", [200, 400, 429, 500, 503])
def test_a_body_is_read_whatever_the_status(status: int) -> None:
    assert set(reply([item(A, text="Hi")], status=status).results) == {A}


def test_a_repeated_item_counts_once_and_a_result_outweighs_all_else() -> None:
    told = reply([item(A), item(A, status="processing"), item(A, text="Hi"), item(A, text="Ho")], [error()])
    assert told.results == {A: item(A, text="Hi")}
    assert not told.acknowledged
    assert not told.processing
    assert not told.failures


@pytest.mark.parametrize(
    "content", [b'{"data":[]}', b'{"errors":[]}', b'{"data":[],"errors":[]}', b"{}", b"[]"]
)
def test_an_empty_reply_is_readable_and_says_nothing(content: bytes) -> None:
    told = read_reply(200, content)
    assert told.readable
    assert said_by(told) == set()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"<html>502 Bad Gateway</html>",
        b'{"data":[{"taskUUID":"a","te',
        b'{"data":[{"taskUUID":"a","text":"x"}]',
        b"null",
        b"true",
        b"17",
        b'"text"',
        b"\xff\xfe\x00",
        b"\x1f\x8b\x08",
        b"[" * 100_000,
        b'{"data":' * 5_000,
    ],
)
def test_garbage_and_half_a_body_are_not_readable(content: bytes) -> None:
    assert not read_reply(200, content).readable
    assert not read_archive(200, content).readable


@pytest.mark.parametrize("data", [None, 5, "text", [None, 5, "x", [], {}, True], {}, [[[]]], {"a": 1}])
def test_what_is_no_item_is_passed_over(data: Any) -> None:
    told = read_reply(200, as_json({"data": data, "errors": data}))
    assert told.readable
    assert said_by(told) <= {"unnamed"}


def test_a_lone_object_may_stand_where_a_list_belongs() -> None:
    told = read_reply(200, as_json({"data": item(A, text="Hi"), "errors": error(name=B)}))
    assert set(told.results) == {A}
    assert set(told.failures) == {B}


@pytest.mark.parametrize(
    ("body", "results", "failures", "unnamed"),
    [
        (item(A, text="Hi"), [A], [], 0),
        ([item(A, text="Hi"), item(B, text="Ho")], [A, B], [], 0),
        ({"data": [item(A, text="Hi")]}, [A], [], 0),
        ([{"data": [item(A, text="Hi")]}, {"errors": [error(name=B)]}], [A], [B], 0),
        ({"errors": [error(name=A)]}, [], [A], 0),
        (item(A, error={"code": "x"}), [], [A], 0),
        ({"error": error(name=A)}, [], [A], 0),
        ({"error": error(name=None)}, [], [], 1),
        ({"code": "invalidApiKey", "message": "no"}, [], [], 1),
        (item(A, status="processing"), [], [], 0),
    ],
)
def test_a_webhooks_body_may_have_any_of_the_known_shapes(
    body: Any, results: list[str], failures: list[str], unnamed: int
) -> None:
    told = read_reply(200, as_json(body))
    assert list(told.results) == results
    assert list(told.failures) == failures
    assert len(told.unnamed) == unnamed


@pytest.mark.parametrize("field", ["status", "taskUUID", "error", "tools", "usage", "cost", "code", "text"])
def test_a_field_of_a_strange_type_costs_no_sibling(subtests: pytest.Subtests, field: str) -> None:
    good = item(A, text="Hi")
    for strange in ([], {}, 5, True, ["processing"], {"a": []}, ""):
        with subtests.test(strange=strange):
            odd = {**item(B, text="odd"), field: strange}
            assert reply([odd, good], [{**error(name=C), field: strange}]).results[A]["text"] == "Hi"
            for one in ({**item(B), "response": odd}, {**item(B), "response": strange}, odd):
                assert archive(one, {**item(A), "response": good}).results[A]["text"] == "Hi"


STRANGE = {
    "half a surrogate pair": rb'"\ud800"',
    "a bare surrogate in bytes": b'"\xed\xa0\x80"',
    "bytes that are no UTF-8": b'"\xff\xfe"',
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "a number beyond a double": b"1e999",
    "ten thousand digits": b"9" * 10_000,
    "ten thousand negative digits": b"-" + b"9" * 10_000,
    "nested arrays": b"[" * 5_000 + b"]" * 5_000,
    "nested objects": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "rather deep": b"[" * 700 + b"]" * 700,
    "nesting with brackets in strings": b"[" * 5_000 + rb'"]\"]}"' + b"]" * 5_000,
    "an escaped control character": rb'"\u0000"',
}


@pytest.mark.parametrize("value", STRANGE.values(), ids=STRANGE.keys())
def test_a_strange_value_hides_neither_its_item_nor_a_sibling(
    subtests: pytest.Subtests, value: bytes
) -> None:
    for field in ("text", "cost", "usage", "tools", "extra", "finishReason", "seed"):
        with subtests.test(field=field):
            odd = b'{"taskUUID":"%s","status":"success","%s":%s}' % (B.encode(), field.encode(), value)
            content = b'{"data":[%s,{"taskUUID":"%s","text":"Hi"}]}' % (odd, A.encode())
            told = read_reply(200, content)
            assert told.results[A]["text"] == "Hi"
            assert B in told.results
            kept = encode_item(told.results[B])
            assert decode(kept)["taskUUID"] == B
            read_result(told.results[B])
            assert read_archive(200, content).results[A]["text"] == "Hi"


@pytest.mark.parametrize("value", STRANGE.values(), ids=STRANGE.keys())
def test_an_error_made_of_strange_values_is_still_an_error(value: bytes) -> None:
    content = b'{"errors":[{"taskUUID":"%s","code":%s,"message":%s,"parameter":[%s],"cost":%s}]}' % (
        A.encode(),
        value,
        value,
        value,
        value,
    )
    failure = read_reply(400, content).failures[A]
    for text in (failure.code, failure.message, failure.parameter or ""):
        text.encode()
    assert cost_of(failure.item) is None
    encode_item(failure.item)


def test_of_an_error_no_control_character_and_no_code_that_is_more_than_a_word_is_shown() -> None:
    strange = {"code": "quota\x1b[2Jreached", "message": "a\r\nb\x1b[1m", "parameter": ["x\x07", "y"]}
    (told,) = reply([], [strange]).unnamed
    assert (told.code, told.message, told.parameter) == ("unknownError", "a  b [1m", "x , y")
    assert told.family == "quota", "what it means is read from the code as it came"
    assert len(reply([], [{"code": "x", "message": "long " * 1_000}]).unnamed[0].message) == 2_000


@pytest.mark.parametrize(
    ("read", "of_a_named_task", "of_the_request"),
    [(read_reply, "rate", "rate"), (read_poll, "unknown", "rate"), (read_archive, "unknown", "rate")],
)
def test_an_error_has_its_family_by_the_status_where_that_is_said_of_the_same_thing(
    read: Any, of_a_named_task: str, of_the_request: str
) -> None:
    """The status of a reply to a question says nothing of the tasks that it asks for."""
    told = read(429, as_json({"errors": [error("somethingNew"), error("somethingNew", None)]}))
    assert (told.failures[A].family, told.unnamed[0].family) == (of_a_named_task, of_the_request)


@pytest.mark.parametrize("read", [read_reply, read_poll, read_archive])
def test_a_code_that_says_something_has_its_family_whatever_was_asked(read: Any) -> None:
    told = read(500, as_json({"errors": [error("contentPolicyViolation"), error("invalidApiKey", None)]}))
    assert (told.failures[A].family, told.unnamed[0].family) == ("safety", "auth")


def test_what_the_archive_stored_has_its_family_by_its_code_alone() -> None:
    stored = {"taskUUID": A, "response": {"errors": [{"code": "providerError"}]}}
    assert read_archive(503, as_json({"data": [stored]})).failures[A].family == "provider"


def test_a_finish_reason_is_a_short_line() -> None:
    assert read_result(item(A, finishReason="stop\x1b]0;x\x07" + "z" * 100)).finish_reason == (
        "stop ]0;x " + "z" * 54
    )


def test_what_is_cut_for_its_depth_is_cut_and_nothing_else() -> None:
    deep = b'{"before":[1,{"x":"[{"}],"deep":%s,"after":"]"}' % (b"[" * 3_000 + b"]" * 3_000)
    read = decode(deep)
    assert (read["before"], read["after"]) == ([1, {"x": "[{"}], "]")


def test_a_byte_order_mark_is_passed_over() -> None:
    assert set(read_reply(200, b"\xef\xbb\xbf" + as_json({"data": [item(A, text="Hi")]})).results) == {A}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from([A, B, C, D, "", None, 5]) | st.just(["a"])
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "taskUUID": NAMES,
        "taskType": st.just("textInference") | JSON,
        "status": st.sampled_from(["processing", "success", "error", "accepted", None, "new"]) | JSON,
        "text": st.text(max_size=3) | JSON,
        "error": st.fixed_dictionaries({"code": JSON}, optional={"taskUUID": NAMES}) | JSON,
        "code": JSON,
        "message": JSON,
        "parameter": JSON,
        "tools": st.lists(st.fixed_dictionaries({"name": JSON, "input": JSON})) | JSON,
        "toolCalls": JSON,
        "finishReason": JSON,
        "usage": JSON,
        "cost": JSON,
        "data": JSON,
        "errors": JSON,
        "response": JSON,
    },
)
BODIES = (
    st.fixed_dictionaries({}, optional={"data": st.lists(FIELDS | JSON), "errors": st.lists(FIELDS | JSON)})
    | st.lists(FIELDS | JSON)
    | FIELDS
    | JSON
)


def check_sorted(told: Reply) -> None:
    assert not told.results.keys() & told.failures.keys()
    assert not told.results.keys() & (told.acknowledged | told.processing)
    for one in told.results.values():
        assert isinstance(encode_item(one), bytes)
        assert isinstance(read_result(one), Result)
        cost, usage = cost_of(one), usage_of(one)
        assert cost is None or 0 <= cost <= 1e6
        counts = (usage.prompt, usage.cached, usage.completion)
        assert all(count is None or 0 <= count < 2**63 for count in counts)
    for failure in (*told.failures.values(), *told.unnamed):
        (failure.code + failure.message + (failure.parameter or "")).encode()
        assert isinstance(encode_item(failure.item), bytes)


@given(BODIES, st.sampled_from([200, 400, 429, 500]))
def test_no_json_makes_reading_fail(body: Any, status: int) -> None:
    content = as_json(body)
    check_sorted(read_reply(status, content))
    check_sorted(read_archive(status, content))


@given(st.binary(max_size=200) | st.text('[]{}",:0a\\u', max_size=100).map(str.encode))
@example(b"\xef\xbb\xbf")
@example(b'{"data":[{"taskUUID":"\\ud800","text":""}]}')
def test_no_bytes_make_reading_fail(content: bytes) -> None:
    check_sorted(read_reply(200, content))
    check_sorted(read_archive(200, content))


@given(st.lists(FIELDS | JSON, max_size=4), st.lists(FIELDS | JSON, max_size=4), st.integers(0, 4))
def test_a_result_is_never_lost_among_strange_siblings(
    siblings: list[Any], errors: list[Any], position: int
) -> None:
    name = "eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee"
    mine = item(name, text="Hi")
    content = as_json({"data": [*siblings[:position], mine, *siblings[position:]], "errors": errors})
    assert read_reply(200, content).results[name] == mine
    stored = {"taskUUID": name, "response": {"data": [mine]}}
    content = as_json({"data": [*siblings[:position], stored, *siblings[position:]], "errors": errors})
    assert read_archive(200, content).results[name] == mine


# the archive


@pytest.mark.parametrize(
    "response",
    [
        {"data": [item(A, text="Hi")]},
        {"data": [{"text": "Hi"}]},
        {"data": [item(B, text="Not this"), item(A, text="Hi")], "errors": []},
        [item(A, text="Hi")],
        item(A, text="Hi"),
        {"text": "Hi", "finishReason": "stop"},
        json.dumps({"data": [item(A, text="Hi")]}),
        json.dumps(item(A, text="Hi")),
        {"data": [item(A, text="Hi")], "errors": [error(name=A)]},
    ],
)
def test_the_archives_response_may_have_any_shape(response: Any) -> None:
    told = archive(
        {"taskType": "getTaskDetails", "taskUUID": A, "request": {"text": "no"}, "response": response}
    )
    assert told.results[A]["text"] == "Hi"
    assert not told.processing
    assert not told.failures


def test_an_archive_that_gives_the_item_itself_is_understood() -> None:
    assert set(archive(item(A, text="Hi")).results) == {A}
    assert set(archive(item(A, status="error", error={"code": "taskFailed"})).failures) == {A}


@pytest.mark.parametrize("response", [None, {}, [], "", "nonsense", {"data": []}, {"data": [item(A)]}, 5])
def test_an_archive_that_knows_a_task_without_an_answer_says_that_it_is_known(response: Any) -> None:
    told = archive({"taskUUID": A, "request": {}, "response": response})
    assert told.processing == {A}
    assert not told.results


def test_a_task_that_is_listed_without_any_response_is_known_and_not_answered() -> None:
    told = archive({"taskUUID": A}, {"taskUUID": B, "status": "success", "request": {"text": "x"}})
    assert told.processing == {A, B}


@pytest.mark.parametrize(
    "response",
    [
        {"errors": [error("rateLimitExceeded", name=A)]},
        {"errors": [error("rateLimitExceeded", name=None)]},
        {"data": [item(A, status="error", error={"code": "rateLimitExceeded"})]},
        {"error": {"code": "rateLimitExceeded"}},
    ],
)
def test_the_archives_errors_are_failures_of_their_task(response: Any) -> None:
    told = archive({"taskUUID": A, "response": response})
    assert told.failures[A].code == "rateLimitExceeded"
    assert not told.processing


def test_errors_of_the_question_to_the_archive_are_told_apart() -> None:
    told = archive(errors=[error("taskNotFound", A), error("invalidApiKey", None)], status=400)
    assert told.failures[A].code == "taskNotFound"
    assert [one.code for one in told.unnamed] == ["invalidApiKey"]
    assert not told.processing


def test_an_archived_answer_outweighs_an_error_about_its_task() -> None:
    told = archive({"taskUUID": A, "response": {"data": [item(A, text="Hi")]}}, errors=[error(name=A)])
    assert set(told.results) == {A}
    assert not told.failures


# results


def result(**fields: Any) -> Result:
    return read_result(item(A, **fields))


def test_a_result_is_read_in_full() -> None:
    read = result(text="Hi", finishReason="stop", reasoningContent=["first", "second"])
    assert read == Result("Hi", (), "stop", "firstsecond")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"promptTokens": 1, "completionTokens": 2}, (1, None, 2)),
        (
            {"promptTokens": 10, "completionTokens": 5, "totalTokens": 15, "cachedTokens": 4},
            (10, 4, 5),
        ),
        ({"inputTokens": 1, "outputTokens": 2}, (1, None, 2)),
        ({"promptTokens": 0, "completionTokens": 0}, (0, None, 0)),
        ({"promptTokens": 9, "promptTokensDetails": {"cachedTokens": 3}}, (9, 3, None)),
        ({"promptTokens": 12.0}, (12, None, None)),
        ({"promptTokens": "12", "completionTokens": True}, (12, None, None)),
        ({"promptTokens": "1,234", "completionTokens": " 7.0 "}, (None, None, 7)),
        ({"promptTokens": "many", "inputTokens": "7"}, (7, None, None)),
        ({"promptTokens": -1, "completionTokens": 2.5}, (None, None, None)),
        ({"promptTokens": 10**30}, (None, None, None)),
        ({"promptTokens": None, "inputTokens": 7}, (7, None, None)),
        (None, (None, None, None)),
        ([], (None, None, None)),
        ("many", (None, None, None)),
    ],
)
def test_usage_is_read_in_its_shapes(usage: Any, expected: tuple[Any, ...]) -> None:
    read = usage_of(item(A, text="", usage=usage))
    assert (read.prompt, read.cached, read.completion) == expected


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        (0, 0.0),
        (0.5, 0.5),
        (3, 3.0),
        (None, None),
        ("0.5", 0.5),
        ("2.57e-4", 0.000257),
        ("NaN", None),
        ("0,5", None),
        ("-0.5", None),
        (1001, None),
        (True, None),
        (-1, None),
        (float("nan"), None),
        (float("inf"), None),
        (1e300, None),
        (10**400, None),
        ([], None),
    ],
)
def test_only_a_cost_that_can_be_added_up_is_a_cost(cost: Any, expected: float | None) -> None:
    assert cost_of({"cost": cost}) == expected


@pytest.mark.parametrize(
    ("fields", "calls"),
    [
        ({"tools": [{"id": "1", "name": "f", "input": {"a": 1}}]}, [("f", {"a": 1})]),
        ({"toolCalls": [{"name": "f", "arguments": '{"a": 1}'}]}, [("f", '{"a": 1}')]),
        ({"toolCalls": [{"function": {"name": "f", "arguments": "{}"}}]}, [("f", "{}")]),
        ({"tools": [], "toolCalls": [{"name": "f", "input": {}}]}, [("f", {})]),
        ({"tools": ["nonsense"], "toolCalls": [{"name": "f", "input": {}}]}, [("f", {})]),
        ({"tools": {"name": "f", "input": {}}}, [("f", {})]),
        ({"tools": [{"name": "f"}, {"name": "g", "input": {}}]}, [("f", {}), ("g", {})]),
        ({"tools": [{"input": {"a": 1}}]}, [("", {"a": 1})]),
        ({"tools": [{"name": 5, "input": [1]}]}, [("5", [1])]),
        ({"tools": [{"name": "f", "input": None, "arguments": None}]}, [("f", None)]),
        ({"tools": [{"name": "f", "function": "f", "input": {}}]}, [("f", {})]),
        ({"text": "no call"}, []),
    ],
)
def test_tool_calls_are_read_in_their_shapes(fields: dict[str, Any], calls: list[Any]) -> None:
    assert list(result(**fields).calls) == calls


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, None), ("", ""), ("Hi", "Hi"), ({"a": 1}, '{"a":1}'), (["a"], '["a"]'), (5, "5")],
)
def test_a_text_that_came_as_json_is_read_as_its_text(text: Any, expected: str | None) -> None:
    assert result(text=text).text == expected


def test_a_missing_text_is_no_text_and_an_unknown_finish_reason_stays() -> None:
    assert result(finishReason="tool_use").text is None
    assert result(finishReason="something_new").finish_reason == "something_new"
    assert result(finishReason=["x"]).finish_reason == "['x']"
    assert result(text="").finish_reason is None


@given(JSON, JSON)
def test_an_item_is_kept_so_that_it_can_be_read_again(text: Any, usage: Any) -> None:
    held = json.loads(json.dumps(item(A, text=text, usage=usage, status="success")))
    again = decode(encode_item(held))
    assert read_result(again).calls == ()
    assert usage_of(again) == usage_of(held)
    assert again["taskUUID"] == A


def test_deep_nesting_and_a_text_without_an_end_take_time_that_grows_with_their_length() -> None:
    # Each escaped quotation mark could begin a text that goes on to the end: with a second look, minutes.
    assert decode(b"[" * 5_000 + b'"' + b'\\"' * 400_000) is None


def test_an_error_that_the_archive_stores_is_told_from_one_of_the_look_up() -> None:
    stored = {"taskUUID": "a", "response": {"errors": [{"code": "providerError"}]}}
    refused = {"taskUUID": "b", "code": "internalServerError", "taskType": "getTaskDetails"}
    reply = read_archive(200, json.dumps({"data": [stored], "errors": [refused]}).encode())
    assert reply.failures.keys() == {"a", "b"}
    assert reply.stored == {"a"}


@pytest.mark.parametrize(
    ("status", "body", "elsewhere"),
    [
        (404, b'{"error":{"message":"no","code":null}}', True),
        (404, b'{"error":{"message":"no","code":"invalid_url"}}', True),
        (404, b'{"detail":"Not Found"}', True),
        (405, b"", True),
        (301, b"<html>", True),
        (404, b'{"errors":[{"code":"modelNotFound"}]}', False),
        (404, b'{"errors":[{"code":"x","taskUUID":"a"}]}', False),
        (400, b'{"error":{"message":"no","code":null}}', False),
        (200, b"<html>", False),
        (503, b"", False),
    ],
)
def test_a_server_that_says_that_there_is_nothing_here_is_not_the_api(
    status: int, body: bytes, *, elsewhere: bool
) -> None:
    reply = read_reply(status, body)
    assert reply.is_elsewhere == elsewhere
    assert not (reply.is_elsewhere and reply.from_the_api)


def test_a_task_is_known_again_however_its_uuid_is_spelt() -> None:
    name = "0198c0de-0000-4000-8000-00000000abcd"
    item = {"taskUUID": name.upper(), "status": "success", "text": "ok"}
    assert read_poll(200, json.dumps({"data": [item]}).encode()).results == {name: item}
    archived = {"taskUUID": name.upper(), "response": json.dumps({"data": [item]})}
    assert read_archive(200, json.dumps({"data": [archived]}).encode()).results == {name: item}


@pytest.mark.parametrize("wrapped", [lambda item: item, lambda item: [item]])
def test_an_error_that_nothing_is_wrapped_around_is_an_error_although_it_names_its_task(wrapped: Any) -> None:
    error = {"code": "providerError", "message": "It failed.", "taskUUID": "u1", "taskType": "textInference"}
    reply = read_call(json.dumps(wrapped(error)).encode())
    assert reply.failures["u1"].code == "providerError"
    assert reply.is_final
    assert reply.task_uuids == {"u1"}


def test_a_code_beside_an_answer_makes_it_no_error() -> None:
    for item in ({"text": "a"}, {"status": "processing"}, {"status": "success"}):
        assert not read_call(json.dumps({"code": "x", "taskUUID": "u1", **item}).encode()).failures
