"""The options of a job: one for each field of the spec, read back as it was, and named where it is wrong."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from runware_provider.engine.cli_options import parsed, typed
from runware_provider.engine.errors import BadInput
from runware_provider.engine.filters import COMPARISONS, MEMBERSHIPS, NULL_TESTS
from runware_provider.engine.model_profile import ModelProfile
from runware_provider.engine.option_forms import BY_HAND, REPEATABLE
from runware_provider.engine.spec import Limits, Spec, Tool, ToolChoice
from runware_provider.engine.spec_options import Option, spec_of, spec_options
from runware_provider.engine.value_object import ValueObject
from tests.said import said

NEEDED = ("--source=in", "--destination=out", "--prompt={{ record.body }}")


def spec(*words: str) -> Spec:
    return spec_of(parsed(["run", *NEEDED, *words]))


def refusal(*words: str) -> str:
    with pytest.raises(BadInput) as caught:
        spec(*words)
    return str(typed(caught.value))


def help_of(flag: str) -> str:
    (said,) = (option.arguments()["help"] for option in spec_options() if option.flag == flag)
    return said


# each field has its option


def fields_below(kind: type[ValueObject], above: str = "") -> list[str]:
    """The fields that hold no value object, but those that are written as a whole, by the annotations alone."""
    names = []
    for name, field in kind.model_fields.items():
        parts = [field.annotation, *get_args(field.annotation)]
        nested = [part for part in parts if isinstance(part, type) and issubclass(part, ValueObject)]
        is_whole = not nested or nested[0] in {Tool, ToolChoice, ModelProfile}
        names += [above + name] if is_whole else fields_below(nested[0], f"{above}{name}.")
    return names


def test_every_field_has_exactly_one_option_and_no_two_have_the_same() -> None:
    options = spec_options()
    assert [option.field for option in options] == fields_below(Spec)
    assert len({option.flag for option in options} | {"--labels", "--settings"}) == len(options) + 2


def test_what_is_written_by_hand_is_of_fields_that_there_are() -> None:
    assert set(BY_HAND) - {option.field for option in spec_options()} == set()


def test_every_option_says_what_it_is_for() -> None:
    assert [option.flag for option in spec_options() if not option.docstring] == []


def test_a_new_field_has_its_option_by_itself() -> None:
    class Wider(Spec):
        patience: int = Field(default=3, ge=1, le=9)
        careful: bool = True

    patience, careful = spec_options(Wider)[-2:]
    assert (patience.flag, patience.arguments()["metavar"]) == ("--patience", "N")
    assert "(1 to 9; default: 3)" in patience.arguments()["help"]
    assert (careful.flag, careful.arguments()["const"]) == ("--no-careful", False)


def test_the_help_holds_docstring_bounds_default_and_choices() -> None:
    assert help_of("--attempts") == "Attempts for a record before it is `failed` (1 to 20; default: 3)"
    assert help_of("--deadline-s").endswith("(more than 0; default: 1800)")
    assert help_of("--partition").endswith("(may be repeated)")
    assert help_of("--no-retry-lost").endswith("(on by default: this turns it off)")
    (delivery,) = (option for option in spec_options() if option.flag == "--delivery")
    assert delivery.arguments()["metavar"] == "poll|sync|stream|webhook"


# what is written is read as it was

TEXT = st.text(st.characters(codec="utf-8", exclude_characters=",\0"), min_size=1, max_size=20).filter(
    str.strip
)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
SCHEMA = {"type": "object", "title": "Answer", "properties": {"total": {"type": "number"}}}
TOOL = {"name": "note", "schema": SCHEMA}
FILTERS = (
    st.tuples(NAMES, st.sampled_from(COMPARISONS), NAMES)
    | st.tuples(NAMES, st.sampled_from(MEMBERSHIPS), st.lists(NAMES, min_size=1, max_size=3))
    | st.tuples(NAMES, st.sampled_from(NULL_TESTS))
)
JSON_OBJECTS = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | TEXT, max_size=3)

PROMPTS = TEXT.map("Ask:\n{}".format)  # of two lines, so that it names no file


def as_messages(said: list[tuple[str, str]]) -> list[dict[str, str]]:
    """Such as end with the user's."""
    return [{"role": role, "content": content} for role, content in [*said, ("user", "What then?")]]


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "prompt": PROMPTS,
    "messages": st.lists(st.tuples(st.sampled_from(["user", "assistant"]), PROMPTS), max_size=3).map(
        as_messages
    )
    | NAMES.map("{{{{ record.{} }}}}".format),
    "system_prompt": TEXT.map("Be exact.\n{}".format),
    "partition": st.dictionaries(NAMES, TEXT, min_size=1, max_size=2),
    "variables": st.dictionaries(NAMES, TEXT, min_size=1, max_size=2),
    "filters": st.lists(FILTERS, min_size=1, max_size=3),
    "failures.most": st.none() | st.integers(0, 1000) | st.floats(0, 1),
    "settings.max_tokens": st.integers(1, 1000),
    "answers.max_tokens_if_truncated": st.integers(1001, 2000),
    "settings.stop_sequences": st.lists(TEXT, min_size=1, max_size=5),
    "settings.extra": JSON_OBJECTS.map(lambda extra: {f"my {key}": value for key, value in extra.items()}),
    "budget.usd_per_million": st.tuples(st.floats(0, 99), st.floats(0, 99)),
    "answers.model_profile": st.builds(
        ModelProfile,
        json_schema=st.none() | st.booleans(),
        unsupported=st.sampled_from([("pattern",), ("format", "not")]),
    ),
}
"""Of fields whose values their type does not tell."""
TOGETHER = (
    {"output_type", "publish.flatten", "answers.output_mode"},
    {"tools", "tool_choice"},
    {"refresh", "retry_failed"},
    {"prompt", "messages"},
)
"""Fields that exclude or need each other."""


