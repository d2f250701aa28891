from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.pages import pushed
from runware_provider.pages.run_view import TaskAt
from runware_provider.places import Places
from tests.pages.stand_in import AT, places_in, run_name

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
KEYS = st.sampled_from(
    ["value", "output", "state", "manifest", "run", "shard", "xcom_entries", "dag_id", "map_index"]
)
REPLIES = st.recursive(
    JSON, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6)
)


@given(REPLIES)
def test_no_reply_of_airflow_makes_it_fail_and_what_comes_out_is_text(reply: Any) -> None:
    for told in (reply, {"value": reply}, {"value": json.dumps(reply)}):
        places = pushed.places(told)
        assert places is None or all(isinstance(place, str) for place in places.values())
    assert all(isinstance(at, TaskAt) for at in pushed.entries(reply))
    now = pushed.task_now(reply)
    assert now is None or isinstance(now.operator, str)


@given(*[st.text(max_size=12)] * 4)
def test_a_task_that_is_taken_for_one_is_the_one_that_its_path_names(
    dag: str, run: str, task: str, index: str
) -> None:
    at = pushed.task_at(dag, run, task, index)
    if at is None:
        return
    assert "~" not in {dag, run, task}
    parts = at.path.split("/")[1:]
    assert len(parts) == 4
    assert pushed.task_at(*map(unquote, parts)) == at


def test_what_a_task_pushes_is_understood() -> None:
    told = Places("/out", "/out.state", "/out.state/manifest.json", None, run_name(), 7).told()
    assert pushed.places({"value": told}) == {**told, "shard": "7"}
    assert pushed.places({"value": json.dumps(told)}) == {**told, "shard": "7"}
    assert pushed.shard_of({"shard": "7"}) == 7
    assert pushed.shard_of({}) is None


@pytest.mark.parametrize("shard", [True, -1, 1.0, "1", None, 10**9])
def test_a_shard_that_is_no_number_of_one_is_none(shard: Any) -> None:
    read = pushed.places({"value": places_in("/data", shard=shard)})
    assert read is not None
    assert "shard" not in read


@pytest.mark.parametrize(
    "wrong", [{"state": 5}, {"state": ""}, {"output": None}, {"run": []}, {"state": "x" * 5000}]
)
def test_places_without_what_is_needed_are_none_of_ours(wrong: dict[str, Any]) -> None:
    assert pushed.places({"value": {**places_in("/data"), **wrong}}) is None


def test_a_run_is_its_tasks_own_or_its_groups() -> None:
    assert pushed.is_named_by(run_name(), AT)
    assert not pushed.is_of_a_group(run_name(), AT)
    mapped = TaskAt("d", "r", "group.infer", 3)
    assert pushed.is_named_by("d/group/r/-1", mapped)
    assert pushed.is_of_a_group("d/group/r/-1", mapped)
    assert pushed.is_named_by("d/group.infer/r/3", mapped)
    for foreign in (
        "",
        "e/group/r/-1",
        "d/group/other/-1",
        "d/group/r/3",
        "d/group.infer/r/-1",
        "d//r/-1",
        "d/r/-1",
    ):
        assert not pushed.is_named_by(foreign, mapped)
    assert not pushed.is_named_by("d//r/-1", TaskAt("d", "r", "task"))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            {"task_instances": [{"map_index": 3, "state": "failed"}, {"map_index": 0, "state": None}]},
            {3: "failed"},
        ),
        ({"task_instances": [{"map_index": True, "state": "failed"}, {"state": "failed"}, 7]}, {}),
        ({"task_instances": {"map_index": 3}}, {}),
        ({}, {}),
        ([], {}),
        (None, {}),
    ],
)
def test_states_of_mapped_tasks_are_those_that_can_be_understood(told, expected):
    assert pushed.states(told) == expected
