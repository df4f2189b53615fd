"""How soon drift is seen, and how often where there is none: `python -m load_tests.drift`."""
