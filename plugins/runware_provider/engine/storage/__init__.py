"""Where bytes lie: a small port, and the local file system and S3 behind it."""
