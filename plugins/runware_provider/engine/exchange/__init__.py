"""What is under way: what to send, ask for or look up next."""
