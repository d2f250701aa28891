"""Where bytes lie: a small port, and the local file system and object stores behind it."""
