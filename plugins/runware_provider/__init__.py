"""Run an LLM over every row of a Parquet dataset from Apache Airflow, with the Runware API."""

__version__ = "0.1.0"
