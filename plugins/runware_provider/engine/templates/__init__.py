"""The user's templates: the prompt of a record, and which records are chosen."""