def values_of(option: Option) -> st.SearchStrategy[Any]:
    schema = option.schema
    if option.field in VALUES:
        return VALUES[option.field]
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    least, most = schema.get("ge", schema.get("minimum", 0)), min(schema.get("le", 10**6), 10**6)
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "boolean": st.booleans(),
        "integer": st.integers(least, most),
        "number": st.integers(least * 100 + 1, most * 100).map(lambda hundredths: hundredths / 100),
        "string": TEXT,
        "array": st.lists(TEXT.map(str.strip), min_size=1, max_size=3),
    }
    return kinds[schema["type"]]


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """Any spec that the command line can describe, of few or many fields."""
    tied = set().union(*TOGETHER)
    values: dict[str, Any] = {}
    for option in spec_options():
        if option.field in tied or not (option.required or draw(st.booleans())):
            continue
        *above, name = option.field.split(".")
        siblings = values.setdefault(above[0], {}) if above else values
        siblings[name] = draw(values_of(option))
    if "budget" in values:
        values["budget"].setdefault("usd", 5.0)
    wish = draw(st.sampled_from(["refresh", "retry_failed", None]))
    if wish is not None:
        values[wish] = draw(TEXT)
    asked = draw(st.sampled_from(["prompt", "messages"]))
    values[asked] = draw(VALUES[asked])
    # A stream brings texts alone.
    kinds = ["a text"] if values.get("delivery") == "stream" else ["a text", "calls", "objects"]
    kind = draw(st.sampled_from(kinds))
    if kind == "calls":
        values |= {"tools": [TOOL], "tool_choice": draw(st.sampled_from(["auto", "any", "none", "note"]))}
    if kind == "objects":
        values["output_type"] = SCHEMA
        values.setdefault("publish", {})["flatten"] = draw(st.booleans())
        values.setdefault("answers", {})["output_mode"] = draw(st.sampled_from(["auto", "native", "tool"]))
    return Spec(**values)


def words_of(job: Spec, folder: Path) -> list[str]:
    """The options that describe this job, those at their default left out."""
    words = []
    for option in spec_options():
        value_object = getattr(job, option.value_object) if option.value_object else job
        if value_object is None:  # such as no budget
            continue
        value = getattr(value_object, option.field.rpartition(".")[2])
        if isinstance(value, bool):
            words += [option.flag] if value == option.arguments()["const"] else []
        elif value != option.schema.get("default") and value not in ((), {}):
            words += [f"{option.flag}={text}" for text in texts_of(option, value, folder)]
    return words


def in_words(column: str, operator: str, value: str | tuple[str, ...] = "") -> str:
    """A filter as the command line takes it."""
    if not value:
        return f"{column} {operator}"
    quoted = [f"'{each}'" for each in ([value] if isinstance(value, str) else value)]
    return f"{column} {operator} {','.join(quoted)}"


