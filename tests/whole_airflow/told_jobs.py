"""What a DAG of the tests learns from its environment: what each of its tasks asks, and whom."""

from __future__ import annotations

import json
from typing import Any

from tests.engine.conftest import KEY, SCHEMA

QUESTION = "What is the total?"


def jobs_in(places: dict[str, Any], **further: Any) -> dict[str, str]:
    """Variables of the environment for jobs of which each asks the server of its own place.

    Args:
        places: by the job's name, which is that of its connection behind `runware_`, too.
        further: arguments of all of them.
    """
    told, jobs = {}, {}
    for name, place in places.items():
        connection = {"conn_type": "runware", "host": place.server.base_url, "password": KEY}
        told[f"AIRFLOW_CONN_RUNWARE_{name.upper()}"] = json.dumps(connection)
        jobs[name] = {
            "source": str(place.source),
            "destination": str(place.destination),
            "prompt": f"{QUESTION}\n{{{{ record.body }}}}",
            "output_type": SCHEMA,
            **further,
        }
    return {**told, "JOBS": json.dumps(jobs)}
