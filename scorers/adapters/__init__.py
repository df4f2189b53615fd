"""Models that were not made for this program, as scorers."""