def repeated(option: Option, value: Any) -> list[str]:
    """A text for each time that the option is written."""
    if option.field == "filters":
        (together,) = value
        return [in_words(*each) for each in together]
    if isinstance(value, dict):
        return [f"{key}={text}" for key, text in value.items()]
    return list(value)


def texts_of(option: Option, value: Any, folder: Path) -> list[str]:
    if option.form.argparse == REPEATABLE:
        return repeated(option, value)
    if option.form.metavar == "FILE.json":
        path = folder / f"{option.field}.json"
        content = value if isinstance(value, dict) else [tool.model_dump(by_alias=True) for tool in value]
        path.write_text(json.dumps(content), encoding="utf-8")
        return [str(path)]
    if option.form.metavar == "JSON":
        return [json.dumps(value if isinstance(value, dict) else value.model_dump(mode="json"))]
    return [text_of(option, value)]


def text_of(option: Option, value: Any) -> str:
    if isinstance(value, ToolChoice):
        return value.name or value.type
    if option.field == "messages" and isinstance(value, tuple):
        return json.dumps([message.model_dump() for message in value])
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "none" if value is None else str(value)


@given(specs())
def test_a_spec_written_as_options_is_read_as_the_same_spec(job: Spec) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert spec_of(parsed(["run", *words_of(job, Path(folder))])) == job


def test_without_options_everything_is_as_the_spec_has_it() -> None:
    assert spec() == Spec(source="in", destination="out", prompt="{{ record.body }}")


def test_settings_come_together_from_one_option_or_several() -> None:
    job = spec('--settings={"max_tokens": 5, "extra": {"topK": 3}}', "--temperature", "0.5")
    assert job.settings.model_dump(exclude_none=True) == {
        "temperature": 0.5,
        "max_tokens": 5,
        "extra": {"topK": 3},
    }


def test_options_of_limits_reach_the_limits() -> None:
    job = spec("--attempts", "5", "--deadline-s", "60", "--no-retry-lost", "--if-exists", "error")
    assert job.limits == Limits(attempts=5, deadline_s=60, retry_lost=False)
    assert job.publish.if_exists == "error"


# what is wrong is named as it was written


def test_a_number_that_is_none_is_named_by_its_option() -> None:
    for option in spec_options():
        if option.schema.get("type") in {"integer", "number"}:
            assert refusal(f"{option.flag}=many").startswith(f"{option.flag}: "), option.flag


def test_an_empty_value_is_refused() -> None:
    for option in spec_options():
        if "nargs" not in option.form.argparse and "action" not in option.arguments():
            assert "it is empty" in refusal(f"{option.flag}="), option.flag


# messages and their files


USER = {"role": "user", "content": "{{ record.body }}"}


def conversing(messages: str) -> Spec:
    return spec_of(parsed(["run", *NEEDED[:2], f"--messages={messages}"]))


def contents(job: Spec) -> list[str]:
    assert isinstance(job.messages, tuple)
    return [message.content for message in job.messages]


def messages_refusal(messages: str) -> str:
    with pytest.raises(BadInput) as caught:
        conversing(messages)
    return str(typed(caught.value))


def test_a_content_that_names_a_template_is_that_of_the_file_beside_the_messages(tmp_path: Path) -> None:
    (tmp_path / "last.j2").write_text("Read: {{ record.body }}", encoding="utf-8")
    (tmp_path / "m.json").write_text(json.dumps([USER, {**USER, "content": " last.j2\n"}]), encoding="utf-8")
    assert contents(conversing(str(tmp_path / "m.json"))) == ["{{ record.body }}", "Read: {{ record.body }}"]


def test_a_content_that_names_a_template_in_messages_as_text_begins_where_the_command_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "last.j2").write_text("Read: {{ record.body }}", encoding="utf-8")
    assert contents(conversing(json.dumps([{**USER, "content": "last.j2"}]))) == ["Read: {{ record.body }}"]


@pytest.mark.parametrize("named", ["lsat.j2", "my last.j2"])
def test_a_content_that_names_a_template_which_there_is_not_is_refused(tmp_path: Path, named: str) -> None:
    (tmp_path / "m.json").write_text(json.dumps([USER, {**USER, "content": named}]), encoding="utf-8")
    said = messages_refusal(str(tmp_path / "m.json"))
    assert said.startswith(f"--messages: there is no file {tmp_path / named}. Check the path")


