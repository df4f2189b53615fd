"""The shelf of export formats."""
