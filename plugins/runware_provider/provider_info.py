"""What the wheel tells Airflow about itself: connection type, task decorator, configuration.

Airflow reads it in every process that looks at its providers, so this module imports nothing of what it names.
"""

from __future__ import annotations

from typing import Any, Final

from runware_provider import __version__

SECTION: Final = "runware"
LINKS: Final = ("OutputLink", "ManifestLink", "ReportLink")
OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "default_budget_usd": {
        "description": "What one task of one run may cost in USD, with all its retries, where its author gave no"
        " budget. Empty for no bound.",
        "version_added": "0.1.0",
        "type": "float",
        "example": "5",
        "default": None,
    },
    "progress_interval_s": {
        "description": "Seconds between two lines of progress in a task's log, and between two writes of it to the task"
        " state store, at most.",
        "version_added": "0.1.0",
        "type": "float",
        "example": "60",
        "default": "30",
    },
    "assets": {
        "description": "Whether a task has its source as an inlet and its destination as an outlet, where its author says"
        " nothing and both are known while the DAG is parsed.",
        "version_added": "0.1.0",
        "type": "boolean",
        "example": "False",
        "default": "True",
    },
    "webhook_url": {
        "description": 'Where the vendor reaches the receiver of webhooks, for tasks with `delivery="webhook"`: a URL'
        " whose path ends in `/hook`.",
        "version_added": "0.1.0",
        "type": "string",
        "example": "https://airflow.example.com/runware/hook",
        "default": None,
    },
    "webhook_inbox": {
        "description": "The folder, or URL of an object store, in which the receiver keeps what the vendor brings until a"
        " task fetches it. Receiver and workers need it.",
        "version_added": "0.1.0",
        "type": "string",
        "example": "s3://bucket/runware-inbox",
        "default": None,
    },
    "webhook_secrets": {
        "description": "What calls of the vendor are proven with: texts of 32 characters or more, separated by commas. The"
        " first signs, each of them opens. Without one the receiver is closed.",
        "version_added": "0.1.0",
        "type": "string",
        "sensitive": True,
        "example": "<what `openssl rand -hex 32` prints>",
        "default": None,
    },
    "page_roots": {
        "description": "Below which folders and URLs of object stores the pages of jobs read, with commas between. What"
        " tasks write elsewhere is not shown; where it is empty, nothing is read.",
        "version_added": "0.1.0",
        "type": "string",
        "example": "/data/lake,s3://lake/out",
        "default": None,
    },
    "page_texts": {
        "description": "Whether the pages of jobs show texts of records, prompts and answers to who may edit the DAG's task"
        " instances.",
        "version_added": "0.1.0",
        "type": "boolean",
        "example": "True",
        "default": "False",
    },
}
"""As Airflow wants to be told about them."""


def get_provider_info() -> dict[str, Any]:
    """The provider's description, in the words of Airflow's schema for it."""
    return {
        "package-name": "airflow-provider-runware",
        "name": "Runware",
        "description": "Run an LLM over every row of a Parquet dataset, with the Runware API.",
        "versions": [__version__],
        "connection-types": [
            {
                "connection-type": "runware",
                "hook-class-name": "runware_provider.hook.RunwareHook",
                "hook-name": "Runware",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "login"],
                    "relabeling": {"password": "API key", "host": "Base URL"},
                    "placeholders": {"host": "https://api.runware.ai/v1"},
                },
                "conn-fields": {
                    "max_outstanding": _bound(
                        "Inferences at once",
                        "How many inferences a task may have under way at once; lowers the task's own limit.",
                        100_000,
                    ),
                    "requests": _bound(
                        "Requests at once",
                        "How many HTTP requests a task may have under way at once; lowers the task's own limit.",
                        4_000,
                    ),
                },
            }
        ],
        "task-decorators": [
            {
                "name": "text_inference",
                "class-name": "runware_provider.decorators.text_inference_task",
            }
        ],
        "extra-links": [f"runware_provider.links.{name}" for name in LINKS],
        "config": {
            SECTION: {"description": "Decisions for all tasks of this Airflow.", "options": OPTIONS},
        },
    }


def _bound(label: str, description: str, maximum: int) -> dict[str, Any]:
    return {
        "label": label,
        "description": description,
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": maximum},
    }
