"""What can be asked for, from the spec to the rows, over a real socket."""

from __future__ import annotations

import enum
import json
from typing import Any, Literal

import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel, Field, field_validator

from runware_provider.engine.dataset.schema_text import schema_of_text
from runware_provider.engine.errors import BadInput, JobStopped
from runware_provider.engine.job.run import run_job
from runware_provider.engine.model_profile import ModelProfile
from runware_provider.testing import Fault
from tests.said import said


def body_of(number: int) -> str:
    return f"Invoice {number} from Shop {number} GmbH\nTotal: {number}.50 EUR"


TEXTS = ["My invoice is wrong, I was charged twice.", "Where is my parcel? The delivery is late."]


class Topic(enum.Enum):
    """What the customer writes about."""

    BILLING = "billing"
    DELIVERY = "delivery"


class Party(BaseModel):
    name: str | None = Field(default=None, description="With its legal form")


class Invoice(BaseModel):
    """One invoice."""

    total: float = Field(description="What has to be paid")
    seller: Party = Field(default=Party(), description="Who sells")
    lines: list[Party] = Field(default=[], description="The positions")


class Node(BaseModel):
    total: float
    parts: list[Node] = []
    notes: dict[str, str] = {}


# labels


@pytest.mark.parametrize(
    "labels",
    [
        ["billing", "delivery"],
        Literal["billing", "delivery"],
        Topic,
        {"enum": ["billing", "delivery"]},
    ],
    ids=["list", "Literal", "Enum", "JSON Schema"],
)
@pytest.mark.parametrize(
    ("model", "mode"), [("deepseek-v4-pro", "auto"), ("gpt-5-nano", "auto"), ("qwen-3.5-plus", "prompt")]
)
async def test_a_label_is_a_text_column(place: Any, labels: Any, model: str, mode: str) -> None:
    place.fill(TEXTS)
    manifest = await place.run(
        output_type=labels, prompt="{{ record.body }}", model=model, answers={"output_mode": mode}
    )
    assert manifest["outcomes"] == {"succeeded": 2}
    assert {row["result"] for row in place.rows()} <= {"billing", "delivery"}
    (part,) = place.destination.glob("*.parquet")
    assert str(pq.read_schema(part).field("result").type) == "string"


async def test_two_ways_to_write_the_same_labels_ask_the_same(place: Any) -> None:
    place.fill(TEXTS)
    await place.run(output_type=["billing", "delivery"], prompt="{{ record.body }}")
    again = await place.run(output_type=Literal["billing", "delivery"], prompt="{{ record.body }}")
    assert again["paid_inferences"] == 0


# what has no one type


async def test_what_has_no_one_type_is_refused_before_anything_is_paid(place: Any) -> None:
    place.fill(2)
    with pytest.raises(BadInput, match=r"at \$\.parts") as refused:
        await place.run(output_type=Node)
    assert "untyped" in refused.value.remedy
    assert place.asked_nothing()


async def test_what_has_no_one_type_is_a_column_of_json_when_asked(place: Any) -> None:
    place.fill(3)
    manifest = await place.run(output_type=Node, answers={"untyped": "json", "output_retries": 0})
    assert manifest["outcomes"] == {"succeeded": 3}
    for row in place.rows():
        assert row["result"]["total"] == row["n"] + 0.5
        assert [type(json.loads(part)) for part in row["result"]["parts"]] in ([], [dict])
        assert isinstance(json.loads(row["result"]["notes"]), dict)


# what a model can do


async def test_the_user_can_say_what_a_model_can_do(place: Any, caplog: pytest.LogCaptureFixture) -> None:
    place.fill(2)
    profile = ModelProfile(json_schema=False, tools=False, unsupported=("minimum",))
    manifest = await place.run(model="qwen-3.5-plus", answers={"model_profile": profile, "output_retries": 0})
    assert manifest["outcomes"] == {"succeeded": 2}
    assert {row["inference"]["finish_reason"] for row in place.rows()} == {"stop"}  # no tool was forced
    assert "in no table" not in caplog.text


async def test_keywords_that_a_model_does_not_take_ask_anew_and_the_plan_says_why(place: Any) -> None:
    place.fill(2)
    schema = {
        "type": "object",
        "properties": {"total": {"type": "number", "minimum": 0}},
        "required": ["total"],
    }
    await place.run(output_type=schema)
    profile = {"unsupported": ["minimum"]}
    planned = place.plan(output_type=schema, answers={"model_profile": profile, "output_retries": 0})
    assert (planned["to_pay"], planned["changed"]) == (2, ["answers.model_profile"])
    assert (await place.run(output_type=schema))["paid_inferences"] == 0


# descriptions


