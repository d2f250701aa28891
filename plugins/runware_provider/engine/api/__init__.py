"""The API's words: what is sent to it, what comes back, and what its errors mean."""
