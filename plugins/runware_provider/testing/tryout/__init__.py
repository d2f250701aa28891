"""Trying the example DAGs: ``make demo`` runs one of them once, ``make airflow`` starts Airflow with all of them.

These modules need a checkout of the project: its DAGs and its sample documents are not in the wheel.
"""
