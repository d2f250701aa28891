"""Which answers are right: what the user asked for, as JSON Schema for the model and as a type for Arrow."""
