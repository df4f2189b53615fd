"""The proxy: the only room that knows the others."""
