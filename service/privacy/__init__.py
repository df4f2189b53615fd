"""How much of a text is kept: whole, redacted, as a keyed hash, or not at all. Pure."""
