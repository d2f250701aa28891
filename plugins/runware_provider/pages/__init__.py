"""Pages in Airflow's own: what is to be seen of a job, for who may see its DAG. Reads records, and knows no job."""
