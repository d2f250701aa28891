"""What a job costs, and what may still be spent."""