async def test_descriptions_are_metadata_of_the_columns_also_inside_of_others(place: Any) -> None:
    place.fill(1)
    await place.run(output_type=Invoice)
    (part,) = place.destination.glob("*.parquet")
    result = pq.read_schema(part).field("result")
    lines = result.type.field("lines")
    told = {
        "result": result,
        "total": result.type.field("total"),
        "seller": result.type.field("seller"),
        "seller.name": result.type.field("seller").type.field("name"),
        "lines": lines,
        "lines[].name": lines.type.value_type.field("name"),
    }
    assert {name: field.metadata[b"description"].decode() for name, field in told.items()} == {
        "result": "One invoice.",
        "total": "What has to be paid",
        "seller": "Who sells",
        "seller.name": "With its legal form",
        "lines": "The positions",
        "lines[].name": "With its legal form",
    }


# columns of their own


async def test_fields_become_columns_of_their_own(place: Any) -> None:
    place.fill([body_of(0), "", body_of(2)])
    manifest = await place.run(
        output_type=Invoice, publish={"flatten": True}, failures={"dataset": str(place.root / "failures")}
    )
    (part,) = place.destination.glob("*.parquet")
    schema = pq.read_schema(part)
    assert schema.names == ["n", "body", "total", "seller", "lines", "inference"]
    assert schema.field("total").metadata[b"description"] == b"What has to be paid"
    assert [row["total"] for row in place.rows()] == [0.5, None, 2.5]
    assert manifest["flattened"] == ["total", "seller", "lines"]
    again = await place.run(output_type=Invoice)
    assert (again["paid_inferences"], again["flattened"]) == (0, None)
    assert [row["result"] and row["result"]["total"] for row in place.rows()] == [0.5, None, 2.5]


async def test_the_failures_of_a_flattened_dataset_have_none_of_its_columns(place: Any) -> None:
    place.fill(4)
    place.server.script(Fault("break_schema", contains="Shop 2"))
    failures = place.root / "failures"
    await place.run(
        publish={"flatten": True}, failures={"dataset": str(failures)}, answers={"output_retries": 0}
    )
    (row,) = place.rows(failures)
    assert (list(row), row["n"]) == (["n", "body", "inference"], 2)
    assert [row["total"] for row in place.rows()] == [0.5, 1.5, None, 3.5]


async def test_a_flattened_dataset_without_rows_is_typed(place: Any) -> None:
    place.fill(0)
    await place.run(publish={"flatten": True})
    (part,) = place.destination.glob("*.parquet")
    assert pq.read_schema(part).names == ["n", "body", "total", "inference"]


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("body", {}),
        ("BODY", {}),
        ("ds", {"partition": {"ds": "1"}}),
        ("Inference", {}),
    ],
)
async def test_a_field_with_the_name_of_another_column_is_refused_before_anything_is_paid(
    place: Any, field: str, changes: dict[str, Any]
) -> None:
    place.fill(2)
    schema = {"type": "object", "properties": {field: {"type": "string"}}}
    with pytest.raises(BadInput, match="flatten: the result's field"):
        await place.run(output_type=schema, publish={"flatten": True}, **changes)
    assert place.asked_nothing()


async def test_a_column_that_is_left_out_makes_room(place: Any) -> None:
    place.fill(2)
    schema = {"type": "object", "properties": {"body": {"type": "string"}}}
    await place.run(output_type=schema, publish={"flatten": True, "columns": ["n"]})
    assert list(place.rows()[0]) == ["n", "body", "inference"]


async def test_an_input_column_called_result_may_stay_in_a_flattened_dataset(place: Any) -> None:
    place.fill(1, result=["mine"])
    await place.run(publish={"flatten": True})
    assert (place.rows()[0]["result"], place.rows()[0]["total"]) == ("mine", 0.5)


@pytest.mark.parametrize("wish", [{"output_type": None}, {"output_type": ["a", "b"]}], ids=["text", "labels"])
async def test_what_has_no_fields_cannot_be_flattened(place: Any, wish: dict[str, Any]) -> None:
    place.fill(1)
    with pytest.raises(BadInput, match="flatten: the result is a text, which has no fields"):
        await place.run(publish={"flatten": True}, **wish)
    assert place.asked_nothing()


# a schema that changes


WITH_NOTE = {
    "type": "object",
    "properties": {"total": {"type": "number"}, "note": {"type": "string"}},
    "required": ["total"],
}
OTHER_TYPE = {"type": "object", "properties": {"total": {"type": "string"}}, "required": ["total"]}


async def test_the_manifest_holds_the_schema(place: Any) -> None:
    place.fill(1)
    manifest = await place.run(output_type=Invoice)
    (part,) = place.destination.glob("*.parquet")
    written = pq.read_schema(part)
    assert schema_of_text(manifest["schema"]).equals(written, check_metadata=False)
    assert "What has to be paid" not in str(
        schema_of_text(manifest["schema"]).to_string(show_field_metadata=True)
    )


