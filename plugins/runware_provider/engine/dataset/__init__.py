"""Parquet in, and Parquet published."""
