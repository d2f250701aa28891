"""What is sent is what a job would send."""

from __future__ import annotations

import json

from runware_provider.engine.api.output_mode import Forced
from runware_provider.engine.api.request_bodies import RequestTemplate
from runware_provider.engine.service_check.questions import NOBODY, ONE_WORD, hooked, paid_questions
from runware_provider.engine.settings import Settings

UUID = "0b6e4fa0-0000-4000-8000-000000000001"


def test_a_question_is_sent_as_a_jobs_task_is() -> None:
    """But for the word of its delivery, which a job chooses for all of its tasks."""
    task = json.loads(ONE_WORD.task("m", UUID))
    template = RequestTemplate(model="m", settings=Settings(max_tokens=32), forced=Forced("text"))
    assert {name: task[name] for name in template.fields(0)} == template.fields(0)
    assert set(task) - set(template.fields(0)) == {
        "taskType",
        "taskUUID",
        "messages",
        "deliveryMethod",
        "includeCost",
        "includeUsage",
        "numberResults",
    }


def test_the_question_with_a_webhook_is_counted_as_it_is_sent() -> None:
    url = "https://hooks.example.com/runware?t=" + "0" * 200
    counted = paid_questions(streams=False, webhook_url=url)[-1].task("m", NOBODY)
    assert len(counted) == len(hooked(url).task("m", UUID))
    assert json.loads(counted)["webhookURL"] == url
    assert len(paid_questions(streams=True, webhook_url=None)) == len(
        paid_questions(streams=False, webhook_url=url)
    )
