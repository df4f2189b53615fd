"""Training examples that no source has, made by rules from a seed."""
