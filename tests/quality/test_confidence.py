"""How sure the model says to be, and how often it is right."""

from __future__ import annotations

import pyarrow as pa
import pytest

from runware_provider.quality.confidence import is_named_so

SURE = pa.struct(
    {
        "vendor": pa.string(),
        "total": pa.float64(),
        "vendor_confidence": pa.float64(),
        "confidence": pa.float64(),
    }
)


def put(lake, said, count=100, **options):
    rows = [
        lake.row(
            n,
            {
                "vendor": "AB"[n % 10 < 3],
                "total": float(n % 2),
                "vendor_confidence": said(n),
                "confidence": said(n),
            },
        )
        for n in range(count)
    ]
    lake.put(rows, result_type=SURE, **options)
    expected = {"key": list(range(count)), "vendor": ["A"] * count, "total": [0.0] * count}
    return lake.look(expected=expected, key="key").hits.sureness.fields(), lake.report(
        expected=expected, key="key"
    )


@pytest.mark.parametrize(
    ("path", "is_so"),
    [
        ("confidence", True),
        ("vendor_confidence", True),
        ("vendorConfidence", True),
        ("meta.score", True),
        ("probability", True),
        ("scoreboard", False),
        ("total", False),
        ("confident_words", False),
    ],
)
def test_a_name_says_whether_a_number_tells_how_sure_the_model_is(path, is_so):
    assert is_named_so(path) is is_so


def test_a_number_is_said_of_the_field_that_it_is_named_after_and_else_of_all(lake):
    (vendor, both), _ = put(lake, lambda _: 0.95)
    assert (vendor.of, vendor.right, vendor.rows) == ("vendor", 70, 100)
    assert (both.of, both.right, both.rows) == ("", 30, 100)


def test_bins_hold_what_is_said_up_to_their_end_and_one_belongs_to_the_last(lake):
    (vendor, _), _ = put(lake, lambda n: [0.0, 0.1, 0.95, 1.0][n % 4])
    assert [bin_.rows for bin_ in vendor.bins] == [25, 25, 0, 0, 0, 0, 0, 0, 0, 50]


def test_a_model_that_is_surer_than_right_is_told_so(lake):
    _, told = put(lake, lambda _: 0.95)
    assert "On average it says 0.95, and 70 % are as expected: it is surer than it is right." in told
    assert "It says about the same everywhere." in told


def test_a_number_that_tells_right_from_wrong_is_told_so_and_one_that_does_not_as_well(lake):
    _, telling = put(lake, lambda n: 0.2 if n % 10 < 3 else 0.9)
    assert "100 % of the surer half, 0 % of the other are as expected." in telling
    _, idle = put(lake, lambda n: 0.2 if n % 20 < 10 else 0.9, publish_id="p2")
    assert "It does not tell right from wrong: 70 % of the surer half, 70 % of the other." in idle


def test_numbers_that_are_no_share_and_none_at_all_are_passed_over(lake):
    assert put(lake, lambda _: 95.0)[0] == ()
    assert put(lake, lambda _: None, publish_id="p2")[0] == ()
