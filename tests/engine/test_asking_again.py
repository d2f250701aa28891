"""What a run asked is noted, and is asked again by naming the file: the same questions, of the records meant, and no secret in it."""

from __future__ import annotations

import enum
import json
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_validator

from runware_provider.engine.cli_options import parsed
from runware_provider.engine.errors import BadInput, StateUnreadable
from runware_provider.engine.job.asked_again import WHO_ASKED, asked_in, digest_of_request, values_in
from runware_provider.engine.job.asked_for import asked_for_by
from runware_provider.engine.job.forget_place import forget_place
from runware_provider.engine.job.run_records import write_record
from runware_provider.engine.job.run_request import (
    MOST_BYTES,
    MOST_OTHERS,
    Given,
    forget_requests,
    options_in,
    read_request,
    request_path,
    write_request,
)
from runware_provider.engine.memory.mentions import Mentions
from runware_provider.engine.spec import Spec
from runware_provider.engine.spec_options import spec_of
from runware_provider.engine.state_records import encoded
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.engine.storage.stores import Stores
from runware_provider.testing import Fault
from tests.engine.job.test_run_records import record
from tests.engine.test_spec_options import specs

QUICK = LocalStorage(lambda _: None)
USUAL: dict[str, Any] = {"source": "in", "destination": "out", "prompt": "{{ record.body }}"}


class Colour(enum.Enum):
    """Which colour?"""

    RED = "red"
    BLUE = "blue"


class Line(BaseModel):
    amount: float
    due: date | None = None


class Invoice(BaseModel):
    """An invoice."""

    total: float = Field(description="With tax")
    lines: list[Line]

    @field_validator("total")
    @classmethod
    def _positive(cls, total: float) -> float:
        if total < 0:
            raise ValueError("negative")
        return total


def again(spec: Spec) -> Spec:
    """The spec that is read of what is written of one."""
    record = json.loads(encoded(asked_in(spec, {})))
    return Spec(**values_in(record))


def without_who(spec: Spec) -> Spec:
    return spec.model_copy(update=dict.fromkeys(WHO_ASKED))


# what is written is read


@given(specs())
def test_whatever_is_asked_is_asked_again_with_the_same_arguments(spec: Spec) -> None:
    assert again(spec) == without_who(spec)


@pytest.mark.parametrize(
    "kind",
    [
        Literal["a", "b"],
        Colour,
        ["a", "b"],
        Invoice,
        {"type": "object", "properties": {"a": {"type": "integer"}}},
        None,
    ],
)
def test_the_model_is_asked_the_same_of_every_kind_of_output_type(kind: Any) -> None:
    spec = Spec(**USUAL, output_type=kind)
    assert asked_for_by(again(spec)).template.fields(0) == asked_for_by(spec).template.fields(0)
    told = asked_in(spec, {})
    assert told.get("asks_the_same", True)
    assert told.get("from_class") == ("Invoice" if kind is Invoice else None)


class Exact(BaseModel):
    amount: Decimal


def test_a_class_that_says_more_than_its_schema_is_not_asked_again_by_that() -> None:
    record = asked_in(Spec(**USUAL, output_type=Exact), {})
    assert record["asks_the_same"] is False
    options = parsed(["run", "--request", "x.json"])
    with pytest.raises(BadInput, match=r"--request: .* a pydantic class that says what no JSON Schema can"):
        spec_of(options, Given("x.json", values_in(record), asks_the_same=False))
    labelled = parsed(["run", "--request", "x.json", "--labels", "a,b"])
    given = Given("x.json", values_in(record), asks_the_same=False)
    assert spec_of(labelled, given).output_type == ("a", "b")