async def test_a_dataset_that_is_replaced_as_a_whole_may_change_and_says_so(
    place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    place.fill(1)
    await place.run()
    told = [one for one in place.plan(output_type=OTHER_TYPE)["warnings"] if "replaced as a whole" in one]
    assert "$.result.total was double and becomes string" in told[0]
    assert (await place.run(output_type=OTHER_TYPE))["outcomes"] == {"succeeded": 1}
    assert "replaced as a whole" in said(caplog.messages)


async def test_a_partition_that_readers_could_not_read_with_the_others_is_refused_before_it_is_paid(
    place: Any,
) -> None:
    place.fill(2)
    await place.run(partition={"ds": "1"})
    place.server.reset()
    with pytest.raises(BadInput, match=r"against ds=1, \$\.result\.total was double and becomes string"):
        await place.run(partition={"ds": "2"}, output_type=OTHER_TYPE)
    with pytest.raises(BadInput, match="if_schema_breaks='allow'"):
        place.plan(partition={"ds": "2"}, output_type=OTHER_TYPE)
    assert place.asked_nothing()
    allowed = {"output_type": OTHER_TYPE, "publish": {"if_schema_breaks": "allow"}}
    assert (await place.run(partition={"ds": "2"}, **allowed))["outcomes"] == {"succeeded": 2}
    await place.run(partition={"ds": "3"}, output_type=OTHER_TYPE)  # from now on it is the dataset's
    await place.run(partition={"ds": "1"})  # unchanged, it may be run again


async def test_an_added_field_is_told_and_not_told_again(
    place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    place.fill(1)
    await place.run(partition={"ds": "1"})
    await place.run(partition={"ds": "2"}, output_type=WITH_NOTE)
    assert "against ds=1, $.result.note is added (string)" in said(caplog.messages)
    assert place.plan(partition={"ds": "2"}, output_type=WITH_NOTE)["warnings"] == []


async def test_a_preview_notes_no_schema(place: Any) -> None:
    place.fill(2)
    await run_job(place.spec(partition={"ds": "1"}), place.endpoint, preview=1)
    await place.run(partition={"ds": "2"}, output_type=OTHER_TYPE)


async def test_flattening_part_of_a_dataset_is_a_change_like_any_other(place: Any) -> None:
    place.fill(1)
    await place.run(partition={"ds": "1"})
    told = place.plan(partition={"ds": "2"}, publish={"flatten": True})["warnings"]
    assert [one.split("$", 1)[1].split(" (")[0] for one in told] == [".total is added", ".result is removed"]


# how an answer is read


async def test_numbers_that_come_as_texts_are_read_when_asked_and_it_is_told(place: Any) -> None:
    place.fill(1)
    place.server.script(Fault("say", body='{"total": "1,234.50"}'))
    await place.run(model="gpt-5-nano", answers={"output_retries": 0})
    assert place.outcomes() == ["invalid"]
    again = await place.run(model="gpt-5-nano", answers={"output_retries": 0, "lenient_numbers": True})
    assert (again["paid_inferences"], again["mends"]) == (0, {"number_from_text": 1})
    assert place.rows()[0]["result"] == {"total": 1234.5}


@pytest.mark.parametrize(
    "said", ["billing", '"billing"', "**billing**.", "<think>Hm.</think>\nbilling", "```\nbilling\n```"]
)
async def test_a_label_without_the_object_around_it_is_taken(place: Any, said: str) -> None:
    place.fill(1)
    place.server.script(Fault("say", body=said))
    manifest = await place.run(output_type=["billing", "delivery"], answers={"output_mode": "prompt"})
    assert "bare_label" in manifest["mends"]
    assert place.rows()[0]["result"] == "billing"


@pytest.mark.parametrize("said", ["Billing, I think", "invoice", "billing or delivery"])
async def test_words_that_are_no_label_are_none(place: Any, said: str) -> None:
    place.fill(1)
    place.server.script(Fault("say", body=said))
    await place.run(output_type=["billing", "delivery"], answers={"output_mode": "prompt"})
    (row,) = place.rows()
    assert (row["result"], row["inference"]["outcome"]) == (None, "invalid")


# a check that changes here only


class Checked(BaseModel):
    total: float

    @field_validator("total")
    @classmethod
    def _not_too_large(cls, total: float) -> float:
        if total > LARGEST["total"]:
            message = f"{total} is too large"
            raise ValueError(message)
        return total


LARGEST = {"total": 1.0}


async def test_a_changed_check_reads_the_kept_answers_again_and_pays_nothing(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.fill(3)
    first = await place.run(output_type=Checked)
    assert first["outcomes"] == {"invalid": 2, "succeeded": 1}
    (told,) = {row["inference"]["error_message"] for row in place.rows() if row["n"] == 2}
    assert told == "$.total: 2.5 is too large"
    for largest, outcomes in ((2.0, {"invalid": 1, "succeeded": 2}), (9.0, {"succeeded": 3})):
        monkeypatch.setitem(LARGEST, "total", largest)
        again = await place.run(output_type=Checked)
        assert (again["paid_inferences"], again["outcomes"]) == (0, outcomes)
    assert place.plan(output_type=Checked)["changed"] == []
    assert place.executed() == 3


# the user's own tools


def tool(name: str, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"name": name, "description": f"To {name}.", "schema": schema}


NOTE = tool("note", total={"type": "number", "description": "What has to be paid"})
CLOSE = tool("close")
MOVE = tool("move", number={"type": ["string", "null"]})


async def test_parallel_calls_of_several_tools_come_back_in_their_order(place: Any) -> None:
    place.fill(2)
    place.server.script(Fault("all_tools"))
    manifest = await place.run(output_type=None, tools=[MOVE, NOTE, CLOSE], tool_choice="any")
    assert manifest["outcomes"] == {"succeeded": 2}
    for row in place.rows():
        assert [call["name"] for call in row["result"]] == ["move", "note", "close"]
        assert row["result"][1]["arguments"]["note"] == {"total": row["n"] + 0.5}
        assert row["result"][2]["arguments"] is None
    (part,) = place.destination.glob("*.parquet")
    arguments = pq.read_schema(part).field("result").type.value_type.field("arguments").type
    assert arguments.field("note").type.field("total").metadata[b"description"] == b"What has to be paid"


@pytest.mark.parametrize("fault", ["string_arguments", "tool_calls_key"])
async def test_calls_in_another_shape_are_the_same_calls(place: Any, fault: str) -> None:
    place.fill(1)
    place.server.script(Fault("all_tools"))
    place.server.script(Fault(fault))
    await place.run(output_type=None, tools=[NOTE, MOVE])
    assert [call["name"] for call in place.rows()[0]["result"]] == ["note", "move"]


async def test_one_call_that_does_not_fit_makes_the_row_invalid_and_names_it(place: Any) -> None:
    place.fill(1)
    place.server.script(Fault("all_tools"))
    place.server.script(Fault("break_schema"))
    await place.run(output_type=None, tools=[CLOSE, NOTE])
    (row,) = place.rows()
    assert row["inference"]["outcome"] == "invalid"
    assert "$[1].arguments" in row["inference"]["error_message"]


async def test_a_tool_is_forced_by_its_name(place: Any) -> None:
    place.fill(2)
    manifest = await place.run(output_type=None, tools=[NOTE, MOVE], tool_choice="move")
    assert manifest["outcomes"] == {"succeeded": 2}
    assert {call["name"] for row in place.rows() for call in row["result"]} == {"move"}


@pytest.mark.parametrize("choice", ["any", "move"])
async def test_words_where_a_call_was_forced_are_invalid(place: Any, choice: str) -> None:
    place.fill(1)
    place.server.script(Fault("say", body="I cannot."))
    await place.run(output_type=None, tools=[NOTE, MOVE], tool_choice=choice)
    (row,) = place.rows()
    assert (row["inference"]["error_code"], row["inference"]["error_message"]) == (
        "unreadable",
        "the model called no tool",
    )


# the vendor's own tools


@pytest.mark.parametrize("kind", ["search", "codeInterpreter"])
async def test_a_tool_that_the_vendor_runs_leaves_a_text(place: Any, kind: str) -> None:
    place.fill(2)
    manifest = await place.run(output_type=None, tools=[{"type": kind}], model="gpt-5.5")
    assert manifest["outcomes"] == {"succeeded": 2}
    assert all(isinstance(row["result"], str) for row in place.rows())


@pytest.mark.parametrize("kind", ["search", "codeInterpreter"])
async def test_a_tool_that_the_vendor_runs_may_stand_beside_those_of_the_user(place: Any, kind: str) -> None:
    place.fill(2)
    tools = [{"type": kind}, NOTE]
    manifest = await place.run(output_type=None, tools=tools, tool_choice="note", model="gpt-5.5")
    assert manifest["outcomes"] == {"succeeded": 2}
    assert [row["result"][0]["arguments"]["note"]["total"] for row in place.rows()] == [0.5, 1.5]


async def test_a_model_without_such_a_tool_stops_the_job_at_its_first_records(place: Any) -> None:
    place.fill(40)
    with pytest.raises(JobStopped, match=r"tools\[0\]\.type"):
        await place.run(output_type=None, tools=[{"type": "search"}])
    assert place.executed() == 0
