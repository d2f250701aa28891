"""The command line: what it prints where, what it exits with, and what it says when the input is bad."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from runware_provider.engine.cli import main
from runware_provider.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = "key-of-the-tests-0123456789"


@pytest.fixture
def call(
    place: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Calls the command line in this process; only the environment, which is its input, is set."""
    for name, value in place.environment().items():
        monkeypatch.setenv(name, value)

    def run(command: str = "run", /, **options: Any) -> tuple[int, Any, str]:
        code = main(place.arguments(command, **{"delivery": "sync", **options}))
        out, told = capsys.readouterr()
        return code, json.loads(out) if out else None, unwrapped(told)

    return run


def unwrapped(told: str) -> str:
    """What was said, each label with its sentences in one line."""
    return told.replace("\n  ", " ")


# as a process


def test_a_run_prints_its_manifest_and_nothing_else(place: Any) -> None:
    place.fill(6)
    ended = place.call_python(*place.arguments("run"))
    assert ended.returncode == 0, ended.stderr
    manifest = json.loads(ended.stdout)
    assert (manifest["status"], manifest["paid_inferences"]) == ("published", 6)
    assert "6 of 6 rows done (100 %)" in ended.stderr
    assert "Done: 6 succeeded.\nPaid: " in ended.stderr
    place.audit(manifest, 6)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["run"],
        ["run", "--source", "a"],
        ["run", "--limit", "many"],
        ["run", "--delivery", "owl"],
    ],
    ids=lambda words: " ".join(words) or "nothing",
)
def test_words_that_mean_nothing_exit_with_1(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    out, told = capsys.readouterr()
    assert (left.value.code, out) == (1, "")
    assert told.startswith("usage: runware")


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["run", "--help"])
    assert left.value.code == 0
    assert "--destination" in capsys.readouterr().out


# run


def test_a_second_run_says_that_nothing_was_paid(place: Any, call: Callable[..., Any]) -> None:
    place.fill(4)
    assert call()[1]["paid_inferences"] == 4
    code, manifest, told = call()
    assert (code, manifest["paid_inferences"], manifest["paid_usd"]) == (0, 0, 0)
    assert "4 answered before" in told


def test_options_reach_the_api(place: Any, call: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "ask.j2").write_text("Total?\n{{ record.body }}", encoding="utf-8")
    (tmp_path / "system.txt").write_text("Be exact.", encoding="utf-8")
    place.fill(6)
    code, manifest, _ = call(
        prompt=str(tmp_path / "ask.j2"),
        system_prompt=str(tmp_path / "system.txt"),
        model="gpt-5-nano",
        settings='{"temperature": 0.5, "seed": 3}',
        samples=2,
        limit=2,
        columns="n",
        partition="ds=2026-01-01",
        keep_raw=True,
    )
    assert code == 0
    assert (manifest["model"], manifest["records"], manifest["rows"]) == ("gpt-5-nano", 2, 4)
    rows = place.rows(place.destination / "ds=2026-01-01")
    assert list(rows[0]) == ["n", "result", "inference"]
    assert {json.loads(row["inference"]["raw"])["seed"] for row in rows} == {3, 4}


def test_a_variable_is_named_by_the_prompt(place: Any, call: Callable[..., Any]) -> None:
    place.fill(2)
    prompt = "Total on {{ ds }}?\n{{ record.body }}"
    code, _, told = call(prompt=prompt)
    assert (code, "'ds'" in told) == (1, True)
    code, manifest, told = call(prompt=prompt, variable="ds=2026-01-01")
    assert (code, manifest["outcomes"]) == (0, {"succeeded": 2}), told


def test_limits_are_options(place: Any, call: Callable[..., Any]) -> None:
    place.fill(6)
    code, planned, told = call("plan", batch_rows=2, attempts=1, no_retry_lost=True)
    assert (code, planned["to_pay"]) == (0, 6), told
    code, _, told = call("plan", batch_rows=0)
    assert (code, "--batch-rows" in told) == (1, True), told


