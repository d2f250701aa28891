"""What the parts of a job hash to stays what earlier versions wrote, whatever the arguments are called."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.job.request_digests import (
    changed_parts,
    digest_of_rows,
    request_digests,
    shows_itself,
)
from runware_provider.engine.spec import (
    Answers,
    Failures,
    Limits,
    ModelProfile,
    Publish,
    Spec,
)
from runware_provider.engine.templates.prompt import Prompt

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
PROFILE = ModelProfile(json_schema=True, unsupported=("pattern", "format"), max_tokens=60_000)
NULL, PLAIN_SETTINGS = "7376b2cbfa0ad26e", "b638e3c5aa546549"


def spec(**changes: Any) -> Spec:
    return Spec(source="in", destination="out", prompt="{{ record.a }}", **changes)


EVERYTHING = spec(
    output_type=SCHEMA,
    model="another",
    settings={"temperature": 0.5},
    filters=[("a", "==", "b")],
    limit=3,
    samples=2,
    retry_failed="again",
    answers=Answers(
        output_mode="native",
        output_retries=2,
        max_tokens_if_truncated=50_000,
        untyped="json",
        lenient_numbers=True,
        model_profile=PROFILE,
    ),
    publish=Publish(columns=("a",), flatten=True, keep_raw=True),
    failures=Failures(dataset="failed"),
    limits=Limits(max_input_tokens=99),
    variables={"ds": "2026-01-01"},
)
FORCED_TOOL = spec(output_type=SCHEMA, answers=Answers(output_mode="tool", output_retries=0))

WRITTEN: dict[str, tuple[Spec, dict[str, str], str]] = {
    "nothing but what is needed": (
        spec(),
        {
            "model": "18b0227cf3bc6b02",
            "settings": PLAIN_SETTINGS,
            "forcing": "81c4da4ea76093d0",
            "traits": "af31bd59230091b2",
            "reasks": "c631b800d980a67f",
        },
        "c713641d1c16fcdc",
    ),
    "everything": (
        EVERYTHING,
        {
            "model": "1ba943342d368392",
            "settings": "03806c6d96c82218",
            "forcing": "d69d24441d198145",
            "traits": "bf9d32fdd55bcc93",
            "reasks": "ed33d56350a37393",
        },
        "be6e762f2780682d",
    ),
    "a forced tool": (
        FORCED_TOOL,
        {
            "model": "18b0227cf3bc6b02",
            "settings": PLAIN_SETTINGS,
            "forcing": "482c95a1c63d2244",
            "traits": "af31bd59230091b2",
            "reasks": "b802cc49137c2a70",
        },
        "789add05b5abea48",
    ),
}
"""What the version before there were value objects wrote into manifests and split records."""


@pytest.mark.parametrize("name", WRITTEN)
def test_a_job_hashes_to_what_earlier_versions_wrote(name: str) -> None:
    job, digests, rows = WRITTEN[name]
    alike = {
        "prompt": "b3035d86806d0a9f",
        "system_prompt": NULL,
        "schema": NULL,
        "tool_choice": NULL,
    }
    assert request_digests(job, None) == alike | digests
    assert digest_of_rows(job, job.variables) == rows


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"output_type": SCHEMA, "answers": {"output_mode": "prompt"}}, "answers.output_mode"),
        ({"answers": {"output_retries": 3}}, "answers.output_retries"),
        ({"answers": {"max_tokens_if_truncated": 50_000}}, "answers.output_retries"),
        ({"answers": {"model_profile": {"tools": False}}}, "answers.model_profile"),
        ({"model": "another"}, "model"),
    ],
)
def test_what_changed_is_told_by_the_name_that_the_argument_has_now(
    changes: dict[str, Any], named: str
) -> None:
    before = {"request": request_digests(spec(), None)}
    assert changed_parts(request_digests(spec(**changes), None), before) == [named]
    assert changed_parts(request_digests(spec(), None), before) == []


def conversing(messages: Any) -> Spec:
    return Spec(source="in", destination="out", messages=messages)


def test_a_lone_message_of_the_users_hashes_as_the_prompt_that_it_is_and_a_conversation_otherwise() -> None:
    user = {"role": "user", "content": "{{ record.a }}"}
    said = {"role": "assistant", "content": "{{ record.a }}"}
    assert request_digests(conversing([user]), None) == request_digests(spec(), None)
    others = [[user, user], [user, said, user], [said, user, user], "{{ record.a }}", "{{ record.b }}"]
    hashes = [request_digests(conversing(messages), None)["prompt"] for messages in others]
    assert len({*hashes, request_digests(spec(), None)["prompt"]}) == 1 + len(others)


def test_changed_messages_are_told_as_messages() -> None:
    before = {"request": request_digests(spec(), None)}
    now = request_digests(conversing("{{ record.a }}"), None)
    assert changed_parts(now, before, asked_by="messages") == ["messages"]


# an equal hash means equal questions


NAMES = ("ds", "run_id", "params", "logical_date")
FIELDS = ("tone", "limit", "items", "day")
MENTIONS = (
    "{{ ds }}",
    "{{ run_id | upper }}",
    "{{ params.tone }}",
    "{{ params['limit'] }}",
    "{{ params.items is callable }}",
    "{{ params | tojson }}",
    "{% for name, value in params.items() %}{{ name }}={{ value }};{% endfor %}",
    "{{ params.get('tone') }}",
    "{{ params[ds] is defined }}",
    "{% set ds = 'mine' %}",
    "{% for params in [1, 2] %}{{ params }}{% endfor %}",
    "{% if params.day %}{{ logical_date }}{% endif %}",
    "{{ logical_date.fold }}",
    "{% set seen = params %}{{ seen }}",
    "{% macro said(ds) %}{{ ds }}{{ run_id }}{% endmacro %}{{ said(1) }}",
)
"""What a template may do with what a run has; `ds` and `params` are sometimes names of its own."""
MADRID = ZoneInfo("Europe/Madrid")
SCALARS = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["0", "1", "a", 0.0, -0.0, 1.0])
TIMES = st.builds(
    lambda hour, fold, zone: pendulum.instance(datetime(2026, 10, 25, hour, fold=fold, tzinfo=zone)),
    st.integers(1, 3),
    st.integers(0, 1),
    st.sampled_from([UTC, MADRID]),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "ds": st.sampled_from(["2026-01-01", "2026-01-02", "tone"]),
    "run_id": st.sampled_from(["one", "two"]),
    "logical_date": TIMES,
    "params": st.dictionaries(st.sampled_from(FIELDS), SCALARS | st.lists(SCALARS, max_size=2)),
}


@st.composite
def jobs_that_hash_alike(draw: st.DrawFn) -> list[Spec]:
    """Of one template, with what two runs have."""
    prompt = "{{ record.a }} " + " ".join(draw(st.lists(st.sampled_from(MENTIONS), max_size=3)))
    first = {name: draw(VALUES[name]) for name in NAMES}
    # Two runs seldom differ in everything, and alike they would hardly ever be if they did.
    kept = draw(st.sets(st.sampled_from(NAMES)))
    second = {name: first[name] if name in kept else draw(VALUES[name]) for name in NAMES}
    return [spec().model_copy(update={"prompt": prompt, "variables": told}) for told in (first, second)]


@given(jobs_that_hash_alike())
def test_what_hashes_alike_asks_the_same_of_every_record(jobs: list[Spec]) -> None:
    prompts = [Prompt(job.prompt, job.variables, ["a"]) for job in jobs]
    one, two = (digest_of_rows(job, prompt.variables) for job, prompt in zip(jobs, prompts, strict=True))
    asked = [[prompt.render({"a": text}) for text in ("x", "y")] for prompt in prompts]
    assert one != two or asked[0] == asked[1]
    assert all(shows_itself(prompt.variables) for prompt in prompts)


@given(*(VALUES[name] for name in NAMES), st.sampled_from(["", "{{ params.tone }}", "{{ ds }}"]))
def test_what_the_prompt_does_not_name_does_not_count(
    ds: str, run_id: str, params: dict[str, Any], logical_date: datetime, mention: str
) -> None:
    named = {"ds": "2026-01-01", "params": {"tone": "short"}}
    usual = {"ds": "2026-01-01", "run_id": "one", "params": {"tone": "short", "limit": 1}}
    other = {"ds": ds, "run_id": run_id, "params": params, "logical_date": logical_date}
    for name in ("ds", "params"):
        if name in mention:
            other[name] = named[name]
    hashes = {
        digest_of_rows(spec(), Prompt(f"{{{{ record.a }}}}{mention}", variables, ["a"]).variables)
        for variables in (usual, other)
    }
    assert len(hashes) == 1
