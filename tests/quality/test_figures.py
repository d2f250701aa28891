from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.outcome.rows import INFERENCE_TYPE
from runware_provider.quality.figures import FIELDS, MESSAGES_READ, Figures

OLDER = pa.schema([INFERENCE_TYPE.field(name) for name in FIELDS if name != "reasks"])
SCHEMA = OLDER.append(pa.field("reasks", pa.int32()))
ROWS = st.fixed_dictionaries(
    {
        "outcome": st.sampled_from(["succeeded", "invalid", "failed"]),
        "error_code": st.none() | st.sampled_from(["schema", "unreadable"]),
        "error_message": st.none() | st.text(),
        "attempts": st.integers(0, 4),
        "reasks": st.none() | st.integers(0, 2),
        "finish_reason": st.none() | st.sampled_from(["stop", "length"]),
        "latency_s": st.none() | st.floats(0, 100),
        "mends": st.none() | st.lists(st.sampled_from(["fence", "think"]), unique=True),
    }
)


def tally(*batches, schema=SCHEMA):
    held = Figures({})
    for batch in batches:
        held.add(pa.Table.from_pylist(batch, schema))
    return held


def problems(*messages):
    rows = [{"outcome": "invalid", "error_message": message} for message in messages]
    return tally(rows).problems


@given(st.lists(st.lists(ROWS, max_size=8), max_size=4))
def test_counts_agree_with_plain_python(batches):
    held, rows = tally(*batches), [row for batch in batches for row in batch]
    assert held.rows == len(rows)
    assert held.outcomes == Counter(row["outcome"] for row in rows)
    coded = [(row["outcome"], row["error_code"]) for row in rows if row["error_code"]]
    assert held.reasons == Counter(coded)
    assert held.attempts == Counter(row["attempts"] for row in rows)
    assert held.mends == Counter(mend for row in rows for mend in row["mends"] or [])
    assert held.asked_again == sum(row["attempts"] > 1 for row in rows)
    retried = [row for row in rows if row["reasks"]]
    assert held.output_retried == len(retried)
    assert held.mended_by_model == sum(row["outcome"] == "succeeded" for row in retried)
    assert held.latency.highest == max(
        (row["latency_s"] for row in rows if row["latency_s"] is not None), default=None
    )


def test_problems_are_counted_by_path_and_message():
    found = problems(
        "$.total: 'abc' is not of type 'number'; $.lines[3].amount: -5 is less than the minimum of 0",
        "$.total: 'x; y' is not of type 'number'; and 3 more",
        "$: 'vendor' is a required property",
    )
    assert found.counts == {
        ("$.total", "… is not of type 'number'"): 2,
        ("$.lines[*].amount", "… is less than the minimum of 0"): 1,
        ("$", "'vendor' is a required property"): 1,
    }
    assert found.examples["$.total", "… is not of type 'number'"] == "'abc' is not of type 'number'"


def test_the_same_problem_twice_in_a_row_counts_once():
    message = "; ".join(f"$.lines[{n}].amount: 'x' is not of type 'number'" for n in range(4))
    assert problems(message).counts == {("$.lines[*].amount", "… is not of type 'number'"): 1}


@pytest.mark.parametrize(
    ("message", "path", "text"),
    [
        ("no JSON in the answer", "", "no JSON in the answer"),
        (
            "$.date: 'x' is not a 'date'; write it like 2026-01-31",
            "$.date",
            "… is not a 'date'; write it like 2026-01-31",
        ),
        ('$["a name"]: Field required', '$["a name"]', "Field required"),
        ("$.currency: 'XYZ' is not one of ['EUR', 'USD']", "$.currency", "… is not one of ['EUR', 'USD']"),
    ],
)
def test_messages_of_every_kind_are_read(message, path, text):
    assert list(problems(message).counts) == [(path, text)]


@given(st.text(), st.text())
def test_no_message_breaks_the_reading(first, second):
    assert problems(first, f"$.{second}: {first}; $: {second}").read == 2


def test_only_so_many_messages_are_read():
    row = {"outcome": "invalid", "error_message": "$: no"}
    held = tally([row] * 60_000, [row] * 60_000)
    assert held.problems.read == MESSAGES_READ
    assert held.outcomes["invalid"] == 120_000


def test_rows_of_an_older_dataset_have_no_output_retries():
    held = tally([{"outcome": "succeeded", "attempts": 2}], schema=OLDER)
    assert (held.rows, held.asked_again, held.output_retried) == (1, 1, 0)
    assert not held.output_retries