def test_labels_and_how_answers_are_read_are_options(place: Any, call: Callable[..., Any]) -> None:
    place.fill(["Invoice 1, 3 EUR", "Where is my parcel?"])
    code, _, told = call(
        schema=None,
        labels="invoice, question",
        prompt="{{ record.body }}",
        lenient_numbers=True,
        untyped="json",
        model_profile='{"tools": true, "unsupported": ["additionalProperties"]}',
    )
    assert code == 0, told
    assert {row["result"] for row in place.rows()} <= {"invoice", "question"}


def test_every_filter_has_to_hold(
    place: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in place.environment().items():
        monkeypatch.setenv(name, value)
    place.fill(20, country=["de" if n % 2 else "fr" for n in range(20)])
    assert main([*place.arguments("plan"), "--filter", "n >= 5", "--filter", "country == de"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert (planned["records"], planned["records_left_out"]) == (8, 12)


def test_tools_come_from_a_file(place: Any, call: Callable[..., Any], tmp_path: Path) -> None:
    tool = {"name": "note", "schema": {"type": "object", "properties": {"total": {"type": "number"}}}}
    path = tmp_path / "tools.json"
    place.fill(2)
    for held in (tool, [tool]):
        path.write_text(json.dumps(held), encoding="utf-8")
        code, _, told = call(schema=None, tools=str(path), tool_choice="note")
        assert code == 0, told
    assert [row["result"][0]["name"] for row in place.rows()] == ["note", "note"]


def test_free_text_needs_no_schema(place: Any, call: Callable[..., Any]) -> None:
    place.fill(2)
    assert call(schema=None)[0] == 0
    assert all(isinstance(row["result"], str) for row in place.rows())


def test_an_empty_source_may_be_nothing_to_do(place: Any, call: Callable[..., Any]) -> None:
    place.fill(0)
    code, manifest, told = call(on_empty="skip")
    assert (code, manifest["status"]) == (0, "skipped")
    assert told.startswith("Nothing to do: ")


# stops


def test_a_wrong_key_exits_with_3_and_the_right_one_goes_on(
    place: Any, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    place.fill(30)
    monkeypatch.setenv("RUNWARE_API_KEY", "key-of-somebody-else")
    code, manifest, told = call()
    assert code == 3
    assert manifest["reason"].startswith("the API answered invalidApiKey")
    assert "RUNWARE_API_KEY" in manifest["remedy"]
    assert (manifest["still_at_vendor"], manifest["records_done"]) == (0, 0)
    assert "Still billed: nothing; no inference is under way at the API." in told
    assert "Paid: nothing by this run." in told
    assert "somebody-else" not in told + json.dumps(manifest)
    monkeypatch.setenv("RUNWARE_API_KEY", KEY)
    code, manifest, _ = call()
    assert code == 0
    place.audit(manifest, 30)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("refuse_task", code="insufficientCredits"), "Top up the account"),
        (Fault("refuse_task", code="modelNotFound"), "Check the model's name"),
        (Fault("refuse_task", code="invalidSettings"), "Mend the named parameter"),
    ],
)
def test_a_stop_says_what_to_do_and_can_be_gone_on_with(
    place: Any, call: Callable[..., Any], fault: Fault, said: str
) -> None:
    place.fill(30)
    place.server.script(fault)
    code, manifest, told = call()
    assert code == 3
    assert said in manifest["remedy"]
    assert said in told
    assert sum(place.server.bill_summary()["refused"].values()) == 5
    place.server.clear_faults()
    code, manifest, _ = call()
    assert code == 0
    place.audit(manifest, 30)


def test_a_stopped_wish_without_a_name_is_named_to_go_on_with(place: Any, call: Callable[..., Any]) -> None:
    place.fill(8)
    assert call()[0] == 0
    place.server.script(Fault("refuse_task", after=5, code="insufficientCredits"))
    code, manifest, told = call(refresh=True)
    assert code == 3
    name = manifest["remedy"].split("--refresh ")[1].split(".")[0]
    assert f"--refresh {name}" in told
    place.server.clear_faults()
    code, manifest, _ = call(refresh=name)
    assert (code, manifest["paid_inferences"], place.executed()) == (0, 3, 16)
    assert call(refresh=name)[1]["paid_inferences"] == 0
    assert call(refresh=True)[1]["paid_inferences"] == 8


def test_a_file_in_the_place_of_the_state_folder_is_bad_input(place: Any, call: Callable[..., Any]) -> None:
    place.fill(2)
    place.state.write_text("in the way", encoding="utf-8")
    code, manifest, told = call()
    assert (code, manifest) == (1, None)
    assert told.startswith("Error: --destination: ")
    assert "cannot be used (Not a directory" in " ".join(told.split())
    assert place.executed() == 0


def test_a_store_that_fails_exits_with_3(place: Any, call: Callable[..., Any]) -> None:
    place.fill(2)
    call()
    (place.state / "staged").mkdir(exist_ok=True)
    (place.state / "staged").rmdir()
    (place.state / "staged").write_text("in the way", encoding="utf-8")
    place.fill(3)  # else there would be nothing to stage
    code, manifest, told = call()
    assert (code, manifest["status"]) == (3, "stopped")
    assert "\nStopped: the store failed" in told
    assert "all answers that could be written are in " in told
    assert place.executed() == 3


def test_a_prompt_may_be_any_file_that_is_there(place: Any, call: Callable[..., Any]) -> None:
    place.fill(2)
    (place.root / "prompt.txt").write_text("What is the total?\n{{ record.body }}", encoding="utf-8")
    code, manifest, _ = call(prompt=str(place.root / "prompt.txt"))
    assert (code, manifest["outcomes"]) == (0, {"succeeded": 2})


# bad input


BAD_INPUTS: dict[str, tuple[dict[str, Any], str]] = {
    "a prompt file that is not there": ({"prompt": "nowhere.j2"}, "--prompt: there is no file nowhere.j2"),
    "a prompt file that is a folder": ({"prompt": "HERE/folder.j2"}, "--prompt: "),
    "a prompt file in Latin-1": ({"prompt": "HERE/latin.j2"}, "no text in UTF-8"),
    "a prompt that names no column": ({"prompt": "{{ record.bdy }}"}, "'bdy'"),
    "a schema that is not there": ({"schema": "nowhere.json"}, "--schema: there is no file"),
    "a schema that is cut": ({"schema": "HERE/half.json"}, "--schema: "),
    "a schema that is a word": ({"schema": "HERE/word.json"}, "--schema: "),
    "tools that are a word": ({"schema": None, "tools": "HERE/word.json"}, "tools"),
    "settings that are cut": ({"settings": "{"}, "--settings: it is no JSON"),
    "settings that are a list": ({"settings": "[]"}, "--settings: it is no JSON object"),
    "a setting out of range": ({"settings": '{"temperature": 9}'}, "--settings (temperature): "),
    "a setting out of range with a name of two words": (
        {"settings": '{"max_tokens": 0}'},
        "--settings (max_tokens): 0 is too small",
    ),
    "a setting that is none": (
        {"settings": '{"max_token": 3}'},
        "To do: Settings takes: temperature, top_p, frequency_penalty,",
    ),
    "a setting by the API's name": ({"settings": '{"extra": {"maxTokens": 3}}'}, "To do: Use max_tokens."),
    "a setting that the model does not take": (
        {"settings": '{"max_tokens": 500000}'},
        "--settings (max_tokens): it is 500000",
    ),
    "an option that the model does not take": ({"max_tokens": 500000}, "--max-tokens: it is 500000"),
    "a profile out of range": (
        {"model_profile": '{"max_tokens": 0}'},
        "--model-profile (max_tokens): 0 is too small",
    ),
    "a partition without a value": ({"partition": "ds"}, "--partition: 'ds' has no '='"),
    "no requests at all": ({"requests": 0}, "--requests: "),
    "an option without a value": ({"limit": ""}, "--limit: it is empty"),
    "a source that is not there": ({"source": "HERE/nowhere"}, "--source: "),
    "a filter that is none": ({"filter": "n is 3"}, "--filter: 'n is 3' is no filter"),
    "a filter on a column that is none": ({"filter": "m > 3"}, "--filter: column 'm' is not in the data"),
    "a column that is none": ({"columns": "nope"}, "--columns: "),
    "labels and a schema": ({"labels": "a,b"}, "--labels: a label or an object"),
    "one label": ({"schema": None, "labels": "a"}, "--labels: there are fewer than two labels"),
    "a profile that is none": (
        {"model_profile": '{"magic": true}'},
        "--model-profile (magic): there is no such argument",
    ),
    "a profile that is no JSON": ({"model_profile": "json"}, "--model-profile: it is no JSON"),
    "a tool that is not offered": ({"tool_choice": "any"}, "--tool-choice: "),
}


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_bad_input_exits_with_1_and_says_what_is_wrong(
    place: Any, call: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    (tmp_path / "folder.j2").mkdir()
    (tmp_path / "latin.j2").write_bytes("Gr\u00f6\u00dfe {{ record.body }}".encode("latin-1"))
    (tmp_path / "half.json").write_text("{", encoding="utf-8")
    (tmp_path / "word.json").write_text('"word"', encoding="utf-8")
    place.fill(2)
    given, said = BAD_INPUTS[name]
    options = {
        key: str(value).replace("HERE", str(tmp_path)) if value else value for key, value in given.items()
    }
    # All three make the job of their options in the same way, so each of them gets a third of the cases.
    command = ("run", "plan", "preview")[list(BAD_INPUTS).index(name) % 3]
    code, printed, told = call(command, **options)
    assert (code, printed) == (1, None)
    assert told.startswith("Error: ")
    assert said in told
    assert place.executed() == 0


@pytest.mark.parametrize("variable", ["RUNWARE_API_KEY", "RUNWARE_BASE_URL"])
def test_a_bad_environment_exits_with_1(
    place: Any, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    place.fill(2)
    bad = {
        "RUNWARE_API_KEY": ["", " ", "two words"],
        "RUNWARE_BASE_URL": ["ftp://x", "http://x", "https://x:99999"],
    }
    for value in bad[variable]:
        monkeypatch.setenv(variable, value)
        code, printed, told = call()
        assert (code, printed) == (1, None)
        assert told.startswith("Error: ")
    assert not place.state.exists()


@pytest.mark.parametrize("end", ["", "/", "/v1/"])
def test_the_base_url_may_be_the_host_alone(
    place: Any, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    place.fill(2)
    monkeypatch.setenv("RUNWARE_BASE_URL", place.server.base_url.removesuffix("/v1") + end)
    code, manifest, _ = call()
    assert (code, manifest["outcomes"]) == (0, {"succeeded": 2})


# plan and preview


def test_a_plan_without_a_key_speaks_to_nobody(
    place: Any, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    place.fill(3)
    monkeypatch.delenv("RUNWARE_API_KEY")
    code, planned, _ = call("plan")
    assert (code, planned["to_pay"]) == (0, 3)
    assert planned["estimate"]["priced_by"] == "the price list as this version knows it"
    assert place.asked_nothing()


def test_a_plan_with_a_key_knows_the_price(place: Any, call: Callable[..., Any]) -> None:
    place.fill(3)
    code, planned, _ = call("plan")
    assert code == 0
    assert planned["estimate"]["cost_usd"] > 0
    assert place.executed() == 0


def test_a_preview_asks_about_a_few_and_the_run_reuses_them(place: Any, call: Callable[..., Any]) -> None:
    place.fill(20)
    code, shown, _ = call("preview")
    assert code == 0
    assert [row["result"]["total"] for row in shown["preview"]["first_rows"]] == [2.5, 6.5, 10.5, 14.5, 18.5]
    assert shown["preview"]["status"] == "preview"
    assert shown["rest"]["to_pay"] == 15
    price = shown["rest"]
    assert price["cost_usd_low"] <= price["cost_usd"] <= price["cost_usd_high"]
    assert price["cost_usd"] == pytest.approx(15 * shown["preview"]["cost_usd"] / 5, rel=0.2)
    assert not place.destination.exists()
    assert not list((place.state / "staged").rglob("*.staged"))
    code, manifest, _ = call()
    assert (code, manifest["paid_inferences"], place.executed()) == (0, 15, 20)
    place.audit(manifest, 20)


def test_a_preview_shows_dates_and_decimals_too(place: Any, call: Callable[..., Any], tmp_path: Path) -> None:
    schema = {
        "type": "object",
        "title": "X",
        "properties": {"day": {"type": ["string", "null"], "format": "date"}},
    }
    (tmp_path / "dates.json").write_text(json.dumps(schema), encoding="utf-8")
    place.put(pa.table({"body": ["day: 2026-01-02"], "big": pa.array([1e300])}))
    code, shown, told = call("preview", schema=str(tmp_path / "dates.json"))
    assert code == 0, told
    assert len(shown["preview"]["first_rows"]) == 1


# secrets


@pytest.mark.parametrize("fails", [False, True], ids=["a good run", "a failing run"])
def test_neither_key_nor_prompt_is_ever_told(
    place: Any, call: Callable[..., Any], caplog: pytest.LogCaptureFixture, *, fails: bool
) -> None:
    place.fill(["the secret of Shop GmbH\nTotal: 1234.50 EUR"] * 2)
    if fails:
        place.server.script(Fault("refuse_request", code="paymentRequired", status=402))
    with caplog.at_level(logging.DEBUG):
        code, manifest, told = call(prompt="classified words {{ record.body }}")
    assert code == (3 if fails else 0)
    for secret in (KEY, "the secret of", "classified words"):
        assert secret not in json.dumps(manifest) + told + caplog.text


@pytest.mark.parametrize(
    ("content", "option", "said"),
    [("[]", "schema", "--schema: .* no JSON object"), ("[]", "tools", "--tools: .* no tool")],
)
def test_a_file_of_the_wrong_kind_is_named_by_its_option(
    place: Any, call: Callable[..., Any], content: str, option: str, said: str
) -> None:
    place.fill(1)
    (place.root / "given.json").write_text(content, encoding="utf-8")
    code, _, told = call(**{option: str(place.root / "given.json")})
    assert code == 1
    assert re.search(said, told)
    assert place.executed() == 0


# what is to be forgotten


def test_what_names_somebody_is_forgotten_and_asked_anew(place: Any, call: Callable[..., Any]) -> None:
    place.fill(10)
    code, manifest, _ = call()
    uuid = place.rows()[3]["inference"]["task_uuid"]
    done = place.call_python("forget", "--destination", str(place.destination), "--task-uuid", uuid)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["answers"], told["task_uuids"]) == (1, [uuid])
    assert "still show the answers" in done.stderr
    code, again, _ = call()
    assert (code, again["paid_inferences"], place.executed()) == (0, 1, 11)
    assert again["cost_usd_ever"] == pytest.approx(place.server.bill()["cost_usd"], abs=1e-9)
    assert manifest["paid_inferences"] == 10


def test_forgetting_in_a_place_without_a_job_does_not_look_done(place: Any, call: Callable[..., Any]) -> None:
    place.fill(2)
    assert call()[0] == 0
    done = place.call(
        "forget", "--destination", str(place.destination), "--partition", "ds=nope", "--containing", "Acme"
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "no job has its state in" in done.stderr


def test_a_run_says_first_what_a_change_costs_and_why(place: Any, call: Callable[..., Any]) -> None:
    place.fill(4)
    assert call()[0] == 0
    code, _, told = call(prompt="How much is it?\n{{ record.body }}")
    assert code == 0
    asks, writes, to_ask, why, cost = told.splitlines()[:5]
    assert asks == f"Asks: deepseek-v4-pro, about 4 records of {place.source}."
    assert writes == f"Writes: {place.destination}."
    assert to_ask == "To ask: 4 inferences."
    assert why == "Why: since the last publish the prompt changed."
    assert re.fullmatch(r"Cost: about 0\.\d+ USD, at most \d+\.\d+ USD\.", cost)


def test_forgetting_nothing_in_particular_is_refused(place: Any) -> None:
    done = place.call("forget", "--destination", str(place.destination))
    assert done.returncode == 1
    assert "nothing is named" in done.stderr


def test_a_day_that_is_none_is_refused(place: Any) -> None:
    done = place.call("forget", "--destination", str(place.destination), "--older-than", "yesterday")
    assert done.returncode == 1
    assert "--older-than: 'yesterday' is no date" in done.stderr
