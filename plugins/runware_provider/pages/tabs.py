"""Where Airflow's own page shows ours: a tab of each task instance, and a page in the navigation."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from runware_provider.configuration import base_path
from runware_provider.pages.run_view import URL_PREFIX

OPERATORS: Final = (
    "TextInferenceOperator",
    "@task.text_inference",
    "SplitShardsOperator",
    "InferShardOperator",
    "PublishShardsOperator",
)
"""Ours, as Airflow calls them. An operator of the user's own that is made of one has another name."""


@cache
def external_views() -> list[dict[str, Any]]:
    """What a plugin says of its views; the same list whenever it is asked, since Airflow takes out of it what it refuses."""
    root = f"{base_path()}{URL_PREFIX}"
    return [
        {
            "name": "Runware",
            "href": f"{root}/{{DAG_ID}}/{{RUN_ID}}/{{TASK_ID}}/{{MAP_INDEX}}",
            "destination": "task_instance",
            "url_route": "runware",
            # Airflow 3.3 does not know it, and shows the tab on every task.
            "applies_to": {"operator_name": list(OPERATORS)},
        },
        {"name": "Runware", "href": f"{root}/", "destination": "nav", "url_route": "runware-jobs"},
    ]
