from __future__ import annotations

from runware_provider.testing.tryout import standalone


def test_workers_are_told_the_address_that_the_api_server_listens_on() -> None:
    settings = standalone.settings(8123)
    assert settings["AIRFLOW__API__PORT"] == "8123"
    assert settings["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:8123"


def test_everybody_is_administrator_only_where_nobody_else_can_reach() -> None:
    settings = standalone.settings(8123)
    assert settings["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] == "True"
    assert settings["AIRFLOW__API__HOST"] == "127.0.0.1"
