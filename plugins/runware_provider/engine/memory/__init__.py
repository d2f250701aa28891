"""What a job remembers durably, and what it forgets: the ledger and the state folder."""
