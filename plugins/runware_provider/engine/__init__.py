"""From a Parquet dataset to a Parquet dataset, one outcome per record; runs without Airflow."""
