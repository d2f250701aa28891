"""What strangers reach: the receiver of webhooks, in Airflow's API server or alone (`python -m runware_provider.web`)."""
