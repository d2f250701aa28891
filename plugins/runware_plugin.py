"""Hands the plugin to Airflow, which runs this file in every process: it imports nothing else."""

from runware_provider.plugin import RunwarePlugin

__all__ = ["RunwarePlugin"]
