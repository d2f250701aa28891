"""From an answer to an outcome, and from outcomes to parts."""
