"""Clients that people use, unmodified, against the whole proxy."""
