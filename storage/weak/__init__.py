"""Weak labels: small functions that vote on replies nobody has judged, and what they come to."""
