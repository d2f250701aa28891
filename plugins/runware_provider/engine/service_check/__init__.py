"""Asks the real service whether it does what this project assumes of it; `docs/assumptions.md` is its page."""