MOMENTS = st.datetimes(timezones=st.none() | st.just(UTC))
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
    | MOMENTS
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.decimals(allow_nan=False)
)
NAMES = st.sampled_from(["ds", "n", "$date", "$dict", "$tuple", "params"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(NAMES, inner, max_size=3),
)


@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_variables_of_every_kind_come_back_as_they_were(variables: dict[str, Any]) -> None:
    spec = Spec(**USUAL, variables=variables)
    told = again(spec).variables
    if not any(isinstance(value, str) and "://" in value for value in variables.values()):
        assert told == variables
        assert repr(told) == repr(variables).replace(", fold=1", "")


def test_filters_come_back_with_values_of_every_kind() -> None:
    filters = [
        [("day", ">", date(2026, 1, 2)), ("n", "in", [1, 2])],
        [("at", "<=", datetime(2026, 1, 2, tzinfo=UTC)), ("total", "==", Decimal("1.50")), ("x", "is null")],
    ]
    spec = Spec(**USUAL, filters=filters)
    assert again(spec).filters == spec.filters


def test_who_asked_is_left_out(tmp_path: Path) -> None:
    first, second = (Spec(**USUAL, run=run, refresh=run) for run in ("monday", "tuesday"))
    digests = {write_request(QUICK, str(tmp_path), spec, {"model": "x"}) for spec in (first, second)}
    assert len(digests) == 1
    assert "monday" not in request_path_of(tmp_path, digests.pop()).read_text(encoding="utf-8")


def test_files_that_no_run_names_are_bounded_and_those_of_runs_stay(tmp_path: Path) -> None:
    named = [write_request(QUICK, str(tmp_path), Spec(**USUAL, limit=number), {}) for number in range(1, 4)]
    for number, digest in enumerate(named):
        write_record(QUICK, str(tmp_path), record(f"run {number}", request=digest))
    counts = []
    for number in range(300):
        newest = write_request(QUICK, str(tmp_path), Spec(**USUAL, variables={"ds": f"{number}"}), {})
        os.utime(request_path_of(tmp_path, newest), (number, number))
        counts.append(len(list((tmp_path / "requests").iterdir())))
    there = {path.stem for path in (tmp_path / "requests").iterdir()}
    assert max(counts) <= MOST_OTHERS + len(named)
    assert {*named, newest} <= there


def test_nobody_waits_for_old_files_to_be_removed(tmp_path: Path) -> None:
    for number in range(MOST_OTHERS + 5):
        spec = Spec(**USUAL, variables={"ds": f"{number}"})
        write_request(QUICK, str(tmp_path), spec, {}, has_time=lambda: False)
    assert len(list((tmp_path / "requests").iterdir())) == MOST_OTHERS + 5


def test_a_request_that_holds_what_is_to_be_forgotten_goes(tmp_path: Path) -> None:
    state = str(tmp_path)
    texts = [{"name": "Ada\nLovelace"}, {"name": "nobody"}]
    digests = [write_request(QUICK, state, Spec(**USUAL, variables=each), {}) for each in texts]
    (tmp_path / "requests" / "notes.txt").write_text("ada lovelace", encoding="utf-8")
    assert forget_requests(QUICK, state, Mentions([])) == 0
    assert forget_requests(QUICK, state, Mentions(["ada lovelace"])) == 1
    assert [read_request(QUICK, state, digest) is None for digest in digests] == [True, False]
    assert (tmp_path / "requests" / "notes.txt").exists()


async def test_forgetting_in_a_place_reaches_what_was_asked(place: Any) -> None:
    place.fill(3)
    await place.run(prompt="{{ record.body }} {{ who }}", variables={"who": "Ada Lovelace"})
    told = forget_place(LocalStorage(), str(place.state), containing=["ada lovelace"])
    assert (told["requests"], list((place.state / "requests").iterdir())) == (1, [])


async def test_of_what_a_run_is_called_or_has_that_is_noted_which_its_prompt_names(place: Any) -> None:
    place.fill(3)
    for day in ("monday", "tuesday"):
        await place.run(run=day, variables={"ds": day, "n": 7}, prompt="{{ record.body }} {{ n }}")
    (path,) = (place.state / "requests").iterdir()
    noted = read_request(LocalStorage(), str(place.state), path.stem)
    assert noted is not None
    assert noted["spec"]["variables"] == {"n": 7}
    assert json.loads(place.call("plan", "--request", str(path)).stdout)["to_pay"] == 0


def request_path_of(state: Path, digest: str) -> Path:
    return Path(request_path(QUICK, str(state), digest))


# secrets


def test_no_password_and_nothing_that_is_called_a_secret_is_written() -> None:
    secret = "hush-hush"
    spec = Spec(
        source=f"s3://me:{secret}@bucket/in",
        destination="out",
        prompt="{{ record.body }}",
        memory={"state": f"s3://me:{secret}@bucket/state"},
        variables={
            "api_key": secret,
            "params": {
                "db_password": secret,
                "accessToken": secret,
                "max_tokens": 5,
                "list": [f"https://me:{secret}@host/"],
            },
            "url": f"https://me:{secret}@host/",
            "ds": "2026-01-01",
        },
    )
    record = asked_in(spec, {})
    assert secret not in json.dumps(record)
    assert record["left_out"] == [
        "source",
        "memory.state",
        "variables.api_key",
        "variables.params.db_password",
        "variables.params.accessToken",
        "variables.params.list",
        "variables.url",
    ]
    assert values_in(record)["variables"] == {"params": {"max_tokens": 5}, "ds": "2026-01-01"}


@pytest.mark.parametrize(
    "value",
    [float("nan"), object(), {1: 2}, "\ud800", {"a", "b"}, b"x"],
    ids=["no number", "an object", "a number as a key", "half a pair", "a set", "bytes"],
)
def test_what_json_cannot_say_is_left_out_by_name(value: Any) -> None:
    record = asked_in(Spec(**USUAL, variables={"odd": value, "ds": "x"}), {})
    assert record["left_out"] in (["variables.odd"], ["variables.odd.1"])
    assert values_in(json.loads(encoded(record)))["variables"]["ds"] == "x"


def test_what_holds_itself_is_left_out() -> None:
    loop: dict[str, Any] = {}
    loop["inside"] = loop
    record = asked_in(Spec(**USUAL, variables={"loop": loop}), {})
    assert len(record["left_out"]) == 1
    encoded(record)


# the file


def test_it_is_written_once_and_found_by_its_digest(tmp_path: Path) -> None:
    spec = Spec(**USUAL)
    digest = write_request(QUICK, str(tmp_path), spec, {"model": "x"})
    path = request_path_of(tmp_path, digest)
    before = path.stat()
    assert write_request(QUICK, str(tmp_path), spec, {"model": "x"}) == digest
    assert path.stat() == before
    record = read_request(QUICK, str(tmp_path), digest)
    assert record is not None
    assert digest_of_request({**record}) == digest
    assert record["digests"] == {"model": "x"}


@pytest.mark.parametrize("digest", ["", "../../job", "0" * 20, "A" * 20])
def test_what_is_no_digest_or_not_there_is_none(tmp_path: Path, digest: str) -> None:
    (tmp_path / "job.json").write_text("{}", encoding="utf-8")
    assert read_request(QUICK, str(tmp_path), digest) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"format": 1}', b'{"format": 1, "spec": []}', b'{"format": 9, "spec": {}}', b"\xff"],
)
def test_a_damaged_one_is_told(tmp_path: Path, content: bytes) -> None:
    path = request_path_of(tmp_path, "0" * 20)
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StateUnreadable):
        read_request(QUICK, str(tmp_path), "0" * 20)
    with pytest.raises(BadInput, match="--request: "):
        options_in(Stores(), str(path))


