"""The record: what passed, what the scorers said of it, what people thought of it.

Knows nothing of HTTP or of scorers. `store.Store` is the front door, `writer.Writer` the way in for
traffic, `migrate` keeps the schema, `exports` turns feedback into training data.
"""
