"""How much of a text is kept."""