def test_a_huge_one_is_not_read(tmp_path: Path) -> None:
    path = request_path_of(tmp_path, "0" * 20)
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(OSError, match="at most"):
        read_request(QUICK, str(tmp_path), "0" * 20)


def test_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--request: there is no file"):
        options_in(Stores(), str(tmp_path / "none.json"))


# beside it


def beside(values: dict[str, Any], *words: str, left_out: frozenset[str] = frozenset()) -> Spec:
    return spec_of(parsed(["run", "--request", "x.json", *words]), Given("x.json", values, left_out))


def test_without_other_options_it_is_what_was_asked() -> None:
    spec = Spec(**USUAL, samples=3, limits={"attempts": 7}, variables={"ds": "x"})
    assert beside(values_in(asked_in(spec, {}))) == spec


def test_options_beside_it_win_and_leave_the_rest() -> None:
    base = {
        **USUAL,
        "limits": {"attempts": 7, "lease_s": 9.0},
        "variables": {"ds": "x", "n": "1"},
        "budget": {"usd": 5.0},
    }
    spec = beside(
        base, "--attempts", "2", "--variable", "ds=y", "--destination", "other", "--budget-tokens", "9"
    )
    assert (spec.limits.attempts, spec.limits.lease_s) == (2, 9.0)
    assert spec.variables == {"ds": "y", "n": "1"}
    assert (spec.destination, spec.source) == ("other", "in")
    assert (spec.budget.usd, spec.budget.tokens) == (5.0, 9)  # type: ignore[union-attr]


