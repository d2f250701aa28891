"""What Airflow registers: a name, so far.

Every task process loads the plugins before its task starts, so this module imports nothing heavy; what
only one component needs (the API server's apps, say) belongs into a property that imports it when asked.
"""

from __future__ import annotations

from airflow.sdk.plugins_manager import AirflowPlugin


class RunwarePlugin(AirflowPlugin):
    """Shows up in `airflow plugins`; the operators and the hook are imported by their module path."""

    name = "runware"
