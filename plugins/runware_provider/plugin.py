"""What Airflow registers: a name, and in the API server the receiver of webhooks.

Every task process loads the plugins before its task starts, so this module imports nothing heavy; what
only one component needs belongs into a property that imports it when asked.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin


class RunwarePlugin(AirflowPlugin):
    """Shows up in `airflow plugins`; the operators and the hook are imported by their module path."""

    name = "runware"

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # only read, and only by who serves it
        """Asked for by the API server and by `airflow plugins`."""
        from runware_provider.mounted_receiver import fastapi_apps  # noqa: PLC0415 - see the module's docstring

        return fastapi_apps()
