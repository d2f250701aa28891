"""What a record asks as turns: of a prompt, of messages that are templates, of messages that the record holds."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import BadInput
from runware_provider.engine.messages import Message, as_messages
from runware_provider.engine.templates.prompt import Skip
from runware_provider.engine.templates.record_messages import check_messages, record_messages
from runware_provider.engine.turns import Turn, Turns, as_turns

RECORD: dict[str, Any] = {
    "body": "Invoice 7",
    "title": None,
    "chat": [
        {"role": "user", "content": "Hello", "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)},
        {"role": "assistant", "content": "Hi", "at": None},
        {"role": "user", "content": "What is {{ 7 * 6 }}?", "at": None},
    ],
    "thread": {"messages": [{"role": "user", "content": "Nested"}]},
    "written": '[{"role": "user", "content": "Größe\\n5"}]',
    "next": "And then?",
}
COLUMNS = tuple(RECORD)
CHAT = (Turn("user", "Hello"), Turn("assistant", "Hi"), Turn("user", "What is {{ 7 * 6 }}?"))
EXAMPLES = [
    {"role": "user", "content": "Invoice 1 {{ ds }}"},
    {"role": "assistant", "content": '{"total": 1}\n'},
    {"role": "user", "content": "{{ record.body }}"},
]


def rendered(
    messages: Any, record: dict[str, Any] | None = None, max_chars: int | None = None, **variables: Any
) -> Turns | Skip:
    made = record_messages(None, as_messages(messages), variables, COLUMNS, max_chars=max_chars)
    return made.render(RECORD if record is None else record)


def refusal(messages: Any, **variables: Any) -> str:
    with pytest.raises(BadInput) as refused:
        record_messages(None, as_messages(messages), variables, COLUMNS)
    assert refused.value.field == "messages"
    return str(refused.value)


def given_chat(chat: Any) -> Turns | Skip:
    return rendered("{{ record.chat }}", {**RECORD, "chat": chat})


# messages that are templates


def test_each_content_is_rendered_as_a_prompt_is() -> None:
    assert rendered(EXAMPLES, ds="2026-01-02") == (
        Turn("user", "Invoice 1 2026-01-02"),
        Turn("assistant", '{"total": 1}'),
        Turn("user", "Invoice 7"),
    )


def test_a_prompt_is_one_message_of_the_users() -> None:
    prompt = "Read {{ record.body }}\n"
    lone = record_messages(prompt, None, {}, COLUMNS)
    written = record_messages(None, as_messages([{"role": "user", "content": prompt}]), {}, COLUMNS)
    assert lone.render(RECORD) == written.render(RECORD) == as_turns("Read Invoice 7")
    assert (lone.columns, lone.variables) == (written.columns, written.variables)
    assert (lone.field, written.field) == ("prompt", "messages")


def test_columns_and_variables_are_those_of_all_messages() -> None:
    messages = [
        {"role": "user", "content": "{{ record.body }} {{ params.tone }}"},
        {"role": "user", "content": "{{ record.next }} {{ record.body }} {{ params.size }}"},
    ]
    params = {"tone": "dry", "size": 5, "other": 1}
    made = record_messages(None, as_messages(messages), {"params": params, "ds": "x"}, COLUMNS)
    assert made.columns == ("body", "next")
    assert made.variables == {"params": {"size": 5, "tone": "dry"}}


def test_a_record_without_any_named_value_is_empty_and_one_with_some_is_not() -> None:
    messages = [
        {"role": "user", "content": "About {{ record.title }}"},
        {"role": "user", "content": "Read {{ record.body }}"},
    ]
    assert rendered(messages, {**RECORD, "body": " "}) == Skip("empty", "null or blank: title, body")
    assert rendered(messages) == (Turn("user", "About "), Turn("user", "Read Invoice 7"))


def test_a_message_that_renders_to_nothing_is_told_by_its_number() -> None:
    messages = [
        {"role": "user", "content": "{{ record.title }}"},
        {"role": "user", "content": "{{ record.body }}"},
    ]
    assert rendered(messages) == Skip("empty", "message 1: the rendered message is blank")


def test_what_cannot_be_rendered_is_told_by_its_number_and_quotes_nothing() -> None:
    messages = [{"role": "user", "content": "Say"}, {"role": "user", "content": "{{ record.body + 1 }}"}]
    assert rendered(messages) == Skip(
        "prompt_error",
        'message 2: TypeError in line 1: can only concatenate str (not "int") to str',
    )


def test_more_characters_than_allowed_in_all_messages_together_are_too_long() -> None:
    messages = [{"role": "user", "content": "12345"}, {"role": "user", "content": "{{ record.body }}"}]
    assert rendered(messages, max_chars=14) != Skip("too_long", "the messages have more than 14 characters")
    assert rendered(messages, max_chars=13) == Skip("too_long", "the messages have more than 13 characters")
    assert rendered("{{ record.chat }}", max_chars=10) == Skip(
        "too_long", "the messages have more than 10 characters"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{{ record.body ", "message 2: line 1: "),
        ("{{ record.bdy }}", "message 2: line 1: column 'bdy' is not in the data"),
        ("{{ recrd.body }}", "message 2: line 1: 'recrd' is not defined"),
        ("{% include 'x' %}", "message 2: the template includes"),
    ],
)
def test_a_template_that_cannot_work_is_refused_with_the_number_of_its_message(
    content: str, said: str
) -> None:
    messages = [{"role": "user", "content": "Hello"}, {"role": "user", "content": content}]
    assert refusal(messages).startswith(f"messages: {said}")


# messages that the record holds


def test_a_column_of_structs_gives_its_messages_and_nothing_in_them_is_a_template() -> None:
    assert rendered("{{ record.chat }}") == CHAT


@pytest.mark.parametrize(
    ("expression", "turns"),
    [
        (" {{ record['chat'] }}\n", CHAT),
        ("{{ record.thread.messages }}", as_turns("Nested")),
        ("{{ record.written }}", as_turns("Größe\n5")),
        ("{{ record.chat[-1:] }}", CHAT[-1:]),
        (
            "{{ record.chat[:-1] + [{'role': 'user', 'content': record.next}] }}",
            (*CHAT[:2], Turn("user", "And then?")),
        ),
        ("{{ record.chat | rejectattr('role', 'equalto', 'assistant') | list }}", (CHAT[0], CHAT[2])),
        ("{{ record.thread.messages if record.title is none else record.chat }}", as_turns("Nested")),
        ("{{ [{'role': 'user', 'content': record.body ~ ds}] }}", as_turns("Invoice 7 of 5")),
    ],
)
def test_any_expression_gives_messages_as_values_never_as_texts(expression: str, turns: Turns) -> None:
    assert rendered(expression, ds=" of 5") == turns


def test_the_column_is_known_where_it_is_one_alone() -> None:
    def column(expression: str) -> str | None:
        return record_messages(None, expression, {}, COLUMNS).column

    assert column("{{ record.chat }}") == "chat"
    assert column("{{ record.thread.messages }}") is None
    assert record_messages("{{ record.chat }}", None, {}, COLUMNS).column is None


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("chat: {{ record.chat }}", "there is something beside it"),
        ("{{ record.chat }}{{ record.chat }}", "there is something beside it"),
        ("{% for m in record.chat %}{{ m }}{% endfor %}", "there is a statement in it"),
        ("{{ record.chta }}", "column 'chta' is not in the data"),
        ("{{ record.chat ", "line 1"),
    ],
)
def test_a_text_that_is_no_one_expression_is_refused(template: str, said: str) -> None:
    assert said in refusal(template)


@pytest.mark.parametrize(
    ("chat", "code", "said"),
    [
        (None, "empty", "null or blank: chat"),
        ([], "empty", "null or blank: chat"),
        ("[]", "empty", "there is no message"),
        ([{"role": "user", "content": " "}], "empty", "message 1: it is blank"),
        ([{"role": "user", "content": None}], "empty", "message 1: it is blank"),
        ([{"role": "user", "content": "secret"}, None], "empty", "message 2: it is blank"),
        ('[null, {"role": "user", "content": "secret"}]', "empty", "message 1: it is blank"),
        (
            [{"role": "system", "content": "x"}],
            "prompt_error",
            "message 1: the API takes no message of the system",
        ),
        ([{"role": "secret", "content": "x"}], "prompt_error", "message 1: the role is neither"),
        ([{"role": "tool", "content": "x"}], "prompt_error", "message 1: turns of tools are not sent"),
        ([{"role": "assistant", "content": "x"}], "prompt_error", "the last message is not the user's"),
        ([{"role": "user"}, {"content": "secret"}], "prompt_error", "missing required field `role`"),
        ([{"role": "user", "content": ["secret"]}], "prompt_error", "Expected `str | null`, got `array`"),
        ([{"role": "assistant", "tool_calls": [{"id": "secret"}]}], "prompt_error", "tool_calls"),
        ([{"role": "assistant", "tools": "secret"}], "prompt_error", "tools"),
        ([{"role": "user", "content": "x", "tool_call_id": "secret"}], "prompt_error", "tool_call_id"),
        ([("role", "secret")], "prompt_error", "Expected `object | null`"),
        (["secret"], "prompt_error", "Expected `object | null`, got `str`"),
        (7, "prompt_error", "Expected `array`, got `int`"),
        (b"secret", "prompt_error", "Expected `array`"),
        ("secret", "prompt_error", "JSON is malformed"),
        ('{"role": "user"}', "prompt_error", "Expected `array`, got `object`"),
        ("[" * 100_000, "prompt_error", "it is no list of messages"),
        ('[{"role": "user", "x": ' + "[" * 100_000, "prompt_error", "RecursionError"),
        ('[{"role": "user", "content": "\ud800"}]', "prompt_error", "UnicodeEncodeError"),
        ([{"role": "user", "content": "secret \ud800"}], "prompt_error", "half of a surrogate pair"),
    ],
)
def test_what_is_no_conversation_is_a_skipped_row_that_tells_nothing_of_it(
    chat: Any, code: str, said: str
) -> None:
    skip = given_chat(chat)
    assert isinstance(skip, Skip)
    assert skip.code == code
    assert said in skip.message
    assert "secret" not in skip.message


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [], "tool_calls": [], "toolCalls": [], "tool_call_id": None},
        {"tools": "", "tool_calls": "", "toolCalls": "", "tool_call_id": ""},
        {"tools": None, "tool_calls": None, "toolCalls": None, "tool_call_id": ""},
    ],
)
def test_fields_of_tools_that_are_empty_do_no_harm(fields: dict[str, Any]) -> None:
    chat = [{"role": "user", "content": "x", **fields}]
    assert given_chat(chat) == given_chat(json.dumps(chat)) == as_turns("x")


def test_a_misspelt_field_is_an_error_and_no_missing_message() -> None:
    skip = rendered("{{ record.thread.mesages }}")
    assert isinstance(skip, Skip)
    assert (skip.code, "mesages" in skip.message) == ("prompt_error", True)
    without_else = rendered("{{ record.chat if record.title }}")
    assert isinstance(without_else, Skip)
    assert "no `else`" in without_else.message


def test_a_dag_file_can_have_messages_checked_without_any_data() -> None:
    check_messages((Message(role="user", content="{{ record.later }}"),))
    check_messages("{{ record.later }}")
    for broken in ((Message(role="user", content="{{ record"),), "{{ record", "a {{ record.b }}"):
        with pytest.raises(BadInput) as refused:
            check_messages(broken)
        assert refused.value.field == "messages"


# whatever stands in a column

ROLES = st.sampled_from(["user", "assistant", "system", "USER", ""])
TEXTS = st.text(max_size=5)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
MESSAGES = st.fixed_dictionaries(
    {"role": ROLES | JSON_VALUES, "content": TEXTS | JSON_VALUES},
    optional={"at": JSON_VALUES, "tools": JSON_VALUES},
)


@given(st.lists(MESSAGES | JSON_VALUES, max_size=4) | JSON_VALUES, st.integers(0, 20))
def test_any_value_is_a_conversation_that_the_api_takes_or_a_skip(value: Any, most: int) -> None:
    for chat in (value, json.dumps(value)):
        turns = rendered("{{ record.chat }}", {"chat": chat}, max_chars=most)
        if isinstance(turns, Skip):
            continue
        assert turns[-1].role == "user"
        assert all(turn.role in {"user", "assistant"} and turn.content.strip() for turn in turns)
        assert sum(len(turn.content) for turn in turns) <= most
        held = chat if isinstance(chat, list) else json.loads(chat)
        assert [(turn.role, turn.content) for turn in turns] == [
            (message["role"], message["content"]) for message in held
        ]


WELL = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), TEXTS.filter(str.strip)), max_size=4).map(
    lambda said: [*said, ("user", "end")]
)


@given(WELL)
def test_structs_json_and_written_messages_ask_the_same(said: list[tuple[str, str]]) -> None:
    held = [{"role": role, "content": content} for role, content in said]
    record = {
        "chat": held,
        "written": json.dumps(held),
        **{f"c{n}": text for n, (_, text) in enumerate(said)},
    }
    templates = [{"role": role, "content": f"{{{{ record.c{n} }}}}"} for n, (role, _) in enumerate(said)]
    asked = [
        record_messages(None, as_messages(messages), {}, tuple(record)).render(record)
        for messages in ("{{ record.chat }}", "{{ record.written }}", templates)
    ]
    assert asked[0] == asked[1] == asked[2] == tuple(Turn(role, text) for role, text in said)  # type: ignore[arg-type] # of roles


@given(st.text(st.characters(codec="utf-8", exclude_characters="{}"), max_size=20).filter(str.strip))
def test_a_message_without_an_expression_is_what_its_template_would_be(text: str) -> None:
    alone = record_messages(text, None, {}, COLUMNS).render(RECORD)
    turns = rendered([{"role": "user", "content": text}, {"role": "user", "content": "{{ record.body }}"}])
    if isinstance(alone, Skip):
        assert turns == Skip(alone.code, "message 1: the rendered message is blank")
    else:
        assert turns == (*alone, Turn("user", "Invoice 7"))
