"""Alembic's home: `env.py` and `versions/`. Run through `storage.migrate`."""
