"""The shelf of repositories: every query of the record is in here, one file per noun."""
