"""The quality of published datasets: one at a glance, or two side by side. Reads what is there; knows no job."""