def test_a_way_to_ask_takes_the_place_of_another() -> None:
    assert beside(USUAL, "--messages", "{{ record.chat }}").prompt is None
    base = {
        **USUAL,
        "tools": [{"name": "f", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}],
        "tool_choice": {"type": "any"},
    }
    spec = beside(base, "--labels", "a,b")
    assert (spec.tools, spec.tool_choice, spec.output_type) == ((), None, ("a", "b"))


def test_what_was_left_out_has_to_be_given() -> None:
    base = {name: value for name, value in USUAL.items() if name != "source"}
    with pytest.raises(BadInput, match=r"--source: x\.json does not hold it"):
        beside(base, left_out=frozenset({"source"}))
    assert beside(base, "--source", "there", left_out=frozenset({"source"})).source == "there"
    with pytest.raises(BadInput, match=r"--filter: x\.json does not hold it"):
        beside(USUAL, left_out=frozenset({"filters"}))
    assert beside(USUAL, left_out=frozenset({"variables.params.token"})).source == "in"


def test_what_is_wrong_with_the_file_is_told_of_the_file_and_what_is_wrong_with_an_option_of_that() -> None:
    with pytest.raises(BadInput, match=r"--request: x\.json does not fit this version: magic"):
        beside({**USUAL, "magic": 1})
    with pytest.raises(BadInput, match=r"limits\.attempts"):
        beside(USUAL, "--attempts", "0")


@pytest.mark.parametrize("command", ["run", "plan", "preview"])
def test_without_it_the_options_that_a_job_needs_are_needed(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parsed([command, "--prompt", "x"])
    assert "--source, --destination" in capsys.readouterr().err.replace("\n  ", " ")
    assert parsed([command, "--request", "x"]).source is None


# as a process, against a server that bills


def noted(place: Any, **changes: Any) -> str:
    spec = place.spec(**changes)
    return request_path(QUICK, str(place.state), write_request(QUICK, str(place.state), spec, {}))


async def test_what_failed_is_asked_again_and_nothing_else(place: Any) -> None:
    place.server.script(
        Fault("break_schema", contains="Shop 2"),
        Fault("refuse_task", contains="Shop 4 ", code="invalidMessages"),
    )
    place.fill(6)
    await place.run()
    path, paid = noted(place), place.executed()
    place.server.clear_faults()
    assert json.loads(place.call("plan", "--request", path, "--retry-failed").stdout)["to_pay"] == 2
    ended = place.call("run", "--request", path, "--retry-failed")
    assert ended.returncode == 0, ended.stderr
    manifest = json.loads(ended.stdout)
    assert (manifest["paid_inferences"], place.executed() - paid) == (2, 2)
    assert place.outcomes() == ["succeeded"] * 6
    assert {line["executed"] for line in place.server.bill()["tasks"].values()} == {1}


async def test_a_model_of_pydantic_is_asked_again_by_its_schema_and_nothing_is_paid_twice(place: Any) -> None:
    class Total(BaseModel):
        total: float

    place.fill(4)
    await place.run(
        output_type=Total,
        variables={"logical_date": datetime(2026, 1, 2, tzinfo=UTC)},
        prompt="{{ logical_date }} {{ record.body }}",
    )
    path, paid = (
        noted(
            place,
            output_type=Total,
            variables={"logical_date": datetime(2026, 1, 2, tzinfo=UTC)},
            prompt="{{ logical_date }} {{ record.body }}",
        ),
        place.executed(),
    )
    ended = place.call("run", "--request", path)
    assert ended.returncode == 0, ended.stderr
    assert place.executed() == paid == 4


def test_a_file_that_is_none_is_told_in_a_sentence(place: Any) -> None:
    ended = place.call("run", "--request", "nowhere.json")
    assert ended.returncode == 1
    assert "--request: there is no file nowhere.json" in ended.stderr.replace("\n  ", " ")
