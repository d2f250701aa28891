"""Which pages there are, and what each asks of whoever wants to see it: the application and the manual are made of this. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

TASK: Final = "/{dag_id}/{run_id}/{task_id}/{map_index}"


class Right(Enum):
    """What a person needs; its value says so, as the manual does."""

    NONE = "none: nothing of a job is in it"
    LIST = "to be signed in; the datasets are those of the DAGs whose XComs one may read"
    TASK = "to read the DAG's task instances and XComs"
    TEXTS = "to edit the DAG's task instances, beside the above; and `[runware] page_texts` must be on"


@dataclass(frozen=True)
class Route:
    """One kind of page."""

    path: str
    right: Right
    shows: str


LIST: Final = Route("/", Right.LIST, "the datasets that this Airflow writes, each with its last runs")
JOB: Final = Route(TASK, Right.TASK, "the run of a task: counts, rates, costs, error codes, paths")
REPORT: Final = Route(f"{TASK}/report", Right.TEXTS, "the report on quality, which quotes records")
FAILED: Final = Route(f"{TASK}/failed", Right.TEXTS, "records that failed, with their texts and answers")
MISSED: Final = Route(
    f"{TASK}/missed", Right.TEXTS, "records that miss what was expected, with their texts and answers"
)
ASKED: Final = Route(f"{TASK}/asked", Right.TEXTS, "the prompt and the schema")
SAMPLES: Final = Route(
    f"{TASK}/samples", Right.TEXTS, "sample answers of a run that waits for a person's approval"
)
STATIC: Final = Route("/static/{name}", Right.NONE, "the pages' style and script")

ROUTES: Final = (LIST, JOB, REPORT, FAILED, MISSED, ASKED, SAMPLES, STATIC)
"""All of them; each is for GET alone."""
