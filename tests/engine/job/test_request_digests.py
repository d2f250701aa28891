"""What the parts of a job hash to stays what earlier versions wrote, whatever the arguments are called."""

from __future__ import annotations

from typing import Any

import pytest

from runware_provider.engine.job.request_digests import changed_parts, digest_of_rows, request_digests
from runware_provider.engine.spec import (
    Answers,
    Failures,
    Limits,
    ModelProfile,
    Publish,
    Spec,
)

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
    assert digest_of_rows(job) == rows


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
