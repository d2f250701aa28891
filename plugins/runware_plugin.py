"""Hands the plugin to Airflow, which runs this file in every process: it imports nothing else."""

from runware_provider.installation import registers_itself

if registers_itself(__file__):
    from runware_provider.plugin import RunwarePlugin  # noqa: F401 - Airflow looks for it here
