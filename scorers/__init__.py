"""The scoring room: models, scorers, and the engine that runs them in shared batches."""
