from __future__ import annotations

import pytest

from runware_provider.engine.errors import BadInput
from runware_provider.engine.job.template_check import ENOUGH, TemplateCheck
from runware_provider.engine.templates.prompt import Skip

ASKED = [None]
BLANK = [Skip("empty", "null or blank: body")]
LONG = [Skip("too_long", "the prompt has more than 10 characters")]
FAILED = [Skip("prompt_error", "TypeError in line 1")]


@pytest.mark.parametrize(
    ("batches", "counted"),
    [
        ([[FAILED]], 1),
        ([[BLANK, FAILED, BLANK]], 1),
        ([[BLANK] * 50, [BLANK] * 50, [FAILED, BLANK, FAILED]], 2),
        ([[FAILED] * (ENOUGH - 1), [FAILED] * 3], ENOUGH + 2),
    ],
)
def test_a_template_that_fails_on_every_filled_record_is_refused(batches, counted) -> None:
    template = TemplateCheck()
    for batch in batches[:-1]:
        template.check(batch, last=False)
    with pytest.raises(BadInput, match=rf"any of the first {counted} records that are not blank: TypeError"):
        template.check(batches[-1], last=True)


def test_enough_failures_in_the_first_batches_end_the_job_at_once() -> None:
    template = TemplateCheck()
    template.check([FAILED] * (ENOUGH - 1), last=False)
    with pytest.raises(BadInput, match="nothing was sent"):
        template.check([FAILED], last=False)


@pytest.mark.parametrize(
    "batches",
    [
        [[ASKED, FAILED]],
        [[FAILED] * 3, [BLANK], [FAILED, ASKED]],
        [[FAILED] * 5_000 + [LONG], [FAILED] * 5_000],
        [[BLANK] * 3],
        [[]],
    ],
)
def test_a_template_that_was_rendered_once_or_never_tried_is_not_at_fault(batches) -> None:
    template = TemplateCheck()
    for number, batch in enumerate(batches):
        template.check(batch, last=number == len(batches) - 1)