def test_an_example_that_happens_to_be_a_files_name_is_an_example(tmp_path: Path) -> None:
    (tmp_path / "billing").write_text("secret", encoding="utf-8")
    given = [
        USER,
        {"role": "assistant", "content": "billing"},
        {**USER, "content": "Of .j2\n{{ record.body }}"},
    ]
    (tmp_path / "m.json").write_text(json.dumps(given), encoding="utf-8")
    assert contents(conversing(str(tmp_path / "m.json"))) == [message["content"] for message in given]


def test_a_byte_order_mark_before_the_messages_in_a_file_is_no_part_of_them(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps([USER]), encoding="utf-8-sig")
    assert contents(conversing(str(tmp_path / "m.json"))) == ["{{ record.body }}"]


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000])
def test_json_that_is_nested_too_deeply_is_refused_wherever_it_is_written(tmp_path: Path, deep: str) -> None:
    (tmp_path / "deep.json").write_text(deep, encoding="utf-8")
    path = tmp_path / "deep.json"
    said = f"{path} holds no JSON (it is nested too deeply). Mend the file"
    assert messages_refusal(str(path)) == f"--messages: {said}"
    assert refusal(f"--schema={path}") == f"--schema: {said}"
    assert refusal(f"--tools={path}") == f"--tools: {said}"
    assert "it is no JSON (it is nested too deeply)" in messages_refusal("[" * 100_000)
    assert "it is no JSON (it is nested too deeply)" in refusal(f"--settings={deep}")


WRONG = {
    "--attempts=21": "--attempts: '21' is too large. Choose 20 or less",
    "--delivery=owl": "--delivery: 'owl' is not one of its values. Choose 'poll', 'sync', 'stream' or 'webhook'",
    "--limit=many": "--limit: 'many' does not fit. Give a whole number",
    "--max-failed=2.5": "--max-failed: 2.5 is neither a count nor a share",
    "--budget-usd=0": "--budget-usd: '0' is too small",
    "--when-short=partial": "--when-short: it needs --budget-usd or --budget-tokens",
    "--usd-per-million=1,2": "--usd-per-million: it needs --budget-usd or --budget-tokens",
    "--filter=lang != de or x": "--filter: 'lang != de or x' has 'or' outside of quotes",
    "--stop-sequences=" + "x" * 51: "--stop-sequences (0): it has 51 characters",
    '--model-profile={"magic": 1}': "--model-profile (magic): there is no such argument",
    '--model-profile={"unsupported": ["type"]}': "--model-profile (unsupported): 'type' cannot be put into words",
    '--settings={"temperature": 9}': "--settings (temperature): 9 is too large",
    '--settings={"heat": 9}': "--settings (heat): there is no such argument",
    "--temperature=9": "--temperature: '9' is too large",
    "--extra=topK": "--extra: it is no JSON",
    '--extra={"topP": 1}': "--extra: 'topP' has an argument of its own",
    "--variable=ds": "--variable: 'ds' has no '='",
    "--usd-per-million=1": "--usd-per-million",
}


def test_what_is_wrong_is_named_by_its_option() -> None:
    assert {word: refusal(word)[: len(said)] for word, said in WRONG.items()} == WRONG


def test_a_key_that_is_given_twice_is_refused() -> None:
    for option in ("--variable", "--partition"):
        said = refusal(f"{option}=ds=1", f"{option}=region=eu", f"{option}=ds=2")
        assert said == f"{option}: 'ds' is given twice. Drop one of them"


def test_blanks_around_what_commas_separate_do_not_count() -> None:
    job = spec("--columns", "text, lang ", "--budget-usd", "1", "--usd-per-million", "1, 2")
    assert job.publish.columns == ("text", "lang")
    assert job.budget is not None
    assert job.budget.usd_per_million == (1, 2)


def test_a_setting_that_is_given_twice_is_refused() -> None:
    said = refusal('--settings={"temperature": 0}', "--temperature=1")
    assert said == "--temperature: it is in --settings, too. Drop one of them"


def test_an_abbreviation_is_refused_since_a_new_field_could_take_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        spec("--max-out=5")
    assert left.value.code == 1
    assert "there is no option '--max-out=5'; did you mean --max-outstanding?" in said(
        [capsys.readouterr().err]
    )


def test_the_option_that_filters_replace_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(["run", *NEEDED, "--where", "record.total > 100"])
    assert (
        "there is no option --where here: choose records with --filter, such as --filter 'total > 100'"
        in said([capsys.readouterr().err])
    )
